"""QR codes and adverts on real pictures: precision and recall by what each picture is labelled.

    python -m tests.benchmarks.sign_scores

prints the table that stands in RESULTS.md. `../shared/data/web_images` has 16 pictures with QR codes, 5 adverts and 4
others, none with a page: of an advert's signs only its file's name and size are left. `../shared/data/web` has pages;
its adverts are known by their files, and the rules are asked of every picture that the archive holds, also where the
page's reader removed the block.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple

from configs.schema.web import WebConfig
from tests.benchmarks.web_scan import look_at_pictures, resolve_pictures, scan_pages
from tests.transforms.real_pages import DATA
from transforms.adverts import advert_score, check_advert
from transforms.pictures import decode
from transforms.qr_codes import check_codes, measure_codes
from transforms.records import Picture, Sample, Span, pictures
from transforms.web_documents import measures_pictures, page_signs

IMAGES = DATA.parent / "web_images"
ADVERTS = ("/ad.png", "/ads.png", "/sponsored.png")
"""Of the magazine's template, by its own words."""
CFG = WebConfig()


class SignScore(NamedTuple):
    pictures: int
    true: int
    flagged: int
    hits: int

    @property
    def precision(self) -> float:
        return self.hits / self.flagged if self.flagged else 1.0

    @property
    def recall(self) -> float:
        return self.hits / self.true


def score(pairs: Iterable[tuple[bool, bool]]) -> SignScore:
    """Of (flagged, true)."""
    listed = list(pairs)
    flagged, true = (sum(pair[side] for pair in listed) for side in (0, 1))
    return SignScore(len(listed), true, flagged, sum(told and wanted for told, wanted in listed))


@cache
def score_signs() -> dict[str, SignScore]:
    rows = [json.loads(line) for line in (IMAGES / "labels.jsonl").read_text(encoding="utf-8").splitlines()]
    coded = [(_with_codes(row["file"]), row["label"] == "qr") for row in rows]
    bare = [(_without_page(row["file"]), row["label"] == "ad") for row in rows]
    paged = [(one, one.url.endswith(ADVERTS)) for one in _on_pages()]
    return {
        "web_images, QR codes: found": score((one.measures["codes"] != 0, true) for one, true in coded),
        "web_images, QR codes: dropped, at `codes.drop_share` 0.05": score(
            (check_codes(one, CFG.codes) is not None, true) for one, true in coded
        ),
        "web_images, adverts without their pages: dropped": score((_drops(one), true) for one, true in bare),
        "web_images, adverts without their pages: one sign or more": score(
            (advert_score(one, CFG.adverts)[0] > 0, true) for one, true in bare
        ),
        "web, adverts on their pages: dropped by the rules alone": score((_drops(one), true) for one, true in paged),
        "web, adverts on their pages: gone by the rules or with their block": score(
            (_drops(one) or "removed" in one.measures, true) for one, true in paged if true
        ),
    }


def format_scores() -> str:
    """The table of RESULTS.md."""
    lines = ["| what | pictures | true | flagged | hits | precision | recall |", "|---|---|---|---|---|---|---|"]
    for name, one in score_signs().items():
        lines.append(f"| {name} | {' | '.join(map(str, one))} | {one.precision:.2f} | {one.recall:.2f} |")
    return "\n".join(lines)


def _drops(picture: Picture) -> bool:
    return check_advert(picture, CFG.adverts) is not None


def _with_codes(file: str) -> Picture:
    measures = measure_codes(decode((IMAGES / file).read_bytes(), 10_000_000), CFG.codes)
    return Picture(Span(file, 0, 0, "file"), measures=measures)


def _without_page(file: str) -> Picture:
    """As a page of a site of no telling name would show it amid its text."""
    url, place = f"http://site.example/images/{file}", {"place": 0.5}
    named = Picture(Span(file, 0, 0, "file"), url=url, meta="{}", measures=place)
    opened = measures_pictures(CFG)(named, (IMAGES / file).read_bytes())
    page = Sample("k", "", 0, 0, source_key="http://site.example/")
    return Picture(named.source, url=url, measures=page_signs(CFG).measure(opened, page))


def _on_pages() -> list[Picture]:
    rows, entries = scan_pages(str(DATA / "pages.warc.gz"), CFG)
    with tempfile.TemporaryDirectory() as staging:
        looked = look_at_pictures(resolve_pictures(rows, entries, CFG), CFG, staging, everywhere=True)
    return [one for row in looked for one in pictures(row) if one.width]


if __name__ == "__main__":
    print(format_scores())
