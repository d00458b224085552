"""A pool of many small units, where workers die in it, and what may be lost of the work when one does."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tests.pipelines.whole_runs import FOLDERS, QUICK, ROOT, standing, unfinished
from tests.world.raw_shards import write_world
from tests.world.samples import World

UNITS, PAIRS = 24, 15
"""So many units that two, all that two workers can lose, are less than a tenth of the work."""
SMALL = ("--set", "output.samples_per_shard=10", "--set", "output.shuffle_run=7")
CONCEPTS = ("--set", "concepts.enabled=true", "--set", "concepts.target=200")
CONCEPTS += ("--set", f"concepts.vocabulary={Path(__file__).with_name('vocabulary.tsv')}")
SCORED = (*SMALL, "--set", f"relevance.model=local-dir:{ROOT}/tests/world/clip", "--set", "relevance.pretrained=")
BALANCED = (*SCORED, *CONCEPTS)
UNSCORED = (*SMALL, *QUICK, *CONCEPTS)
"""Where the model is not what may fail: each new worker takes seconds to load torch."""
SECOND = {"shards": "work/shards", "ledger": "work/kept"}
"""Where the file of the same number is written right after: without it that work is not done."""
DEATHS = [
    ("transforms.beam.scan:ScanUnit._measure", 4),
    ("classifiers.clip:ClipScorer.predict", 4),
    ("transforms.shards:ShardWriter.add", 40),
]
"""Where one of two workers dies, and at which of its calls."""
TOLD = "Stopped: a worker process ended, killed or out of memory; the same command resumes"


def write_units(folder: Path) -> list[str]:
    write_world(folder, World(0, UNITS * PAIRS, PAIRS))
    return [str(path) for path in sorted((folder / "raw").glob("*.tar"))]


def nothing_done_again(before: dict, output: Path) -> dict:
    """What stands now. What stood before still does, and at most two units, less than a tenth, were under way."""
    assert not (output / "manifest.json").exists()
    after = standing(output, *FOLDERS)
    assert before.items() <= after.items(), "finished work was done again"
    left, halves = unfinished(output), halves_of(after)
    assert len({number(name) for name in (*left, *halves)}) <= 2 < 0.1 * UNITS, (left, halves)
    for name in left:
        (output / name).unlink()
    return {name: stat for name, stat in after.items() if name not in halves}


def halves_of(standing: Iterable[str]) -> set[str]:
    """Shards and ledgers whose worker died before it wrote what says that they are done."""
    done = {(folder(name), number(name)) for name in standing}
    return {name for name in standing if folder(name) in SECOND and (SECOND[folder(name)], number(name)) not in done}


def folder(name: str) -> str:
    return Path(name).parent.as_posix()


def number(name: str) -> int:
    """Of the unit or shard that a file belongs to."""
    return int(re.search(r"\d+", Path(name).name)[0])
