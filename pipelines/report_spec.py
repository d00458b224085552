"""What a pipeline tells the report of itself: its rules in the order they are applied, and its measures.

Import-light: a pipeline that only describes itself pulls in neither duckdb nor Pillow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from transforms.ledger import Measure


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One rule: what it measures, where its limit stands in the config, and one sentence for people."""

    rule: str
    measure: str
    section: str
    """Heading it stands under: Picture, Caption, Sample, Concepts."""
    limit_key: str = ""
    """Dotted place of the limit in the resolved config, as `image.min_short_side`; empty where it has none."""
    side: Literal["min", "max"] = "max"
    """`min`: values below the limit are dropped; `max`: values above it."""
    meaning: str = ""
    limit: float | None = None
    """A limit that is no setting (one frame, one copy); it wins, and `limit_key` then only names the section."""
    negated: bool = False
    """Whether the setting says how far below zero the measure may lie."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """A kind of likeness whose groups the report shows as strips."""

    anchor: str
    title: str
    rule: str
    kept: str
    """The string measure that names the one that stays."""
    apart: str
    """The measure of how far a copy lies from it: the groups and copies it says most of come as doubtful ones."""
    doubtful: Literal["low", "high"]
    """Which end of `apart` is doubtful: low of a cosine, high of a distance."""
    lead: str


@dataclass(frozen=True, slots=True)
class ReportSpec:
    """Everything the report needs to know of a pipeline beyond what its run left on disk."""

    title: str
    rules: list[RuleSpec]
    measures: Mapping[str, Measure]
    clusters: str = ""
    """The string measure that names the kept copy of a duplicate; empty: no section on duplicates."""
    likenesses: tuple[Likeness, ...] = ()
    """Sections on groups that are alike and not equal, shown where the run found any."""
    shared_text: str = ""
    """The whole-number measure of how many pictures share a text; empty: no section on shared texts."""
    hidden: frozenset[str] = field(default_factory=frozenset)
    """Measures that deserve no histogram of their own."""
    text_rules: list[RuleSpec] = field(default_factory=list)
    """Rules on refined texts, which drop no row; none: no section on recaptions."""
    whole: str = ""
    """What samples are called where the report shows some of them whole; empty: none."""
    speaks: bool = False
    """Whether these are conversations, of which some that each rule dropped are shown as well."""
    picture_rules: list[RuleSpec] = field(default_factory=list)
    """Rules on the pictures of documents, which drop no row; none: no section on pictures."""


def limit_of(rule: RuleSpec, config: Mapping[str, Any]) -> float | None:
    """The number a rule holds its measure against; None where it has none or its config does not know it."""
    if rule.limit is not None or not rule.limit_key:
        return rule.limit
    found = _lookup(config, rule.limit_key)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return -float(found) if rule.negated else float(found)


def is_enabled(rule: RuleSpec, config: Mapping[str, Any]) -> bool:
    """False where the config section of the rule's limit says `enabled: false`."""
    section = rule.limit_key.rpartition(".")[0]
    return not section or _lookup(config, f"{section}.enabled") is not False


def _lookup(config: Mapping[str, Any], dotted: str) -> Any:
    found: Any = config
    for part in dotted.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found
