"""Pairs to calibrate on: a sample of a pool, picked by hash of the key, or a probe that people have labelled.

Left out on purpose: the rules on pictures and captions. Calibrate on shards whose noise they have removed where the
kept share should be that of the relevance step alone.
"""

from __future__ import annotations

import hashlib
import heapq
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from transforms.loaded import Loaded
from transforms.pictures import PictureError, decode
from transforms.reading import list_units, read_unit
from transforms.records import Picture, texts
from transforms.storage import storage_for


@dataclass(frozen=True)
class Pair:
    """One picture's file and one caption; `label` says whether they belong together, None where nobody knows."""

    data: bytes = field(repr=False)
    caption: str
    place: str
    label: bool | None = None


@dataclass
class Pairs:
    """The pairs to score, and what was seen and left out on the way, by reason."""

    found: list[Pair]
    seen: int = 0
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


class ProbeLine(msgspec.Struct):
    picture: str
    caption: str
    label: Literal[0, 1]


def pick_pairs(inputs: Sequence[str], samples: int, seed: int, rules: ReadRules) -> Pairs:
    """`samples` pairs of the pool: those whose keys hash lowest, whatever their order. Reads every unit once.

    A pair is a sample's first picture with its first caption that is not blank. Raises ConfigError where there is none.
    """
    pairs = Pairs([])
    lowest: list[tuple[int, str, Pair]] = []
    with tempfile.TemporaryDirectory(prefix="beamsift-") as staging:
        for loaded in _read_all(inputs, rules, staging):
            pairs.seen += 1
            shown = _picture_and_caption(loaded)
            if isinstance(shown, str):
                pairs.leave_out(shown)
                continue
            place = f"{loaded.sample.source}#{loaded.sample.source_key}"
            rank = (-_chance(seed, loaded.sample.key), place)
            if len(lowest) < samples:
                heapq.heappush(lowest, (*rank, Pair(bytes(shown[0]), shown[1], place)))
            elif rank > lowest[0][:2]:
                # The bytes are copied only here: a slice would keep its whole shard mapped.
                heapq.heapreplace(lowest, (*rank, Pair(bytes(shown[0]), shown[1], place)))
    if not lowest:
        raise ConfigError(
            f"--input {' '.join(inputs)}: expected samples with a picture and a caption, found {pairs.seen} without"
        )
    pairs.found = [pair for *_, pair in sorted(lowest, key=lambda entry: (-entry[0], entry[1]))]
    return pairs


def read_probe(path: str, rules: ReadRules) -> Pairs:
    """The labelled pairs of a JSONL file: {"picture": path from the file's folder, "caption": text, "label": 0 or 1}.

    Raises ConfigError naming the line that is not so, or whose picture cannot be read.
    """
    try:
        lines = Path(path).read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"--probe {path}: expected a JSONL file: {error}") from error
    found = [_probe_pair(path, number, line, rules) for number, line in enumerate(lines, 1) if line.strip()]
    if len({pair.label for pair in found}) < 2:
        raise ConfigError(f"--probe {path}: expected pairs of label 0 and of label 1, found {len(found)} of one kind")
    return Pairs(found, seen=len(found))


def _read_all(inputs: Sequence[str], rules: ReadRules, staging: str) -> Iterator[Loaded]:
    for unit in list_units(list(inputs), rules):
        with tempfile.TemporaryDirectory(dir=staging) as own:
            yield from read_unit(storage_for(unit.uri).fetch(unit.uri, own), unit, rules, own)


def _chance(seed: int, key: str) -> int:
    return int.from_bytes(hashlib.blake2b(f"{seed}:calibrate:{key}".encode(), digest_size=8).digest(), "big")


def _picture_and_caption(loaded: Loaded) -> tuple[bytes | memoryview, str] | str:
    """The first picture's bytes and the first caption that is not blank, or why there is no such pair."""
    sample = loaded.sample
    if sample.failure is not None:
        return sample.failure.error
    pieces = zip(sample.pieces, loaded.data, strict=True)
    data = next((data for piece, data in pieces if isinstance(piece, Picture) and data), None)
    if data is None:
        return "without picture"
    caption = next((text.value for text in texts(sample) if text.value.strip()), None)
    return "without caption" if caption is None else (data, caption)


def _probe_pair(path: str, number: int, line: bytes, rules: ReadRules) -> Pair:
    place = f"{path}:{number}"
    try:
        found = msgspec.json.decode(line, type=ProbeLine)
        data = (Path(path).parent / found.picture).read_bytes()
        decode(data, rules.max_decode_pixels)
    except (msgspec.MsgspecError, OSError, PictureError) as error:
        raise ConfigError(f"--probe {place}: expected picture, caption and label 0 or 1: {error}") from error
    return Pair(data, found.caption, place, bool(found.label))
