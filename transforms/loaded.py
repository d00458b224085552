"""A sample with its bytes, inside one scan: what readers yield and scan steps pass on.

Never an element of a PCollection and never on disk: `data` and `pixels` live in a batch and die with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

import numpy as np

from transforms.records import Sample


@dataclass(slots=True)
class Loaded:
    """`data[i]` holds the file's bytes of `sample.pieces[i]` where that is a picture, else None.

    `pixels[i]` is its decoded array, uint8 of (height, width, 3), or (…, 4) where it has transparency, once a step has
    decoded it.
    """

    sample: Sample
    data: list[bytes | memoryview | None] = field(default_factory=list)
    pixels: list[np.ndarray[Any, Any] | None] = field(default_factory=list)


Step = Callable[[list[Loaded]], list[Loaded]]
"""Maps a batch to one of the same length and order."""

Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
