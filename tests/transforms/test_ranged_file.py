"""A remote file reads as one on disk, whatever is sought and read, and never fetches what it holds."""

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import ranged_file
from transforms.ranged_file import RangedFile

DATA = os.urandom(5_000)


class Asked:
    """Gives ranges of DATA, and keeps what was asked."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []

    def __call__(self, start: int, end: int | None) -> tuple[memoryview, int]:
        start = max(0, len(self.data) + start) if start < 0 else start
        end = len(self.data) if end is None else min(end, len(self.data))
        self.ranges.append((start, end))
        return memoryview(self.data)[start:end], len(self.data)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"TAIL_BYTES": 300, "FIRST_BYTES": 100, "MOST_BYTES": 1_000}.items():
        monkeypatch.setattr(ranged_file, name, value)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("seek"), st.integers(0, 6_000), st.just(io.SEEK_SET)),
        st.tuples(st.just("seek"), st.integers(-5_000, 100), st.just(io.SEEK_END)),
        st.tuples(st.just("read"), st.integers(0, 3_000)),
        st.tuples(
            st.just("readline"),
        ),
        st.tuples(st.just("read"), st.just(-1)),
    ),
    max_size=8,
)


@given(STEPS, st.sampled_from(["", "whole", "exact", "expect"]))
def test_it_reads_as_a_file_on_disk(steps: list[tuple], how: str) -> None:  # type: ignore[type-arg]
    file, disk = RangedFile(Asked()), io.BytesIO(DATA)
    {"": lambda: None, "whole": file.begin_whole, "exact": file.expect_exact_reads, "expect": lambda: file.expect(900)}[
        how
    ]()
    for name, *arguments in steps:
        assert getattr(file, name)(*arguments) == getattr(disk, name)(*arguments)
        assert file.tell() == disk.tell()


def test_reading_on_fetches_ever_more_and_nothing_twice() -> None:
    asked = Asked()
    file = RangedFile(asked)
    assert b"".join(iter(lambda: file.read(10), b"")) == DATA
    borders = [0, 100, 300, 700, 1_500, 2_500, 3_500, 4_500, 5_000]
    assert asked.ranges == list(zip(borders, borders[1:], strict=False))


def test_the_end_is_fetched_once_with_the_size() -> None:
    asked = Asked()
    file = RangedFile(asked)
    file.seek(-8, io.SEEK_END)
    assert file.read(8) == DATA[-8:]
    file.seek(-200, io.SEEK_END)
    assert file.read() == DATA[-200:]
    file.seek(4_600)
    assert file.read(200) == DATA[4_600:4_800]
    assert asked.ranges == [(4_700, 5_000), (4_600, 4_700)]


def test_what_is_expected_comes_together_and_no_more() -> None:
    asked = Asked()
    file = RangedFile(asked)
    file.seek(1_000)
    file.expect(500)
    assert [file.read(50) for _ in range(10)] == [DATA[i : i + 50] for i in range(1_000, 1_500, 50)]
    assert asked.ranges == [(1_000, 1_500)]


def test_exact_reads_fetch_nothing_else() -> None:
    asked = Asked()
    file = RangedFile(asked)
    file.expect_exact_reads()
    file.seek(10)
    assert file.read(5) == DATA[10:15]
    assert asked.ranges == [(10, 15)]


def test_a_small_file_read_whole_is_one_request() -> None:
    asked = Asked(DATA[:900])
    file = RangedFile(asked)
    file.begin_whole()
    file.seek(-10, io.SEEK_END)
    assert file.read() == DATA[890:900]
    file.seek(0)
    assert file.read() == DATA[:900]
    assert asked.ranges == [(0, 900)]


@pytest.mark.parametrize("prepare", [lambda file: None, RangedFile.begin_whole, RangedFile.size])
def test_an_empty_file(prepare) -> None:  # type: ignore[no-untyped-def]
    file = RangedFile(Asked(b""))
    prepare(file)
    assert (file.read(5), file.read(), file.seek(0, io.SEEK_END)) == (b"", b"", 0)


def test_a_place_before_the_file_is_refused() -> None:
    with pytest.raises(OSError, match="expected a place in the file, found -1"):
        RangedFile(Asked()).seek(-5_001, io.SEEK_END)
