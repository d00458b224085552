"""Near duplicates: who stays and what the others are told, whatever the order, units and buckets."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from configs.schema.caption import NearDuplicateRules
from transforms.fates import mark_sample
from transforms.matching import match_in_memory, pack_unit
from transforms.near_duplicates import NearDuplicates, check_near_duplicate, choose_stars, collapse_rows
from transforms.near_pairs import join_hashes, like_pairs, near_hashes, near_in_bucket, spread_hashes
from transforms.perceptual_hash import LOOK_BYTES, hash_likeness, look_difference, measure_look
from transforms.pictures import decode
from transforms.records import Drop, Picture, Sample, Span, Text

COPIES = Path(__file__).resolve().parents[3] / "shared" / "data" / "duplicates"
SPAN = Span("a.tar", 0, 9, "tar")


def pair(key: str, code: int, side: int = 10, caption: str = "", look: bytes = b"") -> Sample:
    picture = Picture(SPAN, "jpeg", side, side, likeness=code.to_bytes(8, "big"), look=look)
    return Sample(key, "a.tar", 0, 0, (picture, Text(caption)))


def told(samples: list[Sample], units: list[int] | None = None, **rules: object) -> list[Sample]:
    """The rows as the step leaves them, in the order they were given."""
    cfg = NearDuplicateRules.model_validate({"enabled": True, **rules})
    rows = [replace(sample, position=position) for position, sample in enumerate(samples)]
    matcher = NearDuplicates(cfg)
    found = match_in_memory(rows, matcher, units or [0] * len(rows), matcher.with_stars)
    return [mark_sample(row, lambda sample: check_near_duplicate(sample, cfg)) for row in found]


def kept(samples: list[Sample], **rules: object) -> list[str]:
    return sorted(row.key for row in told(samples, **rules) if row.alive)


@pytest.mark.parametrize(
    ("samples", "key"),
    [
        ([pair("a", 0, 10, "long caption"), pair("b", 1, 11)], "b"),
        ([pair("a", 0, 10), pair("b", 1, 10, "a caption")], "b"),
        ([pair("b", 0), pair("a", 1)], "a"),
        ([pair("b", 7), pair("a", 7)], "a"),
    ],
    ids=["largest", "longest caption", "smallest key", "the same hash"],
)
def test_the_preferred_one_stays(samples, key):
    assert kept(samples) == kept(samples[::-1]) == [key]


def test_the_longest_caption_may_come_first():
    samples = [pair("a", 0, 99), pair("b", 1, 10, "a caption")]
    assert (kept(samples), kept(samples, keep="longest_caption")) == (["a"], ["b"])


def test_rows_are_told_of_the_one_that_stays():
    rows = told([pair("a", 0, 30), pair("b", 0b111, 20), pair("c", 0, 10), pair("d", 0xFFFF)])
    assert [row.measures for row in rows] == [
        {"near_copies": 3, "near_duplicate_of": "a", "near_distance": 0, "near_difference": 0.0},
        {"near_copies": 3, "near_duplicate_of": "a", "near_distance": 3, "near_difference": 0.0},
        {"near_copies": 3, "near_duplicate_of": "a", "near_distance": 0, "near_difference": 0.0},
        {},
    ]
    assert [row.drop for row in rows] == [None, *[Drop("image_near_duplicate", 3, 1, "a")] * 2, None]


def test_a_chain_joins_nobody_who_is_not_near_the_one_that_stays():
    chain = [pair(chr(97 + step), (1 << 4 * step) - 1, 50 - step) for step in range(5)]
    assert kept(chain) == ["a", "c", "e"]
    assert [row.measures.get("near_duplicate_of") for row in told(chain)] == ["a", "a", "c", "c", None]


@pytest.mark.parametrize(("distance", "stays"), [(0, ["a", "b"]), (2, ["a", "b"]), (3, ["a"]), (8, ["a"])])
def test_the_distance_is_a_limit_that_counts_as_near(distance, stays):
    assert kept([pair("a", 0), pair("b", 0b111)], max_distance=distance) == stays


def test_who_is_not_asked():
    whole = pair("a", 0)
    others = [
        replace(whole, key="dropped", drop=Drop("image_too_small", 1, 2)),
        Sample("no picture", "a.tar", 0, 0, (Text("x"),)),
        replace(whole, key="two pictures", pieces=(*whole.pieces, *whole.pieces)),
        replace(whole, key="not hashed", pieces=(Picture(SPAN), Text("x"))),
    ]
    assert [row.measures for row in told([whole, *others])] == [{}] * 5


def test_a_row_without_a_like_one_stays_and_a_rule_that_is_off_drops_nobody():
    row = replace(
        pair("a", 0), measures={"near_copies": 3, "near_duplicate_of": "b", "near_distance": 1, "near_difference": 0.0}
    )
    assert check_near_duplicate(row, NearDuplicateRules(enabled=False)) is None
    assert check_near_duplicate(pair("a", 0), NearDuplicateRules(enabled=True)) is None


def look(seed: int, flips: int = 0, shape: int = 0) -> bytes:
    """A look with half its frequencies strong, some bits of its signs and strengths turned over."""
    drawn = np.random.default_rng(seed)
    planes = drawn.integers(0, 2, (2, 256), np.uint8)
    planes[:, drawn.choice(256, flips, replace=False)] ^= 1
    packed = np.packbits([planes[0], planes[0] & planes[1]]).tobytes()
    return packed + shape.to_bytes(2, "big", signed=True) + bytes(LOOK_BYTES - 67) + b"\xff"


LOOKS = [look(0), look(0, 20), look(0, 45), look(0, 90), look(1), look(0, shape=51)]
POOLS = st.lists(
    st.builds(
        pair,
        st.text("abcdefgh", min_size=1, max_size=3),
        st.integers(0, 1 << 9) | st.sampled_from([1 << 63, (1 << 63) + 7, 2**64 - 1]),
        st.integers(1, 3),
        st.text("x", max_size=2),
        st.sampled_from(LOOKS),
    ),
    max_size=30,
    unique_by=lambda sample: sample.key,
)


@given(POOLS, st.integers(0, 8), st.randoms(use_true_random=False))
def test_the_answer_does_not_depend_on_order_or_units(pool, distance, random):
    rows = told(pool, max_distance=distance)
    shuffled = random.sample(pool, len(pool))
    units = [random.randrange(4) for _ in pool]
    again = told(shuffled, units, max_distance=distance)
    assert {row.key: (row.measures, row.drop) for row in rows} == {row.key: (row.measures, row.drop) for row in again}


@given(POOLS, st.integers(0, 8))
def test_it_is_the_rule_of_one_sentence(pool, distance):
    """Rows in order of preference; each near one already kept is a copy of the one of them most like it."""

    def apart(one: Sample, row: Sample) -> tuple[float, int]:
        codes = [int.from_bytes(sample.pieces[0].likeness, "big") for sample in (one, row)]
        looks = [np.frombuffer(sample.pieces[0].look, np.uint8)[None] for sample in (one, row)]
        return float(look_difference(*looks)[0]), (codes[0] ^ codes[1]).bit_count()

    expected: dict[str, str] = {}
    stays: list[Sample] = []
    for row in sorted(pool, key=lambda row: (-row.pieces[0].width, -len(row.pieces[1].value), row.key)):
        found = [one for one in stays if apart(one, row)[1] <= distance and apart(one, row)[0] <= 0.2]
        near = min(found, key=lambda one: apart(one, row), default=row)
        expected[row.key] = near.key
        stays += [row] if near is row else []
    rows = told(pool, max_distance=distance, max_difference=0.2)
    assert {row.key: row.measures.get("near_duplicate_of", row.key) for row in rows} == expected
    sizes = Counter(expected.values())
    assert all(row.measures.get("near_copies", 1) == sizes[expected[row.key]] for row in rows)


@given(POOLS, st.integers(0, 8), st.sampled_from([1, 5, 40]))
def test_bands_find_what_one_place_finds(pool, distance, buckets):
    matcher = NearDuplicates(NearDuplicateRules(enabled=True, max_distance=distance))
    packed = pack_unit(0, [replace(row, position=i) for i, row in enumerate(pool)], matcher, 3).rows
    places: dict[int, list[bytes]] = {}
    for _, batch in packed:
        for place, hashes in spread_hashes(collapse_rows([batch], matcher), distance, buckets):
            places.setdefault(place, []).append(hashes)
    near = [near_in_bucket(place, batches, matcher.within, buckets) for place, batches in sorted(places.items())]
    whole = join_hashes([collapse_rows([batch for _, batch in packed], matcher)])
    every = [(i, j) for i in range(len(whole.codes)) for j in range(i)]
    like = [look_difference(whole.looks[[i]], whole.looks[[j]])[0] <= 0.05 for i, j in every]
    near_codes = [(whole.codes[i] ^ whole.codes[j]).bit_count() <= distance for i, j in every]
    pairs = sum(one and other for one, other in zip(like, near_codes, strict=True))
    assert sum(len(one.left) // 4 for one in near) == pairs
    assert set(matcher.with_stars([])) == set()
    if near:
        alone = near_hashes(whole, like_pairs(whole, matcher.within))
        assert list(choose_stars(near, 3)) == list(choose_stars(near[::-1], 3)) == list(choose_stars([alone], 3))


@pytest.mark.real_data
@pytest.mark.skipif(not COPIES.is_dir(), reason="real copies are not at ../shared/data/duplicates")
@pytest.mark.parametrize(
    ("distance", "difference", "found"),
    [
        (4, 1.0, {"gray": 8, "resize50": 8, "jpeg15": 8, "bright": 7, "banner": 2, "crop80": 0, "mirror": 0}),
        (8, 1.0, {"gray": 8, "resize50": 8, "jpeg15": 8, "bright": 8, "banner": 5, "crop80": 0, "mirror": 0}),
        (4, 0.05, {"gray": 8, "resize50": 8, "jpeg15": 8, "bright": 7, "banner": 2, "crop80": 0, "mirror": 0}),
    ],
)
def test_recall_of_each_kind_of_real_copy_and_no_false_pair(distance, difference, found):
    """Eight photos, seven copies of each, and eight shots of like scenes. Mirrors and crops only embeddings can see."""
    rows = [json.loads(line) for line in (COPIES / "truth.jsonl").read_text().splitlines()]
    seen = [decode((COPIES / row["file"]).read_bytes(), 10**9) for row in rows]
    group = {row["file"]: row["group"] for row in rows}
    # The originals are preferred: all copies near one are told so.
    samples = [
        pair(
            row["file"],
            int.from_bytes(hash_likeness(pixels), "big"),
            99 if row["transform"] == "orig" else 10,
            look=measure_look(pixels),
        )
        for row, pixels in zip(rows, seen, strict=True)
    ]
    recalled: Counter[str] = Counter({kind: 0 for kind in found})
    for row, sample in zip(rows, told(samples, max_distance=distance, max_difference=difference), strict=True):
        chosen = sample.measures.get("near_duplicate_of", sample.key)
        assert group[chosen] == row["group"], "precision is 1"
        if row["transform"] in found:
            recalled[row["transform"]] += next(r["transform"] for r in rows if r["file"] == chosen) == "orig"
    assert recalled == found
