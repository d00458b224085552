"""`beamsift vocabulary build`: its order, limits and weights, whole commands on small files, and refusals."""

import argparse
import gzip
import json

import pytest

from pipelines.vocabulary import add_arguments, build, read_captions, run
from tests.transforms.matched_concepts import REAL, real_captions_only
from tests.transforms.test_vocabulary_sources import DATA, INDEX
from transforms.concepts import load_concepts
from transforms.vocabulary import read_vocabulary
from transforms.vocabulary_sources import Found


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.fixture
def files(tmp_path):
    (tmp_path / "index.noun").write_text(INDEX)
    (tmp_path / "data.noun").write_text(DATA)
    (tmp_path / "1gram.txt.gz").write_bytes(gzip.compress(b"300\tdog\n200\tbus\n99\trare\n"))
    (tmp_path / "2gram.txt").write_text("150\tbus\tdog\n")
    (tmp_path / "pageviews-20220829-000000.gz").write_bytes(gzip.compress(b"en Eiffel_Tower 80 0\nen Bus 60 0\n"))
    (tmp_path / "enwiki-latest-all-titles-in-ns0").write_text("page_title\nSt._Louis\nNew_York_City\n,\n")
    captions = ["A bus in Pittsburgh, at night"] * 10 + ["a dog"] * 10
    (tmp_path / "captions.jsonl").write_text("".join(json.dumps({"caption": c}) + "\n" for c in captions) + "\n")
    return tmp_path


def sources(files):
    return [
        "--wordnet", files / "index.noun", "--wordnet", files / "data.noun",
        "--ngrams", files / "1gram.txt.gz", "--ngrams", files / "2gram.txt", "--min-pmi", 0,
        "--pageviews", files / "pageviews-20220829-000000.gz",
        "--titles", files / "enwiki-latest-all-titles-in-ns0", "--captions", files / "captions.jsonl",
    ]  # fmt: skip


def test_a_vocabulary_of_all_sources(files, capsys):
    assert command(*sources(files), "--output", files / "v.tsv", "--weight", "proper_noun=4") == 0
    found = read_vocabulary(f"{files}/v.tsv")
    assert found.entries[:103] == [*map(str, range(100)), "dog", "hot dog", "Canis familiaris"]
    by_name = {row.entry: row[1:] for row in found.rows}
    assert by_name["99"] == (1.0, "numbers", "number")
    assert by_name["dog"] == (1.0, "wordnet", "word")
    assert by_name["bus"] == (1.0, "ngrams", "word") and "rare" not in by_name
    assert by_name["bus dog"] == (1.0, "ngrams", "phrase")
    assert by_name["Eiffel Tower"] == (4.0, "pageviews", "proper_noun") and "Bus" not in by_name
    assert by_name["New York City"] == (4.0, "titles", "proper_noun")
    assert by_name["Pittsburgh"] == (4.0, "captions", "proper_noun") and by_name["night"] == (1.0, "captions", "word")
    assert not {"St. Louis", "a.d.", ","} & set(by_name)
    printed = capsys.readouterr().out
    assert found.sha256 in printed and "left out, since no text can match them: 3" in printed


def test_spaced_keeps_what_the_others_never_match(files):
    assert command(*sources(files), "--output", files / "v.parquet", "--padding", "spaced", "--no-numbers") == 0
    concepts = load_concepts(f"{files}/v.parquet", "spaced")
    assert concepts.vocabulary.entries[0] == "dog"
    ids = concepts.match(["Bus to St. Louis"]).of(0)
    assert [concepts.vocabulary.entries[i] for i in ids] == ["St. Louis"]


def test_the_same_files_give_the_same_bytes_and_the_first_come_first(files):
    for name in ("a.tsv", "b.tsv"):
        assert command(*sources(files), "--output", files / name, "--max-entries", 101) == 0
    assert (files / "a.tsv").read_bytes() == (files / "b.tsv").read_bytes()
    assert read_vocabulary(f"{files}/a.tsv").entries == [*map(str, range(100)), "dog"]


def test_a_proper_noun_is_one_wherever_it_was_found_first():
    found = [("ngrams", [Found("Rome", "word")]), ("captions", [Found("Rome", "proper_noun"), Found("sea", "word")])]
    built, _ = build(found, {"proper_noun": 2.0}, max_entries=1, padding="metaclip1")
    assert [tuple(row) for row in built.rows] == [("Rome", 2.0, "ngrams", "proper_noun")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--weight", "noun=2"], "--weight: expected KIND=NUMBER with a kind of word, phrase, proper_noun, number"),
        (["--weight", "word=much"], "--weight: expected KIND=NUMBER"),
        (["--weight", "word=nan"], "--weight: expected KIND=NUMBER"),
        (["--max-entries", "0"], "--max-entries: expected 1 or more, found 0"),
        (["--titles", "missing"], "missing"),
        (
            ["--captions", "{}/bad.jsonl"],
            "bad.jsonl: line 1: expected an object with a text as `caption`, found KeyError",
        ),
        (
            ["--captions", "{}/odd.jsonl"],
            "odd.jsonl: line 1: expected an object with a text as `caption`, found Unicode",
        ),
        (["--wordnet", "{}/bad.jsonl"], "bad.jsonl: line 1: expected WordNet's index or data format"),
        (["--no-numbers"], "expected at least one entry, found none"),
    ],
)
def test_refusals(tmp_path, capsys, arguments, message):
    (tmp_path / "bad.jsonl").write_text("{}\n")
    (tmp_path / "odd.jsonl").write_text('{"caption": "\\ud800"}\n')
    given = [argument.format(tmp_path) for argument in arguments]
    assert command(*given, "--output", tmp_path / "v.tsv") == 2
    assert message in capsys.readouterr().err and not (tmp_path / "v.tsv").exists()


def test_captions_of_text_files(tmp_path):
    (tmp_path / "a.txt").write_text("a dog\na cat\n")
    assert list(read_captions([f"{tmp_path}/a.txt"])) == ["a dog", "a cat"]


@pytest.mark.slow
@pytest.mark.real_data
@real_captions_only
def test_a_vocabulary_of_real_captions(tmp_path, capsys):
    assert command("--captions", REAL, "--output", tmp_path / "v.tsv", "--weight", "proper_noun=2") == 0
    found = {row.entry: row for row in read_vocabulary(f"{tmp_path}/v.tsv").rows}
    assert {"dog", "Pittsburgh", "fire hydrant", "Andy Warhol"} <= set(found)
    assert found["Pittsburgh"].kind == found["Andy Warhol"].kind == "proper_noun" and found["dog"].kind == "word"
    assert 10_000 < len(found) < 100_000
