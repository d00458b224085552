"""What a calibration found, for people and programs: a table, a JSON object, a self-contained page.

Left out on purpose: dates and durations, so that the same pairs and models give the same bytes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipelines.charts import Cut, Series, bin_counts, choose_edges, histogram_svg
from pipelines.report_pages.frame import POLICY
from pipelines.report_pages.markup import esc, foreign, section, table
from transforms.calibration import Interval, Labels, Scores

FORMAT = "beamsift-calibration-1"
COLUMNS = ("model", "threshold", "kept", "precision", "recall", "AUC")
STYLE = """
:root{--text:#1f2937;--muted:#64748b;--line:#94a3b840;--page:#fff}
@media(prefers-color-scheme:dark){:root{--text:#e5e7eb;--muted:#94a3b8;--page:#0f172a;--kept:#2dd4bf;--dropped:#fb923c}}
body{margin:2rem auto;max-width:46rem;padding:0 1rem;color:var(--text);background:var(--page);
font:16px/1.5 ui-sans-serif,system-ui,sans-serif}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line)}
.num{text-align:right;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}.lead{color:var(--muted)}
svg.chart{width:100%;height:auto}code{overflow-wrap:anywhere}
"""


@dataclass(frozen=True)
class Figures:
    """One model on the pairs, at its threshold. `scores` and `labels` are (n,); True is a right pair."""

    name: str
    fingerprint: str
    arithmetic: str
    threshold: float
    kept_share: float
    precision: float | None
    recall: float | None
    auc: float | None
    scores: Scores
    labels: Labels


@dataclass(frozen=True)
class Calibration:
    basis: str
    candidate: Figures
    reference: Figures | None
    interval: Interval
    labelled: bool
    left_out: dict[str, int]
    settings: dict[str, Any]

    @property
    def models(self) -> list[Figures]:
        return [self.candidate] if self.reference is None else [self.reference, self.candidate]

    @property
    def names(self) -> tuple[str, str]:
        return ("right", "wrong") if self.labelled else ("matched", "shuffled")

    @property
    def right(self) -> int:
        return int(self.candidate.labels.sum())

    @property
    def wrong(self) -> int:
        return int((~self.candidate.labels).sum())


def format_table(found: Calibration) -> str:
    """The figures in aligned columns, and the setting to use."""
    rows = [COLUMNS, *(_cells(figures) for figures in found.models)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([*lines, "", explain(found), setting(found)])


def explain(found: Calibration) -> str:
    """One sentence: how the threshold was found, on what, and how sure it is."""
    interval = found.interval
    left_out = ", ".join(f"{n} {reason}" for reason, n in sorted(found.left_out.items()))
    return (
        f"{found.basis}: {found.candidate.threshold:.4f}"
        f" ({interval.level:.0%} of resamplings {interval.low:.4f} to {interval.high:.4f}),"
        f" from {found.right} {found.names[0]} and {found.wrong} {found.names[1]} pairs"
        + (f"; left out: {left_out}." if left_out else ".")
    )


def setting(found: Calibration) -> str:
    return f"--set relevance.min_score={found.candidate.threshold:g}"


def as_json(found: Calibration) -> dict[str, Any]:
    """Everything but the single scores, as plain values."""
    return {
        "format": FORMAT,
        "basis": found.basis,
        "threshold": found.candidate.threshold,
        "interval": asdict(found.interval),
        "candidate": _plain(found.candidate),
        "reference": _plain(found.reference) if found.reference else None,
        "pairs": {found.names[0]: found.right, found.names[1]: found.wrong},
        "left_out": found.left_out,
        "settings": found.settings,
    }


def format_page(found: Calibration) -> str:
    """One HTML page that needs no other file and no script."""
    rows = [[foreign(cells[0]), *map(esc, cells[1:])] for cells in map(_cells, found.models)]
    figures = table([esc(column) for column in COLUMNS], rows, frozenset(range(1, len(COLUMNS))))
    charts = "".join(
        section(f"model-{i}", figures.name, "", _chart(figures, found.names)) for i, figures in enumerate(found.models)
    )
    settings = table(("setting", "value"), [[esc(name), foreign(value)] for name, value in found.settings.items()])
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>beamsift calibration</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head><body>'
        f"<h1>Relevance threshold</h1><p>{esc(explain(found))}</p><p><code>{esc(setting(found))}</code></p>"
        f"{figures}<p class='lead'>{esc(_meaning(found))}</p>{charts}"
        f"{section('settings', 'Settings', '', settings)}</body></html>\n"
    )


def _meaning(found: Calibration) -> str:
    told = f"Kept is the share of {'all' if found.labelled else found.names[0]} pairs at or above the threshold. "
    if found.labelled:
        return told + "Precision and recall are against the labels of the probe."
    return told + (
        "Precision and recall are against shuffled captions, one wrong pair for each right one: a pool with fewer "
        "wrong pairs has a higher precision, and wrong pairs of the pool itself count here as right."
    )


def _chart(figures: Figures, names: tuple[str, str]) -> str:
    right, wrong = figures.scores[figures.labels].tolist(), figures.scores[~figures.labels].tolist()
    cuts = [Cut(figures.threshold, f"threshold {figures.threshold:g}", "min")]
    edges = choose_edges(min(right + wrong), max(right + wrong), cuts=cuts)
    series = [
        Series(names[1], bin_counts(wrong, edges), "dropped"),
        Series(names[0], bin_counts(right, edges), "kept"),
    ]
    return histogram_svg(series, edges=edges, cuts=cuts, x_label="cosine of picture and caption", as_share=True)


def _cells(figures: Figures) -> tuple[str, ...]:
    shares = (figures.kept_share, figures.precision, figures.recall)
    return (figures.name, f"{figures.threshold:.4f}", *map(_percent, shares), _digits(figures.auc))


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"


def _digits(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _plain(figures: Figures) -> dict[str, Any]:
    names = ("name", "fingerprint", "arithmetic", "threshold", "kept_share", "precision", "recall", "auc")
    return {name: getattr(figures, name) for name in names}
