"""The scorer of `make demo-train`: right words are found where they stand, and no missed bound goes unnoticed."""

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from configs.schema.strict import ConfigError
from tests.train.tokenizer import toy_tokenizer, train_tokenizer
from tests.world.score_model import KINDS, Fact, Seen, exchange, find_facts, look, missed_bounds, word_ids
from train.chat.tokenizer import IMAGE, ChatTokenizer
from train.data.records import TokenSample

CAPTIONS = (
    "A red circle above a blue square, on green grass.",
    "On white snow, a small green star can be seen.",
    "Three hearts in a row on yellow sand: pink, black and red.",
    "A blue cup on the left and a red key on the right.",
)
LABELS = (("red circle", "blue square"), ("green star",), ("pink heart", "black heart"), ("blue cup", "red key"))
WORDS = " ".join([*CAPTIONS, *(word for words in KINDS.values() for word in words)])
TOKENIZER = ChatTokenizer(train_tokenizer([WORDS] * 3, 900), None)


def sample(number: int) -> TokenSample:
    """A caption behind a picture of one token, or of two."""
    shown, text = 1 + number % 2, TOKENIZER.text(CAPTIONS[number])
    ids = np.concatenate([np.repeat(TOKENIZER.token(IMAGE), shown), text])
    weights, kinds = np.ones(len(ids), np.float32), np.zeros(len(ids), np.int8)
    weights[:shown], kinds[:shown] = 0, 1
    patches = np.full((4 * shown, 1176), number, np.float32)
    return TokenSample("drawn", str(number), ids, weights, np.array([[1, 2, 2 * shown]], np.int32), (patches,), kinds)


SAMPLES = [sample(number) for number in range(len(CAPTIONS))]


def knowing(late: int):
    """A model that is sure of the token after each, or of the one `late` tokens behind that."""

    def model(inputs, score):
        return score(
            torch.nn.functional.one_hot(inputs.input_ids.roll(-1 - late), 1000).float() * 30, lambda states: states
        )

    return model


def test_words_of_the_picture_are_found_and_those_of_the_ground_are_not():
    ids = TOKENIZER.text(CAPTIONS[0])
    facts = find_facts(ids, LABELS[0], word_ids(TOKENIZER), TOKENIZER)
    assert {(fact.kind, fact.word) for fact in facts} == {
        ("colour", "red"), ("shape", "circle"), ("colour", "blue"), ("shape", "square"),
    }  # fmt: skip
    for fact in facts:
        assert TOKENIZER.decode(ids[fact.token : fact.token + 1]) == f" {fact.word}"
    assert Fact("colour", facts[0].token, "green") not in facts


def test_a_model_that_knows_is_always_right_and_one_that_is_a_word_late_is_not():
    seen = look(knowing(0), SAMPLES, LABELS, TOKENIZER)
    assert seen.right == {"colour": 1.0, "shape": 1.0} and seen.loss < 1e-6
    assert seen.words == {"colour": 5, "shape": 3} and seen.chance == {"colour": 0.4, "shape": 1 / 3}
    late = look(knowing(1), SAMPLES, LABELS, TOKENIZER)
    assert max(late.right.values()) < 0.5 and late.loss > 10


def test_an_exchanged_picture_comes_with_its_tokens_and_leaves_the_caption():
    image = TOKENIZER.ids[IMAGE]
    for number, found in enumerate(exchange(SAMPLES, image)):
        assert found.patches[0][0, 0] == (number - 1) % len(SAMPLES)
        assert (found.input_ids == image).sum() == found.kinds.sum() == found.grids.prod() // 4
        assert TOKENIZER.decode(found.input_ids[found.kinds == 0]) == CAPTIONS[number]
        assert found.weights.tolist() == (1 - found.kinds).tolist()


def seen(loss: float = 0.1, colour: float = 0.99, shape: float = 0.99) -> Seen:
    return Seen(loss, {"colour": colour, "shape": shape}, {}, {})


BLIND = seen(9, 0.1, 0.1)


def test_a_model_within_all_bounds_misses_none():
    assert missed_bounds(seen(), BLIND) == []


@pytest.mark.parametrize(
    ("name", "good", "blind"),
    [
        ("loss", seen(loss=5), BLIND),
        ("loss", seen(loss=float("nan")), BLIND),
        ("colour", seen(colour=0.2), BLIND),
        ("shape", seen(shape=0.14), BLIND),
        ("colour, shuffled", seen(), seen(9, 0.9, 0.1)),
        ("shape, shuffled", seen(), seen(9, 0.1, 0.9)),
    ],
)
def test_each_bound_that_is_missed_is_told(name, good, blind):
    [told] = missed_bounds(good, blind)
    assert told.startswith(f"{name}: expected at ")


def test_captions_without_a_word_to_score_are_refused():
    with pytest.raises(ConfigError, match="expected words of colour, shape to score, found"):
        look(knowing(0), SAMPLES, [[]] * len(SAMPLES), TOKENIZER)


def test_a_tokenizer_that_splits_the_words_is_refused():
    with pytest.raises(
        ConfigError, match="expected one token for each word that is scored, found more for .*'turquoise'"
    ):
        word_ids(ChatTokenizer(toy_tokenizer(), None))
