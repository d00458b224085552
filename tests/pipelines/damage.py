"""Ways to damage a finished run, and what verify says of it."""

import hashlib
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

from pipelines.caption_rules import MEASURES
from pipelines.verify import run_checks
from transforms.ledger import ledger_table
from transforms.member_index import format_index, group_samples, index_name
from transforms.records import Sample, decode_sample
from transforms.shards import Member, ShardWriter

SHARD = "shards/000001.tar"
PLACES, CONTENTS = "samples where the plan puts them", "samples hold what the ledger says"


def problems(output: Path | str) -> dict[str, list[str]]:
    """Every check that found something, with its problems as text."""
    found = {
        check.name: [f"{p.place}: {p.expected} | {p.found}" for p in check.problems]
        for check in run_checks(str(output))
    }
    return {name: told for name, told in found.items() if told}


def manifest_of(output: Path) -> dict:
    return json.loads((output / "manifest.json").read_text())


def edit_manifest(output: Path, change: Callable[[dict], None]) -> None:
    values = manifest_of(output)
    change(values)
    (output / "manifest.json").write_text(json.dumps(values))


def read_samples(path: Path) -> list[list[Member]]:
    samples: dict[str, list[Member]] = {}
    with tarfile.open(path) as tar:
        for member in tar:
            samples.setdefault(member.name.partition(".")[0], []).append((member.name, tar.extractfile(member).read()))
    return list(samples.values())


def forge(output: Path, samples: list[list[Member]], name: str = SHARD) -> None:
    """Writes other samples into a shard, and a manifest and an index that agree with them."""
    with open(output / name, "wb") as file:
        writer = ShardWriter(file, name)
        for members in samples:
            writer.add(members)
        info = writer.finish()
    agree(output, name, info.bytes, info.sha256)
    forge_index(output, format_index(group_samples(writer.members), info.bytes), name)


def forge_index(output: Path, data: bytes, name: str = SHARD) -> None:
    """Writes other bytes as a shard's member index, and a manifest that agrees with them."""
    (output / index_name(name)).write_bytes(data)
    stated = {"name": index_name(name), "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    edit_manifest(output, lambda values: _stated(values, name).update(index=stated))


def _stated(values: dict, name: str) -> dict:
    return next(shard for shard in values["shards"] if shard["name"] == name)


def agree(output: Path, name: str, size: int, sha256: str) -> None:
    def change(values: dict) -> None:
        _stated(values, name).update(bytes=size, sha256=sha256)

    edit_manifest(output, change)
    index = json.loads((output / "index.json").read_text())
    next(row for row in index["shardlist"] if row["url"] == name)["filesize"] = size
    (output / "index.json").write_text(json.dumps(index))


def rewrite_ledger(output: Path, change: Callable[[Sample], Sample | None], unit: int = 0) -> None:
    path = output / "ledger" / f"{unit:06d}.parquet"
    rows = [decode_sample(record) for record in pq.read_table(path)["record"].to_pylist()]
    pq.write_table(ledger_table([other for row in rows if (other := change(row))], MEASURES), path)
