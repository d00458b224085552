"""What a scene is before it is painted: its captions and traits cost microseconds, its pixels milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.world.grounds import Paint
from tests.world.pen import Sheet


@dataclass(frozen=True)
class Composition:
    """`captions` are equally exact; `traits` are nouns and colours; plainly different scenes share none."""

    kind: str
    traits: frozenset[str]
    captions: tuple[str, ...]
    paint: Callable[[Sheet], None]
    ground: Paint
    chinese: tuple[str, ...] = ()


def clearly_different(one: Composition, other: Composition) -> bool:
    """Whether a caption of `other` is plainly wrong for `one`: no noun and no colour shared."""
    return not one.traits & other.traits
