"""The pictures of documents: what became of each that a page names, rule by rule in the order they apply."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.report_pages.markup import count, esc, section, share, table
from pipelines.report_spec import ReportSpec
from transforms.shards import Manifest

WITH_DOCUMENT = "with_document"


def are_counted(spec: ReportSpec, manifest: Manifest) -> bool:
    return bool(spec.picture_rules) and "pictures" in manifest.counts


def pictures(spec: ReportSpec, manifest: Manifest) -> str:
    """Empty where samples are no documents."""
    if not are_counted(spec, manifest):
        return ""
    read = manifest.counts["pictures"]["read"]
    rows = [
        [f"<code>{esc(name)}</code>", esc(meaning), count(number), share(number, read)]
        for name, meaning, number in picture_fates(spec, manifest)
    ]
    lead = f"What became of the {count(read)} pictures that the pages name. A rule on a picture leaves its document."
    body = table(["Fate", "", "Pictures", "Of all"], rows, frozenset({2, 3}))
    return section("pictures", "Pictures", lead, body)


def picture_fates(spec: ReportSpec, manifest: Manifest) -> Iterator[tuple[str, str, int]]:
    """(fate, what it means, pictures), rules in their order, then failures, then what stays."""
    counts = manifest.counts["pictures"]
    dropped = dict(counts["dropped"])
    alone = dropped.pop(WITH_DOCUMENT, 0)
    for rule in spec.picture_rules:
        if rule.rule in dropped:
            yield rule.rule, rule.meaning, dropped.pop(rule.rule)
    for name, number in sorted(dropped.items()):
        yield name, "no rule of this version", number
    for name, number in sorted(counts["failed"].items()):
        yield f"failed {name}", "could not be read or decoded", number
    yield WITH_DOCUMENT, "sound, and its document goes", alone
    yield "kept", "", counts["kept"]
