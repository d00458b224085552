"""Conversations for supervised fine-tuning (GLM-4.1V-Thinking, sections 3.2 and 4).

Responses must have the standard form, thought and answer in tags, and to verifiable tasks one box whose content is
right; those of noisy style go: mixed languages, redundant thought patterns. Tasks that the pre-trained model always or
never solves go. Last, of several that ask nearly the same of the same pictures, all but one. Iterative enhancement is
the same run over responses that an RL checkpoint gave.

The order of the steps is this file; the numbers are configs/schema/sft.py; the rules are transforms/.
Left out on purpose: all input and output (pipelines/run.py); asking a model for pass rates.
"""

from __future__ import annotations

from functools import partial

from apache_beam.pvalue import PCollection

from configs.schema.sft import SftConfig, reading_rules
from transforms.beam.match import Match
from transforms.beam.match_texts import MatchTexts
from transforms.beam.scan import Scan
from transforms.beam.verbs import Keep, Rows, Site
from transforms.responses_prompts import PromptDuplicates
from transforms.responses_reading import readers
from transforms.responses_rules import mark_unique, mark_unsound, scan_reads, scan_steps
from transforms.unique_keys import UniqueKeys


def build(units: PCollection, cfg: SftConfig, site: Site, buckets: int) -> Rows:
    """Rows of the pool, a conversation each, marked with their fates."""
    read = readers(cfg.read)
    rows = Rows(units | "Scan" >> Scan(scan_steps(cfg), reading_rules(cfg.read), scan_reads(cfg), site, read), site)
    rows = rows | "UniqueKeys" >> Match(UniqueKeys(), buckets)
    rows = rows | "KeepSound" >> Keep(partial(mark_unsound, cfg=cfg))
    if cfg.duplicates.enabled:
        rows = rows | "Prompts" >> MatchTexts(PromptDuplicates(cfg.duplicates), buckets)
        rows = rows | "KeepUnique" >> Keep(partial(mark_unique, cfg=cfg))
    return rows
