"""Archives, saved pages and sets of every schema in one run: the same documents, the same laws."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from pipelines.cli import main
from pipelines.lint import lint
from tests.pipelines.damage import problems
from tests.pipelines.web_pool import SITE, write_web_pool
from tests.pipelines.web_sets import (
    SCHEMAS,
    convert_to_all,
    fates,
    rows_under,
    shown,
    write_bad,
    write_named,
    write_saved,
)
from tests.pipelines.whole_runs import run_apart, shards_of, standing
from transforms.records import Sample, Span, is_shown, pictures, texts

pytestmark = pytest.mark.beam

ALONE = ("--set", "duplicates.enabled=false", "--set", "repeats.max_documents=100")
"""No document goes because another input holds it too."""
FEW = ("--set", "output.samples_per_shard=20", "--set", "output.max_failure_rate=0.2")


def line(inputs: list[str], output: Path | str, *more: str) -> list[str]:
    return ["run", "interleaved_web", "--input", *inputs, "--output", str(output), *FEW, *more]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("inputs")


@pytest.fixture(scope="module")
def inputs(root) -> list[str]:
    archives = write_web_pool(root / "crawl")
    saved, named = write_saved(root / "saved"), write_named(root / "named/set.jsonl")
    assert main(line(archives, root / "ours")) == 0
    return [*archives, saved, named, *convert_to_all(root / "ours", root)]


@pytest.fixture(scope="module")
def mixed(inputs, root) -> Path:
    assert main(line(inputs, root / "mixed", *ALONE)) == 0
    return root / "mixed"


@pytest.fixture(scope="module")
def kept(inputs, root) -> dict[str, Sample]:
    """What the run on the archives alone kept, which every set holds."""
    return {row.key: row for row in rows_under(root / "ours", str(root)) if row.alive}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_set_holds_the_texts_and_pictures_that_the_run_kept(mixed, root, kept, schema):
    folder = root / ("ours" if schema == "beamsift" else schema)
    rows = rows_under(mixed, f"{folder}/")
    assert len(rows) == len(kept) == 8 and all(row.alive for row in rows)
    for row, before in zip(rows, kept.values(), strict=True):
        assert said(row, schema) == said(before, schema)
        spans = [one.source for one in pictures(row) if is_shown(one)]
        assert spans and all(isinstance(span, Span) and span.container == "tar" for span in spans)


def said(row: Sample, schema: str) -> object:
    """What of a document its schema holds: MMC4 not a picture behind all sentences, data-juicer no parts of texts."""
    found = shown(row)
    if schema == "mmc4":
        return sorted(found)
    return "".join(found) if schema == "data-juicer" else found


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("harbour.html", ["kept"]),
        (
            "sub/other.htm",
            ["kept", "picture_unresolved", "picture_outside_folder", "PictureTooLarge", "PictureUndecodable"],
        ),
        ("web.html", ["kept"]),
        ("hafen.html", ["kept"]),
    ],
)
def test_pictures_of_a_saved_page_are_the_files_beside_it_or_captures(mixed, root, page, told):
    (row,) = [row for row in rows_under(mixed, f"{root}/saved") if row.meta and json.loads(row.meta)["file"] == page]
    assert row.alive and fates(row) == told
    first = pictures(row)[0].source
    assert isinstance(first, Span) and first.container == ("warc" if page == "web.html" else "file")


def test_a_saved_page_is_named_by_where_it_was_saved_from_else_by_its_path(mixed, root):
    rows = rows_under(mixed, f"{root}/saved")
    named = [row.source_key for row in rows]
    assert named == ["empty.html", "hafen.html", f"{SITE}/saved.html", "sub/other.htm", "web.html"]
    assert [row.failure.error for row in rows if row.failure] == ["PageEmpty"]
    assert "Die Häfen." in [text.value for text in texts(rows[1], "paragraph")]


def test_pictures_that_a_set_only_names_are_those_of_the_archives(mixed, root):
    (row,) = rows_under(mixed, f"{root}/named")
    assert (row.source_key, row.alive) == (f"{SITE}/named.html", True)
    assert fates(row) == ["kept", "kept", "picture_unresolved", "picture_without_address"]
    told = [(one.measures["matched_text_index"], one.measures["matched_sim"]) for one in pictures(row)]
    assert told == [(0, 0.25), (1, 0.26), (2, 0.27), (3, 0.28)]


def test_what_was_read_adds_up_and_verify_finds_nothing(mixed):
    counts = json.loads((mixed / "manifest.json").read_text())["counts"]
    assert counts["records"] == {"documents": 49, "pages": 19, "pictures": 6, "redirects": 4, "refused": 2}
    assert counts["read"] == counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values()) == 70
    told = counts["pictures"]
    assert told["read"] == told["kept"] + sum(told["dropped"].values()) + sum(told["failed"].values())
    assert problems(mixed) == {}
    assert lint([f"{mixed}/shards/*.tar"]).counts == {}


def test_what_if_and_why_know_every_input(mixed, capsys):
    assert main(["what-if", str(mixed), "--set", "picture.min_side=241"]) == 0
    assert "│ kept │ │ 62 │ 0 │ -62 │" in " ".join(capsys.readouterr().out.split())
    assert main(["why", str(mixed), "sub/other.htm"]) == 0
    told = "".join(capsys.readouterr().out.split())
    assert "picture_outside_folder" in told and "failedPictureTooLarge:" in told


def test_resumed_by_two_workers_with_the_inputs_in_another_order(inputs, mixed, tmp_path):
    """A kill is tried in test_interleaved_web.py; this is what one leaves behind the scan."""
    shutil.copytree(mixed, tmp_path, dirs_exist_ok=True)
    (tmp_path / "manifest.json").unlink()
    for folder in ("work/look", "work/kept", "work/shards", "shards", "ledger"):
        shutil.rmtree(tmp_path / folder)
    before = standing(tmp_path, "work/scan")
    assert len(before) == 11
    ended = run_apart(line(inputs[::-1], tmp_path, *ALONE, "--direct_num_workers=2"))
    assert ended.returncode == 0, ended.stderr
    assert standing(tmp_path, "work/scan") == before
    assert shards_of(tmp_path) == shards_of(mixed)


def test_a_limit_counts_rows_of_every_kind_and_leaves_the_pictures_of_archives(inputs, root, tmp_path):
    named = [one for one in inputs if "named" in one or "crawl/b" in one or "saved" in one]
    assert main(line(named, tmp_path, "--limit", "3", "--set", "output.max_failure_rate=0.5")) == 0
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert [(Path(one["uri"]).name, one["rows"]) for one in manifest["inputs"]] == [
        ("b.warc.gz", 0), ("set.jsonl", 1), ("saved", 2)
    ]  # fmt: skip
    (row,) = rows_under(tmp_path, f"{root}/named")
    assert fates(row)[0] == "kept"


def test_bad_inputs_are_a_failed_row_each_with_its_place_or_a_failed_picture(tmp_path):
    limits = ("--set", "read.max_document_bytes=4000", "--set", "read.max_picture_bytes=60000")
    many = ("--set", "output.max_failure_rate=1", "--set", "read.max_page_pieces=20")
    assert main(line(write_bad(tmp_path / "bad"), tmp_path / "out", *ALONE, *limits, *many)) == 0
    rows = rows_under(tmp_path / "out", str(tmp_path / "bad"))
    told = {}
    for row in rows:
        told.setdefault(Path(row.source).name, []).append(row.failure.error if row.failure else fates(row))
        assert row.failure is None or (
            row.failure.place.startswith(str(tmp_path)) and "expected" in row.failure.message
        )
    assert told == {
        "beside.jsonl": [["kept", "picture_unresolved"], "TarTruncated"],
        "cut.parquet": ["ParquetBroken"],
        "members.tar": [["kept"], "TarTruncated"],
        "empty.jsonl": ["UnitEmpty"],
        "held.parquet": [["kept", "PictureUndecodable", "PictureTooLarge", "PictureEmpty"]],
        "lines.jsonl": ["JsonBroken", "JsonTooLarge", "PageTooManyPieces", "RecordBroken", [], [], "JsonBroken"],
    }
    assert [row.key for row in rows if row.key.startswith("http")] == [
        "http___site_example_twice",
        "http___site_example_twice~2",
    ]
    assert problems(tmp_path / "out") == {}
