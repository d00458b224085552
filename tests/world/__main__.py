"""Makes a toy world: python -m tests.world OUT --pairs 6000 --seed 0 --workers 2 [--shard-size 500]."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

from tests.world.raw_shards import write_world
from tests.world.samples import World


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.world", description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--shard-size", type=int, default=500)
    args = parser.parse_args()
    started = time.monotonic()
    rows = write_world(args.out, World(args.seed, args.pairs, args.shard_size), args.workers)
    faults = Counter(row.fault or "sound" for row in rows)
    print(f"{len(rows)} pairs in {time.monotonic() - started:.1f} s, seed {args.seed}: {args.out}")
    for fault, count in faults.most_common():
        print(f"{count:7d}  {fault}")


if __name__ == "__main__":
    main()
