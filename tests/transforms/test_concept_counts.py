"""Counts as bytes: sparse or dense, always the same counts back, and sums in any order and shape."""

import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.concept_counts import add_counts, counts_table, pack_counts, parse_table, unpack_counts
from transforms.vocabulary import Entry, VocabularyError, format_parquet, make_vocabulary

VECTOR = st.lists(st.one_of(st.just(0), st.integers(0, 2**62)), max_size=20).map(lambda v: np.array(v, np.int64))


@given(VECTOR)
def test_counts_come_back_as_they_were(counts):
    assert unpack_counts(pack_counts(counts)).tolist() == counts.tolist()


def test_a_sparse_vector_is_short():
    counts = np.zeros(500_000, np.int64)
    assert len(pack_counts(counts)) < 20
    counts[7] = 3
    assert len(pack_counts(counts)) < 40
    assert len(pack_counts(np.ones(1000, np.int64))) < 8020


@given(st.lists(st.lists(st.integers(0, 99), min_size=4, max_size=4), min_size=1, max_size=5), st.data())
def test_sums_do_not_depend_on_form(rows, data):
    total = b""
    for row in rows:
        counts = np.array(row, np.int64)
        total = add_counts(total, data.draw(st.sampled_from([counts, pack_counts(counts), b""])) if row else counts)
        total = add_counts(total, b"")
    forms = [pack_counts(np.array(row, np.int64)) for row in rows]
    whole = b""
    for form in forms:
        whole = add_counts(whole, form)
    assert whole.tolist() == np.sum(rows, axis=0).tolist()


def test_adding_leaves_the_second_alone():
    one = np.array([1, 2])
    total = add_counts(b"", one)
    add_counts(total, one)
    assert one.tolist() == [1, 2] and total.tolist() == [2, 4]
    assert add_counts(pack_counts(one), pack_counts(one)).tolist() == [2, 4]


def test_counts_of_another_vocabulary_stop():
    with pytest.raises(ValueError, match="expected counts of 2 entries, found 3"):
        add_counts(np.array([1, 2]), pack_counts(np.array([1, 2, 3])))


def test_the_table_holds_the_whole_vocabulary_and_is_one():
    rows = [Entry("cat", 1.0, "wordnet", "word"), Entry("Rome", 4.0, "titles", "proper_noun"), Entry("dog")]
    vocabulary = make_vocabulary(rows)
    data = counts_table(vocabulary, np.array([2, 9, 0]), np.array([2, 5, 0]), {"padding": "spaced"})
    assert pq.read_table(io.BytesIO(data)).to_pylist()[:2] == [
        {"entry": "cat", "weight": 1.0, "source": "wordnet", "kind": "word", "count": 2, "kept": 2},
        {"entry": "Rome", "weight": 4.0, "source": "titles", "kind": "proper_noun", "count": 9, "kept": 5},
    ]
    table = parse_table(data, "table")
    assert table.vocabulary.rows == rows and table.vocabulary.sha256 == vocabulary.sha256
    assert (table.before.tolist(), table.after.tolist(), table.settings) == (
        [2, 9, 0],
        [2, 5, 0],
        {"padding": "spaced"},
    )


@pytest.mark.parametrize("data", [b"no parquet", format_parquet([Entry("cat")])])
def test_what_is_no_table_is_refused(data):
    with pytest.raises(VocabularyError, match="table: expected"):
        parse_table(data, "table")
