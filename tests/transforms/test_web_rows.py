"""Records of an archive as rows: what a page's pictures refer to, what is said of it, and what cannot be taken."""

import json

import pytest

from configs.schema.web import WebConfig
from tests.transforms.archives import captures, packed, record
from transforms.page_pictures import PagePicture
from transforms.reading import ARCHIVES, KINDS, kind_of, list_units
from transforms.records import Recipe, Sample, Text, Unit, pictures, texts
from transforms.warc_reader import Page, Refused
from transforms.web_resources import addresses_of
from transforms.web_rows import count_pages, load_safety_words, name_capture, read_archive, row_of, stated_addresses

CFG = WebConfig()
LINE = "A sentence that is long enough to be prose and to be read. "


def rows(folder, *bodies: str, cfg: WebConfig = CFG, media: str = "text/html; charset=utf-8") -> list[Sample]:
    records = [
        record(f"http://e.example/{i}", f"<!DOCTYPE html>{b}".encode(), media=media) for i, b in enumerate(bodies)
    ]
    pages = [one for one in captures(folder, packed(*records)) if isinstance(one, Page)]
    return [row_of(page, i, Unit(0, "x.warc.gz", "warc"), cfg) for i, page in enumerate(pages)]


def test_texts_and_pictures_stand_in_order_with_what_the_page_says(tmp_path):
    figure = (
        '<figure><a href="/big"><img src="a.png" alt="An a" width="40"></a><figcaption>The a.</figcaption></figure>'
    )
    (row,) = rows(tmp_path, f"<title>T</title><h1>Head</h1><p>{LINE}</p>{figure}<p>{LINE}</p>")
    assert [p.role if isinstance(p, Text) else "picture" for p in row.pieces][:3] == ["heading", "paragraph", "picture"]
    (picture,) = pictures(row)
    said = json.loads(picture.meta)
    assert (said["alt"], said["width"], said["link"]) == ("An a", 40, "http://e.example/big")
    assert picture.url == "http://e.example/a.png" and [t.value for t in texts(row)] == ["The a."]
    assert row.source_key == "http://e.example/0" and json.loads(row.meta)["title"] == "T"


def test_addresses_are_relative_to_the_pages_base(tmp_path):
    (row,) = rows(tmp_path, f'<base href="/deep/"><p>{LINE}</p><img src="a.png">')
    (picture,) = pictures(row)
    assert isinstance(picture.source, Recipe) and addresses_of(picture.source) == ["http://e.example/deep/a.png"]


def test_the_largest_of_a_set_comes_first_and_src_last():
    sources = (
        ("src", "dot.gif"),
        ("srcset", "s.png 100w, l.png 900w"),
        ("data-src", "lazy.png"),
        ("data-big", "b.png"),
    )
    assert stated_addresses(PagePicture("img", sources)) == ["l.png", "s.png", "lazy.png", "b.png", "dot.gif"]


def test_a_picture_inside_its_page_is_a_recipe_of_it(tmp_path):
    (row,) = rows(tmp_path, f'<p>{LINE}</p><img src="data:image/png;base64,aGFsbG8=">')
    (picture,) = pictures(row)
    assert isinstance(picture.source, Recipe) and picture.source.function == "page_data_uri"


def test_a_picture_outside_the_content_says_where(tmp_path):
    (row,) = rows(tmp_path, f'<nav><a href="/"><img src="logo.png"></a></nav><main><p>{LINE * 5}</p></main>')
    assert [picture.measures["removed"] for picture in pictures(row)] == ["navigation"]
    assert (row.measures["pictures"], row.measures["page_pictures"]) == (0, 1)


def test_a_page_of_too_many_pictures_is_one_failed_row(tmp_path):
    cfg = CFG.model_copy(update={"read": CFG.read.model_copy(update={"max_page_pieces": 50})})
    (row,) = rows(tmp_path, f"<p>{LINE}</p>" + '<img src="a.png">' * 60, cfg=cfg)
    assert row.failure and row.failure.error == "PageTooManyPieces" and row.pieces == ()


def test_a_refused_record_is_a_failed_row(tmp_path):
    (found,) = captures(tmp_path, packed(record(body=b"")))
    assert isinstance(found, Refused)
    row = row_of(found, 4, Unit(0, "x.warc.gz", "warc"), CFG)
    assert (row.position, row.failure, row.fate) == (4, found.failure, "failed")


@pytest.mark.parametrize("body", ["&#xD800;&#0;\x00", "<p>" * 30_000, "<table>" * 5_000 + "x", '<img alt="&#xDFFF;">'])
def test_hostile_pages_are_rows(tmp_path, body):
    (row,) = rows(tmp_path, body)
    assert row.failure is None


def test_a_page_in_another_character_set_than_it_says(tmp_path):
    (row,) = rows(tmp_path, f"<p>Größe, {LINE}</p>", media="text/html; charset=iso-8859-1")
    assert row.pieces[0].value.startswith("Größe,") and json.loads(row.meta)["charset"] == "utf-8"


def test_a_file_that_is_gone_is_one_refused_record(tmp_path):
    (found,) = read_archive(Unit(0, str(tmp_path / "none.warc"), "warc"), CFG.read, str(tmp_path))
    assert isinstance(found, Refused) and found.failure.error == "UnitUnreadable"


def test_pages_are_counted_up_to_a_limit(tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(record("http://e.example/1") + record("http://e.example/p", type="request") + record())
    unit = Unit(0, str(path), "warc")
    assert [count_pages(unit, CFG.read, str(tmp_path), most) for most in (1, 9)] == [1, 2]
    assert [name_capture(one) for one in read_archive(unit, CFG.read, "")] == ["pages", "ignored: request", "pages"]


def test_archives_and_other_inputs_are_told_apart(tmp_path):
    (tmp_path / "a.warc.gz").write_bytes(b"")
    (unit,) = list_units([str(tmp_path / "*")], None, kinds=ARCHIVES)
    assert (unit.kind, kind_of("x.WARC", ARCHIVES), set(KINDS) & set(ARCHIVES)) == ("warc", "warc", set())


def test_words_of_the_users_list_are_counted(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("sentence\n# nothing\n")
    cfg = CFG.model_copy(update={"safety": CFG.safety.model_copy(update={"words": str(path)})})
    (row,) = rows(tmp_path, f"<p>{LINE * 3}</p>", cfg=cfg)
    assert (row.measures["unsafe_words"], row.measures["unsafe_found"]) == (3, "sentence 3")
    assert load_safety_words(str(path)) is load_safety_words(str(path))
