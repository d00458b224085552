"""Packs for a rank, made ahead of the training by a thread, each step's last one with the position to go on from.

Left out on purpose: what a rank reads (train/data) and the device (train/packed_inputs.py). Ranks that share packs (TP,
CP) each read and decode them: the same, without a word between them.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from configs.schema.train import SourceRules, TrainConfig
from train.chat.samples import Chat, Fitted
from train.chat.tokenizer import END, ChatTokenizer
from train.data.corrupt import CorruptPolicy
from train.data.decoding import Workers
from train.data.loader import Loader, LoaderRules, OpenMixture, SourceSpec, open_mixture
from train.data.packed import PackLoader, PackRules
from train.data.records import NOT_TRAINED, Pack
from train.data.state import Place
from train.media import MERGE, PATCH, SLICES, Look, PixelLimits
from train.pack import Padding, build_pack
from train.positions import document_positions

AHEAD = 4
"""Packs that wait for the training."""


class Fed(NamedTuple):
    pack: Pack
    state: dict[str, Any] | None
    """Of the loader, behind a step's last pack."""


class Share(NamedTuple):
    """Which packs a rank gets."""

    rank: int
    world: int


def open_packs(
    cfg: TrainConfig, sources: Sequence[SourceRules], tokenizer: ChatTokenizer, share: Share, rounds: int | None = None
) -> PackLoader:
    """Of the sets of a config; `rounds` epochs, for ever where None. Raises DataError."""
    data, mixture = cfg.data, open_sources(cfg, sources)
    rules = LoaderRules(
        Workers(data.workers, data.worker_kind), CorruptPolicy(data.corrupt, data.most_corrupt_share), rounds
    )
    fitted = Fitted(make_chat(cfg, tokenizer), cfg.context)
    loader = Loader(mixture, fitted, Place(share.rank, share.world, data.run), rules)
    return PackLoader(loader, PackRules(cfg.context, data.window))


def open_sources(cfg: TrainConfig, sources: Sequence[SourceRules]) -> OpenMixture:
    """Raises DataError."""
    specs = [SourceSpec(one.name, one.uri, one.weight, one.repeats) for one in sources]
    return open_mixture(specs, cfg.seed, run=cfg.data.run, cache=cfg.data.index_cache)


def make_chat(cfg: TrainConfig, tokenizer: ChatTokenizer) -> Chat:
    most = cfg.model.picture_tokens * (PATCH * MERGE) ** 2 * SLICES
    return Chat(tokenizer, cfg.chat, Look(pictures=PixelLimits(most=most)))  # type: ignore[arg-type]


def built_packs(loader: PackLoader, tokenizer: ChatTokenizer) -> Iterator[Pack]:
    padding = Padding(loader.rules.capacity, tokenizer.ids[END])
    return (build_pack(documents, padding, document_positions) for documents in loader)


def blank_pack(capacity: int, token: int) -> Pack:
    """Nothing but padding, for a rank whose data ended before another's."""
    return Pack(
        input_ids=np.full(capacity, token, np.int32),
        labels=np.full(capacity, NOT_TRAINED, np.int32),
        weights=np.zeros(capacity, np.float32),
        positions=np.tile(np.arange(capacity, dtype=np.int32), (4, 1)),
        bounds=np.array([0, capacity], np.int32),
        grids=np.empty((0, 3), np.int32),
        patches=np.empty((0, 3 * SLICES * PATCH**2), np.float32),
        sources=(),
        keys=(),
    )


class Feed:
    """Context manager and iterator over `Fed`. What goes wrong in its thread is raised to who takes."""

    def __init__(self, loader: PackLoader, tokenizer: ChatTokenizer, packs_a_step: int) -> None:
        self.loader, self._tokenizer, self._packs = loader, tokenizer, packs_a_step
        self._ready: queue.Queue[Fed | BaseException | None] = queue.Queue(AHEAD)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="beamsift-feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self.loader.loader.close()

    def __iter__(self) -> Iterator[Fed]:
        while True:
            fed = self._ready.get()
            if isinstance(fed, BaseException):
                raise fed
            if fed is None:
                return
            yield fed

    def _run(self) -> None:
        try:
            for number, pack in enumerate(built_packs(self.loader, self._tokenizer), 1):
                state = self.loader.state_dict() if number % self._packs == 0 else None
                if not self._put(Fed(pack, state)):
                    return
            self._put(None)
        except BaseException as error:  # of any kind: the training's thread must not wait for ever
            self._put(error)

    def _put(self, fed: Fed | BaseException | None) -> bool:
        while not self._stop.is_set():
            try:
                self._ready.put(fed, timeout=0.2)
                return True
            except queue.Full:
                continue
        return False
