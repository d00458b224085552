"""The top of the report: what was run, the four numbers, the funnel step by step, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pipelines.charts import Tone, bar_svg
from pipelines.report_pages.markup import byte_size, count, esc, number, seconds, section, share, table
from pipelines.report_spec import ReportSpec, RuleSpec, is_enabled, limit_of
from transforms.shards import Manifest

SIGNS = {"min": "&lt;", "max": "&gt;"}


def header(spec: ReportSpec, manifest: Manifest, built: datetime) -> str:
    beamsift = manifest.versions.get("beamsift", "")
    told = [
        f'<time datetime="{built.isoformat(timespec="seconds")}">{esc(f"{built:%Y-%m-%d %H:%M %Z}")}</time>',
        f"pipeline <b>{esc(manifest.pipeline)}</b>",
        f"beamsift {esc(beamsift)}" if beamsift else "",
        f'recipe <code title="{esc(manifest.fingerprint)}">{esc(manifest.fingerprint[:16])}</code>',
    ]
    meta = "".join(f"<span>{part}</span>" for part in told if part)
    return f'<header><p class="brand">beamsift</p><h1>{esc(spec.title)}</h1><p class="meta">{meta}</p></header>'


def overview(manifest: Manifest) -> str:
    """The four big numbers, their bar, and the size of what left."""
    read, kept, dropped, failed = totals(manifest)
    cells = [
        _big("read", read, f"from {count(len(manifest.inputs))} {'input' if len(manifest.inputs) == 1 else 'inputs'}"),
        _big("kept", kept, f"{share(kept, read)} of read"),
        _big("dropped", dropped, f"{share(dropped, read)} of read"),
        _big("failed", failed, f"{share(failed, read)} of read"),
    ]
    size = sum(shard.bytes for shard in manifest.shards)
    shards = f"{count(len(manifest.shards))} {'shard' if len(manifest.shards) == 1 else 'shards'}"
    bar = bar_svg(
        [(kept / (read or 1), "kept"), (dropped / (read or 1), "dropped"), (failed / (read or 1), "failed")],
        f"{kept:,} kept, {dropped:,} dropped, {failed:,} failed",
    )
    return (
        f'<section id="overview" aria-label="Overview"><dl class="big">{"".join(cells)}</dl>{bar}'
        f'<p class="note">{count(kept)} samples in {shards}, {byte_size(size)}.</p></section>'
    )


def totals(manifest: Manifest) -> tuple[int, int, int, int]:
    """(read, kept, dropped, failed)."""
    counts = manifest.counts
    return counts["read"], counts["kept"], sum(counts["dropped"].values()), sum(counts["failed"].values())


def funnel(spec: ReportSpec, manifest: Manifest) -> str:
    """Each rule in the order of the spec: what it took, and what was left after it."""
    read, kept, _, failed = totals(manifest)
    dropped = manifest.counts["dropped"]
    left, rows, heading = read - failed, [], ""
    rows.append(_funnel_row(("failed", "could not be read or decoded", ""), read, left, failed))
    unknown = [RuleSpec(name, "", "Other") for name in sorted(set(dropped) - {rule.rule for rule in spec.rules})]
    for rule in [*spec.rules, *unknown]:
        if rule.section != heading:
            heading = rule.section
            rows.append(f'<tr class="group"><th colspan="4" scope="colgroup">{esc(heading)}</th></tr>')
        lost = dropped.get(rule.rule, 0)
        left -= lost
        off = "" if is_enabled(rule, manifest.config) else "off"
        rows.append(_funnel_row((rule.rule, condition(rule, manifest.config), off), read, left, lost))
    rows.append(_funnel_row(("kept", "", "total"), read, kept, 0))
    head = '<th scope="col">Step</th><th scope="col">Rows left</th>'
    head += '<th scope="col" class="num">Taken</th><th scope="col" class="num">Left</th>'
    body = f'<table class="funnel"><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    lead = "Fates are decided in this order; the first rule that fires is the reason. Shares are of all rows read."
    return section("funnel", "Funnel", lead, body)


def condition(rule: RuleSpec, config: Mapping[str, object]) -> str:
    """`short_side < 200`, as HTML; the measure alone where the rule has no number."""
    limit = limit_of(rule, config)
    return esc(rule.measure) + (f" {SIGNS[rule.side]} {number(limit)}" if limit is not None else "")


def throughput(manifest: Manifest) -> str:
    read = manifest.counts["read"]
    stages = list(manifest.stages.items())
    wall = sum(costs.get("wall_seconds", 0.0) for _, costs in stages)
    cpu = sum(costs.get("cpu_seconds", 0.0) for _, costs in stages)
    rows = [_stage_row(esc(name), costs, wall, read) for name, costs in stages]
    if len(stages) > 1:
        rows.append(_stage_row("<b>all</b>", {"wall_seconds": wall, "cpu_seconds": cpu}, wall, read))
    head = ["Stage", "Share of time", "Wall", "CPU", "Rows/s", "CPU ms/row"]
    body = table(head, rows, frozenset({2, 3, 4, 5})) if rows else '<p class="note">No stage was timed.</p>'
    return section("throughput", "Throughput", "Rows per second are rows read over a stage's wall time.", body)


def _stage_row(name: str, costs: Mapping[str, float], wall: float, read: int) -> list[str]:
    took, cpu = costs.get("wall_seconds", 0.0), costs.get("cpu_seconds", 0.0)
    part = took / wall if wall else 0.0
    rate = count(read / took) if took else "–"
    per_row = f"{1000 * cpu / read:.2f}" if read else "–"
    return [name, bar_svg([(part, "plain")], f"{part:.0%} of wall time"), seconds(took), seconds(cpu), rate, per_row]


def _funnel_row(words: tuple[str, str, str], read: int, left: int, lost: int) -> str:
    name, told, kind = words
    tone: Tone = "failed" if name == "failed" else "dropped"
    whole = read or 1
    bar = bar_svg(
        [(left / whole, "kept"), (lost / whole, tone), ((read - left - lost) / whole, "rest")],
        f"{left:,} left, {lost:,} taken",
    )
    state = kind or (tone if lost else "idle")
    taken = f"{count(lost)} <small>{share(lost, read)}</small>" if lost else ("off" if kind == "off" else "0")
    taken = "" if kind == "total" else taken
    title = f"<code>{esc(name)}</code><small>{told}</small>"
    return (
        f'<tr class="{state}"><th scope="row">{title}</th><td class="bar-cell">{bar}</td>'
        f'<td class="num taken">{taken}</td><td class="num left">'
        f"{count(left)} <small>{share(left, read)}</small></td></tr>"
    )


def _big(name: str, value: int, told: str) -> str:
    return f'<div class="{name}"><dt>{name}</dt><dd><b>{count(value)}</b><span>{told}</span></dd></div>'
