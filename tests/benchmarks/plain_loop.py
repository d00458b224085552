"""The plain loop that the caption pipeline is held against: one process, no Beam, no ledger, no sidecars.

It reads the same tars, decodes, hashes and checks every pair with the same functions, keeps what the pipeline keeps,
and writes the same shards by copying the kept bytes in a second pass.
`python -m tests.benchmarks.plain_loop OUT TAR…`
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from configs.schema.caption import CaptionConfig
from transforms.caption_pairs import decide_again, scan_steps
from transforms.ledger import chosen_caption
from transforms.loaded import batched
from transforms.materialise import SpanReader, materialise
from transforms.reading import list_units, read_input
from transforms.records import Sample, pictures
from transforms.shards import ShardWriter, sample_json, sample_members


def measure(paths: list[str], cfg: CaptionConfig, staging: str) -> Iterator[tuple[int, Sample]]:
    steps = scan_steps(cfg)
    for unit in list_units(paths, cfg.read):
        for batch in batched(read_input(unit, cfg.read, staging), 64):
            for step in steps:
                batch = step(batch)
            yield from ((unit.index, loaded.sample) for loaded in batch)


def write(kept: list[Sample], out: Path, samples_per_shard: int) -> None:
    with SpanReader(str(out)) as spans:
        for number, shard in enumerate(batched(kept, samples_per_shard)):
            with open(out / f"{number:06d}.tar", "wb") as file:
                writer = ShardWriter(file, file.name)
                for sample in shard:
                    data = [materialise(p.source, spans) for p in pictures(sample)] + [None] * (len(sample.pieces) - 1)
                    caption = chosen_caption(sample)
                    writer.add(sample_members(sample, data, sample_json(sample), caption.value if caption else ""))
                writer.finish()


def main(out: str, *paths: str) -> None:
    cfg = CaptionConfig.model_validate({"relevance": {"enabled": False}})
    Path(out).mkdir(parents=True, exist_ok=True)
    units, samples = zip(*measure(list(paths), cfg, out), strict=True)
    kept = [sample for sample in decide_again(samples, units, cfg) if sample.alive]
    write(kept, Path(out), cfg.output.samples_per_shard)


if __name__ == "__main__":
    main(*sys.argv[1:])
