"""Batches: every item once, in order, cut at the size."""

from itertools import count, islice

from hypothesis import given
from hypothesis import strategies as st

from transforms.loaded import Loaded, batched
from transforms.records import Sample


@given(st.lists(st.integers()), st.integers(1, 9))
def test_batches_are_the_items_in_order(items, size):
    batches = list(batched(items, size))
    assert [item for batch in batches for item in batch] == items
    assert all(len(batch) == size for batch in batches[:-1])
    assert all(batches)


def test_a_batch_is_taken_only_when_asked_for():
    assert list(islice(batched(count(), 2), 2)) == [[0, 1], [2, 3]]


def test_two_loaded_samples_share_no_list():
    first, second = (Loaded(Sample("k", "a.tar", 0, 0)) for _ in range(2))
    first.data.append(b"x")
    assert second.data == [] and second.pixels == []
