"""Config of `beamsift classifier`: the CLIP model whose embeddings are read, the head on it, what to label next.

GLM-4.1V (sec. 3.1) names a purpose-built image classifier and an iteratively trained one for knowledge density, and
states neither size nor numbers: the values here are ours. Which classes there are is data: the names of folders.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from configs.schema.caption import ReadRules, RelevanceRules
from configs.schema.strict import Strict


class HeadRules(Strict):
    """How a head is fitted to labelled embeddings."""

    kind: Literal["linear", "mlp"] = "linear"
    """`linear`: softmax on the embedding. `mlp`: one hidden layer of rectified units before it."""
    hidden: int = Field(32, ge=1)
    """Units of the hidden layer; read for `mlp` only. 64 on 96 numbers were no better on the toy world (measured)."""
    l2: tuple[Annotated[float, Field(gt=0)], ...] = Field((1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0), min_length=1)
    """Weights of the squared norm, tried by cross-validation; that of the least log loss is taken, of equals the
    largest. The loss is a mean over pictures, so that the scale does not depend on their number."""
    folds: int = Field(5, ge=2)
    """Parts of the training set; each is predicted by a head that has not seen it."""
    class_weights: Literal["balanced", "none"] = "balanced"
    """`balanced`: every class weighs the same, however many of its pictures were labelled; probabilities then speak of
    a world of equal classes. `none`: every picture does, and they speak of the training set's mixture."""
    least_pictures: int = Field(10, ge=2)
    """Different pictures that every class needs: two in each of five folds."""
    max_iterations: int = Field(300, ge=1)
    """Steps of L-BFGS at most."""
    bins: int = Field(10, ge=2)
    """Bins of equal width in which confidence meets accuracy (expected calibration error)."""


class LabellingRules(Strict):
    """Which unlabelled pictures are shown next."""

    uncertainty: Literal["margin", "entropy"] = "margin"
    """`margin`: one less the distance of the two highest probabilities. `entropy`: of all, over its greatest value."""
    candidates: int = Field(20, ge=1)
    """The most uncertain pictures looked at for each one picked: among them the picks are spread out."""


class ClassifierConfig(Strict):
    """What `beamsift classifier` takes from `--config` and `--set`."""

    seed: int = 0
    """Enters the folds' hashes and the first weights of an MLP."""
    read: ReadRules = ReadRules()
    relevance: RelevanceRules = RelevanceRules()
    """The CLIP model: model, pretrained, device, precision, batch_size and threads as a run's; no threshold is read."""
    head: HeadRules = HeadRules()
    labelling: LabellingRules = LabellingRules()
