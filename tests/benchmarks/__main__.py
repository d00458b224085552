"""`python -m tests.benchmarks [NAME …]`: runs the named benchmarks, or all, and prints their ratios.

Pools are made once under out/bench and kept. Run it on an idle machine; the last figures stand in RESULTS.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.benchmarks import (
    bench_caption,
    bench_concepts,
    bench_decide,
    bench_flink,
    bench_loader,
    bench_model,
    bench_near,
    bench_pages,
    bench_pictures,
    bench_recaption,
    bench_shards,
    bench_train_step,
    bench_warc,
    bench_web,
)

BENCHMARKS = {
    "caption": bench_caption.bench,
    "concepts": bench_concepts.bench,
    "decide": bench_decide.bench,
    "flink": bench_flink.bench,
    "model": bench_model.bench,
    "loader": bench_loader.bench,
    "near": bench_near.bench,
    "pages": bench_pages.bench,
    "pictures": bench_pictures.bench,
    "recaption": bench_recaption.bench,
    "shards": bench_shards.bench,
    "train_step": bench_train_step.bench,
    "warc": bench_warc.bench,
    "web": bench_web.bench,
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        print(f"expected benchmarks of {sorted(BENCHMARKS)}, found {unknown}", file=sys.stderr)
        return 2
    folder = Path("out/bench")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or BENCHMARKS:
        for label, figures in BENCHMARKS[name](folder):
            print(f"{label}: {figures}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
