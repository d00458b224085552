"""How a Visit cuts its batches: by rows, and by pixels where pictures are large."""

import pytest

pytest.importorskip("apache_beam")

from transforms.beam.visit import BATCH_PIXELS, cut_batches
from transforms.records import Picture, Sample, Span

SIDE = 1 << 12
"""Eight pictures of this side fill a batch."""


def row(position: int, side: int) -> Sample:
    picture = Picture(Span("a.tar", 0, 1, "tar"), width=side, height=side)
    return Sample(str(position), "a.tar", 0, position, (picture,))


@pytest.mark.parametrize(
    ("sides", "size", "lengths"),
    [
        ([], 4, []),
        ([10] * 9, 4, [4, 4, 1]),
        ([SIDE] * 9, 64, [8, 1]),
        ([10, SIDE * 8, 10], 64, [1, 1, 1]),  # one picture over the bound alone is a batch of its own
    ],
)
def test_batches_are_bounded_by_rows_and_by_pixels(sides, size, lengths):
    rows = [row(position, side) for position, side in enumerate(sides)]
    batches = list(cut_batches(rows, size))
    assert [len(batch) for batch in batches] == lengths
    assert [sample for batch in batches for sample in batch] == rows
    assert SIDE * SIDE * 8 == BATCH_PIXELS
