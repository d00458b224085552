"""Tests of transforms/text_duplicates.py: who stays, whatever the order, units and buckets, and what banding misses."""

import gzip
import json
import random
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from configs.schema.web_rules import TextDuplicateRules
from transforms.fates import mark_sample
from transforms.fingerprints import digest
from transforms.matching import Packed, bucket_of, expand_answers, match_in_memory, pack_unit, resolve_bucket
from transforms.minhash import estimate_similarity, read_signatures, shingle_hashes, signature
from transforms.records import Drop, Picture, Sample, Span, Text
from transforms.stars import greedy_stars
from transforms.text_duplicates import (
    Groups,
    TextDuplicates,
    ask_signatures,
    check_text_duplicate,
    choose_stars,
    collapse_rows,
    meet_in_bucket,
    spread_bands,
    wanted_signatures,
)

CAPTIONS = Path(__file__).resolve().parents[3] / "shared" / "data" / "captions_text" / "captions.jsonl.gz"
RULES = TextDuplicateRules()
PICTURE = Picture(Span("a.warc", 0, 9, "warc"))


def document(key: str, text: str, pictures: int = 0) -> Sample:
    pieces = (Text(text, "paragraph"), *[PICTURE] * pictures)
    return Sample(key, "a.warc", 0, 0, pieces, measures={"text_words": len(text.split())})


def prose(seed: int, words: int = 120) -> list[str]:
    rng = random.Random(seed)
    return [f"w{rng.randrange(3_000)}" for _ in range(words)]


def changed(words: list[str], every: int) -> list[str]:
    return [f"x{n}" if n % every == every - 1 else word for n, word in enumerate(words)]


def told(samples: list[Sample], rules: TextDuplicateRules = RULES) -> list[Sample]:
    rows = [replace(sample, position=position) for position, sample in enumerate(samples)]
    matcher = TextDuplicates(rules)
    found = match_in_memory(rows, matcher, [row.position % 2 for row in rows], matcher.with_stars)
    return [mark_sample(row, lambda sample: check_text_duplicate(sample, rules)) for row in found]


def kept(samples: list[Sample], rules: TextDuplicateRules = RULES) -> list[str]:
    return sorted(row.key for row in told(samples, rules) if row.alive)


def text_of(*parts: list[str]) -> str:
    return " ".join(word for part in parts for word in part)


FAMILY = [
    document("a", text_of(prose(1))),
    document("b", text_of(prose(1), ["one", "more"]), 3),
    document("c", text_of(["an", "opening"], prose(1)), 1),
    document("z", text_of(prose(2))),
]


def test_the_longest_stays_and_unlike_ones_with_it():
    assert kept(FAMILY) == kept(FAMILY[::-1]) == ["b", "z"]


def test_the_one_of_most_pictures_may_stay():
    assert kept([FAMILY[0], FAMILY[2]], RULES.model_copy(update={"keep": "most_pictures"})) == ["c"]
    longer = document("d", text_of(prose(1), ["and", "two", "more"]))
    assert (kept([longer, FAMILY[1]]), kept([longer, FAMILY[1]], TextDuplicateRules(keep="most_pictures"))) == (
        ["d"],
        ["b"],
    )


def test_equal_texts_keep_the_smaller_key_and_say_so():
    rows = told([document("b", "the same few words again"), document("a", "The same few words again!")])
    assert rows[0].drop == Drop("document_duplicate", 1.0, 0.8, "a")
    assert rows[1].alive
    assert rows[1].measures["text_copies"] == 2


def test_a_drop_names_the_one_kept_and_the_similarity():
    drop = told(FAMILY)[0].drop
    assert drop and (drop.rule, drop.detail, drop.limit) == ("document_duplicate", "b", 0.8)
    assert 0.9 < drop.value < 1


