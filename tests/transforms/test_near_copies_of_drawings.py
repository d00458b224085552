"""What near duplicates find among drawn scenes, many of one template: recall of each kind of copy, and precision."""

from collections import Counter

import pytest

from configs.schema.caption import NearDuplicateRules
from tests.transforms.test_near_duplicates import pair, told
from tests.world.near_copies import KINDS, Planted, plant_copies
from transforms.perceptual_hash import hash_likeness, measure_look
from transforms.pictures import decode
from transforms.records import Sample

SEEN = ("resized 50 %", "resized 130 %", "recompressed", "grey", "darker")
"""The kinds that 64 bits within 4 see on drawings: all but those of one scene in 40, as a rule a symmetric drawing with
frequencies of nearly zero, where 10 bits flip and more whatever is done to it."""
UNSEEN = ("cropped 4 %", "mirrored")
"""The kinds for embeddings. In between: recompressed hard, more contrast, brighter (clipped), cropped 1 %."""


def hashed(planted: Planted) -> Sample:
    pixels = decode(planted.data, 10**9)
    code = int.from_bytes(hash_likeness(pixels), "big")
    # The original is preferred: a copy is judged by its own distance to it.
    return pair(planted.key, code, 10 if planted.kind else 99, look=measure_look(pixels))


@pytest.fixture(scope="module")
def pool() -> list[tuple[Planted, Sample]]:
    return [(planted, hashed(planted)) for planted in plant_copies(seed=7, scenes=500, every=5)]


def judge(pool: list[tuple[Planted, Sample]], **rules: object) -> tuple[dict[str, float], float, int]:
    """Recall by kind (copies that stand with their original), precision over all rows said to be copies, and how many
    originals were said to be copies of another scene."""
    rows = told([sample for _, sample in pool], **rules)
    chosen = {row.key: str(row.measures.get("near_duplicate_of", row.key)) for row in rows}
    group = {planted.key: planted.group for planted, _ in pool}
    original = {planted.group: planted.key for planted, _ in pool if not planted.kind}
    found = Counter(one.kind for one, _ in pool if chosen[one.key] == chosen[original[one.group]])
    said = [planted for planted, _ in pool if chosen[planted.key] != planted.key]
    right = sum(group[chosen[planted.key]] == planted.group for planted in said)
    lost = sum(not planted.kind and group[chosen[planted.key]] != planted.group for planted in said)
    copies = sum(planted.kind == "grey" for planted, _ in pool)
    return {kind: found[kind] / copies for kind in KINDS}, right / len(said), lost


def test_recall_of_each_kind_and_precision(pool):
    recall, precision, lost = judge(pool)
    hashes_alone, _, _ = judge(pool, max_difference=1.0)
    assert {kind: recall[kind] for kind in SEEN if recall[kind] < 0.97} == {}
    assert all(recall[kind] >= 0.98 * hashes_alone[kind] for kind in SEEN), "the second look lets nothing more go"
    assert {recall[kind] for kind in UNSEEN} == {0.0}
    assert precision >= 0.98 and lost <= 4


def test_eight_bits_find_no_less_and_stay_precise(pool):
    (four, *_), (eight, precision, _) = judge(pool), judge(pool, max_distance=8)
    assert {kind: eight[kind] for kind in SEEN if eight[kind] < max(four[kind], 0.97)} == {}
    assert precision >= 0.98


def test_the_second_look_is_what_makes_it_precise(pool):
    recall, precision, lost = judge(pool, max_difference=1.0)
    assert precision < 0.96 and lost >= 10
    assert recall["cropped 1 %"] > 0.8, "what the second look costs: 64 bits alone see narrow crops"


def test_the_defaults_are_those_that_were_measured():
    assert (NearDuplicateRules().max_distance, NearDuplicateRules().max_difference) == (4, 0.05)
