"""Conversations whole: what was asked and shown, thoughts, answers, boxes, and of those that went the reason.

Left out on purpose: which ones are shown (pipelines/document_queries.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice

from pipelines.report_pages.documents import picture_row
from pipelines.report_pages.markup import count, esc, foreign, number, section
from pipelines.report_pages.thumbnails import Thumbnails
from transforms.records import Picture, Piece, Sample, Text
from transforms.response_format import BOX, TAGS, THINK, THINK_END

PIECES, PARTS = 40, 60
"""Pieces of a conversation that a card shows, and parts between the tags of one text."""
TEXT, END = 700, 300
"""Characters of a part, and of its end where it has more."""
_TAG = re.compile(f"({'|'.join(map(re.escape, TAGS))})")


def conversations(kept: Sequence[Sample], gone: Sequence[Sample], thumbnails: Thumbnails) -> str:
    """Those that stay, then those that rules turned away. Empty where there is neither."""
    if not kept and not gone:
        return ""
    shown = [(piece, one) for one in (*kept, *gone) for piece in one.pieces[:PIECES] if isinstance(piece, Picture)]
    thumbnails.prepare(picture_row(piece, one) for piece, one in shown)
    lead = "Whole conversations from all over the pool: as they were kept, and some of each rule that dropped any."
    blocks = [_block(title, found, thumbnails) for title, found in (("Kept", kept), ("Dropped", gone)) if found]
    return section("documents", "Conversations", lead, "".join(blocks))


def _block(title: str, found: Sequence[Sample], thumbnails: Thumbnails) -> str:
    cards = "".join(conversation_card(one, thumbnails) for one in found)
    return f'<h3 class="talks">{title}</h3><div class="documents pairs">{cards}</div>'


def conversation_card(sample: Sample, thumbnails: Thumbnails) -> str:
    turns = "".join(_turn(role, found, sample, thumbnails) for role, found in _turns(sample.pieces[:PIECES]))
    left = len(sample.pieces) - PIECES
    more = f'<p class="note">{count(left)} further texts and pictures</p>' if left > 0 else ""
    return (
        f'<article class="document talk card {esc(sample.fate)}" tabindex="0">{_verdict(sample)}'
        f'<p class="note">{" · ".join(_facts(sample))}</p>{turns}{more}</article>'
    )


def _turns(pieces: Sequence[Piece]) -> list[tuple[str, list[Piece]]]:
    turns: list[tuple[str, list[Piece]]] = []
    for piece in pieces:
        if not turns or (isinstance(piece, Text) and piece.role != turns[-1][0]):
            turns.append((piece.role if isinstance(piece, Text) else "", []))
        turns[-1][1].append(piece)
    return turns


def _turn(role: str, pieces: Sequence[Piece], sample: Sample, thumbnails: Thumbnails) -> str:
    said = "".join(_piece(piece, sample, thumbnails) for piece in pieces)
    return (
        f'<div class="turn {esc(role)}"><small>{esc(role)}</small><div>{said or "<small>nothing</small>"}</div></div>'
    )


def _verdict(sample: Sample) -> str:
    if sample.drop is None:
        return ""
    drop = sample.drop
    # A rule that something is there or is not has no value to tell.
    told = "" if float(drop.value).is_integer() else f" {number(drop.value)}, limit {number(drop.limit)}"
    return f'<p class="reason"><code>{esc(drop.rule)}</code>{told} {foreign(drop.detail, 200)}</p>'


def _facts(sample: Sample) -> Iterator[str]:
    """What the record says of the task."""
    said = sample.measures
    yield foreign(sample.source_key, 80)
    yield from [f"<code>{esc(sample.key)}</code>"] if sample.key != sample.source_key else []
    if "reference" in said:
        yield f"reference {foreign(str(said['reference']), 80)}"
    elif said.get("verifiable"):
        yield "verifiable"
    if "pass_rate" in said:
        yield f"pass rate {number(said['pass_rate'])}"


def _piece(piece: Piece, sample: Sample, thumbnails: Thumbnails) -> str:
    if isinstance(piece, Picture):
        return f"<figure>{thumbnails.image(picture_row(piece, sample))}</figure>"
    return response(piece.value) if piece.role == "assistant" else _cut(piece.value.strip())


def response(text: str) -> str:
    """A response around its tags, sound or broken: thoughts, answers and boxes each in a look of their own."""
    shown, thinks, boxed = [], False, False
    parts = list(islice((part for part in _pieces(text) if part.strip()), PARTS + 1))
    for part in parts[:PARTS]:
        if part in TAGS:
            thinks, boxed = (part == THINK) if part in (THINK, THINK_END) else thinks, part == BOX
            shown.append(f'<code class="tag">{esc(part)}</code>')
        else:
            look = "boxed" if boxed else "thought" if thinks else "answer"
            shown.append(f'<span class="{look}">{_cut(part.strip())}</span>')
    return "".join(shown) + ("…" if len(parts) > PARTS else "")


def _pieces(text: str) -> Iterator[str]:
    """Tags and what stands between them, one after the other: a response may hold a hundred thousand."""
    place = 0
    for match in _TAG.finditer(text):
        yield text[place : match.start()]
        yield match.group()
        place = match.end()
    yield text[place:]


def _cut(text: str) -> str:
    """The end is shown as well: there a thought comes to its result, or does not."""
    if len(text) <= TEXT + END:
        return foreign(text, TEXT + END) if text else ""
    left = f"<small>… {count(len(text) - TEXT - END)} characters …</small>"
    return f"{foreign(text[:TEXT], TEXT)} {left} {foreign(text[-END:], END)}"
