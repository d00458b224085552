"""Semantic duplicates: pictures that mean the same by their CLIP embeddings, and which one stays (SemDeDup).

Embeddings are clustered by k-means over a sample that a hash of the key draws, and compared inside clusters, each row
in those of its two nearest centroids, so that pairs at a border are not missed. A pool below `rows_per_cluster` is one
cluster and exact. A cosine is computed pair by pair in a fixed order and rounded to 4 decimals before anything decides
on it. Who stays is one rule over all pairs of the pool (transforms/stars.py).
Left out on purpose: the model (classifiers/clip.py), pairs between rows of clusters far apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np

from configs.schema.caption import SemanticDuplicateRules
from transforms.fingerprints import chance
from transforms.ledger import chosen_caption
from transforms.records import Drop, Sample, pictures, with_measures
from transforms.stars import Numbers, greedy_stars

RULE = "image_semantic_duplicate"
SEMANTIC_MEASURES = ("semantic_copies", "semantic_duplicate_of", "semantic_cosine")
NEAREST = 2
"""Clusters a row is compared in: over 2,000 rows in 16 clusters 99.8 % of the pairs are found, in the nearest alone
96.2 % (tests/transforms/test_semantic_duplicates.py)."""
SAMPLE = 20_000
"""Rows that the centroids are computed from, at most: 40 MB. k-means wants 39 points a centroid (faiss's bound)."""
POINTS_PER_CENTROID = 39
ITERATIONS = 20
_BLOCK = 4096
"""Rows compared with all of a cluster at a time, which bounds the memory of a hot one."""
_SLACK = 2e-3
"""How far a fast product may lie from the cosine that decides; pairs in between are computed again."""

Vectors = np.ndarray[Any, np.dtype[np.float32]]
Halves = np.ndarray[Any, np.dtype[np.float16]]


class Seen(NamedTuple):
    """What a row brings: its place in the unit, what the choice needs, its embeddings, picture then caption."""

    position: int
    weight: tuple[int, int, int]
    key: str
    picture: bytes
    caption: bytes


class Drawn(msgspec.Struct, frozen=True, array_like=True):
    """Rows counted, and of them those with the least chance: (chance, key, embedding)."""

    rows: int
    least: list[tuple[float, str, bytes]]


class Nodes(msgspec.Struct, frozen=True, array_like=True):
    """Rows that are like another, and the pairs as indices with their cosines in ten thousandths."""

    units: list[int]
    positions: list[int]
    weights: list[tuple[int, int, int]]
    keys: list[str]
    left: bytes
    right: bytes
    cosines: bytes


def mark_asked(sample: Sample, rules: SemanticDuplicateRules) -> Sample:
    """Says of every row still alive that it is compared, so that a finished run knows of whom nothing is known."""
    return with_measures(sample, semantic_copies=1) if rules.enabled and sample.alive else sample


def see(sample: Sample, answer: Sequence[Any], rules: SemanticDuplicateRules) -> Seen | None:
    """What `sample` brings with relevance's answer about it; None where it is not asked."""
    if not sample.alive or len(answer) < 4 or not answer[2]:
        return None
    scores, _, picture, captions = answer
    best = max(range(len(scores)), key=lambda index: (scores[index], -index))
    weight = _weight(sample, scores[best], rules)
    return Seen(sample.position, weight, sample.key, picture, captions[best])


def _weight(sample: Sample, score: float, rules: SemanticDuplicateRules) -> tuple[int, int, int]:
    caption = chosen_caption(sample)
    found = {
        "best_score": round(score * 10_000),
        "largest": sum(picture.width * picture.height for picture in pictures(sample)),
        "longest_caption": len(caption.value) if caption else 0,
    }
    first = found.pop(rules.keep)
    return (first, *found.values())  # type: ignore[return-value]


def draw(seen: Iterable[Seen], seed: int) -> Drawn:
    found = [(chance(seed, one.key, "semantic_sample"), one.key, one.picture) for one in seen]
    return Drawn(len(found), sorted(found)[:SAMPLE])


def join_drawn(parts: Iterable[Drawn]) -> Drawn:
    """The same whatever the parts and their order."""
    rows = 0
    least: list[tuple[float, str, bytes]] = []
    for part in parts:
        rows, least = rows + part.rows, sorted([*least, *part.least])[:SAMPLE]
    return Drawn(rows, least)


def find_centroids(drawn: Drawn, rules: SemanticDuplicateRules) -> Vectors:
    """(clusters, dimensions); one of zeros for a pool that is one cluster. One thread, a fixed start."""
    if not drawn.least:
        return np.zeros((1, 1), np.float32)
    points = _vectors([embedding for _, _, embedding in drawn.least])
    clusters = min(-(-drawn.rows // rules.rows_per_cluster), max(1, len(points) // POINTS_PER_CENTROID))
    if clusters == 1:
        return np.zeros((1, points.shape[1]), np.float32)
    faiss = _faiss()
    means = faiss.Kmeans(points.shape[1], clusters, niter=ITERATIONS, seed=1, spherical=True, min_points_per_centroid=1)
    means.train(points)
    found: Vectors = np.asarray(means.centroids, np.float32)
    return found


def assign(seen: Sequence[Seen], centroids: Vectors) -> Iterator[tuple[int, list[int]]]:
    """(cluster, indices of the rows compared in it), clusters in order."""
    if len(centroids) == 1:
        yield 0, list(range(len(seen)))
        return
    members: dict[int, list[int]] = defaultdict(list)
    products = _vectors([one.picture for one in seen]) @ centroids.T
    nearest = np.argsort(-products, axis=1, kind="stable")[:, :NEAREST]
    for index, clusters in enumerate(nearest.tolist()):
        for cluster in clusters:
            members[cluster].append(index)
    yield from sorted(members.items())


def like_pairs(
    embeddings: Halves, captions: Halves | None, rules: SemanticDuplicateRules
) -> tuple[Numbers, Numbers, Numbers]:
    """Indices (i, j), i < j, of the rows of one cluster that are alike, and their cosines in ten thousandths."""
    faiss = _faiss()
    index = faiss.IndexFlatIP(embeddings.shape[1])
    index.add(embeddings.astype(np.float32))
    found: list[np.ndarray[Any, Any]] = [np.empty((3, 0), np.int64)]
    for start in range(0, len(embeddings), _BLOCK):
        block = embeddings[start : start + _BLOCK].astype(np.float32)
        limits, _, others = index.range_search(block, rules.min_cosine - _SLACK)
        i = np.repeat(np.arange(len(block)) + start, np.diff(limits.astype(np.int64)))
        i, j = i[i < others], others[i < others]
        cosines = _cosines(embeddings, i, j)
        alike = cosines >= round(rules.min_cosine * 10_000)
        if captions is not None:
            alike &= _cosines(captions, i, j) >= round(rules.text_min_cosine * 10_000)
        found.append(np.stack([i, j, cosines])[:, alike])
    left, right, cosines = np.concatenate(found, axis=1)
    return left, right, cosines


def _cosines(vectors: Halves, left: Numbers, right: Numbers) -> Numbers:
    """Row by row, so that a pair has the same cosine wherever it meets."""
    found: list[Numbers] = [np.empty(0, np.int64)]
    for start in range(0, len(left), _BLOCK):
        one, other = (vectors[side[start : start + _BLOCK]].astype(np.float64) for side in (left, right))
        lengths = np.sqrt((one * one).sum(1) * (other * other).sum(1))
        found.append(np.round((one * other).sum(1) / np.maximum(lengths, 1e-12) * 10_000).astype(np.int64))
    return np.concatenate(found)


def choose(parts: Iterable[Nodes]) -> dict[int, dict[int, tuple[int, str, float]]]:
    """By unit and position what a row that is like another is told: rows around the one that stays, its key, cosine.

    A pair met in two clusters counts once. All pairs of the pool are held at once, some tens of bytes each.
    """
    rows: dict[tuple[int, int], int] = {}
    nodes: list[tuple[tuple[int, int, int], str]] = []
    edges: list[np.ndarray[Any, Any]] = [np.empty((3, 0), np.int64)]
    for part in parts:
        places = list(zip(part.units, part.positions, strict=True))
        for place, weight, key in zip(places, part.weights, part.keys, strict=True):
            if place not in rows:
                rows[place] = len(nodes)
                nodes.append((weight, key))
        numbers = np.array([rows[place] for place in places], np.int64)
        left, right = (numbers[np.frombuffer(side, np.uint32)] for side in (part.left, part.right))
        cosines = np.frombuffer(part.cosines, np.int32).astype(np.int64)
        edges.append(np.stack([np.minimum(left, right), np.maximum(left, right), cosines]))
    left, right, cosines = np.unique(np.concatenate(edges, axis=1), axis=1)
    order = sorted(range(len(nodes)), key=lambda v: (*(-part for part in nodes[v][0]), nodes[v][1]))
    star = greedy_stars(np.array(order, np.int64), (left, right), -cosines)
    return _tell(list(rows), [key for _, key in nodes], star, (left, right, cosines))


def _tell(
    places: list[tuple[int, int]], keys: list[str], star: Numbers, edges: tuple[Numbers, Numbers, Numbers]
) -> dict[int, dict[int, tuple[int, str, float]]]:
    cosine_of = {tuple(sorted(pair)): cosine for *pair, cosine in zip(*(side.tolist() for side in edges), strict=True)}
    copies = np.bincount(star, minlength=len(star)).tolist()
    told: dict[int, dict[int, tuple[int, str, float]]] = defaultdict(dict)
    for row, (middle, (unit, position)) in enumerate(zip(star.tolist(), places, strict=True)):
        if copies[middle] > 1:
            cosine = cosine_of[tuple(sorted((row, middle)))] / 10_000 if row != middle else 1.0
            told[unit][position] = copies[middle], keys[middle], cosine
    return dict(told)


def apply_semantic(sample: Sample, answer: Sequence[Any]) -> Sample:
    copies, kept, cosine = answer
    told = with_measures(sample, semantic_copies=copies, semantic_duplicate_of=kept)
    return told if kept == sample.key else with_measures(told, semantic_cosine=cosine)


def check_semantic_duplicate(sample: Sample, rules: SemanticDuplicateRules) -> Drop | None:
    """Drop every copy but the one that stays, whose key is in `semantic_duplicate_of`."""
    cosine = float(sample.measures.get("semantic_cosine", -1))
    if not rules.enabled or cosine < rules.min_cosine:
        return None
    return Drop(RULE, cosine, rules.min_cosine, str(sample.measures["semantic_duplicate_of"]))


def is_known(sample: Sample, alive: set[str], rules: SemanticDuplicateRules) -> bool:
    """Whether what a run measured says of a row, under other rules, whether it would stay: it was compared, and the one
    it was a copy of is still there to be its copy. What then stays, or whose copy it would be next, only a run tells.
    """
    kept = sample.measures.get("semantic_duplicate_of", sample.key)
    if "semantic_copies" not in sample.measures:
        return False
    return kept == sample.key or (kept in alive and float(sample.measures["semantic_cosine"]) >= rules.min_cosine)


def _vectors(embeddings: Sequence[bytes]) -> Vectors:
    return np.frombuffer(b"".join(embeddings), np.float16).reshape(len(embeddings), -1).astype(np.float32)


def _faiss() -> Any:
    import faiss

    faiss.omp_set_num_threads(1)
    return faiss
