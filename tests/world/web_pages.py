"""The toy web: pages of some sites with their pictures as a WARC file, and the truth about each.

    python -m tests.world.web_pages OUT --pages 300 --seed 0 [--unmarked]

writes OUT/raw/pages.warc.gz, OUT/truth.jsonl (a line a page, its pictures in reading order), OUT/adverts.txt and
OUT/unsafe.txt (the lists that a user would bring). Everything follows from (seed, number of the page).
A page's faults, like a picture's, are all rules that truly hold of it. `--unmarked` adds adverts, logos and QR codes
that only a classifier finds.
Left out on purpose: broken HTML and broken archives (the readers' tests), scripts and style sheets.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import html
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from tests.world.chance import random_of
from tests.world.web_pictures import (
    ADVERT_LIST,
    WebPicture,
    make_advert,
    make_blurred,
    make_code,
    make_decoration,
    make_narrow,
    make_plain_advert,
    make_plain_decoration,
    make_repeated,
    make_small,
    make_sound,
    make_torn_code,
    make_tracker,
    make_wide,
)
from tests.world.web_prose import (
    UNSAFE,
    make_paragraph,
    make_repeated_lines,
    make_symbols,
    with_changed_words,
    with_unsafe_words,
)
from tests.world.words import PLACES, SUBJECTS

SITES, SHARED_SITE = 6, 0
"""Pages go round the sites; each page of site 0 shows the same picture of its people."""
KINDS = {
    "article": 0.60, "album": 0.10, "document_too_few_words": 0.06, "document_repeated_lines": 0.06,
    "document_symbols": 0.05, "document_unsafe_words": 0.05, "document_duplicate": 0.08,
}  # fmt: skip
ODD_PICTURES = {
    make_decoration: 0.5, make_tracker: 0.3, make_small: 0.15, make_narrow: 0.12, make_wide: 0.12, make_blurred: 0.15,
}  # fmt: skip
AT_END = {make_code: 0.2, make_advert: 0.45}
"""GLM-4.1V: adverts and codes mostly stand at the end of articles."""
UNMARKED = {make_plain_advert: 0.35, make_plain_decoration: 0.35, make_torn_code: 0.25}
MAX_DOCUMENTS, MIN_WORDS, MIN_WORDS_PER_PICTURE = 10, 50, 10


@dataclass(frozen=True)
class WebPage:
    """`pieces` are paragraphs and pictures in reading order; the first is the heading."""

    url: str
    kind: str
    pieces: tuple[str | WebPicture, ...]
    faults: frozenset[str] = frozenset()

    @property
    def paragraphs(self) -> list[str]:
        return [piece for piece in self.pieces if isinstance(piece, str)]

    @property
    def pictures(self) -> list[WebPicture]:
        return [piece for piece in self.pieces if isinstance(piece, WebPicture)]


def kind_of(seed: int, number: int) -> str:
    """A copy needs a page before it that is an article."""
    random = random_of(seed, number, "web kind")
    kind = random.choices(list(KINDS), list(KINDS.values()))[0]
    return "article" if kind == "document_duplicate" and _original(seed, number) < 0 else kind


def _original(seed: int, number: int) -> int:
    """The nearest article before a page that nothing else copies; -1 for none."""
    for before in range(number - 1, max(-1, number - 12), -1):
        first = random_of(seed, before, "web kind").choices(list(KINDS), list(KINDS.values()))[0]
        if first == "article":
            return before
        if first == "document_duplicate":
            return -1
    return -1


def draw_page(seed: int, number: int, pages: int, unmarked: bool = False) -> WebPage:
    """Page `number` of a web of `pages`; the same but for what `unmarked` adds."""
    random, kind = random_of(seed, number, "web page"), kind_of(seed, number)
    host = f"site{number % SITES}.example"
    title = f"{random.choice(PLACES)} {random.choice(SUBJECTS)} {number}"
    album = kind == "album"
    pieces = _album(random, host) if album else _with_odd(random, host, _article(seed, number, kind, host))
    shared = _shared_picture(seed, pages) if number % SITES == SHARED_SITE else None
    pieces = [
        title,
        *(_with_unmarked(seed, number, host, pieces) if unmarked else pieces),
        *([shared] if shared else []),
    ]
    page = WebPage(f"https://{host}/{number // SITES}/{kind[:3]}-{number}.html", kind, tuple(pieces))
    return WebPage(page.url, kind, page.pieces, _faults(page))


def _article(seed: int, number: int, kind: str, host: str) -> list[str | WebPicture]:
    """Paragraphs with sound pictures between them. A copied page shows what its original shows, at the same places."""
    first = _original(seed, number) if kind == "document_duplicate" else number
    random = random_of(seed, first, "web article")
    pieces: list[str | WebPicture] = list(_paragraphs(random, kind))
    for _ in range(random.randint(1, 3)):
        picture = make_sound(random, host)
        pieces.insert(random.randint(1, len(pieces)), _bare(picture) if kind == "document_too_few_words" else picture)
    return _copied(random_of(seed, number, "web copy"), pieces) if kind == "document_duplicate" else pieces


def _paragraphs(random: Random, kind: str) -> list[str]:
    if kind == "document_repeated_lines":
        return make_repeated_lines(random)
    if kind == "document_symbols":
        return make_symbols(random)
    if kind == "document_too_few_words":
        return [make_paragraph(random, 1)]
    prose = [make_paragraph(random, random.randint(3, 5)) for _ in range(random.randint(4, 6))]
    return with_unsafe_words(random, prose) if kind == "document_unsafe_words" else prose


def _copied(random: Random, pieces: list[str | WebPicture]) -> list[str | WebPicture]:
    """Without the last words of its first paragraph, so that the original is the longer one and stays."""
    shorter = [f"{pieces[0]}".rsplit(" ", 6)[0] + ".", *pieces[1:]]
    return [with_changed_words(random, piece) if isinstance(piece, str) else piece for piece in shorter]


def _bare(picture: WebPicture) -> WebPicture:
    return replace(picture, caption="")


def _with_odd(random: Random, host: str, pieces: list[str | WebPicture]) -> list[str | WebPicture]:
    """Odd pictures among the others, adverts and codes at the end."""
    sound = next(piece for piece in pieces if isinstance(piece, WebPicture))
    odd = [make(random, host) for make, share in ODD_PICTURES.items() if random.random() < share]
    odd += [_bare(make_repeated(random, sound))] if random.random() < 0.35 else []
    for picture in odd:
        pieces.insert(random.randint(1, len(pieces)), picture)
    return pieces + [make(random, host) for make, share in AT_END.items() if random.random() < share]


def _with_unmarked(seed: int, number: int, host: str, pieces: list[str | WebPicture]) -> list[str | WebPicture]:
    random, pieces = random_of(seed, number, "web unmarked"), list(pieces)
    for make, share in UNMARKED.items():
        if random.random() < share:
            pieces.insert(random.randint(1, len(pieces)), make(random, host))
    return pieces


def _album(random: Random, host: str) -> list[str | WebPicture]:
    pieces: list[str | WebPicture] = []
    for number in range(random.randint(9, 14)):
        pieces += [_bare(make_sound(random, host, "view")), f"Picture {number + 1}, {random.choice(PLACES)}"]
    return pieces


def _shared_picture(seed: int, pages: int) -> WebPicture:
    """The people of site 0, on each of its pages."""
    picture = make_sound(random_of(seed, "shared"), f"site{SHARED_SITE}.example", "view")
    often = len(range(SHARED_SITE, pages, SITES)) > MAX_DOCUMENTS
    faults = frozenset({"picture_shared"} if often else ())
    return WebPicture(picture.url, picture.data, "shared", faults, "Our people")


def _faults(page: WebPage) -> frozenset[str]:
    """What follows from the whole page: its words, and its words for each picture that stays."""
    texts = page.paragraphs + [picture.caption for picture in page.pictures]
    words = sum(len(text.split()) for text in texts)
    found = {page.kind} if page.kind.startswith("document_") else set()
    found |= {"document_too_few_words"} if words < MIN_WORDS else set()
    kept = sum(not picture.faults for picture in page.pictures)
    found |= {"document_album"} if kept and words / kept < MIN_WORDS_PER_PICTURE else set()
    return frozenset(found)


def page_html(page: WebPage) -> str:
    """The page as its site serves it: navigation and footer around an article."""
    host = page.url.split("/")[2]
    lines = [f"<h1>{html.escape(page.paragraphs[0])}</h1>"]
    outside = [piece for piece in page.pictures if piece.outside]
    for piece in page.pieces[1:]:
        if piece in outside:
            continue
        lines.append(f"<p>{html.escape(piece)}</p>" if isinstance(piece, str) else _picture_html(piece))
    body = "\n".join(lines)
    beside = "".join(f"<{one.outside}>{_picture_html(one)}</{one.outside}>" for one in outside)
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(page.paragraphs[0])}</title>'
        f'</head>\n<body><nav><a href="/">Home</a> <a href="/news">News</a> <a href="/about">About {host}</a></nav>\n'
        f"<main><article>\n{body}\n</article></main>\n{beside}"
        f"<footer><p>© {host}. All rights reserved.</p></footer></body></html>\n"
    )


def _picture_html(picture: WebPicture) -> str:
    size = f' width="{picture.shown[0]}" height="{picture.shown[1]}"' if any(picture.shown) else ""
    source = f' src="{html.escape(picture.url)}"' if picture.url else ""
    image = f'<img{source} alt="{html.escape(picture.alt)}"{size}>'
    image = f'<a href="{html.escape(picture.link)}">{image}</a>' if picture.link else image
    names = f' class="{picture.names}"' if picture.names else ""
    if picture.caption:
        return f"<figure{names}>{image}<figcaption>{html.escape(picture.caption)}</figcaption></figure>"
    return f"<div{names}>{image}</div>"


def truth_of(page: WebPage) -> dict[str, object]:
    pictures = [{"url": one.url, "kind": one.kind, "faults": sorted(one.faults)} for one in page.pictures]
    return {"url": page.url, "kind": page.kind, "faults": sorted(page.faults), "pictures": pictures}


def write_web(out: Path, seed: int, pages: int, unmarked: bool = False) -> list[WebPage]:
    """Writes the archive, the truth and the lists; equal arguments give equal bytes."""
    return write_pages(out, [draw_page(seed, number, pages, unmarked) for number in range(pages)])


def write_pages(out: Path, drawn: list[WebPage]) -> list[WebPage]:
    (out / "raw").mkdir(parents=True, exist_ok=True)
    (out / "raw" / "pages.warc.gz").write_bytes(b"".join(_records(drawn)))
    lines = [json.dumps(truth_of(page), ensure_ascii=False) + "\n" for page in drawn]
    (out / "truth.jsonl").write_text("".join(lines), encoding="utf-8")
    (out / "adverts.txt").write_text(ADVERT_LIST, encoding="utf-8")
    (out / "unsafe.txt").write_text("\n".join(UNSAFE) + "\n", encoding="utf-8")
    return drawn


def _records(pages: list[WebPage]) -> Iterator[bytes]:
    """Each page, then each of its pictures that was not written before; a record is a gzip member of its own."""
    written: set[str] = set()
    for page in pages:
        yield _record(page.url, "text/html; charset=utf-8", page_html(page).encode())
        for picture in page.pictures:
            if (picture.data or picture.redirect) and picture.url not in written:
                written.add(picture.url)
                yield _record(picture.url, _type_of(picture.data), picture.data, picture.redirect)


def _type_of(data: bytes) -> str:
    return {b"\x89P": "image/png", b"GI": "image/gif"}.get(data[:2], "image/jpeg")


def _record(url: str, kind: str, body: bytes, redirect: str = "") -> bytes:
    status = f"301 Moved Permanently\r\nLocation: {redirect}" if redirect else "200 OK"
    block = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    name = hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
    named = f"{name[:8]}-{name[8:12]}-{name[12:16]}-{name[16:20]}-{name[20:]}"
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2025-01-01T00:00:00Z\r\n"
        f"WARC-Record-ID: <urn:uuid:{named}>\r\nContent-Type: application/http; msgtype=response\r\n"
        f"Content-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n", 1, mtime=0)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.world.web_pages", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pages", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--unmarked", action="store_true", help="adverts, logos and codes that only a classifier finds")
    args = parser.parse_args()
    drawn = write_web(args.out, args.seed, args.pages, args.unmarked)
    print(f"{len(drawn)} pages with {sum(len(page.pictures) for page in drawn)} pictures: {args.out}")


if __name__ == "__main__":
    main()
