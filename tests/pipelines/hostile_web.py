"""Web archives that are damaged, lie or attack, one page for each way, and what a run must make of it."""

from __future__ import annotations

import gzip
from pathlib import Path

from tests.pipelines.web_pool import SITE, jpeg, page, picture, text
from tests.transforms.archives import packed, record, redirect
from tests.transforms.test_hostile_bombs import HUGE, flat_png

CHINESE = "港口的清晨很安静，渔船沿着古老的石头码头停泊，没有人收起渔网，海鸥在篮子之间走来走去。"
GOOD = '<img src="good.jpg">'
BOMBS = {name: data for name, data in HUGE.items() if name != "webp"} | {"flat.png": flat_png(5_000)}
"""WebP cannot be taken for a picture without its first chunk's name."""

HTML: dict[str, str] = {
    "soup": f"<p><b>{text(1)}<p></i></table><tr><td>{GOOD}<h2></b><li><![CDATA[<!--{'<' * 99}",
    "open": f"{text(2)}{GOOD}<p title='",
    "deep": "<div>" * 100_000 + text(3) + GOOD + "</div>" * 100_000,
    "lists": "<ul>" * 480 + "<li>a" * 20_000 + text(4) + GOOD,
    "logos": "<div><a href=x></a></div>" * 20_000 + text(5) + GOOD,
    "labels": f"<p id=x>{text(6) * 99}</p>{GOOD}" + "<img aria-labelledby=x>" * 9_000,
    "pieces": f"<p>x{GOOD}" * 20_001,
    "inline": text(7) + "".join(f"<img src='data:image/gif;base64,{n:08d}'>" for n in range(3_000)) + GOOD,
    "nulls": "\0\x01\x1b[2J\u202e ".join(text(8).split(" ")) + GOOD,
    "empty": "",
    "script": "<script>while(1){}</script><style>p{}</style><template><img src=good.jpg></template>",
    "srcset": f"{text(9)}<img srcset='{'a 1w, ' * 50_000}' src=good.jpg>",
    "self": f'{text(10)}<img src="self.jpg">',
    "circle": f'{text(11)}<img src="one.jpg">',
    "chain": f'{text(12)}<img src="step0.jpg">',
    "lost": f'{text(13)}<img src="leads-nowhere.jpg"><img src="http://[::bad/x.jpg">',
    "page": f'{text(14)}<img src="soup">',
    "svg": f'{text(15)}<img src="drawn.svg">',
    "cut": f'{text(16)}<img src="cut.jpg">{GOOD}',
    "bombs": text(17) + "".join(f'<img src="bomb-{name}">' for name in BOMBS) + GOOD,
}
BYTES: dict[str, tuple[bytes, str]] = {
    "gbk": (f"<p>{CHINESE * 9}</p>{GOOD}".encode("gbk"), "utf-8"),
    "utf8": (f"<p>{CHINESE * 9}</p>{GOOD}".encode(), "shift_jis"),
    "utf16": (f"<html><meta charset=big5>{text(18)}{GOOD}".encode("utf-16-le"), "iso-2022-jp"),
    "noise": (bytes(range(1, 256)) * 99, "utf-8"),
    "bogus": (f"<html><meta charset=utf-7>{text(19)}{GOOD}".encode(), "no-such-set"),
}
"""Bytes, and the character set that their header states."""

Told = tuple[str, list[str]]
"""Why a document goes, "" where it stays; the fates of its pictures in order."""
NO_PICTURE = "document_without_pictures"
SOUND: Told = ("", ["kept"])
FATES: dict[str, Told] = {
    **dict.fromkeys(("soup", "open", "deep", "logos", "nulls", "srcset", "utf16", "bogus"), SOUND),
    **dict.fromkeys(("twice", "twice~2", "whole", "behind"), SOUND),  # of the other archives, as the next two
    "twice~3": ("document_duplicate", ["kept"]),
    "huge": ("PageTooLarge", []),
    "lists": ("document_short_words", ["kept"]),
    "labels": ("document_repeated_lines", ["kept"] + ["picture_without_address"] * 9_000),
    "pieces": ("PageTooManyPieces", []),
    "inline": ("", ["PictureUndecodable"] * 3_000 + ["kept"]),
    "empty": ("document_too_few_words", []),
    "script": ("document_too_few_words", ["picture_outside_content"]),
    **dict.fromkeys(("self", "circle", "chain"), (NO_PICTURE, ["picture_redirect_loop"])),
    "lost": (NO_PICTURE, ["picture_unresolved", "picture_without_address"]),
    **dict.fromkeys(("page", "svg"), (NO_PICTURE, ["picture_unresolved"])),
    "cut": ("", ["PictureTruncated", "kept"]),
    "bombs": ("", ["image_too_many_pixels"] * 5 + ["picture_blurred", "kept"]),
    **dict.fromkeys(("gbk", "utf8"), ("document_top_4gram", ["kept"])),
    "noise": ("document_long_words", []),
}
REFUSED = {"WarcBroken": 2, "WarcTruncated": 2, "WarcTooLarge": 1, "UnitEmpty": 1, "PageTooLarge": 1}
"""Records that are no page any more."""


def write_hostile_web(folder: Path) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    pages = [page(name, html) for name, html in HTML.items()]
    pages += [
        record(f"{SITE}/{name}", body, media=f"text/html; charset={charset}") for name, (body, charset) in BYTES.items()
    ]
    twice = [page("twice", text(20), GOOD), page("twice", text(21), GOOD), page("twice", text(21), GOOD)]
    broken = bytearray(packed(*twice[:1], page("flipped", text(22)), *twice[1:]))
    middle = len(packed(twice[0])) + 60
    broken[middle] ^= 0xFF
    contents = {
        "a-pages.warc.gz": packed(*pages),
        "b-pictures.warc.gz": packed(*_pictures(), *_redirects()),
        "c-flipped.warc.gz": bytes(broken),
        "d-cut.warc.gz": packed(page("whole", text(23), GOOD)) + packed(page("half", text(24), GOOD))[:-40],
        "e-huge.warc": page("huge", "<p>x" * 13_000_000) + page("behind", text(25), GOOD),
        "f-bomb.warc.gz": packed(page("packed", "x" * (60 << 20))),
        "g-no-page.warc.gz": packed(picture("alone.jpg", jpeg(9))),
        "h-empty.warc.gz": b"",
        "i-noise.warc": bytes(range(256)) * 400,
        "j-header.warc.gz": gzip.compress(b"WARC/1.0\r\nWARC-Type: response\r\nContent-Length: 99999999999\r\n\r\n"),
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in contents]


def _pictures() -> list[bytes]:
    found = [picture("good.jpg", jpeg(1)), picture("cut.jpg", jpeg(5)[:300]), picture("cut.jpg", b"")]
    found += [record(f"{SITE}/bomb-{name}", data, media="image/png") for name, data in BOMBS.items()]
    drawn = b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>'
    return [*found, record(f"{SITE}/drawn.svg", drawn, media="image/svg+xml")]


def _redirects() -> list[bytes]:
    pairs = [("self", "/self.jpg"), ("one", "/two.jpg"), ("two", "/three.jpg"), ("three", "/one.jpg")]
    pairs += [(f"step{n}", f"/step{n + 1}.jpg") for n in range(70)] + [("leads-nowhere", "http://gone.example/")]
    return [redirect(f"{SITE}/{name}.jpg", target) for name, target in pairs]
