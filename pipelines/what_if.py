"""What another config would have made of a finished run, rule by rule, and which samples would change sides.

All rows are held in memory, at the peak 3.5 KB and 70 microseconds each (measured on 53,040 caption pairs): some
millions of rows on one machine. Before it answers, the old config must reproduce the ledger exactly.
Left out on purpose: anything that would need a picture; that is a run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from rich.table import Table
from rich.text import Text

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError, apply_override, parse_config
from configs.schema.web import WebConfig
from pipelines.decisions import check_reproduced, load_measured, reasons
from pipelines.finish import finished_manifest
from pipelines.kinds import Config, Kind, kind_of
from pipelines.ledger import reach, run_config
from pipelines.plain_text import number, plain, show_text
from pipelines.tables import show
from transforms import caption_pairs
from transforms.ledger import beginning, chosen_caption
from transforms.records import Drop, Sample

MODEL_KEYS = ("model", "pretrained", "device", "precision", "batch_size", "threads")
"""Keys of `relevance` that move scores; other scores need the pictures."""
ASKING_KEYS = (
    "enabled", "guard.max_seen_count", "guard.min_language_characters", "guard.ocr", "guard.ocr_min_confidence",
    "backend", "model", "prompt", "max_tokens", "temperature", "seed", "max_side", "jpeg_quality",
    "local.path", "local.dtype", "local.device", "local.batch_size",
)  # fmt: skip
"""Keys of `recaption`, and below its `captioner`, that move what a captioner writes or what is measured on it."""
EXAMPLES = 10


class Change(NamedTuple):
    """A row that goes or comes, and the drop that says why: the new one of a row that goes, the old one's otherwise."""

    key: str
    caption: str
    drop: Drop


class Difference(NamedTuple):
    """Rows by reason ("" is kept) under both configs, and how many moved."""

    old: Counter[str]
    new: Counter[str]
    gone: int
    come: int
    moved: int
    """Dropped under both, by different rules."""
    going: list[Change]
    coming: list[Change]
    unscored: int
    """Rows that only a run can judge: they reach relevance with a caption that was never scored."""
    texts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    """What is counted beside rows under both configs: refined texts, or documents' pictures (a Kind's `tally`)."""
    unasked: int = 0
    """Rows whose refined text only a run can give."""


def what_if(output: str, sets: Sequence[str]) -> int:
    """Prints the difference. Raises ConfigError for a key that needs pictures, NotFinished, NotReproduced."""
    reach(output)
    old = run_config(finished_manifest(output), output)
    new = override(old, sets)
    check_needs_no_picture(old, new)
    measured = load_measured(output)
    check_reproduced(measured, old, output)
    kind, vocabulary = kind_of(old), measured.vocabulary if _same_vocabulary(old, new) else None
    again = kind.decide_again(measured.samples, measured.units, new, vocabulary)
    difference = compare(measured.samples, again, kind)
    print_difference(
        difference, kind, [f"{key}: {_value(old, key)} → {_value(new, key)}" for key in changed_keys(old, new)]
    )
    return 0


def _same_vocabulary(old: Config, new: Config) -> bool:
    if not (isinstance(old, CaptionConfig) and isinstance(new, CaptionConfig)):
        return False
    return old.concepts.vocabulary == new.concepts.vocabulary


def override(cfg: Config, sets: Sequence[str]) -> Config:
    values = cfg.model_dump(mode="json")
    for one in sets:
        apply_override(values, one)
    return parse_config(values, kind_of(cfg).config, "--set")


def check_needs_no_picture(old: Config, new: Config) -> None:
    """Raises ConfigError where a changed key changes what was measured, and not only what was decided."""
    needing = [key for key in changed_keys(old, new) if _needs_pictures(key, new)]
    scan_reads = kind_of(old).scan_reads
    if needing or scan_reads(old) != scan_reads(new):
        raise ConfigError(
            f"what-if decides again from what was measured; {', '.join(needing)} changes the measuring and needs the "
            "pictures: run again with another --output"
        )


def _needs_pictures(key: str, cfg: Config) -> bool:
    section, _, name = key.partition(".")
    kind = kind_of(cfg)
    if name in kind.look_keys.get(section, ()):
        return True
    if isinstance(cfg, WebConfig):
        return bool(cfg.against.runs) and section == "duplicates" and name != "keep"  # known by these
    return isinstance(cfg, CaptionConfig) and _moves_measures(section, name, cfg)


def _moves_measures(section: str, name: str, cfg: CaptionConfig) -> bool:
    if section == "relevance":
        return cfg.relevance.enabled and name in MODEL_KEYS
    if section == "recaption":
        return cfg.recaption.enabled and name.removeprefix("captioner.") in ASKING_KEYS
    if section == "semantic_duplicates":
        return cfg.semantic_duplicates.enabled  # pairs around another kept one are not stored
    if section == "against" or (cfg.against.runs and section in ("duplicates", "near_duplicates")):
        return name not in ("keep", "keep_captions")  # by them rows were compared with those of finished runs
    measured = caption_pairs.scan_reads(cfg).get(
        section, {}
    )  # a section's keys, or whether the section is measured at all
    return name in measured if isinstance(measured, dict) else name == "enabled"


