"""Entries from WordNet, Wikipedia and n-gram files, in the formats these are published in."""

import gzip
import math

import pytest

from transforms.vocabulary import VocabularyError
from transforms.vocabulary_sources import (
    Found,
    ngram_entries,
    pageview_entries,
    read_lines,
    title_entries,
    usable,
    wordnet_entries,
)

INDEX = """\
  1 This software and database is being provided to you, the LICENSEE, by
  2 Princeton University under the following license.
dog n 7 5 @ ~ #m #p %p 7 1 02084071 10114209 10023039 09886220 07676602 03901548 02710044
hot_dog n 3 4 @ ~ #p + 3 0 07697537 10187710 07676425
a.d. r 1 0 1 0 00000001
"""
DATA = """\
  1 This software and database is being provided to you, the LICENSEE, by
02084071 05 n 03 dog 0 domestic_dog 0 Canis_familiaris 0 003 @ 02083346 n 0000 @ 01317541 n 0000 | a member of Canis
08949093 15 n 04 Paris 0 City_of_Light 0 French_capital 0 capital_of_France 0 000 | the capital
00003131 00 a 02 afloat(p) 0 adrift(p) 0 001 & 00003131 a 0000 | borne on the water
00004200 02 r 02 A.D. 0 anno_Domini 0 000 | in the Christian era
"""


def test_lemmas_of_an_index():
    found = list(wordnet_entries(INDEX.splitlines(), "dict/index.noun"))
    assert found == [Found("dog", "word"), Found("hot dog", "phrase"), Found("a.d.", "word")]


def test_synsets_as_metaclip_names_them_and_words_with_capitals():
    assert list(wordnet_entries(DATA.splitlines(), "dict/data.noun")) == [
        Found("dog", "word"),
        Found("Canis familiaris", "proper_noun"),
        Found("paris", "word"),
        Found("Paris", "proper_noun"),
        Found("City of Light", "proper_noun"),
        Found("French capital", "proper_noun"),
        Found("capital of France", "proper_noun"),
        Found("afloat", "word"),
        Found("a", "word"),
        Found("A.D.", "proper_noun"),
        Found("anno Domini", "proper_noun"),
    ]


@pytest.mark.parametrize(
    ("name", "line"), [("index.noun", "dog"), ("index.noun", "dog x 1 0"), ("data.noun", "1 2 n 9 dog 0")]
)
def test_other_lines_are_told_by_number(name, line):
    with pytest.raises(VocabularyError, match=f"{name}: line 2: expected WordNet's index or data format"):
        list(wordnet_entries(["  1 licence", line], name))


def test_titles():
    lines = ["page_title", "Eiffel_Tower", "Hot_dog", "Dog", '"Heroes"', "!"]
    found = list(title_entries(lines))
    assert [(one.entry, one.kind) for one in found] == [
        ("Eiffel Tower", "proper_noun"),
        ("Hot dog", "phrase"),
        ("Dog", "word"),
        ('"Heroes"', "word"),
        ("!", "word"),
    ]


def test_pageviews_count_hours_of_fifty_and_no_colons():
    hours = [
        ["de Hund 900 0", "en Dog 60 0", "en Cat 49 0", "en Special:Search 5000 0", "en.m Dog 500 0"],
        ["en Dog 49 0", "en Cat 69 0", "en Eiffel_Tower 70 0"],
        ["en Cat 50 0"],
    ]
    assert list(pageview_entries(hours)) == [
        Found("Cat", "word", 119),
        Found("Eiffel Tower", "proper_noun", 70),
    ]
    assert [one.entry for one in pageview_entries(hours, 1, "de")] == ["Hund"]
    with pytest.raises(VocabularyError, match="expected `en title views bytes`, found 'en Dog many 0'"):
        list(pageview_entries([["en Dog many 0"]]))


def test_words_by_count_and_pairs_by_pmi():
    lines = ["new 400", "york 100", "the 1500", "", "100\tnew\tyork", "90\tthe\tnew", "5\tthe\tunknown", "7\ta\tb\tc"]
    pmi = math.log2(100 * 2000 / (400 * 100))
    assert list(ngram_entries(lines, 200, pmi)) == [
        Found("the", "word", 1500),
        Found("new", "word", 400),
        Found("new york", "phrase", 100),
    ]
    assert len(list(ngram_entries(lines, 200, pmi + 0.01))) == 2


@pytest.mark.parametrize("line", ["many\tdog", "dog", "a dog 3", "dog many"])
def test_other_ngram_lines(line):
    with pytest.raises(VocabularyError, match="expected `word count`"):
        list(ngram_entries([line]))


def test_what_may_be_an_entry():
    assert usable("dog") and usable("St. Louis") and usable("…")
    assert not any(map(usable, ["", ",", " dog", "d\x00g", "x" * 301, "\u00a0"]))


def test_lines_plain_and_gzip(tmp_path):
    (tmp_path / "a.txt").write_bytes("dog\r\n猫".encode())
    (tmp_path / "b").write_bytes(gzip.compress("dog\n猫\n".encode(), mtime=0))
    assert list(read_lines(f"{tmp_path}/a.txt")) == list(read_lines(f"{tmp_path}/b")) == ["dog", "猫"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"dog\n\xff", "line 2: expected UTF-8"),
        (b"dog\n" + b"x" * 2_000_000, "line 2: expected at most 1048576 bytes, found more"),
        (gzip.compress(b"dog\n" * 1000, mtime=0)[:-12], "expected whole gzip, found it broken"),
        (gzip.compress(bytes(5_000_000), mtime=0), "line 1: expected at most 1048576 bytes"),
        (b"\x1f\x8b", "expected whole gzip"),
    ],
)
def test_hostile_lines(tmp_path, data, message):
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(VocabularyError, match=message):
        list(read_lines(f"{tmp_path}/a"))
