"""The decide stages over rows without pictures: `python -m tests.pipelines.decide_at_scale UNITS FOLDER`, JSON out.

The matchers, packing, counting, resolving, answers, fold and plan of a run, in the run's order; in place of a runner
two processes, and files for a shuffle. Prints CPU seconds by stage, the largest process, and what became of the rows.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from configs.schema.caption import CaptionConfig
from tests.pipelines.synthetic_rows import samples_of
from transforms.caption_pairs import mark_duplicates, mark_unsound
from transforms.duplicates import ExactDuplicates
from transforms.matching import (
    Matcher,
    bucket_count,
    count_witnesses,
    expand_answers,
    pack_unit,
    resolve_bucket,
)
from transforms.planning import plan_shards
from transforms.records import Sample
from transforms.rows import Check, Fold, Join, apply_fold
from transforms.shared_captions import SharedCaptions
from transforms.unique_keys import UniqueKeys

ROWS_PER_UNIT, UNITS_PER_TASK, WORKERS = 4_000, 20, 2
CFG = CaptionConfig.model_validate({"relevance": {"enabled": False}})
KEYS, CAPTIONS, COPIES = UniqueKeys(), SharedCaptions(), ExactDuplicates(CFG.duplicates)
SOUND: Fold = (
    Join(KEYS.name, KEYS.apply),
    Join(CAPTIONS.name, CAPTIONS.apply),
    Check(partial(mark_unsound, cfg=CFG)),
)
UNIQUE: Fold = (*SOUND, Join(COPIES.name, COPIES.apply), Check(partial(mark_duplicates, cfg=CFG)))
"""As pipelines/caption.py puts them together."""


class Shuffle:
    """Appends frames of (number, bytes) to a file for each destination and process."""

    def __init__(self, folder: str) -> None:
        self._folder, self._files = folder, {}

    def put(self, name: str, target: int, number: int, data: bytes) -> None:
        path = f"{self._folder}/{name}/{target}"
        if path not in self._files:
            os.makedirs(path, exist_ok=True)
            self._files[path] = open(f"{path}/{os.getpid()}", "ab", buffering=4096)  # noqa: SIM115
        self._files[path].write(struct.pack("<qq", number, len(data)) + data)

    def close(self) -> None:
        for file in self._files.values():
            file.close()

    def take(self, name: str, target: int) -> Iterator[tuple[int, bytes]]:
        for path in sorted(Path(self._folder, name, str(target)).glob("*")):
            with open(path, "rb") as file:
                while head := file.read(16):
                    number, size = struct.unpack("<qq", head)
                    yield number, file.read(size)


def put_packed(shuffle: Shuffle, matcher: Matcher, unit: int, samples: Iterable[Sample], buckets: int) -> None:
    packed = pack_unit(unit, samples, matcher, buckets)
    for bucket, data in packed.rows:
        shuffle.put(f"{matcher.name}.rows", bucket, unit, data)
    for bucket, data in packed.witnesses:
        shuffle.put(f"{matcher.name}.witnesses", bucket, unit, data)
    if packed.followers:
        shuffle.put(f"{matcher.name}.followers", unit // UNITS_PER_TASK, unit, packed.followers)


def answers_of(shuffle: Shuffle, matcher: Matcher, task: int) -> dict[int, dict[int, Any]]:
    """By unit, by position."""
    packed: dict[int, list[bytes]] = {}
    for unit, data in shuffle.take(f"{matcher.name}.answers", task):
        packed.setdefault(unit, []).append(data)
    followers = dict(shuffle.take(f"{matcher.name}.followers", task))
    return {unit: expand_answers(found, followers.get(unit, b""), matcher) for unit, found in packed.items()}


def folded(shuffle: Shuffle, fold: Fold, task: int, units: range) -> Iterator[tuple[int, Iterator[Sample]]]:
    joined = [
        matcher for matcher in (KEYS, CAPTIONS, COPIES) if any(getattr(s, "name", "") == matcher.name for s in fold)
    ]
    answers = {matcher.name: answers_of(shuffle, matcher, task) for matcher in joined}
    for unit in units:
        joins = {name: found.pop(unit, {}) for name, found in answers.items()}
        yield unit, apply_fold(samples_of(unit, ROWS_PER_UNIT), fold, joins)


def pack_scanned(shuffle: Shuffle, task: int, units: range, buckets: int) -> None:
    for unit in units:
        samples = list(samples_of(unit, ROWS_PER_UNIT))
        for matcher in (KEYS, CAPTIONS):
            put_packed(shuffle, matcher, unit, samples, buckets)


def pack_sound(shuffle: Shuffle, task: int, units: range, buckets: int) -> None:
    for unit, samples in folded(shuffle, SOUND, task, units):
        put_packed(shuffle, COPIES, unit, samples, buckets)


def settle(shuffle: Shuffle, task: int, units: range, buckets: int) -> list[tuple[int, Counter[str]]]:
    found = []
    for unit, samples in folded(shuffle, UNIQUE, task, units):
        fates = Counter(s.failure.error if s.failure else s.drop.rule if s.drop else "" for s in samples)
        found.append((unit, fates))
    return found


def count(shuffle: Shuffle, matcher: Matcher, bucket: int, buckets: int) -> None:
    batches = (data for _, data in shuffle.take(f"{matcher.name}.witnesses", bucket))
    for target, data in count_witnesses(batches, buckets):
        shuffle.put(f"{matcher.name}.rows", target, 0, data)


def resolve(shuffle: Shuffle, matcher: Matcher, bucket: int, buckets: int) -> None:
    batches = (data for _, data in shuffle.take(f"{matcher.name}.rows", bucket))
    for unit, data in resolve_bucket(batches, matcher):
        shuffle.put(f"{matcher.name}.answers", unit // UNITS_PER_TASK, unit, data)


def run_task(folder: str, step: Any, *arguments: Any) -> tuple[Any, float, int]:
    """What the step gave, its CPU seconds, and the largest size of this process so far in bytes."""
    started, shuffle = time.process_time(), Shuffle(folder)
    found = step(shuffle, *arguments)
    shuffle.close()
    return found, time.process_time() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def simulate(units: int, folder: str) -> dict[str, Any]:
    buckets, seconds, peak = bucket_count(units), {}, 0
    tasks = [
        (task, range(first, min(first + UNITS_PER_TASK, units)), buckets)
        for task, first in enumerate(range(0, units, UNITS_PER_TASK))
    ]
    keys, captions, copies = ([(m, bucket, buckets) for bucket in range(buckets)] for m in (KEYS, CAPTIONS, COPIES))
    stages = [("pack keys and captions", pack_scanned, tasks), ("count pictures", count, captions)]
    stages += [("resolve keys and captions", resolve, [*keys, *captions]), ("pack copies", pack_sound, tasks)]
    stages += [("resolve copies", resolve, copies), ("settle", settle, tasks)]
    tallies: list[tuple[int, Counter[str]]] = []
    with ProcessPoolExecutor(WORKERS) as pool:
        for name, step, arguments in stages:
            done = [pool.submit(run_task, folder, step, *one) for one in arguments]
            for found, cpu, size in (future.result() for future in done):
                seconds[name], peak = seconds.get(name, 0.0) + cpu, max(peak, size)
                tallies += found or []
    started = time.process_time()
    kept = [(unit, fates[""], "") for unit, fates in sorted(tallies)]
    shards = Counter(shard for shard, _ in plan_shards(kept, CFG.output.samples_per_shard, 64, CFG.seed))
    seconds["plan shards"] = time.process_time() - started
    fates = sum((fates for _, fates in tallies), Counter())
    shuffled = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
    return {"seconds": seconds, "peak": peak, "fates": fates, "shards": len(shards), "shuffled": shuffled}


def main(units: str, folder: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        print(json.dumps(simulate(int(units), folder)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
