"""Law 7 on web pages, from archive to shards: whatever a page, a picture or an archive is, it costs what it is.

Each failure has a class and a place, what was read adds up at three levels, and the documents beside go out.
"""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from tests.pipelines.damage import problems
from tests.pipelines.hostile_web import BOMBS, BYTES, FATES, HTML, REFUSED, Told, write_hostile_web
from transforms.records import Picture, Sample, pictures

pytestmark = pytest.mark.beam


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    pool = write_hostile_web(folder / "raw")
    loose = ("--set", "output.max_failure_rate=0.25", "--set", "repeats.max_documents=99")
    assert main(["run", "interleaved_web", "--input", *pool, "--output", str(folder / "out"), *loose]) == 0
    return folder / "out"


@pytest.fixture(scope="module")
def rows(finished) -> list[Sample]:
    return [row.sample for row in samples_by_unit(str(finished))]


def fates(sample: Sample) -> Told:
    why = sample.failure.error if sample.failure else sample.drop.rule if sample.drop else ""
    return why, [fate_of(one) for one in pictures(sample)]


def fate_of(picture: Picture) -> str:
    if picture.failure:
        return picture.failure.error
    return picture.drop.rule if picture.drop else "kept"


@pytest.mark.parametrize("name", FATES)
def test_a_page_costs_what_it_is(rows, name):
    (sample,) = [one for one in rows if one.key == f"http___site_example_{name}"]
    assert fates(sample) == FATES[name]


def test_every_page_is_judged_here():
    assert {*HTML, *BYTES} <= {*FATES}


def test_every_failure_has_a_class_and_a_place(rows):
    failed = [one.failure for one in rows if one.failure]
    named = {name: sum(one.error == name for one in failed) for name in REFUSED}
    assert named == REFUSED and len(failed) == sum(REFUSED.values()) + 1  # and the page of too many pieces
    broken = [picture.failure for one in rows for picture in pictures(one) if picture.failure]
    assert len(broken) == 3_001
    for failure in (*failed, *broken):
        uri, _, span = failure.place.partition("@")
        assert failure.message.startswith("expected") and ".warc" in uri and span or "#" in failure.place, failure


def test_records_pages_and_pictures_add_up(finished, rows):
    counts = json.loads((finished / "manifest.json").read_text())["counts"]
    assert counts["read"] == len(rows) == counts["kept"] + sum(counts["dropped"].values()) + sum(REFUSED.values()) + 1
    records = counts["records"]
    assert records["pages"] + records["refused"] == counts["read"]
    assert (records["pictures"], records["redirects"]) == (3 + len(BOMBS), 75)
    told = counts["pictures"]
    assert told["read"] == told["kept"] + sum(told["dropped"].values()) + sum(told["failed"].values())
    assert told["read"] == sum(len(pictures(one)) for one in rows)


def test_the_set_is_sound_and_its_pages_are_made(finished):
    assert problems(finished) == {}
    assert main(["lint", str(finished / "shards/*.tar")]) == 0
    assert "PageTooManyPieces" in (finished / "report.html").read_text()
