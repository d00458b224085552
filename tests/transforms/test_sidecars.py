"""Sidecars: any range of rows as of a list, totals, whole or not there, and never taken over from something else."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from transforms.sidecars import ROWS_PER_BATCH, Clock, create_sidecar, read_records, read_totals
from transforms.storage import LocalStorage

STORAGE = LocalStorage()
BORDER = ROWS_PER_BATCH
SIZES = [0, 1, BORDER - 1, BORDER, BORDER + 1, 2 * BORDER, 2 * BORDER + 7]


def write(uri: str, rows: list[bytes], made_by: str = "me", **totals: object) -> None:
    with create_sidecar(STORAGE, uri, made_by) as sidecar:
        for row in rows:
            sidecar.append(row)
        sidecar.totals = totals


@pytest.fixture(scope="module")
def uris(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sidecars")
    found = {size: f"{folder}/{size}.arrow" for size in SIZES}
    for size, uri in found.items():
        write(uri, rows_of(size))
    return found


def rows_of(size: int) -> list[bytes]:
    return [b"row %d" % index for index in range(size)]


@given(st.sampled_from(SIZES), st.integers(0, 3 * BORDER), st.none() | st.integers(0, 3 * BORDER))
@example(BORDER, BORDER, 1)
@example(BORDER + 1, BORDER, None)
@example(2 * BORDER, BORDER - 1, 2)
@example(0, 0, None)
def test_a_range_is_the_slice_of_a_list(uris, size, start, count):
    expected = rows_of(size)[start:] if count is None else rows_of(size)[start : start + count]
    assert list(read_records(STORAGE, uris[size], start, count)) == expected


@pytest.mark.parametrize("size", SIZES)
def test_totals_count_the_rows(uris, size):
    assert read_totals(STORAGE, uris[size]) == {"rows": size}


def test_records_may_be_any_bytes(tmp_path):
    write(f"{tmp_path}/a.arrow", [b"", b"\0\xff"])
    assert list(read_records(STORAGE, f"{tmp_path}/a.arrow")) == [b"", b"\0\xff"]


def test_totals_that_the_writer_adds_come_back(tmp_path):
    write(f"{tmp_path}/a.arrow", [b"x"], wall_seconds=1.5, tally={"read": 1})
    assert read_totals(STORAGE, f"{tmp_path}/a.arrow") == {"wall_seconds": 1.5, "tally": {"read": 1}, "rows": 1}


@pytest.mark.parametrize(("asked", "found"), [("me", {"rows": 1}), (None, {"rows": 1}), ("other", None), ("", None)])
def test_only_what_the_same_recipe_made_is_taken_over(tmp_path, asked, found):
    write(f"{tmp_path}/a.arrow", [b"x"], "me")
    assert read_totals(STORAGE, f"{tmp_path}/a.arrow", asked) == found


def test_no_file_has_no_totals(tmp_path):
    assert read_totals(STORAGE, f"{tmp_path}/a.arrow", "me") is None


def test_an_interrupted_writer_leaves_nothing(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        create_sidecar(STORAGE, f"{tmp_path}/a.arrow", "me") as sidecar,
    ):
        sidecar.append(b"x")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_rewrite_leaves_the_old_file(tmp_path):
    write(f"{tmp_path}/a.arrow", [b"old"])
    with pytest.raises(ZeroDivisionError), create_sidecar(STORAGE, f"{tmp_path}/a.arrow", "me"):
        raise ZeroDivisionError
    assert list(read_records(STORAGE, f"{tmp_path}/a.arrow")) == [b"old"]


def test_the_same_rows_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(f"{tmp_path}/{name}.arrow", rows_of(BORDER + 3))
    assert (tmp_path / "a.arrow").read_bytes() == (tmp_path / "b.arrow").read_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:-20], lambda data: b"", lambda data: b"no sidecar at all"])
def test_a_damaged_file_is_an_error_that_says_what_to_do(tmp_path, damage):
    uri = f"{tmp_path}/a.arrow"
    write(uri, rows_of(3))
    (tmp_path / "a.arrow").write_bytes(damage((tmp_path / "a.arrow").read_bytes()))
    with pytest.raises(OSError, match="expected a whole sidecar.*delete it and run again"):
        read_totals(STORAGE, uri, "me")


def test_a_clock_runs_forward():
    clock = Clock()
    assert set(clock.seconds()) == {"wall_seconds", "cpu_seconds"}
    assert all(value >= 0 for value in clock.seconds().values())