def test_dropped_and_empty_documents_are_not_asked():
    gone = replace(FAMILY[1], drop=Drop("document_album", 1, 10))
    empty = [document("e", ""), document("f", " … ")]
    assert kept([FAMILY[0], gone, *empty]) == ["a", "e", "f"]
    assert kept(FAMILY, TextDuplicateRules(enabled=False)) == ["a", "b", "c", "z"]


def test_chinese_documents_meet_by_characters():
    text = "灯塔看守人每天傍晚都要爬上楼梯修剪灯芯。秋天的雾气笼罩海湾，船只在外面等待，直到钟声敲响两次。" * 2
    assert kept([document("a", text + "完"), document("b", text), document("c", text[::-1])]) == ["a", "c"]


def through_buckets(rows: list[Sample], rules: TextDuplicateRules, buckets: int) -> list[dict[str, object]]:
    """What the steps say when rows, bands and answers are spread over buckets, as a runner has them."""
    matcher = TextDuplicates(rules)
    packed = {unit: pack_unit(unit, [r for r in rows if r.position % 3 == unit], matcher, buckets) for unit in range(3)}
    offered: dict[int, list[bytes]] = defaultdict(list)
    for one in packed.values():
        for bucket, data in one.rows:
            offered[bucket].append(data)
    signatures = {bucket: collapse_rows(data, matcher) for bucket, data in offered.items()}
    bands: dict[int, list[bytes]] = defaultdict(list)
    for one in signatures.values():
        for bucket, data in spread_bands(one, rules, buckets):
            bands[bucket].append(data)
    groups = [meet_in_bucket(reversed(data)) for data in bands.values()]
    asked: dict[int, list[bytes]] = defaultdict(list)
    for group in groups:
        for bucket, data in ask_signatures(group, buckets):
            asked[bucket].append(data)
    wanted = [wanted_signatures(signatures[bucket], data, matcher.size) for bucket, data in asked.items()]
    for bucket, data in choose_stars(groups[::-1], wanted, rules, buckets):
        offered[bucket].append(data)
    answers: dict[int, list[bytes]] = defaultdict(list)
    for data in offered.values():
        for unit, answer in resolve_bucket(data[::-1], matcher):
            answers[unit].append(answer)
    by_unit = {unit: expand_answers(answers[unit], packed[unit].followers, matcher) for unit in packed}
    found = [by_unit[row.position % 3].get(row.position) for row in rows]
    return [matcher.apply(row, f).measures if f else row.measures for row, f in zip(rows, found, strict=True)]


def family_pool(seed: int) -> list[Sample]:
    rng = random.Random(seed)
    texts = [
        text_of(changed(prose(rng.randrange(4)), rng.choice([10, 25, 60, 999])), ["end"] * rng.randrange(3))
        for _ in range(24)
    ]
    return [replace(document(f"k{n:02d}", text), position=n) for n, text in enumerate(texts)]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 7]))
def test_buckets_change_nothing(seed, buckets):
    rows = family_pool(seed)
    matcher = TextDuplicates(RULES)
    together = match_in_memory(rows, matcher, [0] * len(rows), matcher.with_stars)
    assert through_buckets(rows, RULES, buckets) == [row.measures for row in together]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_where_all_meet_who_stays_is_the_star_rules_answer(seed):
    """One value a band: any two documents with one value in common meet."""
    rules = TextDuplicateRules(bands=256, rows=1, min_similarity=0.5)
    rows = family_pool(seed)
    values, pairs, alike = compared(rows, 0.5)
    order = sorted(range(len(rows)), key=lambda n: (-rows[n].measures["text_words"], rows[n].key))
    star = greedy_stars(np.array(order), pairs, -alike)
    found = [str(row.measures.get("text_duplicate_of", row.key)) for row in told(rows, rules)]
    assert found == [rows[n].key for n in star.tolist()]


