"""Packs of one rank, from a loader of token samples; a state holds what waits in no pack, so none is lost or repeated.

What waits is kept by its draw, not its content: a resume reads and transforms it again, and checks that it came out as
long. Samples longer than a pack are dropped and counted, or cut at ends of paragraphs, as their source's rule says.
Left out on purpose: which documents share a pack, and how a pack is built (train/pack.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from train.data.errors import DataError
from train.data.loader import Given, Loader
from train.data.records import TokenSample
from train.data.state import RankState, Waiting
from train.pack import Packer, cut_sample

OTHER = "another tokenizer, picture processor or pack size"


@dataclass(frozen=True)
class PackRules:
    capacity: int = 8192
    """Tokens of a pack. GLM-4.1V: 8,192, and 32,768 in the long-context stage and SFT."""
    window: int = 256
    """Documents that wait at most. Each holds its patches: 1,024 of them are 4.8 MB in float32."""
    too_long: Literal["drop", "cut"] = "drop"
    cut_sources: frozenset[str] = frozenset()
    """Sources that are cut whatever `too_long` says: documents can be, conversations cannot."""
    borders: tuple[int, ...] = ()
    """Tokens behind which a document may be cut, the ends of paragraphs."""


class Document(NamedTuple):
    waiting: Waiting
    sample: TokenSample


class PackLoader:
    """Iterable; gives the documents of each pack. The loader's transform gives token samples.

    `packs`, `tokens`: how many were given since it was made, for the packing efficiency.
    """

    def __init__(self, loader: Loader, rules: PackRules | None = None) -> None:
        self.loader, self.rules = loader, rules or PackRules()
        self.dropped: Counter[str] = Counter()
        """Samples too long for a pack, by source."""
        self.packs = self.tokens = self._unfit = 0
        self._packer = self._new_packer()

    def _new_packer(self) -> Packer[Document]:
        return Packer(self.rules.capacity, self.rules.window)

    @property
    def efficiency(self) -> float:
        """Share of the packs' places that hold a document's token."""
        return self.tokens / max(1, self.packs * self.rules.capacity)

    def __iter__(self) -> Iterator[list[TokenSample]]:
        while self._packer.is_full():
            yield self._pack()
        for given in self.loader:
            self._put(given)
            while self._packer.is_full():
                yield self._pack()
        while len(self._packer):
            yield self._pack()

    def _pack(self) -> list[TokenSample]:
        documents = self._packer.take()
        self.packs += 1
        self.tokens += sum(one.waiting.length for one in documents)
        return [one.sample for one in documents]

    def _put(self, given: Given) -> None:
        pieces = self._pieces(given.item)
        if pieces is None:
            self._drop(given)
            return
        self._unfit = 0
        left = self.loader.partial.get(given.draw)
        if left is not None and left.pieces != len(pieces):
            raise DataError(
                f"loader state: draw {given.draw}: expected {left.pieces} pieces, found {len(pieces)}: {OTHER}"
            )
        for number, piece in enumerate(pieces):
            if left is None or number in left.numbers:
                waiting = Waiting(given.draw, number, len(pieces), len(piece.input_ids))
                self._packer.put(waiting.length, Document(waiting, piece))

    def _drop(self, given: Given) -> None:
        self.dropped[given.source] += 1
        self._unfit += 1
        if self._unfit >= self.loader.rules.corrupt.most_in_a_row:
            raise DataError(
                f"packs: expected documents of at most {self.rules.capacity:,} tokens, found none in {self._unfit:,} "
                f"samples in a row; the last: of source {given.source!r}"
            )

    def _pieces(self, sample: TokenSample | Sequence[TokenSample]) -> Sequence[TokenSample] | None:
        """What a sample comes to; a transform that gives several has cut it itself."""
        if not isinstance(sample, TokenSample):
            fits = sample and all(0 < len(one.input_ids) <= self.rules.capacity for one in sample)
            return sample if fits else None
        if 0 < len(sample.input_ids) <= self.rules.capacity:
            return [sample]
        if self.rules.too_long == "cut" or sample.source in self.rules.cut_sources:
            return cut_sample(sample, self.rules.capacity, self.rules.borders) or None
        return None

    def state_dict(self) -> dict[str, Any]:
        """JSON-able; of this rank, see Loader.state_dict."""
        waiting = tuple(one.waiting for one in self._packer.waiting())
        rank = self.loader.position()._replace(waiting=waiting, dropped=dict(self.dropped))
        return self.loader.state_dict(rank)

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises DataError where a document that waited comes out with another length, and as Loader's."""
        rank = self.loader.load_state_dict(state, pack=True)
        self.dropped, self._packer = Counter(rank.dropped), self._new_packer()
        self._take_up(rank)

    def _take_up(self, rank: RankState) -> None:
        samples = self.loader.again(one.draw for one in rank.waiting)
        pieces = {draw: self._pieces(sample) or () for draw, sample in samples.items()}
        for one in rank.waiting:
            found = pieces[one.draw]
            lengths = [len(piece.input_ids) for piece in found]
            if len(found) != one.pieces or lengths[one.piece] != one.length:
                raise DataError(
                    f"loader state: draw {one.draw}: expected {one.length} tokens in piece {one.piece} of "
                    f"{one.pieces}, found pieces of {lengths}: {OTHER}"
                )
            self._packer.put(one.length, Document(one, found[one.piece]))
