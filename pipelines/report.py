"""The report of a finished run: one page that needs no network, OUT/report.html.

`build_report` reads the manifest and asks the ledger in SQL; the page's parts are in pipelines/report_pages/.
Left out on purpose: what a pipeline's rules and measures are (its ReportSpec says).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb
from msgspec.structs import replace

from pipelines.alike_queries import alike_groups, alike_sizes
from pipelines.concept_summary import Summary, summarise
from pipelines.concept_table import read_concepts
from pipelines.document_queries import dropped_documents, whole_documents
from pipelines.recaption_queries import accepted, answered_by, turned_away
from pipelines.report_pages import (
    alike,
    concepts,
    conversations,
    documents,
    findings,
    measures,
    overview,
    pictures,
    recaptions,
    rules,
)
from pipelines.report_pages.frame import Contents, page
from pipelines.report_pages.thumbnails import Expect, Fetch, Thumbnails
from pipelines.report_queries import (
    categories,
    clusters,
    failure_classes,
    measure_bins,
    measure_spreads,
    nearest_dropped,
    nearest_kept,
    open_ledger,
    shared_texts,
)
from pipelines.report_spec import ReportSpec, limit_of
from transforms.shards import Manifest, parse_manifest
from transforms.storage import storage_for

CLUSTERS, COPIES, TEXTS, CATEGORIES, FAILURES = 8, 7, 15, 25, 3
"""How many of each kind of finding the page shows."""
DOCUMENTS, DROPPED_EACH = 6, 2
"""Whole documents, and conversations that each rule dropped."""
ACCEPTED, TURNED_EACH = 8, 3
"""How many accepted refined texts, and how many of each rule that turned one away."""
STRIPS, STRIP_COPIES = 4, 6
"""Groups of either kind, largest and most doubtful, and copies of each."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    samples_per_side: int = 8
    """Thumbnails of each rule's dropped samples, and as many of the kept ones."""
    thumbnail_side: int = 160
    """Pixels of a thumbnail's longer side."""
    picture_bytes: int = 4_500_000
    """Bytes of all data URIs together; what does not fit shows a placeholder. The rest stays under 1.5 MB."""
    memory: str = "1GB"
    """What the ledger's engine may hold before it spills to disk."""


def build_report(
    out_uri: str,
    manifest: Manifest | None,
    spec: ReportSpec,
    *,
    fetch: Fetch,
    expect: Expect = lambda asked: None,
    built: datetime | None = None,
    options: ReportOptions | None = None,
) -> None:
    """Writes OUT/report.html from OUT/ledger and the manifest, read from OUT where it is None.

    `fetch` gives a picture's bytes, in the order of files that `expect` is told before; else a placeholder is shown.
    The same run gives the same bytes but for `built`, the time in the header (now, where none is given). Raises
    ValueError where there is no ledger, no valid manifest, or a rule reads a measure that the spec does not list.
    """
    storage, options = storage_for(out_uri), options or ReportOptions()
    _check_spec(spec)
    manifest = manifest or _read_manifest(out_uri)
    thumbnails = Thumbnails(fetch, options.thumbnail_side, options.picture_bytes, expect)
    with open_ledger(out_uri, storage, options.memory, held=True) as ledger:
        told = with_solved_t(manifest)
        balance, built = _balance(out_uri, manifest), built or datetime.now(UTC)
        html = format_report(ledger, spec, told, thumbnails=thumbnails, built=built, options=options, balance=balance)
    storage.write(f"{out_uri.rstrip('/')}/report.html", html.encode("utf-8"))


def _check_spec(spec: ReportSpec) -> None:
    if unknown := sorted({rule.measure for rule in spec.rules} - set(spec.measures)):
        raise ValueError(f"report: expected every rule's measure among {sorted(spec.measures)}, found {unknown}")


def _read_manifest(out_uri: str) -> Manifest:
    with storage_for(out_uri).open(f"{out_uri.rstrip('/')}/manifest.json") as file:
        return parse_manifest(file.read())


def _balance(out_uri: str, manifest: Manifest) -> Summary | None:
    table = read_concepts(out_uri) if manifest.concepts else None
    return None if table is None else summarise(table)


def with_solved_t(manifest: Manifest) -> Manifest:
    """As if the config had given the t that was solved: what rules held their measures against."""
    if not manifest.concepts:
        return manifest
    rules = {**manifest.config["concepts"], "t": manifest.concepts["t"]}
    return replace(manifest, config={**manifest.config, "concepts": rules})


def format_report(
    ledger: duckdb.DuckDBPyConnection,
    spec: ReportSpec,
    manifest: Manifest,
    *,
    thumbnails: Thumbnails,
    built: datetime,
    options: ReportOptions,
    balance: Summary | None = None,
) -> str:
    """The whole page. `ledger` is an open connection with the view `ledger` (pipelines/report_queries.py)."""
    cuts = measures.cuts_of(spec, manifest.config)
    spreads = measure_spreads(ledger, measures.numeric_measures(spec))
    bins = measure_bins(ledger, spreads, spec.measures, cuts)
    parts = [
        overview.overview(manifest),
        overview.funnel(spec, manifest),
        pictures.pictures(spec, manifest),
        overview.throughput(manifest),
        measures.measures(spec, spreads, bins, cuts),
        concepts.concepts(balance) if balance else "",
        _rules(ledger, spec, manifest, (thumbnails, options.samples_per_side)),
        _documents(ledger, spec, manifest, thumbnails),
        *_refined(ledger, spec, manifest, thumbnails),
        findings.failures(failure_classes(ledger, FAILURES), manifest.counts["read"]),
        *_optional(ledger, spec, manifest, thumbnails),
        findings.inputs(manifest),
        findings.recipe(manifest),
    ]
    return page(spec.title, overview.header(spec, manifest, built), _contents(spec, manifest), "".join(parts))


