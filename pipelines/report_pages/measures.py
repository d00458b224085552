"""A histogram for every measure, with the limits of the rules that read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.charts import Cut, Series, histogram_svg
from pipelines.report_pages.markup import count, esc, number, section
from pipelines.report_queries import Bins, Spread
from pipelines.report_spec import ReportSpec, is_enabled, limit_of
from transforms.ledger import Measure

SIGNS = {"min": "<", "max": ">"}


def numeric_measures(spec: ReportSpec) -> list[str]:
    return [name for name, measure in spec.measures.items() if measure.kind != "string" and name not in spec.hidden]


def cuts_of(spec: ReportSpec, config: Mapping[str, Any]) -> dict[str, list[Cut]]:
    """The limits in force by measure, in the order of the rules."""
    found: dict[str, list[Cut]] = {}
    for rule in spec.rules:
        limit = limit_of(rule, config)
        if limit is not None and is_enabled(rule, config):
            label = f"{rule.rule} {SIGNS[rule.side]} {number(limit)}"
            found.setdefault(rule.measure, []).append(Cut(limit, label, rule.side, rule.rule))
    return found


def measures(
    spec: ReportSpec, spreads: Mapping[str, Spread], bins: Mapping[str, Bins], cuts: Mapping[str, Sequence[Cut]]
) -> str:
    names = numeric_measures(spec)
    shown = [
        _chart(name, spec.measures[name], spreads[name], bins[name], cuts.get(name, ()))
        for name in names
        if name in bins
    ]
    absent = [f"<code>{esc(name)}</code>" for name in names if name not in bins]
    note = f'<p class="note">No row has: {", ".join(absent)}.</p>' if absent else ""
    lead = (
        "Over every row that has the measure. The tinted side is what a rule drops; the colour of a bar is what became"
        " of its rows: kept, dropped by a rule whose limit is drawn, or lost elsewhere to another rule."
    )
    return section("measures", "Measures", lead, f'<div class="charts">{"".join(shown)}</div>{note}')


def _chart(name: str, measure: Measure, spread: Spread, bins: Bins, cuts: Sequence[Cut]) -> str:
    series = [Series("kept", bins.kept, "kept"), Series("elsewhere", bins.elsewhere, "plain")]
    series += [Series("dropped", bins.here, "dropped")] if cuts else []
    chart = histogram_svg(
        series,
        edges=bins.edges,
        cuts=cuts,
        x_label=(measure.unit or name) + (" (log)" if bins.log_x else ""),
        log_x=bins.log_x,
        whole=bins.whole,
        layout="stack",
    )
    facts = f"{count(spread.rows)} rows · {number(spread.low)} to {number(spread.high)} · mean {_mean(spread.mean)}"
    return (
        f'<figure class="card" id="measure-{esc(name)}"><figcaption><h3><code>{esc(name)}</code></h3>'
        f'<p>{esc(measure.meaning)}</p></figcaption>{chart}<p class="facts">{facts}</p></figure>'
    )


def _mean(value: float) -> str:
    return count(round(value)) if abs(value) >= 1000 else f"{value:.3g}"
