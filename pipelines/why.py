"""The whole story of one sample: its fate and reason, every measure against every rule, where it came from and went.

Everything is read from the manifest and the ledger; no shard and no picture is opened.
Left out on purpose: the picture itself (report.html shows thumbnails).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import duckdb
from rich.table import Table
from rich.text import Text

from pipelines.finish import finished_manifest
from pipelines.kinds import Config, Kind, kind_named, kind_of
from pipelines.ledger import LedgerRow, find_rows, open_ledger, reach, run_config
from pipelines.plain_text import number, plain, show_text
from pipelines.rule_standing import standings
from pipelines.tables import show
from transforms.ledger import ROLE, chosen_caption
from transforms.planning import RunPermutation
from transforms.recaptions import TEXT_FROM
from transforms.records import Drop, Measures, Picture, Sample, Span, pictures, texts
from transforms.records import Text as Caption
from transforms.shards import Manifest, picture_suffix

TEXT_SHOWN = 2000
"""Characters of a caption; as many as a screen holds."""
COPIES_SHOWN = 10
NEAREST = 5
NEAREST_KEYS = """
SELECT DISTINCT name FROM (SELECT "key" AS name FROM ledger UNION ALL SELECT source_key FROM ledger)
WHERE name IS NOT NULL ORDER BY starts_with(name, $1) DESC, jaro_winkler_similarity(name, $1) DESC, name LIMIT $2
"""
KEPT_BEFORE = "SELECT count(*) FROM ledger WHERE fate = 'kept' AND source = $1 AND part = $2 AND position < $3"
KEPT_ORDERED = """
SELECT count(*) FROM ledger WHERE fate = 'kept'
AND ({measure} < $1 OR ({measure} = $1 AND (source, part, position) < ($2, $3, $4)))
"""
"""Equal ones lie as in the pool, where units are ranked by (source, part)."""
COPIES = 'SELECT "key", fate FROM ledger WHERE duplicate_of = $1 AND "key" <> $2 ORDER BY source, part, position'


class Lodging(NamedTuple):
    """Where a kept sample lies."""

    shard: str
    rank: int
    """Ordinal in the whole set."""
    ordinal: int
    """Ordinal in its shard."""
    members: list[str]


def why(output: str, key: str) -> int:
    """Prints the story of every row of `key`, an output key or what the pool called it; 1 where there is none."""
    reach(output)
    manifest = finished_manifest(output)
    found = find_rows(output, key)
    with open_ledger(output) as connection:
        if not found:
            show_text(f"{output} has no sample {key!r}; the nearest keys: {', '.join(nearest_keys(connection, key))}")
            return 1
        for row in found:
            tell(row, manifest, run_config(manifest, output), connection)
    return 0


def nearest_keys(connection: duckdb.DuckDBPyConnection, key: str) -> list[str]:
    return [plain(name) for (name,) in connection.execute(NEAREST_KEYS, [key, NEAREST]).fetchall()]


def tell(row: LedgerRow, manifest: Manifest, cfg: Config, connection: duckdb.DuckDBPyConnection) -> None:
    sample, kind = row.sample, kind_of(cfg)
    story = Table.grid(padding=(0, 2))
    story.add_column(style="bold", no_wrap=True)
    story.add_column(overflow="fold")
    lodging = locate(row, manifest, connection, kind.ordered_by(cfg)) if sample.alive else None
    for name, text in [*fate_lines(sample, kind), *origin_lines(sample), *piece_lines(sample, kind)]:
        story.add_row(Text(name), Text(plain(text, TEXT_SHOWN)))
    copies = [] if kind.is_document else copy_lines(sample, connection)
    for name, text in [*copies, *lodging_lines(lodging)]:
        story.add_row(Text(name), Text(plain(text, TEXT_SHOWN)))
    show(story)
    show(measures_table(sample, cfg))


def fate_lines(sample: Sample, kind: Kind) -> Iterator[tuple[str, str]]:
    yield "key", sample.key
    yield "fate", sample.fate
    if sample.failure is not None:
        yield "error", sample.failure.error
        yield "message", sample.failure.message
        yield "place", sample.failure.place
    elif sample.drop is not None:
        yield "reason", format_drop(sample.drop, kind)
        yield (
            "which means",
            next((rule.meaning for rule in kind.rules if rule.rule == sample.drop.rule), "no rule of this version"),
        )


def format_drop(drop: Drop, kind: Kind) -> str:
    """`image_too_small: short_side 120 pixels, limit 200`, with the unit and the detail where there are any."""
    spec = next((rule for rule in kind.rules if rule.rule == drop.rule), None)
    measure = kind.measures[spec.measure] if spec else None
    value = f"{spec.measure if spec else 'value'} {number(drop.value)} {measure.unit if measure else ''}".rstrip()
    return f"{drop.rule}: {value}, limit {number(drop.limit)}" + (f" ({drop.detail})" if drop.detail else "")


def origin_lines(sample: Sample) -> Iterator[tuple[str, str]]:
    yield "source", f"{sample.source} part {sample.part} row {sample.position}"
    yield "source key", sample.source_key
    if sample.meta:
        yield "pool's JSON", sample.meta


def piece_lines(sample: Sample, kind: Kind) -> Iterator[tuple[str, str]]:
    """Pictures and texts in reading order, each with what marked it; then which of two texts goes out."""
    for piece in sample.pieces:
        if isinstance(piece, Picture):
            yield "picture", _picture(piece)
        else:
            yield piece.role, piece.value
        if piece.drop is not None and piece.drop != sample.drop:
            yield "  marked", format_drop(piece.drop, kind)
        elif isinstance(piece, Picture) and piece.failure is not None and piece.failure != sample.failure:
            yield "  failed", f"{piece.failure.error}: {piece.failure.message}"
        elif isinstance(piece, Caption) and piece.role == ROLE:
            yield "  accepted", "no rule turned it away"
    if TEXT_FROM in sample.measures:
        yield "the text is", f"the {sample.measures[TEXT_FROM]}"


def _picture(picture: Picture) -> str:
    source = picture.source
    shape = (
        f"{picture.format or 'not read'} {picture.width}×{picture.height}, sha256 {picture.sha256.hex() or 'not read'}"
    )
    if not isinstance(source, Span):
        return f"{shape}, made by {source.function}({source.arguments})"
    unit = "rows" if source.container == "parquet" else "bytes"
    member = f"#{source.member}" if source.member else ""
    return f"{shape}, {source.container} {source.uri}{member} {unit} {source.start}-{source.end}"


def copy_lines(sample: Sample, connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str]]:
    """The duplicate cluster: the copy that is kept, and the others."""
    shared = max((int(text.measures.get("caption_pictures", 1)) for text in texts(sample)), default=1)
    yield "shared caption", f"under {shared:,} different picture{'s' * (shared > 1)} of the pool"
    like = sample.measures.get("near_duplicate_of")
    if like is not None:
        copies, distance = sample.measures["near_copies"], sample.measures["near_distance"]
        yield "near copies", f"{copies} that look the same, chosen: {like}; this one differs in {distance} bits of 64"
    meant = sample.measures.get("semantic_duplicate_of")
    if meant is not None:
        cosine = sample.measures.get("semantic_cosine", 1)
        yield "same meaning", f"{sample.measures['semantic_copies']} of one meaning, chosen: {meant}; cosine {cosine}"
    kept = sample.measures.get("duplicate_of")
    if kept is None:
        return
    others = connection.execute(COPIES, [kept, sample.key]).fetchall()
    named = ", ".join(f"{key} ({fate})" for key, fate in others[:COPIES_SHOWN])
    more = f" and {len(others) - COPIES_SHOWN:,} more" if len(others) > COPIES_SHOWN else ""
    yield "copies", f"{sample.measures['copies']} of one picture, chosen: {kept}; the others: {named}{more}"


def locate(row: LedgerRow, manifest: Manifest, connection: duckdb.DuckDBPyConnection, ordered_by: str = "") -> Lodging:
    """Where a kept row lies: its rank in the pool's kept rows, through the plan that the config states.

    `ordered_by` is the measure that orders the set, where one does.
    """
    rank = _ordered_rank(row, ordered_by, connection) if ordered_by else _planned_rank(row, manifest, connection)
    shard, ordinal = divmod(rank, manifest.config["output"]["samples_per_shard"])
    document = kind_named(manifest.pipeline).is_document
    return Lodging(manifest.shards[shard].name, rank, ordinal, member_names(row.sample, document))


def _planned_rank(row: LedgerRow, manifest: Manifest, connection: duckdb.DuckDBPyConnection) -> int:
    sample = row.sample
    (inside,) = connection.execute(KEPT_BEFORE, [sample.source, sample.part, sample.position]).fetchone() or (0,)
    kept = [one["kept"] for one in manifest.inputs]
    permutation = RunPermutation(sum(kept), manifest.config["output"]["shuffle_run"], manifest.config["seed"])
    return permutation(sum(kept[: row.unit]) + inside)


def _ordered_rank(row: LedgerRow, measure: str, connection: duckdb.DuckDBPyConnection) -> int:
    sample = row.sample
    place = [sample.measures[measure], sample.source, sample.part, sample.position]
    (rank,) = connection.execute(KEPT_ORDERED.format(measure=measure), place).fetchone() or (0,)
    return int(rank)


def member_names(sample: Sample, document: bool) -> list[str]:
    shown = [picture for picture in pictures(sample) if picture.drop is None and picture.failure is None]
    suffixes = [picture_suffix(picture, i, len(shown)) for i, picture in enumerate(shown)]
    ending = ["json"] if document else ["txt", "json"]
    return [f"{sample.key}.{suffix}" for suffix in (*suffixes, *ending)]


def lodging_lines(lodging: Lodging | None) -> Iterator[tuple[str, str]]:
    if lodging is not None:
        yield "lies in", f"{lodging.shard}, sample {lodging.ordinal} there, {lodging.rank} of the set (from 0)"
        yield "members", ", ".join(lodging.members)


def measures_table(sample: Sample, cfg: Config) -> Table:
    """Every measure of the row, its pictures and its captions, and what each rule on it says."""
    table, known = Table(box=None, pad_edge=False), kind_of(cfg).measures
    for name, whole in (("measure", True), ("value", False), ("rule", True), ("passed?", False)):
        table.add_column(name, no_wrap=whole)
    for of, measures in measured_parts(sample, chosen_caption(sample)):
        table.add_row(Text(of, "bold"))
        for name, value in measures.items():
            unit = known[name].unit if name in known else ""
            told = list(standings(name, value, sample, cfg)) or [("", "")]
            firsts = [(name, f"{number(value)} {unit}".rstrip()), *[("", "")] * (len(told) - 1)]
            for first, (rule, says) in zip(firsts, told, strict=True):
                table.add_row(*(Text(text) for text in (*first, rule, says)))
    return table


def measured_parts(sample: Sample, chosen: Caption | None) -> Iterator[tuple[str, Measures]]:
    parts: list[tuple[str, Sequence[Picture | Caption]]] = [("picture", pictures(sample)), ("caption", texts(sample))]
    for kind, pieces in parts:
        for ordinal, piece in enumerate(pieces):
            mark = " (chosen)" if piece is chosen and len(pieces) > 1 else ""
            yield f"{kind} {ordinal}{mark}" if len(pieces) > 1 else kind, piece.measures
    for text in texts(sample, ROLE):
        yield ROLE, {f"{ROLE}_{name}": value for name, value in text.measures.items()}
    if sample.measures:
        yield "sample", sample.measures