def changed_keys(old: Config, new: Config) -> list[str]:
    before, after = _flat(old), _flat(new)
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]


def _flat(cfg: Config) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    waiting = list(cfg.model_dump(mode="json").items())
    while waiting:
        key, value = waiting.pop(0)
        if isinstance(value, dict):
            waiting = [(f"{key}.{name}", inner) for name, inner in value.items()] + waiting
        else:
            flat[key] = value
    return flat


def _value(cfg: Config, key: str) -> Any:
    return _flat(cfg).get(key, "not asked")


def compare(before: Sequence[Sample], after: Sequence[Sample], kind: Kind) -> Difference:
    going: list[Change] = []
    coming: list[Change] = []
    moves: Counter[str] = Counter()
    for old, new in zip(before, after, strict=True):
        move = _move(old.drop, new.drop)
        moves[move] += 1
        if move == "going" and new.drop is not None and len(going) < EXAMPLES:
            going.append(Change(new.key, _caption(new, kind), new.drop))
        if move == "coming" and old.drop is not None and len(coming) < EXAMPLES:
            coming.append(Change(old.key, _caption(old, kind), old.drop))
    unscored = sum("unscored" in sample.measures for sample in after)
    unasked = sum("unasked" in sample.measures for sample in after)
    counts = Counter(reasons(before)), Counter(reasons(after))
    texts = kind.tally(before), kind.tally(after)
    return Difference(*counts, moves["going"], moves["coming"], moves["moved"], going, coming, unscored, texts, unasked)


def _move(old: Drop | None, new: Drop | None) -> str:
    if (old is None) != (new is None):
        return "going" if old is None else "coming"
    return "moved" if old is not None and new is not None and old.rule != new.rule else "same"


def _caption(sample: Sample, kind: Kind) -> str:
    caption = beginning(sample) if kind.is_document else chosen_caption(sample)
    return caption.value if caption else ""


def print_difference(difference: Difference, kind: Kind, changes: Sequence[str]) -> None:
    show_text(f"what if {'; '.join(changes) or 'nothing changed'}")
    show(rules_table(difference, kind))
    if any(difference.texts):
        show(tallied_table(*difference.texts, kind))
    for title, count, examples in (
        ("would go", difference.gone, difference.going),
        ("would come", difference.come, difference.coming),
    ):
        if count:
            show(examples_table(f"{title}: {count:,} samples, the first {len(examples)}", examples))
    if difference.moved:
        show_text(f"dropped under both, by another rule: {difference.moved:,}")
    if difference.unscored:
        show_text(f"counted as kept though never scored: {difference.unscored:,} samples; only a run can tell")
    if difference.unasked:
        show_text(f"without a refined text of their captions: {difference.unasked:,} samples; only a run can ask")


def rules_table(difference: Difference, kind: Kind) -> Table:
    """Every reason that either config gives, in the order of the rules, then failures, then kept."""
    table = Table("fate", "reason", title=Text("rows by reason"), title_justify="left")
    for name in ("old", "new", "difference"):
        table.add_column(name, justify="right")
    rules = [spec.rule for spec in kind.report.rules]
    present = {*difference.old, *difference.new} - {""}
    for rule in [rule for rule in rules if rule in present]:
        _add(table, "dropped", rule, difference)
    for error in sorted(present - set(rules)):
        _add(table, "failed", error, difference)
    _add(table, "kept", "", difference)
    return table


def tallied_table(old: Counter[str], new: Counter[str], kind: Kind) -> Table:
    """What becomes of refined texts (accepted, of those the text that goes out, turned away by rule) or of pictures."""
    table = Table(kind.tallied, title=Text(f"{kind.tallied} by verdict"), title_justify="left")
    for name in ("old", "new", "difference"):
        table.add_column(name, justify="right")
    for name, told in kind.verdicts({*old, *new}):
        moved = new[name] - old[name]
        table.add_row(Text(told), f"{old[name]:,}", f"{new[name]:,}", f"{moved:+,}" if moved else "0")
    return table


def _add(table: Table, fate: str, why: str, difference: Difference) -> None:
    old, new = difference.old[why], difference.new[why]
    table.add_row(Text(fate), Text(plain(why)), f"{old:,}", f"{new:,}", f"{new - old:+,}" if new != old else "0")


def examples_table(title: str, examples: Sequence[Change]) -> Table:
    table = Table("key", "rule", title=Text(title), title_justify="left")
    for name in ("value", "limit"):
        table.add_column(name, justify="right")
    table.add_column("caption", overflow="fold")
    for key, caption, drop in examples:
        numbers = (number(drop.value), number(drop.limit))
        table.add_row(Text(plain(key)), Text(drop.rule), *numbers, Text(plain(caption)))
    return table
