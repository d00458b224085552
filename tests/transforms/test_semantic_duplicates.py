"""Semantic duplicates: pairs by cosine, who stays, and what clusters miss of what comparing all pairs finds."""

import numpy as np
import pytest
from msgspec.structs import replace

pytest.importorskip("faiss")

from configs.schema.caption import CaptionConfig, SemanticDuplicateRules
from transforms.caption_pairs import decide_again
from transforms.records import Drop, Picture, Sample, Span, Text
from transforms.semantic_duplicates import (
    Drawn,
    Nodes,
    Seen,
    apply_semantic,
    assign,
    check_semantic_duplicate,
    choose,
    draw,
    find_centroids,
    join_drawn,
    like_pairs,
    mark_asked,
    see,
)

RULES = SemanticDuplicateRules(enabled=True, min_cosine=0.9)
ROW = Sample("a", "a.tar", 0, 0, (Picture(Span("a.tar", 0, 9, "tar"), "jpeg", 30, 20), Text("seven words")))


def families(count: int, of: int, dimensions: int = 32, seed: int = 0) -> np.ndarray:
    """Unit vectors in families whose members lie at cosines of 0.9 and more; one family in four has members apart."""
    drawn = np.random.default_rng(seed)
    centres = np.repeat(drawn.normal(size=(count, dimensions)), of, axis=0)
    found = centres + drawn.normal(size=centres.shape) * np.repeat(drawn.choice([0.05, 0.2, 0.3], count), of)[:, None]
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float16)


def seen(vectors: np.ndarray) -> list[Seen]:
    return [Seen(i, (0, 0, 0), f"{i:05d}", vector.tobytes(), b"") for i, vector in enumerate(vectors)]


def brute(vectors: np.ndarray, least: float) -> dict[tuple[int, int], int]:
    whole = vectors.astype(np.float64)
    whole /= np.linalg.norm(whole, axis=1, keepdims=True)
    cosines = np.round(whole @ whole.T * 10_000).astype(int)
    found = np.argwhere(np.triu(cosines >= round(least * 10_000), 1))
    return {(i, j): cosines[i, j] for i, j in found.tolist()}


def test_pairs_of_a_cluster_are_those_of_brute_force():
    vectors = families(60, 5)
    left, right, cosines = like_pairs(vectors, None, RULES)
    found = dict(zip(zip(left.tolist(), right.tolist(), strict=True), cosines.tolist(), strict=True))
    assert found == brute(vectors, 0.9) and len(found) > 300


def test_both_must_be_close_where_captions_are_asked():
    pictures, captions = families(40, 4), families(160, 1, seed=1)
    captions[:80] = np.repeat(captions[:20], 4, axis=0)
    rules = SemanticDuplicateRules(enabled=True, min_cosine=0.9, text_min_cosine=0.8)
    left, right, _ = like_pairs(pictures, captions, rules)
    both = brute(pictures, 0.9).keys() & brute(captions, 0.8).keys()
    assert set(zip(left.tolist(), right.tolist(), strict=True)) == both and len(both) > 50


def test_what_clusters_find_of_all_pairs():
    vectors = families(500, 4)
    rows = seen(vectors)
    found: dict[int, set[tuple[int, int]]] = {1: set(), 2: set()}
    centroids = find_centroids(draw(rows, 0), SemanticDuplicateRules(rows_per_cluster=125))
    assert len(centroids) == 16
    members = list(assign(rows, centroids))
    products = vectors.astype(np.float32) @ centroids.T
    first = np.argmax(products, axis=1)
    for cluster, which in members:
        left, right, _ = like_pairs(vectors[which], None, RULES)
        pairs = {(which[i], which[j]) for i, j in zip(left.tolist(), right.tolist(), strict=True)}
        found[2] |= pairs
        found[1] |= {pair for pair in pairs if (first[list(pair)] == cluster).all()}
    every = brute(vectors, 0.9).keys()
    assert found[2] <= every
    recall = {nearest: len(pairs) / len(every) for nearest, pairs in found.items()}
    assert recall[2] >= 0.985 and recall[1] < recall[2], recall


