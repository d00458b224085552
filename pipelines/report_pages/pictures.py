"""The pictures of documents: what became of each that a page names, rule by rule in the order they apply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pipelines.report_pages.markup import count, esc, section, share, table
from pipelines.report_spec import ReportSpec
from transforms.picture_classes import RULE
from transforms.shards import Manifest

WITH_DOCUMENT = "with_document"
RIGHT = frozenset({1, 2})
"""Columns of numbers."""


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
    return section("pictures", "Pictures", lead, body + _classes(manifest) + _knowledge(manifest))


def _classes(manifest: Manifest) -> str:
    """What the page-image classifier says of all pictures it was shown."""
    counted = manifest.counts.get("classes")
    if not counted:
        return ""
    limits = manifest.config["classifier"]["max_probability"]
    rows = [[*one, f"≤ {limits[name]:g}" if name in limits else ""] for name, one in _shares(counted)]
    lead = "Of the pictures that the page-image classifier was shown, by their most probable class."
    head = ["Class", "Pictures", "Of these", "May be as probable as"]
    return f'<p class="note">{lead}</p>{table(head, rows, frozenset({1, 2, 3}))}'


def _knowledge(manifest: Manifest) -> str:
    """Weights of kept documents, and the classes of knowledge in them."""
    counted = manifest.counts.get("knowledge")
    if not counted or not counted["documents"]:
        return ""
    mean = counted["weight"] / counted["documents"]
    lead = f"Kept documents by the weight that knowledge in their pictures gives them; {mean:.2f} on average."
    weights = {f"{low} to {int(low) + 1}": n for low, n in counted["weights"].items()}
    parts = [("Weight", "Documents", weights), ("Class", "Pictures that stay", counted["pictures"])]
    tables = [table([name, what, "Of these"], [one for _, one in _shares(found)], RIGHT) for name, what, found in parts]
    return f'<p class="note">{lead}</p>{"".join(tables)}'


def _shares(counted: Mapping[str, int]) -> list[tuple[str, list[str]]]:
    """(name, its row) in the order given."""
    total = sum(counted.values())
    return [(name, [f"<code>{esc(name)}</code>", count(n), share(n, total)]) for name, n in counted.items()]


def picture_fates(spec: ReportSpec, manifest: Manifest) -> Iterator[tuple[str, str, int]]:
    """(fate, what it means, pictures), rules in their order, then failures, then what stays."""
    counts = manifest.counts["pictures"]
    dropped = dict(counts["dropped"])
    alone = dropped.pop(WITH_DOCUMENT, 0)
    for rule in spec.picture_rules:
        if rule.rule in dropped:
            yield rule.rule, rule.meaning, dropped.pop(rule.rule)
    for name, number in sorted(dropped.items()):
        yield name, "a class of the head" if name.startswith(RULE) else "no rule of this version", number
    for name, number in sorted(counts["failed"].items()):
        yield f"failed {name}", "could not be read or decoded", number
    yield WITH_DOCUMENT, "sound, and its document goes", alone
    yield "kept", "", counts["kept"]
