"""The page of samples: for each held-out picture its caption, and what the model wrote for it as training went on.

One file without script or network, as the reports of curation are: captions are text of strangers, and what a model
writes it has learnt from them.
Left out on purpose: how samples are chosen and written (train/held_out_captions.py, train/samples.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

from configs.schema.train import TrainConfig
from train.held_out_captions import LOOKED_AT, Thumbnail
from train.sample_history import LAST, Evaluation, History, Shown, Written
from transforms.foreign_text import POLICY, esc, foreign

SHOWN = 2000
"""Characters of a text at most."""
_UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])\w)+")
"""Of scripts without spaces each sign."""


class About(NamedTuple):
    name: str
    cfg: TrainConfig
    skipped: dict[str, int]
    """Held-out samples of other kinds that were come across, by kind."""


def format_page(about: About, pictures: Sequence[Thumbnail], history: History) -> str:
    """The whole page; pictures in the order of `history.shown`."""
    style = files("train").joinpath("samples.css").read_text(encoding="utf-8")
    cards = "".join(
        _card(number, one, picture, history.evaluations)
        for number, (one, picture) in enumerate(zip(history.shown, pictures, strict=True))
    )
    title = f"{about.name}: samples"
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        f"<title>{esc(title)}</title><style>{style}</style></head><body><main>"
        f"{_header(about, history)}{_summary(history)}{cards}</main></body></html>\n"
    )


def _header(about: About, history: History) -> str:
    cfg, last = about.cfg, history.evaluations[-1].step
    facts = (
        ("run", about.name),
        ("stage", cfg.stage),
        ("model", cfg.model.source),
        ("step", f"{last:,} of {cfg.steps:,}"),
        ("held out", ", ".join(one.name for one in cfg.data.held_out)),
    )
    shown = "".join(f"<div><dt>{name}</dt><dd>{foreign(value, 120)}</dd></div>" for name, value in facts)
    return (
        f"<header><h1>What the model writes</h1><dl>{shown}</dl>"
        f'<p class="lead">Pictures of the held-out sets, the same ones each time. Behind each the model writes the '
        f"likeliest token again and again, {cfg.report.sample_tokens} at most; … is where it was stopped. "
        "<mark>Marked</mark> is each word that is in the caption. Loss is the caption’s own, in nats a token. "
        f"Shown are the first evaluation and the last {LAST}.</p>{_skipped(about, history)}</header>"
    )


def _skipped(about: About, history: History) -> str:
    asked, found = about.cfg.report.samples, len(history.shown)
    told = [f"{esc(kind)} ({number:,})" for kind, number in sorted(about.skipped.items())]
    far = f" in the first {LOOKED_AT:,} samples" if found + sum(about.skipped.values()) >= LOOKED_AT else ""
    words = [f"{found} of {asked} captioned pictures found{far}." if found < asked else ""]
    words += [f"Passed over, as they are no captioned picture: {', '.join(told)}." if told else ""]
    return f'<p class="note">{" ".join(filter(None, words))}</p>' if any(words) else ""


def _summary(history: History) -> str:
    head = ("step", "mean loss", "words of the captions written", "ended by the model")
    rows = "".join(_summary_row(one, history.shown) for one in history.evaluations if one.written)
    cells = "".join(f'<th scope="col">{name}</th>' for name in head)
    return f'<table class="sums"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table>' if rows else ""


def _summary_row(evaluation: Evaluation, shown: Sequence[Shown]) -> str:
    written = evaluation.written
    wanted = {number: set(words_of(shown[number].caption)) for number in written}
    there = sum(len(wanted[number] & set(words_of(one.text))) for number, one in written.items())
    of = sum(map(len, wanted.values()))
    loss = sum(one.loss for one in written.values()) / len(written)
    share = f"{there / of:.0%} <small>{there:,} of {of:,}</small>" if of else "–"
    ended = sum(one.ended for one in written.values())
    return (
        f'<tr><th scope="row">{evaluation.step:,}</th><td>{loss:.3f}</td><td>{share}</td>'
        f"<td>{ended} <small>of {len(written)}</small></td></tr>"
    )


def _card(number: int, shown: Shown, picture: Thumbnail, evaluations: Sequence[Evaluation]) -> str:
    words = set(words_of(shown.caption))
    rows = "".join(_row(one.step, one.written.get(number), words) for one in evaluations)
    image = f'<img src="{picture.uri}" width="{picture.width}" height="{picture.height}" alt="">'
    return (
        f"<article><figure>{image}<figcaption>{foreign(shown.source, 60)} <code>{foreign(shown.key, 60)}</code>"
        f'</figcaption></figure><div class="texts"><p class="caption">{foreign(shown.caption, SHOWN)}</p>'
        f'<table><thead><tr><th scope="col">step</th><th scope="col">the model writes</th>'
        f'<th scope="col">loss</th></tr></thead><tbody>{rows}</tbody></table></div></article>'
    )


def _row(step: int, written: Written | None, words: set[str]) -> str:
    first = f'<tr><th scope="row">{step:,}</th>'
    if written is None:
        return f'{first}<td class="none">the picture could not be read this time</td><td></td></tr>'
    text = marked(written.text, words) or '<span class="none">nothing</span>'
    stopped = "" if written.ended else '<span class="none">…</span>'
    return f"{first}<td>{text}{stopped}</td><td>{written.loss:.3f}</td></tr>"


def words_of(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def marked(text: str, words: set[str]) -> str:
    """Text from outside, its words that are among `words` marked; neighbours together."""
    text, runs = text[:SHOWN], list[list[int]]()
    for found in _WORD.finditer(text):
        if found[0].lower() not in words:
            continue
        if runs and not text[runs[-1][1] : found.start()].strip():
            runs[-1][1] = found.end()
        else:
            runs.append([*found.span()])
    parts, behind = [], 0
    for start, end in runs:
        parts += [esc(text[behind:start]), f"<mark>{esc(text[start:end])}</mark>"]
        behind = end
    return f'<bdi dir="auto">{"".join(parts)}{esc(text[behind:])}</bdi>' if text.strip() else ""
