"""Writes a world as raw shards in img2dataset's layout, and truth.jsonl beside them; equal seeds give equal bytes."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from io import BytesIO
from multiprocessing import get_context
from pathlib import Path

from tests.world.samples import Drawn, World, draw_sample, group_of
from tests.world.truth import Row, settle


def write_world(out: Path, world: World, workers: int = 1) -> list[Row]:
    """Writes out/raw/00000.tar, … and out/truth.jsonl; gives the rows of truth in key order."""
    if not 0 < world.shard_size <= 10_000:
        raise ValueError(f"shard size: expected 1 to 10000 (keys have four digits for it), found {world.shard_size}")
    (out / "raw").mkdir(parents=True, exist_ok=True)
    starts = range(0, world.pairs, world.shard_size)
    write = partial(write_shard, out / "raw", world)
    if workers == 1:
        parts = [write(start) for start in starts]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            parts = list(pool.map(write, starts))
    rows = settle(row for part in parts for row in part)
    lines = [json.dumps(row.line(), ensure_ascii=False) + "\n" for row in rows]
    (out / "truth.jsonl").write_text("".join(lines), encoding="utf-8")
    return rows


def write_shard(folder: Path, world: World, start: int) -> list[Row]:
    """Writes the shard whose first sample is `start`; gives what each sample knows of itself."""
    drawn = [draw_sample(world, index) for index in range(start, min(start + world.shard_size, world.pairs))]
    name = world.shard_of(start)
    (folder / name).write_bytes(pack(drawn))
    return [Row(name, one.key, one.fault, one.kind, one.caption, group_of(one, world), one.text) for one in drawn]


def pack(samples: Iterable[Drawn]) -> bytes:
    """A USTAR archive; TarInfo's defaults (time 0, owner 0, mode 644) keep the bytes fixed."""
    target = BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for sample in samples:
            for extension, data in sample.files:
                member = tarfile.TarInfo(f"{sample.key}.{extension}")
                member.size = len(data)
                tar.addfile(member, BytesIO(data))
    return target.getvalue()