def compared(rows: list[Sample], least: float) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray], np.ndarray]:
    """All pairs by comparing all: their ends and similarities in ten thousandths."""
    texts = [piece.value for row in rows for piece in row.pieces if isinstance(piece, Text)]
    values = read_signatures(b"".join([signature(shingle_hashes(text, 5, 5), 256) for text in texts]), 256)
    found = [(i, j + i + 1, s) for i in range(len(rows)) for j, s in likes(values, i, least)]
    left, right, alike = np.array(found, float).reshape(-1, 3).T
    return values, (left.astype(int), right.astype(int)), np.round(alike * 10_000).astype(np.int64)


def likes(values: np.ndarray, index: int, least: float) -> list[tuple[int, float]]:
    similar = estimate_similarity(values[index], values[index + 1 :])
    return [(j, float(similar[j])) for j in np.flatnonzero(similar >= least).tolist()]


@pytest.mark.real_data
@pytest.mark.skipif(not CAPTIONS.is_file(), reason="needs ../shared/data/captions_text")
def test_bands_find_what_comparing_all_real_captions_finds():
    """1,500 real captions of nine words and more, and a copy of every fifth with a word of ten changed or one added.

    At least 99.5 % of the pairs of 0.8 and more meet; the documents that stay are the same.
    """
    rows = real_rows()
    values, (left, right), _ = compared(rows, 0.8)
    matcher = TextDuplicates(RULES)
    batches = [data for _, data in pack_unit(0, rows, matcher, 1).rows]
    group = [meet_in_bucket([data]) for _, data in spread_bands(collapse_rows(batches, matcher), RULES, 1)][0]
    met = members(group)
    seen = [digest(one.tobytes()) for one in values]
    pairs = [(seen[i], seen[j]) for i, j in zip(left, right, strict=True) if seen[i] != seen[j]]
    found = sum(not met[one].isdisjoint(met[other]) for one, other in pairs)
    assert len(pairs) > 150
    assert found / len(pairs) >= 0.995
    assert meets_alike(rows, values, met)


def real_rows() -> list[Sample]:
    texts: list[str] = []
    with gzip.open(CAPTIONS, "rt", encoding="utf-8") as lines:
        while len(texts) < 1_500:
            text = json.loads(next(lines))["caption"]
            texts += [text] if len(text.split()) > 8 else []
    copies = [text_of(changed(text.split(), 40), ["again"]) for text in texts[::5]]
    return [replace(document(f"k{n:05d}", text), position=n) for n, text in enumerate(texts + copies)]


def members(group: Groups) -> dict[bytes, set[int]]:
    """By digest the numbers of the groups it is in."""
    met: dict[bytes, set[int]] = defaultdict(set)
    ends = np.cumsum(np.frombuffer(group.sizes, np.uint32))
    for number, (start, end) in enumerate(zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True)):
        for at in range(16 * start, 16 * end, 16):
            met[group.digests[at : at + 16]].add(number)
    return met


def meets_alike(rows: list[Sample], values: np.ndarray, met: dict[bytes, set[int]]) -> bool:
    """Whether every row that goes is like the one named as kept, and no two that stay and meet are alike."""
    found = told(rows)
    place = {row.key: index for index, row in enumerate(found)}
    for index, row in enumerate(found):
        if row.drop and float(estimate_similarity(values[index], values[[place[row.drop.detail]]])[0]) < 0.8:
            return False
    stay = [index for index, row in enumerate(found) if row.alive]
    groups = [met[digest(values[index].tobytes())] for index in stay]
    alike = ((n, n + 1 + j) for n, _ in enumerate(stay) for j, _ in likes(values[stay], n, 0.8))
    return all(groups[one].isdisjoint(groups[other]) for one, other in alike)


def test_a_pool_without_likes_is_told_nothing():
    matcher, rows = TextDuplicates(RULES), [replace(document(f"k{n}", text_of(prose(n))), position=n) for n in range(9)]
    batches = [data for _, data in pack_unit(0, rows, matcher, 1).rows]
    assert matcher.with_stars(batches) == batches
    assert all(isinstance(msgspec.msgpack.decode(data, type=Packed), Packed) for data in batches)
    assert meet_in_bucket([]) == Groups(b"", b"")
    assert bucket_of(bytes(16), 8) == 0
