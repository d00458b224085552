"""MatchNear over rows without pictures: `python -m tests.benchmarks.near_run FOLDER ROWS DISTANCE [BEAM OPTION …]`."""

from __future__ import annotations

import sys
from pathlib import Path

import apache_beam as beam
import numpy as np
from apache_beam.options.pipeline_options import PipelineOptions
from msgspec.structs import replace

from configs.schema.caption import NearDuplicateRules
from pipelines.runners import local_runner
from transforms.beam.coders import register_coders
from transforms.beam.match_near import MatchNear
from transforms.beam.verbs import Rows, Site
from transforms.matching import bucket_count
from transforms.near_duplicates import NearDuplicates
from transforms.perceptual_hash import LOOK_BYTES
from transforms.records import Picture, Sample, Span, Text, Unit, encode_sample
from transforms.rows import RowsRef, rows_of, sidecar_uri
from transforms.sidecars import create_sidecar
from transforms.storage import storage_for

ROWS_PER_UNIT = 10_000
COPY = 20
"""One row in so many is a copy of another, up to six bits away."""


def draw_codes(count: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed)
    codes = drawn.integers(0, 1 << 64, count, np.uint64)
    copies = drawn.choice(count, count // COPY, replace=False)
    flips = np.zeros(len(copies), np.uint64)
    for _ in range(6):
        flips |= np.uint64(1) << drawn.integers(0, 64, len(copies)).astype(np.uint64)
    codes[copies] = codes[drawn.choice(count, len(copies))] ^ flips
    return codes


def hold_rows(folder: str, count: int) -> list[RowsRef]:
    """Units of rows in sidecars, made once; a look of zeros is like any other."""
    refs = []
    codes, storage = draw_codes(count), storage_for(folder)
    row = Sample("", "a.tar", 0, 0, (Picture(Span("a.tar", 0, 9, "tar"), "jpeg"), Text("some caption of the row")))
    for index, start in enumerate(range(0, count, ROWS_PER_UNIT)):
        unit = Unit(index, f"{index}.tar", "tar")
        uri = sidecar_uri(folder, f"near-{count}", unit)
        refs.append(RowsRef(unit, uri, "drawn"))
        if storage.exists(uri):
            continue
        with create_sidecar(storage, uri, "drawn") as sidecar:
            for position, code in enumerate(codes[start : start + ROWS_PER_UNIT].tolist()):
                seen = code.to_bytes(8, "big"), b"\1" * 64 + bytes(LOOK_BYTES - 64)
                picture = replace(row.pieces[0], width=100 + code % 900, height=500, likeness=seen[0], look=seen[1])
                sample = replace(row, key=f"{start + position:09d}", position=position, pieces=(picture, row.pieces[1]))
                sidecar.append(encode_sample(sample))
            sidecar.totals = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    return refs


def main(folder: str, count: str, distance: str, *given: str) -> None:
    refs = hold_rows(folder, int(count))
    if distance == "none":
        return
    register_coders()
    matcher, options = NearDuplicates(NearDuplicateRules(max_distance=int(distance))), PipelineOptions(list(given))
    told = Path(folder) / "told.txt"
    with beam.Pipeline(runner=local_runner(options, "/dev/null"), options=options) as pipeline:
        created = pipeline | beam.Create(refs).with_output_types(RowsRef) | beam.Reshuffle()
        rows = Rows(created, Site(folder, "code", "recipe")) | "Near" >> MatchNear(matcher, bucket_count(len(refs)))
        copies = rows.refs | beam.Map(_copies, rows.fold, folder) | beam.CombineGlobally(sum) | beam.Map(str)
        _ = copies | beam.io.WriteToText(str(told), num_shards=1, shard_name_template="")
    print(told.read_text().strip())


def _copies(ref: RowsRef, fold: tuple, folder: str) -> int:
    return sum(
        row.measures.get("near_duplicate_of", row.key) != row.key for row in rows_of(ref, fold, storage_for(folder))
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
