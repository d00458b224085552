"""Config of knowledge density: how much more often a document is drawn whose pictures carry knowledge.

GLM-4.1V (sec. 3.1) trains a classifier of "high knowledge density" to prioritise academic charts, scientific
illustrations, schematics, instructional diagrams and maps. It states no weights; all numbers here are ours.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.strict import Strict


class KnowledgeRules(Strict):
    enabled: bool = False
    """Off by default, because it needs a trained head (`beamsift classifier fit`)."""
    head: str = ""
    """Path or URI of the head's .safetensors; it must belong to the CLIP model of the run."""
    classes: tuple[str, ...] = Field(
        ("academic_chart", "scientific_illustration", "schematic", "instructional_diagram", "map"), min_length=1
    )
    """Classes of the head that carry knowledge: the five that GLM-4.1V names. Any other class counts as none."""
    min_probability: float = Field(0.5, ge=0, le=1)
    """A picture below it counts as 0: with a sum over pictures, a hundred photos at 0.02 would else make an atlas."""
    combine: Literal["max", "sum"] = "max"
    """What a document's pictures come to: the best one, or all of them added up."""
    max_sum: float = Field(5.0, gt=0)
    """Where the sum ends, so that no page of a hundred icons of maps outweighs a textbook."""
    boost: float = Field(3.0, ge=0)
    """weight = 1 + boost * density: a document with one sure chart is drawn four times as readily as one without."""
    order: Literal["pool", "weighted"] = "pool"
    """The order of the written set. `pool`: the pool's, as `output.shuffle_run` has it. `weighted`: drawn by weight, so
    that every first n documents are a sample of n in which weights count; each document is then read on its own, and
    `output.shuffle_run` is not asked."""
