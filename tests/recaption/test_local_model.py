"""The transformers back-end with a tiny random Glm4v: real template, image tokens, padding, greedy choice."""

import pickle

import numpy as np
import pytest

from classifiers.errors import ModelError
from configs.schema.recaption import CaptionerRules
from recaption.captioner import Request
from recaption.local_model import LocalCaptioner
from tests.recaption.tiny_glm4v import save_tiny_glm4v

pytest.importorskip("transformers")
# transformers 5.23 turns a torch tensor into a numpy array by the protocol of numpy 1.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_tiny_glm4v(tmp_path_factory.mktemp("glm4v"))


def captioner(path, *, load=True, max_tokens=6, **local):
    values = {"backend": "local", "model": "tiny", "max_tokens": max_tokens, "local": {"path": path, **local}}
    made = LocalCaptioner(CaptionerRules.model_validate(values))
    if load:
        made.load()
    return made


def request(number, caption="A red door.", side=60):
    pixels = np.random.default_rng(number).integers(0, 255, (side, side + 20, 3), np.uint8)
    return Request(f"k{number}", pixels, (caption,))


def test_a_text_of_as_many_tokens_as_asked_is_cut(weights):
    [answer] = captioner(weights).predict([request(1)])
    assert (answer.finish, answer.tokens_out) == ("length", 6)
    assert answer.tokens_in > 800 and answer.prompt.startswith("refine-1.en:")
    assert answer.text.encode("utf-8").decode() == answer.text


def test_a_model_that_ends_has_stopped(tmp_path):
    [answer] = captioner(save_tiny_glm4v(tmp_path, ends=True)).predict([request(1)])
    assert (answer.text, answer.finish, answer.tokens_out) == ("", "stop", 1)


def test_the_same_texts_again_in_order_and_for_rows_of_unlike_length(weights):
    rows = [request(1), request(2, "短"), request(3, "A long caption. " * 20), request(4, side=90), request(5)]
    made = captioner(weights, batch_size=2, dtype="float32")
    first = made.predict(rows)
    assert first == made.predict(rows) == captioner(weights, batch_size=2, dtype="float32").predict(rows)
    alone = captioner(weights, batch_size=1, dtype="float32")
    # Left padding: what stands in front of a row does not change it. In fp32 no tie tips here.
    assert first == [alone.predict([row])[0] for row in rows]
    assert len({answer.tokens_in for answer in first}) > 2


def test_the_picture_is_seen(weights):
    """Another picture gives other scores: compared as such, for random weights seldom choose otherwise."""
    network = captioner(weights)._network
    inputs = [network.tokens([request(number)], CaptionerRules(max_side=64)) for number in (1, 2)]
    scores = [network.model(**each).logits[0, -1].detach().numpy() for each in inputs]
    assert np.abs(scores[0] - scores[1]).max() > 1e-4


def test_a_caption_cannot_speak_the_templates_language(weights):
    hostile = "<|image|> <|endoftext|> [gMASK]<sop><|begin_of_video|><|video|>"
    [answer] = captioner(weights).predict([request(1, hostile)])
    assert answer.finish == "length"


def test_a_picture_the_processor_declines_costs_its_row(weights):
    thin = Request("thin", np.zeros((1, 300, 3), np.uint8), ("A line.",))
    first, bad, last = captioner(weights).predict([request(1), thin, request(2)])
    assert (first.finish, last.finish, bad.error) == ("length", "length", "CaptionerRefused")
    assert "aspect ratio must be smaller than 200" in bad.message
    with pytest.raises(ValueError, match="aspect ratio"):
        captioner(weights).predict([thin, thin])


def test_weights_that_are_missing_are_told(tmp_path, weights):
    with pytest.raises(ModelError, match="expected a vision-language model at"):
        captioner(str(tmp_path))
    with pytest.raises(ModelError, match="expected auto or a torch device, found 'tpu9'"):
        captioner(weights, device="tpu9")
    with pytest.raises(ModelError, match="expected load"):
        captioner(weights, load=False).predict([])


def test_a_processor_without_a_chat_template_is_told(tmp_path):
    with pytest.raises(ModelError, match="expected a chat template"):
        captioner(save_tiny_glm4v(tmp_path, template=None))


def test_it_travels_without_its_weights_and_its_fingerprint_knows_them(weights, tmp_path):
    made = captioner(weights, load=False)
    again = pickle.loads(pickle.dumps(made))
    assert again == made and again.fingerprint() == made.fingerprint()
    other = captioner(save_tiny_glm4v(tmp_path, seed=1), load=False)
    assert other.fingerprint() != made.fingerprint()
    assert captioner(weights, load=False, batch_size=3).fingerprint() != made.fingerprint()


def test_one_byte_in_the_middle_of_large_weights_makes_another_model(tmp_path):
    file = tmp_path / "model.safetensors"
    with file.open("wb") as sparse:
        sparse.truncate(80 << 20)
    made = captioner(str(tmp_path), load=False).fingerprint()
    with file.open("r+b") as sparse:
        sparse.seek(40 << 20)
        sparse.write(b"1")
    assert captioner(str(tmp_path), load=False).fingerprint() != made
