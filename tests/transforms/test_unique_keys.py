"""Unique keys: the first row keeps its key, the n-th becomes key~n, and no two rows share one."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.matching import match_in_memory
from transforms.records import Sample
from transforms.unique_keys import UniqueKeys


def keys_after(*keys: str, units: list[int] | None = None) -> list[str]:
    rows = [Sample(key, "a.tar", 0, position) for position, key in enumerate(keys)]
    return [row.key for row in match_in_memory(rows, UniqueKeys(), units or [0] * len(rows))]


def test_the_first_keeps_its_key_and_the_others_are_numbered():
    assert keys_after("000", "001", "000", "000") == ["000", "001", "000~2", "000~3"]


def test_the_pools_order_decides_and_not_that_of_the_rows_at_hand():
    assert keys_after("000", "000", units=[1, 0]) == ["000~2", "000"]


def test_failed_and_dropped_rows_count_too():
    assert keys_after("", "") == ["", "~2"]


@given(st.lists(st.text("abc_", max_size=2)), st.randoms(use_true_random=False))
def test_no_two_rows_share_a_key_and_the_original_is_its_beginning(keys, random):
    units = [random.randrange(3) for _ in keys]
    found = keys_after(*keys, units=units)
    assert len(set(found)) == len(found)
    assert [key.partition("~")[0] for key in found] == keys
