"""Small sets to train from: finished ones with manifest and member indexes, and bare tars; texts stand for samples."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from train.data.records import RawSample, TokenSample
from transforms.member_index import format_index, group_samples, index_name
from transforms.shards import FORMAT, IndexInfo, ShardInfo, ShardWriter, wids_index

Rows = Sequence[tuple[str, dict[str, bytes]]]
"""Keys, and members by suffix."""


def write_tar(folder: Path, name: str, rows: Rows) -> ShardInfo:
    """A shard and its member index."""
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with open(folder / name, "wb") as file:
        writer = ShardWriter(file, name)
        for key, parts in rows:
            writer.add((f"{key}.{suffix}", data) for suffix, data in parts.items())
        info = writer.finish()
    data = format_index(group_samples(writer.members), info.bytes)
    (folder / index_name(name)).write_bytes(data)
    return replace(info, index=IndexInfo(index_name(name), len(data), hashlib.sha256(data).hexdigest()))


def write_indexed(folder: Path, rows: Rows, per_shard: int) -> Path:
    """A finished set."""
    parts = [rows[start : start + per_shard] for start in range(0, len(rows), per_shard)]
    infos = [write_tar(folder, f"shards/{number:06d}.tar", part) for number, part in enumerate(parts)]
    write_manifest(folder, {"format": FORMAT, "shards": [msgspec.to_builtins(info) for info in infos]})
    (folder / "index.json").write_bytes(wids_index(infos, "toy"))
    return folder


def write_shard(folder: Path, name: str, keys: Sequence[str]) -> ShardInfo:
    """Samples whose text is their key, with a second member of `len(key)` bytes."""
    return write_tar(folder, name, [(key, {"bin": b"b" * len(key), "txt": key.encode()}) for key in keys])


def write_set(folder: Path, samples: int, per_shard: int = 5, prefix: str = "k") -> Path:
    """A finished set of keys `k0`, `k1`, …, made as `write_shard` makes them."""
    keys = [f"{prefix}{number}" for number in range(samples)]
    return write_indexed(folder, [(key, {"bin": b"b" * len(key), "txt": key.encode()}) for key in keys], per_shard)


def write_manifest(folder: Path, values: dict) -> None:
    (folder / "manifest.json").write_text(json.dumps(values))


def edit_manifest(folder: Path, change: Callable[[dict], object]) -> None:
    values = json.loads((folder / "manifest.json").read_text())
    change(values)
    write_manifest(folder, values)


def text_of(sample: RawSample) -> str:
    return sample.parts["txt"].decode()


def tokens_of(sample: RawSample) -> TokenSample:
    """A document of 1 to 40 tokens, by the key's hash; without a picture."""
    return document(sample.source, sample.key, 1 + hashlib.sha256(sample.key.encode()).digest()[0] % 40)


def document(source: str, key: str, length: int) -> TokenSample:
    ids = np.arange(length, dtype=np.int32)
    weights = np.append(0, np.ones(length - 1)).astype(np.float32)
    kinds = np.zeros(length, np.int8)
    return TokenSample(source, key, ids, weights, np.empty((0, 3), np.int32), (), kinds)
