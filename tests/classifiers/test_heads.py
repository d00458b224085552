"""A head's file: the same bytes, the same probabilities in any batch, and refusals that say expected and found."""

import numpy as np
import pytest
from msgspec.structs import replace

from classifiers.errors import ModelError
from classifiers.heads import Card, Clip, Head, HeldOut, Training, format_card, format_head, load_head, parse_head

pytest.importorskip("safetensors")
CLASSES = ("advertisement", "content", "qr_code")


def card(hidden: int = 0, **changes) -> Card:
    training = Training("0" * 64, dict.fromkeys(CLASSES, 9), 0.001, "balanced", 0, 5)
    held_out = HeldOut(0.9, 0.1, 0.02, 0.03, dict.fromkeys(CLASSES, 0.9))
    kind = "mlp" if hidden else "linear"
    made = Card("beamsift-head-1", CLASSES, kind, 8, hidden, 1.5, Clip("ab" * 16, "toy"), training, held_out)
    return replace(made, **changes)


def head(hidden: int = 0) -> Head:
    rng = np.random.default_rng(0)
    shapes = {"weight": (3, hidden or 8), "bias": (3,)}
    shapes |= {"hidden.weight": (hidden, 8), "hidden.bias": (hidden,)} if hidden else {}
    return Head(card(hidden), {name: rng.normal(0, 2, shape).astype("f4") for name, shape in shapes.items()})


def embeddings(count: int) -> np.ndarray:
    made = np.random.default_rng(1).normal(size=(count, 8)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_head_comes_back_from_its_bytes_and_they_are_always_the_same(hidden):
    made = head(hidden)
    data = format_head(made)
    assert all(format_head(made) == data for _ in range(5))
    back = parse_head(data, "x", "ab" * 16)
    assert back.card == made.card and format_head(back) == data and back.fingerprint() == made.fingerprint()
    assert np.array_equal(back.predict(embeddings(9)), made.predict(embeddings(9)))
    assert len(data) < 4000


@pytest.mark.parametrize("hidden", [0, 5])
def test_a_picture_gets_the_same_decimals_alone_in_a_batch_and_from_a_sidecar(hidden):
    made, given = head(hidden), embeddings(50)
    together = made.predict(given)
    assert together.shape == (50, 3) and np.array_equal(together, np.round(together, 4))
    assert np.abs(together.sum(axis=1) - 1).max() <= 0.0002
    assert np.array_equal(np.concatenate([made.predict([row]) for row in given]), together)
    assert np.array_equal(made.predict(given.astype(np.float16)), together)
    assert made.predict(np.empty((0, 8))).shape == (0, 3)


def test_a_temperature_leaves_the_guess_and_softens_it():
    warm, cold = head(), Head(card(temperature=1.0), head().tensors)
    given = embeddings(20)
    assert np.array_equal(warm.predict(given).argmax(axis=1), cold.predict(given).argmax(axis=1))
    assert warm.predict(given).max(axis=1).mean() < cold.predict(given).max(axis=1).mean()


def test_a_head_of_another_clip_is_refused():
    with pytest.raises(ModelError, match=r"h: expected a head of the CLIP model cd+, found one of (ab)+ \(toy\)"):
        parse_head(format_head(head()), "h", "cd")


def test_every_changed_byte_is_noticed():
    data = format_head(head())
    for place in [*range(0, len(data), 7), len(data) - 1]:
        damaged = bytearray(data)
        damaged[place] ^= 1
        with pytest.raises(ModelError, match="h: expected a"):
            parse_head(bytes(damaged), "h")


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_cut_file_is_refused(cut):
    with pytest.raises(ModelError, match="h: expected a beamsift-head-1 file, found"):
        parse_head(format_head(head())[:cut], "h")


def test_another_safetensors_file_is_refused():
    from safetensors.numpy import save

    with pytest.raises(ModelError, match="h: expected a beamsift-head-1 file"):
        parse_head(save({"weight": np.zeros((3, 8), dtype="f4")}), "h")


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelError, match=r"none.safetensors: expected a head's .safetensors file"):
        load_head(str(tmp_path / "none.safetensors"))


def test_embeddings_that_cannot_be_its_own():
    with pytest.raises(ModelError, match="expected embeddings of 8 numbers, found 9"):
        head().predict(np.zeros((2, 9)))
    with pytest.raises(ModelError, match="expected finite embeddings"):
        head().predict([np.full(8, np.nan)])


def test_the_card_bears_no_date_and_no_path():
    told = format_card(card())
    assert '"classes"' in told and "/" not in told and "2026" not in told
