"""Vocabulary files: every format back as it was written, and one clear error for each hostile input."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.vocabulary import (
    MAX_ENTRY_CHARACTERS,
    Entry,
    VocabularyError,
    format_json,
    format_lines,
    format_parquet,
    format_tsv,
    make_vocabulary,
    parse_json,
    parse_lines,
    parse_parquet,
    parse_tsv,
    read_vocabulary,
    write_vocabulary,
)

ROWS = [Entry("Eiffel Tower", 4.0, "titles", "proper_noun"), Entry("猫"), Entry("dog", 0.1, "wordnet", "word")]
PRINTABLE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
SOUND = st.builds(
    Entry,
    PRINTABLE.map(lambda text: text.strip(" ")).filter(bool),
    st.floats(0, 1e9),
    PRINTABLE,
    PRINTABLE,
)


@given(st.lists(SOUND, min_size=1, max_size=5, unique_by=lambda row: row.entry))
def test_tsv_and_parquet_give_back_what_they_were_given(rows):
    assert parse_tsv(format_tsv(rows)) == rows
    assert parse_parquet(format_parquet(rows)) == rows
    assert parse_lines(format_lines(rows)) == parse_json(format_json(rows)) == [Entry(row.entry) for row in rows]
    assert make_vocabulary(rows).sha256 == make_vocabulary(parse_tsv(format_tsv(rows))).sha256


@pytest.mark.parametrize("ending", ["tsv", "parquet"])
def test_files_by_their_ending(tmp_path, ending):
    write_vocabulary(f"{tmp_path}/v.{ending}", make_vocabulary(ROWS))
    found = read_vocabulary(f"{tmp_path}/v.{ending}")
    assert found.rows == ROWS and found.weights.tolist() == [4.0, 1.0, 0.1] and len(found) == 3


@pytest.mark.parametrize("ending", ["txt", "json"])
def test_formats_without_weights(tmp_path, ending):
    write_vocabulary(f"{tmp_path}/v.{ending}", make_vocabulary(ROWS))
    assert read_vocabulary(f"{tmp_path}/v.{ending}").entries == ["Eiffel Tower", "猫", "dog"]


def test_the_fingerprint_is_of_content_and_order():
    first = make_vocabulary(ROWS).sha256
    assert first == make_vocabulary(list(ROWS)).sha256
    assert first != make_vocabulary(ROWS[::-1]).sha256
    assert first != make_vocabulary([ROWS[0]._replace(weight=5.0), *ROWS[1:]]).sha256


def test_metaclips_own_file_and_windows_lines(tmp_path):
    (tmp_path / "metadata.json").write_text(json.dumps(["0", "cat", "Eiffel Tower"]))
    assert read_vocabulary(f"{tmp_path}/metadata.json").entries == ["0", "cat", "Eiffel Tower"]
    (tmp_path / "v.txt").write_bytes(b"\xef\xbb\xbfcat\r\ndog\r\n")
    assert read_vocabulary(f"{tmp_path}/v.txt").entries == ["cat", "dog"]


HOSTILE = [
    ("v.txt", b"cat\ndog\ncat\n", "entry 3: expected each entry once, found 'cat' also as entry 1"),
    ("v.txt", b"cat\n\ndog\n", "entry 2: expected an entry without spaces around it, found ''"),
    ("v.txt", b" cat\n", "entry 1: expected an entry without spaces around it, found ' cat'"),
    ("v.txt", b"", "expected at least one entry, found none"),
    ("v.txt", b"cat\nd\x07g\n", "entry 2: expected no control characters"),
    ("v.txt", "d\u2028g".encode(), "entry 1: expected no control characters"),
    ("v.txt", b"cat\n\xff\xfe\n", "line 2: expected UTF-8"),
    ("v.txt", b"\xed\xa0\x80\n", "line 1: expected UTF-8"),
    ("v.txt", b"cat\n" + b"a" * 10_000_000, "line 2: expected an entry, found a line of 10000000 bytes"),
    ("v.txt", b"a" * (MAX_ENTRY_CHARACTERS + 1), "entry 1: expected at most 300 characters, found 301"),
    ("v.txt", gzip.compress(b"cat\n"), "expected"),
    ("v.tsv", b"word\tweight\ncat\t1\n", "line 1: expected a header of entry, weight, source, kind"),
    ("v.tsv", b"", "line 1: expected a header"),
    ("v.tsv", b"entry\tweight\ncat\n", "line 2: expected 2 columns, found 1"),
    ("v.tsv", b"entry\tweight\ncat\tmuch\n", "expected a number as weight, found 'much'"),
    ("v.tsv", b"entry\tweight\ncat\tnan\n", "expected a weight from 0 to 1e\\+09, found nan"),
    ("v.tsv", b"entry\tweight\ncat\t-1\n", "expected a weight from 0"),
    ("v.tsv", b"entry\tentry\ncat\tcat\n", "line 1: expected a header"),
    ("v.json", b"{", "expected a JSON list of entries"),
    ("v.json", b"[" * 100_000, "expected a JSON list of entries"),
    ("v.json", b'{"cat": 1}', "expected a JSON list of strings"),
    ("v.json", b'["cat", 1]', "expected a JSON list of strings"),
    ("v.json", b'["\\ud800"]', "found a lone surrogate"),
    ("v.parquet", b"PAR1 not parquet", "expected Parquet of entry"),
    ("v.parquet", b"", "expected Parquet of entry"),
]


@pytest.mark.parametrize(("name", "data", "message"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_files(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(VocabularyError, match=message) as caught:
        read_vocabulary(f"{tmp_path}/{name}")
    assert str(caught.value).startswith(f"{tmp_path}/{name}: ") and len(str(caught.value)) < 600


def test_parquet_of_other_columns(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"word": ["cat"]}), tmp_path / "v.parquet")
    with pytest.raises(VocabularyError, match="entry 1: expected text for entry"):
        read_vocabulary(f"{tmp_path}/v.parquet")


def test_a_file_over_the_limit_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("transforms.vocabulary.MAX_FILE_BYTES", 3)
    (tmp_path / "v.txt").write_text("four")
    with pytest.raises(VocabularyError, match="expected at most 3 bytes, found 4"):
        read_vocabulary(f"{tmp_path}/v.txt")
    monkeypatch.setattr("transforms.vocabulary.MAX_ENTRIES", 2)
    with pytest.raises(VocabularyError, match="expected at most 2 lines"):
        parse_lines(b"a\nb\nc\n")
