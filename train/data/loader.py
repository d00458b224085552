"""The loader of one rank: its samples of a mixture in order, transformed ahead, from any position on.

Handed out is consumed: a state taken while a sample is held goes on behind it. Workers change nothing of that; what
they had ready when a job ended is read again.
Left out on purpose: packs (train/data/packed.py), batches and devices (train/loop.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np

from train.data.corrupt import CorruptPolicy, Counts
from train.data.course import new_course
from train.data.decoding import Decoder, Transform, Workers
from train.data.errors import DataError
from train.data.mixture import Mixture, shares_by_repeats, shares_by_weight
from train.data.reader import Address, Corrupt, Reader
from train.data.records import Array, RawSample
from train.data.shard_indexes import ShardIndexes
from train.data.sources import Source, open_source
from train.data.state import Left, Place, Position, RankState, check_state, describe_mixture, format_state, restore

PLANNED = 1024
"""Draws located at a time."""


class SourceSpec(NamedTuple):
    """A set of a mixture. Either all sources have a `weight`, their share of the draws, or each comes `repeats` times
    in an epoch of the mixture."""

    name: str
    uri: str
    weight: float | None = None
    repeats: float = 1.0


class OpenMixture(NamedTuple):
    mixture: Mixture
    sources: tuple[Source, ...]
    indexes: ShardIndexes

    def address(self, draws: Array) -> list[Address]:
        """Where the samples of draws lie."""
        found = self.mixture.locate(draws)
        shards, rows = np.zeros(len(draws), np.int64), np.zeros(len(draws), np.int64)
        for number, source in enumerate(self.sources):
            here = np.flatnonzero(found.source == number)
            shards[here] = np.searchsorted(source.starts, found.row[here], side="right") - 1
            rows[here] = found.row[here] - source.starts[shards[here]]
        columns = (np.asarray(draws), found.source, found.position, shards, rows)
        return list(map(Address, *(column.tolist() for column in columns)))


class Given(NamedTuple):
    """What the transform made of the sample of a draw."""

    draw: int
    source: str
    item: Any


@dataclass(frozen=True)
class LoaderRules:
    workers: Workers = Workers()
    corrupt: CorruptPolicy = CorruptPolicy()
    rounds: int | None = None
    """Epochs of the mixture to give (of 2**20 draws each where sources have weights); None goes on for ever."""


def open_mixture(
    specs: Sequence[SourceSpec], seed: int, *, run: int = 1, cache: str = "", use_damaged: bool = False
) -> OpenMixture:
    """Opens every source. `use_damaged`: take the samples before the damage of tars that nothing lists.

    Raises DataError where a source is none, is empty or has no weight.
    """
    _check_specs(specs)
    indexes = ShardIndexes(cache, damaged=use_damaged)
    sources = tuple(open_source(one.name, one.uri, indexes) for one in specs)
    names, samples = [one.name for one in sources], [one.samples for one in sources]
    weights = [one.weight for one in specs if one.weight is not None]
    if weights:
        shares = shares_by_weight(names, samples, weights)
    else:
        shares = shares_by_repeats(names, samples, [one.repeats for one in specs])
    return OpenMixture(Mixture(shares, seed, run), sources, indexes)


def _check_specs(specs: Sequence[SourceSpec]) -> None:
    names = [one.name for one in specs]
    if not specs or len(set(names)) < len(names):
        raise DataError(f"mixture: expected sources with different names, found {', '.join(names) or 'none'}")
    for one in specs:
        share = one.repeats if one.weight is None else one.weight
        if not 0 < share < float("inf"):
            what = "repeats" if one.weight is None else "weight"
            raise DataError(f"source {one.name!r}: expected a {what} above 0, found {share}; leave the source out")
    if len({one.weight is None for one in specs}) > 1:
        without = ", ".join(one.name for one in specs if one.weight is None)
        raise DataError(f"mixture: expected a weight for all sources or for none, found none for {without}")


def raw(sample: RawSample) -> RawSample:
    """The transform that changes nothing."""
    return sample


class Loader:
    """Iterable and context manager; gives `Given` in the order of the rank's draws."""

    def __init__(
        self,
        data: OpenMixture,
        transform: Transform = raw,
        place: Place | None = None,
        rules: LoaderRules | None = None,
    ) -> None:
        self.place, self.rules = place or Place(), rules or LoaderRules()
        if not 0 <= self.place.rank < self.place.world or self.place.group < 1:
            raise DataError(f"loader: expected a rank below the world's size, found {self.place}")
        self._data = data
        reader = Reader([one.name for one in data.sources], [one.shards for one in data.sources], data.indexes)
        self._decoder = Decoder(reader, transform, self.rules.workers)
        end = None if self.rules.rounds is None else self.rules.rounds * data.mixture.round
        self._course, self.partial = new_course(self.place.world, self.place.group, end), dict[int, Left]()
        self._position = 0
        self.counts = self._new_counts()

    @property
    def sources(self) -> tuple[Source, ...]:
        return self._data.sources

    def _new_counts(self) -> Counts:
        return Counts((one.name for one in self._data.sources), self.rules.corrupt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers."""
        self._decoder.close()

    def __iter__(self) -> Iterator[Given]:
        for outcome in self._decoder.outcomes(self._chunks()):
            self._position += 1
            if isinstance(outcome, Corrupt):
                self.counts.note_corrupt(outcome)
            elif outcome[2] is None:
                self.counts.note_left_out(outcome[1])
            else:
                self.counts.note_given(outcome[1])
                yield Given(*outcome)

    def _chunks(self) -> Iterator[list[Address]]:
        first = self._position
        while len(draws := self._course.draws(self.place.rank, first, PLANNED)):
            yield from self._cut(draws)
            first += len(draws)

    def _cut(self, draws: Array) -> Iterator[list[Address]]:
        addresses, size = self._data.address(draws), self.rules.workers.chunk
        yield from (addresses[start : start + size] for start in range(0, len(addresses), size))

    def again(self, draws: Iterable[int]) -> dict[int, Any]:
        """What the transform makes of the samples of `draws`, which have been given before. Counts nothing.

        Raises DataError where one cannot be used any more.
        """
        found = {}
        for outcome in self._decoder.outcomes(self._cut(np.array(sorted(set(draws)), np.int64))):
            if isinstance(outcome, Corrupt) or outcome[2] is None:
                raise DataError(f"loader state: expected a sample that was sound before, found {outcome}")
            found[outcome[0]] = outcome[2]
        return found

    def position(self) -> RankState:
        return RankState(self._position, (), self.counts.format(), {})

    def state_dict(self, rank_state: RankState | None = None) -> dict[str, Any]:
        """JSON-able; of this rank. `combine_states` makes one of the states of all ranks."""
        position = Position(self._course, self.partial, rank_state or self.position())
        return format_state(self._description(), position, self.place.rank)

    def load_state_dict(self, state: dict[str, Any], *, pack: bool = False) -> RankState:
        """Goes on from a state: this rank's, or the combined one where the world has changed. Raises DataError."""
        check_state(state, self._description())
        found = restore(state, self._data.mixture, self.place, pack=pack)
        if found.course.end != self._course.end:
            raise DataError(f"loader state: expected an end at draw {found.course.end}, found {self._course.end}")
        self._course, self.partial, self._position = found.course, found.partial, found.rank.position
        self.counts = self._new_counts()
        self.counts.add(found.rank.counts)
        return found.rank

    def _description(self) -> dict[str, Any]:
        return describe_mixture(self._data.mixture, [one.fingerprint for one in self._data.sources])
