"""The page of a head: figures by class, precision and recall, calibration, confusion, and its surest mistakes.

One page without script or network, in the look of the report. The same pictures and head give the same bytes.
Left out on purpose: the numbers (pipelines/classifier_figures.py).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from classifiers.heads import Head
from pipelines.class_charts import calibration_svg, precision_recall_svg
from pipelines.classifier_figures import COLUMNS, Judged, Summary, cells
from pipelines.labelled_pictures import LeftOut, Seen
from pipelines.picture_embeddings import read_pictures
from pipelines.report_pages.frame import page
from pipelines.report_pages.markup import count, esc, foreign, number, section, share, table
from pipelines.report_pages.thumbnails import NoPicture, shrink
from transforms.class_scores import confidence_bins, threshold_at, worst_mistakes

TITLES = {
    "overview": "Overview",
    "classes": "Classes",
    "curves": "Precision and recall",
    "calibration": "Calibration",
    "confusion": "Confusion",
    "mistakes": "Surest mistakes",
    "decay": "Weight decay",
    "left-out": "Left out",
}
MISTAKES, NAMED = 36, 60
"""Surest mistakes shown, and pictures left out that are named."""
SIDE = 160


@dataclass(frozen=True)
class About:
    title: str
    head: Head
    basis: str
    """What the figures rest on, as half a sentence."""
    losses: Mapping[float, float]
    """Held-out log loss by weight decay; empty where nothing was fitted."""


def format_page(judged: Judged, summary: Summary, about: About) -> str:
    """The whole page."""
    parts = {
        "overview": _overview(summary, judged, about),
        "classes": _classes(summary),
        "curves": _curves(judged, summary),
        "calibration": _calibration(judged, about),
        "confusion": _confusion(summary),
        "mistakes": _mistakes(judged),
        "decay": _losses(about) if about.losses else "",
        "left-out": _left_out(judged.left_out) if judged.left_out else "",
    }
    contents = [(anchor, TITLES[anchor], ()) for anchor, body in parts.items() if body]
    return page(f"beamsift: {about.title}", header(about.title, about.head), contents, "".join(parts.values()))


def header(title: str, head: Head) -> str:
    """Title, classes, and which head and CLIP model this is about."""
    card = head.card
    kind = "linear" if card.kind == "linear" else f"MLP of {card.hidden} units"
    told = [
        f"{kind} head <code>{head.fingerprint()[:16]}</code>",
        f"CLIP <b>{esc(card.clip.name)}</b> <code>{esc(card.clip.fingerprint[:16])}</code>",
        f"{count(sum(card.training.counts.values()))} training pictures <code>{card.training.sha256[:16]}</code>",
    ]
    meta = "".join(f"<span>{part}</span>" for part in told)
    names = ", ".join(foreign(name, 100) for name in head.classes)
    return (
        f'<header><p class="brand">beamsift</p><h1>{esc(title)}</h1><p class="lead">{names}</p>'
        f'<p class="meta">{meta}</p></header>'
    )


def thumbnails(chosen: Sequence[Seen]) -> dict[str, str]:
    """An `<img>` of each picture by sha256, or a placeholder that says why there is none."""
    made: dict[str, str] = {}
    try:
        for seen, data in read_pictures(chosen):
            made[seen.sha256] = _image(data)
    except (OSError, ValueError) as error:  # gone since it was embedded: the page says so, the figures stand
        return {one.sha256: _placeholder(f"cannot be fetched: {type(error).__name__}") for one in chosen} | made
    return made


def _image(data: bytes) -> str:
    try:
        small, (width, height) = shrink(data, SIDE)
    except NoPicture as error:
        return _placeholder(str(error))
    uri = f"data:image/webp;base64,{b64encode(small).decode('ascii')}"
    return f'<img src="{uri}" width="{width}" height="{height}" alt="" decoding="async">'


def _placeholder(why: str) -> str:
    return f'<span class="no-picture">{esc(why)}</span>'


def _overview(summary: Summary, judged: Judged, about: About) -> str:
    mean = sum(one.average_precision for one in summary.classes) / len(summary.classes)
    wrong = round(summary.pictures * (1 - summary.accuracy))
    cells = [
        ("pictures", count(summary.pictures), f"{count(len(judged.left_out))} left out"),
        ("accuracy", f"{summary.accuracy:.1%}", f"{count(wrong)} wrong; balanced {summary.balanced_accuracy:.1%}"),
        ("average precision", f"{mean:.3f}", "mean of the classes"),
        (
            "calibration error",
            f"{summary.calibration_error:.3f}",
            f"{summary.calibration_error_before:.3f} uncalibrated",
        ),
    ]
    big = "".join(
        f"<div><dt>{name}</dt><dd><b>{value}</b><span>{told}</span></dd></div>" for name, value, told in cells
    )
    note = f"Figures rest on {esc(about.basis)}. Log loss {summary.log_loss:.4f}."
    return (
        f'<section id="overview" aria-label="Overview"><dl class="big">{big}</dl><p class="note">{note}</p></section>'
    )


def _classes(summary: Summary) -> str:
    rows = [[f"<b>{foreign(one.name, 100)}</b>", *map(esc, cells(one)[1:])] for one in summary.classes]
    lead = (
        "Precision and recall are of the most probable class. AP is the area under the curve below; the threshold is "
        f"the lowest probability at which {summary.wanted_precision:.0%} of what is taken are right."
    )
    return section(
        "classes", "Classes", lead, table([esc(c) for c in COLUMNS], rows, frozenset(range(1, len(COLUMNS))))
    )


def _curves(judged: Judged, summary: Summary) -> str:
    figures = []
    for place, one in enumerate(summary.classes):
        curve = judged.curve(place)
        mark = threshold_at(curve, summary.wanted_precision)
        told = f"<p>average precision {one.average_precision:.4f}, {count(one.pictures)} pictures</p>"
        chart = (
            precision_recall_svg(curve, one.name, mark) if len(curve.thresholds) else '<p class="none">no picture</p>'
        )
        figures.append(
            f'<figure class="card"><figcaption><h3>{foreign(one.name, 100)}</h3>{told}</figcaption>{chart}</figure>'
        )
    wanted = f"{summary.wanted_precision:.0%}"
    lead = f"Each class against all others, by its probability; the dot is the threshold of precision {wanted}."
    return section("curves", TITLES["curves"], lead, f'<div class="charts">{"".join(figures)}</div>')


def _calibration(judged: Judged, about: About) -> str:
    figures = []
    for found, name, told in (
        (judged.probabilities, "Calibrated", f"temperature {about.head.card.temperature:g}"),
        (judged.before, "Uncalibrated", "temperature 1"),
    ):
        bins = confidence_bins(found, judged.truth, judged.bins, judged.weights)
        chart = calibration_svg(bins, f"{name}: confidence and accuracy")
        figures.append(f'<figure class="card"><figcaption><h3>{name}</h3><p>{told}</p></figcaption>{chart}</figure>')
    lead = (
        "How often a guess is right, by how sure it is. A bar at its black line says what it means; under it the head "
        "is too sure of itself. The expected calibration error is their mean distance."
    )
    return section("calibration", TITLES["calibration"], lead, f'<div class="charts">{"".join(figures)}</div>')


def _confusion(summary: Summary) -> str:
    names = [one.name for one in summary.classes]
    head = '<th scope="col">label</th>' + "".join(
        f'<th scope="col" class="num">{foreign(name, 40)}</th>' for name in names
    )
    rows = "".join(
        f'<tr><th scope="row">{foreign(name, 100)}</th>{"".join(_cell(row, at, own) for at in range(len(row)))}</tr>'
        for own, (name, row) in enumerate(zip(names, summary.confusion, strict=True))
    )
    body = (
        f'<div class="scroll"><table class="matrix"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
    return section("confusion", TITLES["confusion"], "Rows are labels, columns guesses; shares are of the row.", body)


def _cell(row: Sequence[int], at: int, own: int) -> str:
    part, ink = row[at] / (sum(row) or 1), "kept" if at == own else "dropped"
    tint = (
        f' style="background:color-mix(in srgb, var(--{ink}) {round(8 + 60 * part)}%, transparent)"' if row[at] else ""
    )
    shown = f"{count(row[at])} <small>{share(row[at], sum(row))}</small>" if row[at] else '<span class="none">0</span>'
    return f'<td class="num"{tint}>{shown}</td>'


def _mistakes(judged: Judged) -> str:
    rows = worst_mistakes(judged.probabilities, judged.truth)
    shown = [int(row) for row in rows[:MISTAKES]]
    images = thumbnails([judged.seen[row] for row in shown])
    cards = "".join(_mistake(judged, row, images[judged.seen[row].sha256]) for row in shown)
    lead = (
        f"{count(len(rows))} guesses differ from their label; the surest come first. What is sure and wrong is often "
        "a wrong label: correct it in a file for --labels, which wins over folders and shards."
    )
    return section("mistakes", TITLES["mistakes"], lead, f'<div class="grid wide">{cards}</div>' if cards else _none())


def _none() -> str:
    return '<p class="none">No guess differs from its label.</p>'


def _mistake(judged: Judged, row: int, image: str) -> str:
    seen, guess = judged.seen[row], int(judged.probabilities[row].argmax())
    told = f"guess <b>{foreign(judged.classes[guess], 100)}</b> {number(float(judged.probabilities[row, guess]))}"
    own = f"label {foreign(seen.label, 100)} {number(float(judged.probabilities[row, judged.truth[row]]))}"
    return (
        f'<article class="sample dropped"><div class="picture">{image}</div>'
        f'<p class="verdict">{told}<small>{own}</small></p><p class="key" title="{esc(seen.place)}">'
        f"<code>{foreign(short_place(seen.place), 100)}</code></p></article>"
    )


def short_place(place: str) -> str:
    """The last two names of a path: which folder, which file."""
    return "/".join(place.replace("#", "/").split("/")[-2:])


def _losses(about: About) -> str:
    chosen, best = about.head.card.training.l2, min(about.losses.values())
    rows = [
        [f"<b>{l2:g}</b> chosen" if l2 == chosen else f"{l2:g}", f"{loss:.4f}", f"{loss - best:+.4f}"]
        for l2, loss in about.losses.items()
    ]
    training = about.head.card.training
    lead = f"Held-out log loss in {training.folds} folds by the weight of the squared norm, before calibration."
    return section(
        "decay", "Weight decay", lead, table(("weight", "log loss", "above the best"), rows, frozenset({1, 2}))
    )


def _left_out(left_out: Sequence[LeftOut]) -> str:
    rows = [
        [
            f"<code>{esc(one.error)}</code>",
            foreign(one.message, 200),
            f'<span class="place">{foreign(one.place, 300)}</span>',
        ]
        for one in left_out[:NAMED]
    ]
    more = f" The first {NAMED} are named." if len(left_out) > NAMED else ""
    lead = f"{count(len(left_out))} pictures could not be used.{more}"
    return section("left-out", TITLES["left-out"], lead, table(("why", "expected and found", "place"), rows))
