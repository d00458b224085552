"""Concept matching and balancing of real captions with a vocabulary of 500,000 entries, one process.

The captions are repeated, the vocabulary is their own n-grams filled up with made-up ones.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from itertools import islice
from pathlib import Path

import numpy as np
import psutil

from transforms.concept_balance import Balance, expected_kept, solve_t
from transforms.concepts import Concepts, count_entries
from transforms.vocabulary import Entry, make_vocabulary
from transforms.vocabulary_captions import NgramRules, caption_entries

CAPTIONS = Path("../shared/data/captions_text/captions.jsonl.gz")
ENTRIES = 500_000


def bench(folder: Path) -> list[tuple[str, str]]:
    if not CAPTIONS.exists():
        return [("h. concepts", f"{CAPTIONS} is not here")]
    with gzip.open(CAPTIONS, "rt", encoding="utf-8") as file:
        captions = [json.loads(line)["caption"] for line in file]
    names = _vocabulary(captions)
    return [found for padding in ("metaclip1", "metaclip2") for found in _measure(names, captions, padding)]


def _measure(names: list[str], captions: list[str], padding: str) -> list[tuple[str, str]]:
    concepts = Concepts(make_vocabulary([Entry(name) for name in names]), padding)
    before, started = _resident(), time.process_time()
    concepts.match(["x"])
    built, grown = time.process_time() - started, _resident() - before
    started = time.process_time()
    matches = concepts.match(captions)
    matched = time.process_time() - started
    counts = count_entries(matches.ids, len(names))
    balance = Balance(names, np.ones(len(names)), counts)
    keys = [f"{i:09}" for i in range(len(captions))]
    started = time.process_time()
    stays = int((balance.judge(matches, keys, 0).least_t < 20).sum())
    judged = time.process_time() - started
    started = time.process_time()
    t = solve_t(matches, counts, np.ones(len(names)), len(captions) / 2)
    solved = time.process_time() - started
    size = sum(len(caption.encode()) for caption in captions)
    label = f"h. concepts, {len(captions):,} captions, {len(names):,} entries, {padding}"
    return [
        (
            label,
            f"{len(captions) / matched:,.0f} captions/s a core ({size / matched / 1e6:.1f} MB/s), "
            f"{len(matches.ids) / len(captions):.1f} entries a caption; automaton {built:.1f} s, {grown / 1e6:.0f} MB",
        ),
        (
            label,
            f"judged {len(captions) / judged:,.0f} captions/s; {stays:,} stay at t = 20; t for half of them "
            f"{t:.2f} in {solved:.1f} s ({expected_kept(matches, counts, np.ones(len(names)), t):,.1f} expected)",
        ),
    ]


def _vocabulary(captions: list[str]) -> list[str]:
    rules = NgramRules(max_words=3, min_count=2, min_pmi=0.0, min_proper_count=2)
    own = dict.fromkeys(found.entry for found in caption_entries(captions, rules))
    words = [name for name in own if " " not in name]
    chance = random.Random(0)
    made = (" ".join(chance.choices(words, k=chance.choice((2, 2, 3)))) for _ in range(3 * ENTRIES))
    return list(islice(dict.fromkeys([*own, *made]), ENTRIES))


def _resident() -> int:
    return int(psutil.Process().memory_info().rss)
