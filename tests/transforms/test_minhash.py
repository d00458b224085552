"""Tests of transforms/minhash.py."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.minhash import estimate_similarity, read_signatures, shingle_hashes, signature

SIZE = 256


def shingles(text: str) -> set[int]:
    return set(shingle_hashes(text, 5, 5).tolist())


def estimate(one: str, other: str) -> float:
    both = [signature(shingle_hashes(text, 5, 5), SIZE) for text in (one, other)]
    values = read_signatures(b"".join(both), SIZE)
    return float(estimate_similarity(values[0], values[1:])[0])


def test_shingles_are_runs_of_five_words():
    words = [f"w{n}" for n in range(30)]
    assert len(shingles(" ".join(words))) == 26
    common = shingles(" ".join(words[:20])) & shingles(" ".join(words[10:]))
    assert len(common) == 6
    assert shingles("a b c d e") != shingles("e d c b a")


def test_repeated_shingles_count_once():
    assert len(shingles("a b c d e " * 9)) == 5


def test_case_spacing_and_punctuation_are_folded():
    assert shingles("One two, three four -- five six!") == shingles("one TWO three\nfour five  six")
    assert shingles("灯塔看守人，每天傍晚。") == shingles("灯塔看守人 每天 傍晚")


def test_scripts_without_spaces_have_shingles_of_characters():
    assert len(shingles("灯塔看守人每天傍晚")) == 9 - 5 + 1


@pytest.mark.parametrize(("text", "count"), [("", 0), (" …—! ", 0), ("two words", 1), ("灯塔", 1)])
def test_short_texts(text, count):
    assert len(shingles(text)) == count
    assert len(signature(shingle_hashes(text, 5, 5), SIZE)) == 2 * SIZE * bool(count)


def test_the_same_signature_on_every_machine():
    data = signature(shingle_hashes("the quick brown fox jumps over the lazy dog", 5, 5), 4)
    assert data.hex() == "77fbb1fe825a940f"


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_estimates_are_near_the_jaccard_similarity(share):
    """256 values: a standard error of 0.031 at 0.5. Over 30 pairs the mean is within 0.02, each within 0.12."""
    rng, errors = random.Random(7), []
    for _ in range(30):
        one = [f"w{rng.randrange(10**9)}" for _ in range(400)]
        cut = round(400 * (1 - share))
        other = one[cut:] + [f"w{rng.randrange(10**9)}" for _ in range(cut)]
        a, b = shingles(" ".join(one)), shingles(" ".join(other))
        errors.append(estimate(" ".join(one), " ".join(other)) - len(a & b) / len(a | b))
    assert abs(np.mean(errors)) < 0.02
    assert max(map(abs, errors)) < 0.12


def test_values_are_spread_evenly():
    values = read_signatures(
        b"".join(signature(np.array([n], np.uint64) << np.uint64(40), SIZE) for n in range(64)), SIZE
    )
    assert len(np.unique(values)) > 0.85 * 64 * SIZE * (1 - 64 * SIZE / 2 / 65536)


@given(st.text(max_size=120))
def test_any_text_has_a_signature_like_itself(text):
    assert estimate(text, text) == 1.0 if shingles(text) else True
