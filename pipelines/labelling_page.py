"""The page and the template of `label-next`: pictures worth a label, numbered, with what the head makes of them.

Left out on purpose: a form. A page without script cannot save one; the numbers lead to the template's rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from classifiers.heads import Array, Head
from pipelines.charts import bar_svg
from pipelines.classifier_page import header, short_place, thumbnails
from pipelines.labelled_pictures import Seen
from pipelines.report_pages.frame import page
from pipelines.report_pages.markup import count, esc, foreign, section

GUESSES = 3
"""Classes shown for a picture."""


class Pick(NamedTuple):
    seen: Seen
    probabilities: Array
    """(classes,)"""


def template_rows(picks: Sequence[Pick], classes: Sequence[str]) -> list[dict[str, object]]:
    """The template's rows, numbered as on the page, with an empty class."""
    return [
        {
            "number": place,
            "sha256": pick.seen.sha256,
            "picture": pick.seen.place,
            "guess": classes[int(pick.probabilities.argmax())],
            "probability": f"{pick.probabilities.max():.4f}",
            "class": "",
        }
        for place, pick in enumerate(picks, 1)
    ]


def format_page(picks: Sequence[Pick], head: Head, counts: tuple[int, int], template: str) -> str:
    """`counts` are pictures of the pool and labels known before."""
    images = thumbnails([pick.seen for pick in picks])
    cards = "".join(_card(place, pick, images[pick.seen.sha256], head.classes) for place, pick in enumerate(picks, 1))
    pool, known = counts
    names = ", ".join(f"<code>{esc(name)}</code>" for name in head.classes)
    lead = (
        f"{count(len(picks))} of {count(pool)} pictures, {count(known)} labels known before: those the head is least "
        "sure of, each unlike those before it. Write their classes into the column <code>class</code> of "
        f"<code>{esc(template)}</code> and give it to <code>beamsift classifier fit --labels</code>; a row left empty "
        f"stays unlabelled. Classes of the head: {names}; a new name makes a new class."
    )
    body = section("pictures", "Pictures to label", lead, f'<div class="picks">{cards}</div>')
    return page(
        "beamsift: what to label next", header("What to label next", head), [("pictures", "Pictures", ())], body
    )


def _card(place: int, pick: Pick, image: str, classes: Sequence[str]) -> str:
    guesses = "".join(_guesses(pick, classes))
    return (
        f'<article class="card pick" id="n{place}"><h3>{place}</h3><div class="picture">{image}</div>'
        f'<dl class="guesses">{guesses}</dl><p class="key" title="{esc(pick.seen.place)}">'
        f"<code>{foreign(short_place(pick.seen.place), 100)}</code></p></article>"
    )


def _guesses(pick: Pick, classes: Sequence[str]) -> Iterator[str]:
    for number in (-pick.probabilities).argsort(kind="stable")[:GUESSES]:
        value = float(pick.probabilities[number])
        bar = bar_svg([(value, "kept")], f"{value:.4f}")
        yield f"<div><dt>{foreign(classes[number], 60)}</dt><dd>{bar}<span>{value:.2f}</span></dd></div>"