def test_centroids_depend_on_the_rows_and_not_on_their_units():
    rows = seen(families(400, 2))
    whole = draw(rows, 7)
    parts = join_drawn([draw(rows[300:], 7), Drawn(0, []), draw(rows[:300], 7)])
    assert parts == whole and whole.rows == 800
    rules = SemanticDuplicateRules(rows_per_cluster=100)
    assert np.array_equal(find_centroids(whole, rules), find_centroids(parts, rules))
    assert len(find_centroids(whole, SemanticDuplicateRules())) == len(find_centroids(Drawn(0, []), rules)) == 1


def nodes(pairs: list[tuple[int, int, int]], keys: str, weights: dict[str, int]) -> Nodes:
    ends = [np.array([pair[side] for pair in pairs], np.uint32).tobytes() for side in (0, 1)]
    cosines = np.array([pair[2] for pair in pairs], np.int32).tobytes()
    return Nodes(
        [0] * len(keys), list(map(ord, keys)), [(weights.get(key, 0), 0, 0) for key in keys], list(keys), *ends, cosines
    )


def test_who_stays_and_whose_copy_the_others_are():
    chain = nodes([(0, 1, 9700), (1, 2, 9800), (2, 3, 9900)], "abcd", {"a": 5, "c": 4, "d": 3})
    again = nodes([(0, 1, 9800)], "bc", {"c": 4})
    told = choose([chain, again])
    assert told == choose([again, chain])
    named = {chr(position): answer for position, answer in told[0].items()}
    assert named == {"a": (1, "a", 1.0), "b": (3, "c", 0.98), "c": (3, "c", 1.0), "d": (3, "c", 0.99)} or named == {
        "b": (3, "c", 0.98),
        "c": (3, "c", 1.0),
        "d": (3, "c", 0.99),
    }


@pytest.mark.parametrize(
    ("keep", "weight"),
    [("best_score", (5000, 600, 11)), ("largest", (600, 5000, 11)), ("longest_caption", (11, 5000, 600))],
)
def test_what_a_row_brings(keep, weight):
    rules = SemanticDuplicateRules(enabled=True, keep=keep)
    one = see(ROW, ([0.1, 0.5, 0.5], [], b"picture", (b"x", b"y", b"z")), rules)
    assert one == Seen(0, weight, "a", b"picture", b"y")
    assert see(replace(ROW, drop=Drop("x", 1, 2)), ([0.1], [], b"picture", (b"x",)), rules) is None
    assert see(ROW, ([], [], b"", ()), rules) is None


def test_a_copy_goes_and_the_kept_one_stays():
    kept, copy = apply_semantic(ROW, (2, "a", 1.0)), apply_semantic(replace(ROW, key="b"), (2, "a", 0.97))
    assert check_semantic_duplicate(kept, RULES) is None
    assert check_semantic_duplicate(copy, RULES) == Drop("image_semantic_duplicate", 0.97, 0.9, "a")
    assert check_semantic_duplicate(copy, SemanticDuplicateRules(enabled=False)) is None


def test_what_was_never_compared_is_said_to_be_unknown():
    off = {name: {"enabled": False} for name in ("image", "caption", "duplicates")}
    cfg = CaptionConfig.model_validate({"semantic_duplicates": {"enabled": True, "min_cosine": 0.9}, **off})
    text = Text("seven words", measures={"clip_score": 0.5, "clip_truncated": 0})
    scored = replace(ROW, pieces=(ROW.pieces[0], text))
    kept = apply_semantic(mark_asked(scored, RULES), (2, "a", 1.0))
    copy = apply_semantic(replace(scored, key="b", position=1), (2, "a", 0.97))
    orphan = apply_semantic(replace(scored, key="c", position=2), (2, "gone", 0.97))
    never = replace(scored, key="d", position=3)
    again = decide_again([kept, copy, orphan, never], [0] * 4, cfg)
    assert [row.drop and row.drop.rule for row in again] == [None, "image_semantic_duplicate", None, None]
    assert ["unscored" in row.measures for row in again] == [False, False, True, True]