def _rules(
    ledger: duckdb.DuckDBPyConnection, spec: ReportSpec, manifest: Manifest, pictures: tuple[Thumbnails, int]
) -> str:
    thumbnails, number = pictures
    examples = []
    for rule in spec.rules:
        kind, limit = spec.measures[rule.measure].kind, limit_of(rule, manifest.config)
        dropped = nearest_dropped(ledger, rule.rule, number)
        examples.append((rule, dropped, nearest_kept(ledger, rule.measure, kind, limit, number)))
    thumbnails.prepare(row for _, dropped, kept in examples for row in (*dropped, *kept))
    return rules.rules(examples, manifest, thumbnails)


def _documents(ledger: duckdb.DuckDBPyConnection, spec: ReportSpec, manifest: Manifest, thumbnails: Thumbnails) -> str:
    if spec.speaks:
        dropping = [rule.rule for rule in spec.rules if manifest.counts["dropped"].get(rule.rule)]
        gone = dropped_documents(ledger, dropping, DROPPED_EACH)
        return conversations.conversations(whole_documents(ledger, DOCUMENTS, False), gone, thumbnails)
    found = whole_documents(ledger, DOCUMENTS, "pictures_kept" in spec.measures) if _shows_whole(spec, manifest) else []
    return documents.documents(found, thumbnails)


def _shows_whole(spec: ReportSpec, manifest: Manifest) -> bool:
    return bool(spec.whole and (manifest.counts["kept"] or (spec.speaks and manifest.counts["dropped"])))


def _refined(
    ledger: duckdb.DuckDBPyConnection, spec: ReportSpec, manifest: Manifest, thumbnails: Thumbnails
) -> list[str]:
    if not _has_refined(spec, manifest):
        return []
    away = turned_away(ledger, [rule.rule for rule in spec.text_rules], TURNED_EACH)
    cards = accepted(ledger, ACCEPTED), away
    thumbnails.prepare(one.row for some in cards for one in some)
    return [recaptions.recaptions(manifest, spec.text_rules, cards, answered_by(ledger), thumbnails)]


def _has_refined(spec: ReportSpec, manifest: Manifest) -> bool:
    return bool(spec.text_rules) and "recaption" in manifest.counts


def _optional(
    ledger: duckdb.DuckDBPyConnection, spec: ReportSpec, manifest: Manifest, thumbnails: Thumbnails
) -> list[str]:
    parts = []
    if spec.clusters:
        groups = clusters(ledger, spec.clusters, CLUSTERS, COPIES)
        thumbnails.prepare(row for _, _, first, others in groups for row in (*first, *others))
        parts.append(findings.duplicates(groups, thumbnails))
    for likeness in spec.likenesses:
        if sizes := alike_sizes(ledger, likeness):
            found = alike_groups(ledger, likeness, STRIPS, STRIP_COPIES)
            thumbnails.prepare(row for some in found for one in some for row in (*one.kept, *one.others))
            parts.append(alike.alike(likeness, spec.measures[likeness.apart], found, sizes, thumbnails))
    if spec.shared_text:
        parts.append(findings.shared_texts(shared_texts(ledger, spec.shared_text, TEXTS)))
    for name in _categories(spec):
        values = categories(ledger, name, CATEGORIES)
        parts.append(findings.categories(name, spec.measures[name], values, manifest.counts["read"]))
    return parts


def _categories(spec: ReportSpec) -> list[str]:
    hidden = spec.hidden | {spec.clusters}
    return [name for name, measure in spec.measures.items() if measure.kind == "string" and name not in hidden]


def _contents(spec: ReportSpec, manifest: Manifest) -> Contents:
    shared = [("shared-texts", "Shared texts")] if spec.shared_text else []
    copies = [("duplicates", "Duplicates")] if spec.clusters else []
    dropped = manifest.counts["dropped"]
    copies += [(one.anchor, one.title) for one in spec.likenesses if dropped.get(one.rule)]
    kinds = [(f"category-{name}", name.replace("_", " ").capitalize()) for name in _categories(spec)]
    plain = [("overview", "Overview"), ("funnel", "Funnel"), ("throughput", "Throughput"), ("measures", "Measures")]
    ending = [("failures", "Failed rows"), *copies, *shared, *kinds, ("inputs", "Inputs"), ("recipe", "Recipe")]
    plain += [("concepts", "Concepts")] if manifest.concepts else []
    plain[2:2] = [("pictures", "Pictures")] if pictures.are_counted(spec, manifest) else []
    middle = ("rules", "At the threshold", rules.links(spec.rules, manifest.counts))
    refined = [("documents", spec.whole.capitalize())] if _shows_whole(spec, manifest) else []
    refined += [("recaptions", "Refined captions")] if _has_refined(spec, manifest) else []
    ending = [*refined, *ending]
    return [*((*one, ()) for one in plain), middle, *((*one, ()) for one in ending)]
