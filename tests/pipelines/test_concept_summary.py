"""What people are shown of a vocabulary's counts: bands, curve, and pages that no entry can break out of."""

import json
import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest

from pipelines.concept_card import concept_file, concept_records, concept_section
from pipelines.concept_summary import Band, bands, curve, ranked, summarise
from pipelines.rank_chart import rank_svg
from pipelines.report import with_solved_t
from pipelines.report_pages.concepts import concepts
from tests.pipelines.made_run import make_run
from transforms.concept_counts import ConceptTable
from transforms.vocabulary import Entry, make_vocabulary

HOSTILE = "<script>alert(1)</script>|`"
ROWS = [
    Entry("a", kind="word"),
    Entry("Rome", 50.0, kind="proper_noun"),
    Entry(HOSTILE, kind="word"),
    Entry("never", 0.0),
    Entry("rare", kind="word"),
]
BEFORE, AFTER = np.array([5000, 300, 40, 3, 0]), np.array([200, 300, 30, 0, 0])
TOLD = {
    "vocabulary": "ab" * 32,
    "padding": "metaclip1",
    "t": "25.0",
    "captions": "6000",
    "unmatched": "9",
    "kept": "500",
}
TABLE = ConceptTable(make_vocabulary(ROWS), BEFORE, AFTER, TOLD)
EMPTY = ConceptTable(
    make_vocabulary(ROWS), 0 * BEFORE, 0 * AFTER, {**TOLD, "captions": "0", "unmatched": "0", "kept": "0"}
)


def test_the_tail_by_powers_of_ten_and_the_head_by_multiples_of_t():
    assert list(bands(BEFORE, AFTER, 25.0)) == [
        Band("2 to 10", 1, 3, 0),
        Band("over t to 10 t", 1, 40, 30),
        Band("over 10 t to 100 t", 1, 300, 300),
        Band("over 100 t", 1, 5000, 200),
    ]


@pytest.mark.parametrize(
    ("t", "label"), [(0.5, "over t to 10 t"), (1.0, "1"), (2.0, "2"), (4.4, "2 to 4"), (10.0, "2 to 10")]
)
def test_whole_numbers_name_the_bands(t, label):
    counts = np.array([2 if label.startswith("2") else 1])
    assert [band.label for band in bands(counts, counts, t)] == [label]


def test_every_entry_lies_in_one_band_and_at_one_place_of_the_curve():
    counts = np.random.default_rng(0).zipf(1.4, 3000)
    table = ConceptTable(make_vocabulary([Entry(f"e{i}") for i in range(3000)]), counts, counts, TOLD)
    found = list(bands(counts, counts, 25.0))
    assert (sum(b.entries for b in found), sum(b.before for b in found)) == (3000, counts.sum())
    points = list(curve(table, ranked(counts)))
    assert points[0].first == 1 and points[-1].last == 3000 and len(points) < 60
    assert all(one.last + 1 == other.first for one, other in zip(points, points[1:], strict=False))
    assert [point.before for point in points] == sorted((point.before for point in points), reverse=True)


def test_the_summary():
    found = summarise(TABLE)
    assert (found.entries, found.named, found.above, found.t) == (5, 4, 3, 25.0)
    assert [(one.entry, one.before, one.after) for one in found.head[:2]] == [("a", 5000, 200), ("Rome", 300, 300)]
    assert [one.entry for one in found.weighted] == ["Rome", "never"]
    assert [(kind.label, kind.entries) for kind in found.kinds] == [("proper_noun", 1), ("word", 2)]


def test_the_chart_is_whole_xml_and_names_its_entries():
    found = summarise(TABLE)
    texts = [element.text for element in ET.fromstring(rank_svg(found.curve, found.t)).iter() if element.text]
    assert "t 25" in texts and f"rank 3 ({HOSTILE}): 40 before, 30 after" in texts


def test_the_page_shows_entries_as_text():
    page = concepts(summarise(TABLE))
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert "4 of 5 entries are named" in page and "Weighted entries" in page
    ET.fromstring(page)


def test_pages_of_no_captions():
    assert "No caption came this far" in concepts(summarise(EMPTY))
    unmatched = EMPTY._replace(settings={**TOLD, "captions": "3", "unmatched": "3", "kept": "0"})
    assert "100.0% of captions" in concepts(summarise(unmatched))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    plain = make_run(tmp_path_factory.mktemp("run") / "out", 60)
    told = {"table": "concepts.parquet", "bytes": 77, "sha256": "cd" * 32, "vocabulary_sha256": "ab" * 32, "entries": 5}
    told |= {"padding": "metaclip1", "named": 4, "t": 25.0, "captions": 6000, "unmatched": 9, "kept": 500}
    return msgspec.structs.replace(plain, concepts=told)


def test_the_card_names_vocabulary_t_and_entries(manifest):
    card = concept_section(manifest, summarise(TABLE))
    assert "ab" * 32 in card and "t = 25." in card and "(concepts.parquet)" in card
    assert "| `a` | word | 5,000 | 200 |" in card and "\\|'` | word | 40 | 30 |" in card
    assert concept_section(msgspec.structs.replace(manifest, concepts={}), None) == ""


def test_croissant_lists_the_table_and_its_columns(manifest):
    (file,), (records,) = concept_file(manifest), concept_records(manifest)
    assert (file["@id"], file["sha256"]) == ("concepts.parquet", "cd" * 32)
    assert [field["source"]["extract"]["column"] for field in records["field"]] == ["entry", "weight", "count", "kept"]
    assert json.dumps([file, records])
    assert concept_file(msgspec.structs.replace(manifest, concepts={})) == []


def test_rules_are_shown_with_the_t_that_was_solved(manifest):
    assert with_solved_t(manifest).config["concepts"]["t"] == 25.0
