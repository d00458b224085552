"""The interleaved web pipeline from archives to shards: fates, the form of a document, and the laws."""

import json
import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

pytest.importorskip("apache_beam")

from configs.schema.web import WebConfig
from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from pipelines.what_if import override
from tests.pipelines.damage import forge, problems, read_samples
from tests.pipelines.web_pool import FEW, SITE, page, text, web_arguments, write_web_pool
from tests.pipelines.whole_runs import ROOT, unfinished
from tests.transforms.archives import packed
from tests.transforms.real_pages import DATA
from transforms.records import Picture, Sample, Span, Text, pictures
from transforms.web_documents import decide_again

pytestmark = pytest.mark.beam

CFG = WebConfig()
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data")


def line(inputs: list[str], output: Path, *more: str) -> list[str]:
    return web_arguments(inputs, output, *FEW, *more)


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return write_web_pool(tmp_path_factory.mktemp("archives"))


@pytest.fixture(scope="module")
def finished(pool, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("web")
    assert main(line(pool, output)) == 0
    assert unfinished(output) == []
    return output


@pytest.fixture(scope="module")
def rows(finished) -> dict[str, Sample]:
    return {row.sample.key: row.sample for row in samples_by_unit(str(finished))}


def row(rows: dict[str, Sample], name: str) -> Sample:
    return rows[f"http___site_example_{name.replace('.', '_')}"]


def fate_of(picture: Picture) -> str:
    if picture.failure:
        return picture.failure.error
    return picture.drop.rule if picture.drop else "kept"


@pytest.mark.parametrize(
    ("name", "rule", "told"),
    [
        ("good.html", "", ["kept"]),
        ("moved.html", "", ["kept"]),
        ("based.html", "", ["kept"]),
        ("lazy.html", "", ["kept"]),
        ("inline.html", "", ["kept"]),
        ("broken.html", "", ["PictureTruncated", "kept"]),
        ("circle.html", "document_without_pictures", ["picture_redirect_loop"]),
        ("absent.html", "document_without_pictures", ["picture_unresolved"]),
        ("small.html", "document_without_pictures", ["picture_too_small"]),
        ("short.html", "document_too_few_words", ["kept"]),
        ("advert.html", "document_without_pictures", ["picture_advert"]),
        ("bomb.html", "document_without_pictures", ["image_too_many_pixels"]),
        ("again.html", "", ["kept", "picture_repeated"]),
        ("icons.html", "", ["picture_decoration", "kept"]),
    ],
)
def test_a_page_and_its_pictures_have_their_fates(rows, name, rule, told):
    sample = row(rows, name)
    assert (sample.drop.rule if sample.drop else "", [fate_of(one) for one in pictures(sample)]) == (rule, told)


def test_a_picture_is_found_in_another_archive_behind_redirects(rows):
    (found,) = pictures(row(rows, "moved.html"))
    assert isinstance(found.source, Span)
    assert (Path(found.source.uri).name, found.source.member) == ("b.warc.gz", f"{SITE}/new.jpg")
    assert found.url == f"{SITE}/old.jpg"


def test_every_record_and_every_picture_is_accounted_for(finished, rows):
    counts = json.loads((finished / "manifest.json").read_text())["counts"]
    assert counts["records"] == {"pages": 15, "pictures": 6, "redirects": 4, "refused": 1}
    assert (counts["read"], counts["failed"]) == (16, {"WarcTruncated": 1})
    told = counts["pictures"]
    assert told["read"] == told["kept"] + sum(told["dropped"].values()) + sum(told["failed"].values()) == 18
    assert told["dropped"]["with_document"] == 2


def test_a_page_captured_twice_is_two_rows_of_which_one_stays(rows):
    drop = rows["http___site_example_good_html~2"].drop
    assert (drop.rule, drop.value, drop.detail) == ("document_duplicate", 1.0, "http___site_example_good_html")


def test_a_document_is_its_pieces_in_order(finished):
    members = dict(read_samples(finished / "shards/000000.tar")[0])
    assert list(members) == ["http___site_example_good_html.jpg", "http___site_example_good_html.json"]
    record = json.loads(members["http___site_example_good_html.json"])
    assert [one.get("role", "picture") for one in record["beamsift"]["pieces"]] == ["paragraph", "picture", "paragraph"]
    assert (record["url"], record["title"]) == (f"{SITE}/good.html", "good.html")
    assert record["beamsift"]["pieces"][1]["meta"]["alt"] == "boats"


def test_verify_finds_nothing_and_lint_neither(finished):
    assert problems(finished) == {}
    assert main(["lint", str(finished / "shards/*.tar")]) == 0


def test_verify_finds_a_text_that_was_changed(finished, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(finished, copy)
    samples = read_samples(copy / "shards/000001.tar")
    name, data = samples[0][-1]
    samples[0][-1] = (name, data.replace(b"harbour", b"airport").replace(b"water", b"sands"))
    forge(copy, samples)
    assert [key for key in problems(copy) if key == "samples hold what the ledger says"]


def test_what_if_is_what_another_run_makes(pool, finished, tmp_path, capsys):
    other = ["picture.min_side=50", "picture.min_shown_side=10", "text.min_words=1", "repeats.enabled=false"]
    sets = [word for one in other for word in ("--set", one)]
    assert main(["what-if", str(finished), *sets]) == 0
    told = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "│ kept │ │ 8 │ 9 │ +1 │" in told and "│ dropped picture_repeated │ 1 │ 0 │ -1 │" in told
    assert main(line(pool, tmp_path, *sets)) == 0
    units, before = zip(*samples_by_unit(str(finished)), strict=True)
    again = decide_again(before, units, override(CFG, other))
    made = [row.sample for row in samples_by_unit(str(tmp_path))]
    assert [replace(one, pieces=()) for one in again] == [replace(one, pieces=()) for one in made]
    assert [[p.drop for p in one.pieces] for one in again] == [[p.drop for p in one.pieces] for one in made]


def test_what_if_refuses_what_needs_the_archives(finished, capsys):
    assert main(["what-if", str(finished), "--set", "read.max_redirects=1"]) == 2
    assert main(["what-if", str(finished), "--set", "decode.decode_seconds=1"]) == 2


def test_why_tells_of_each_picture(finished, capsys):
    assert main(["why", str(finished), f"{SITE}/broken.html"]) == 0
    told = "".join(capsys.readouterr().out.split())
    assert "failedPictureTruncated:" in told and "membershttp___site_example_broken_html.jpg" in told


def test_a_limit_counts_pages_and_leaves_the_pictures_of_all_archives(pool, tmp_path):
    assert main(line(pool, tmp_path, "--limit", "2")) == 0
    counts = json.loads((tmp_path / "manifest.json").read_text())["counts"]
    assert (counts["read"], counts["kept"], counts["pictures"]["kept"]) == (2, 2, 2)


def test_the_data_card_tells_of_pictures_and_of_no_txt(finished):
    card, meta = (finished / "README.md").read_text(), (finished / "croissant.json").read_text()
    assert "| `picture_advert` | 1 |" in card and ".txt" not in card and "text-files" not in meta


def test_the_report_tells_of_pictures_in_the_order_of_their_rules(finished):
    page = (finished / "report.html").read_text()
    told = page[page.index('id="pictures"') : page.index('id="throughput"')]
    names = (
        "picture_redirect_loop",
        "picture_too_small",
        "picture_advert",
        "PictureTruncated",
        "with_document",
        "kept",
    )
    places = [told.index(name) for name in names]
    assert places == sorted(places)


def test_the_report_shows_documents_with_pictures_that_went_greyed(finished):
    page = (finished / "report.html").read_text()
    told = page[page.index('id="documents"') : page.index('id="failures"')]
    cards = told.split('<article class="document card"')[1:]
    assert len(cards) == 6
    (broken,) = [card for card in cards if f"{SITE}/broken.html" in card]
    assert broken.index("gone") < broken.index("PictureTruncated") < broken.index("data:image/webp")


def test_pictures_are_scored_against_the_passages_near_them(pool, tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    model = ("--set", f"passages.model=local-dir:{ROOT}/tests/world/clip", "--set", "passages.pretrained=")
    assert main(line(pool, tmp_path, "--set", "passages.enabled=true", *model, "--set", "passages.min_score=0.05")) == 0
    found = {row.sample.key: row.sample for row in samples_by_unit(str(tmp_path))}
    (picture,) = pictures(row(found, "good.html"))
    assert picture.measures["passage_best"] in (0, 2) and picture.measures["passage_assigned"] in (0, 2)
    scores = [p.measures["passage_score"] for s in found.values() for p in pictures(s) if "passage_score" in p.measures]
    counts = json.loads((tmp_path / "manifest.json").read_text())["counts"]["pictures"]["dropped"]
    assert sum(score < 0.05 for score in scores) == counts.get("picture_passage_score_low", 0)
    assert not any("passage_score" in p.measures for p in pictures(row(found, "small.html")))
    assert problems(tmp_path) == {}
    assert main(["what-if", str(tmp_path), "--set", "passages.min_score=0.5"]) == 0


def test_archives_that_cannot_be_read_are_a_failed_row_each(pool, tmp_path):
    (tmp_path / "empty.warc.gz").write_bytes(b"")
    (tmp_path / "noise.warc").write_bytes(bytes(range(256)) * 40)
    inputs = [pool[0], pool[1], *(str(tmp_path / name) for name in ("empty.warc.gz", "noise.warc"))]
    assert main(line(inputs, tmp_path / "out")) == 0
    counts = json.loads((tmp_path / "out/manifest.json").read_text())["counts"]
    assert (counts["read"], counts["failed"]["UnitEmpty"], sum(counts["failed"].values())) == (17, 1, 2)
    assert problems(tmp_path / "out") == {}


def test_archives_are_no_input_of_captions_and_tars_none_of_pages(pool, tmp_path, capsys):
    (tmp_path / "a.tar").write_bytes(b"")
    assert main(["run", "caption", "--input", pool[0], "--output", str(tmp_path / "out")]) == 2
    assert main(line([str(tmp_path / "a.tar")], tmp_path / "out")) == 2
    told = capsys.readouterr().err
    assert "expected a file of .tar" in told and "expected a file of .warc .warc.gz" in told


def test_a_list_that_is_not_there_is_said_before_anything_is_read(pool, tmp_path, capsys):
    assert main(line(pool, tmp_path, "--set", "safety.words=/none/words.txt")) == 2
    assert "expected readable lists in UTF-8" in capsys.readouterr().err


def test_lists_of_the_user_are_asked(pool, tmp_path):
    pytest.importorskip("adblock")
    (tmp_path / "easy.txt").write_text("||site.example/one.jpg\n")
    (tmp_path / "words.txt").write_text("harbour\n")
    asked = ("--set", f"adverts.lists=[{tmp_path}/easy.txt]", "--set", f"safety.words={tmp_path}/words.txt")
    assert main(line(pool, tmp_path / "out", *asked)) == 0
    found = {row.sample.key: row.sample for row in samples_by_unit(str(tmp_path / "out"))}
    (picture,) = pictures(row(found, "good.html"))
    assert (picture.drop.rule, picture.measures["advert_list"]) == ("picture_advert", 1)
    assert sum(one.measures.get("unsafe_words", 0) for one in found.values()) > 0


def test_what_a_finished_run_keeps_is_known_by_address_and_by_text(pool, finished, tmp_path, capsys):
    again = page("good.html", text(31), '<img src="one.jpg">')
    copied = page("copied.html", text(3), '<img src="one.jpg">', text(4))
    fresh = page("fresh.html", text(32), '<img src="one.jpg">')
    (tmp_path / "new.warc.gz").write_bytes(packed(again, copied, fresh))
    output = tmp_path / "out"
    assert main(line([str(tmp_path / "new.warc.gz"), pool[1]], output, "--against", str(finished))) == 0
    found = {row.sample.key: row.sample for row in samples_by_unit(str(output))}
    drops = [row(found, name).drop for name in ("good.html", "copied.html", "fresh.html")]
    assert [(drop.rule, drop.value, drop.detail.replace(str(finished), "OLD")) for drop in drops[:2]] == [
        ("document_known", 1.0, "address of OLD http___site_example_good_html"),
        ("document_known", 1.0, "text of OLD http___site_example_moved_html"),
    ]
    assert drops[2] is None and problems(output) == {}
    assert main(["what-if", str(output), "--set", "duplicates.min_similarity=0.9"]) == 2
    assert "duplicates.min_similarity changes the measuring" in capsys.readouterr().err
    assert main(line(pool, tmp_path / "other", "--against", str(tmp_path))) == 2


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("real")
    assert main(["run", "interleaved_web", "--input", str(DATA / "pages.warc.gz"), "--output", str(output)]) == 0
    return output


@real_data
@pytest.mark.real_data
def test_every_page_of_the_real_archive_is_accounted_for(real):
    listed = [json.loads(one)["url"] for one in (DATA / "pages.jsonl").read_text().splitlines()]
    assert sorted(one.sample.source_key for one in samples_by_unit(str(real))) == sorted(listed)
    counts = json.loads((real / "manifest.json").read_text())["counts"]
    ignored = {"ignored: image/svg+xml": 1, "ignored: text/css": 25, "ignored: warcinfo": 1}
    assert counts["records"] == {**ignored, "pages": 73, "pictures": 140}
    assert counts["kept"] + sum(counts["dropped"].values()) == 73
    assert counts["pictures"]["dropped"]["picture_unresolved"] <= 8
    assert problems(real) == {}


@real_data
@pytest.mark.real_data
def test_a_chapter_of_the_handbook_keeps_its_figure_between_its_paragraphs(real):
    rows = {one.sample.source_key: one.sample for one in samples_by_unit(str(real))}
    pieces = rows["http://handbook.example/en-US/sect.release-lifecycle.html"].pieces
    kept = [i for i, piece in enumerate(pieces) if isinstance(piece, Picture) and fate_of(piece) == "kept"]
    assert len(kept) == 2  # the third figure is a column: picture_too_narrow
    assert all(isinstance(pieces[i + side], Text) for i in kept for side in (-1, 1))
