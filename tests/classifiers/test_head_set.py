"""Several heads asked about one embedding: what each says alone, and no other content than the run began with."""

import pickle
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("safetensors")

from classifiers.errors import ModelError
from classifiers.head_set import HeadSet
from classifiers.heads import load_head

HEADS = {
    "class": str(Path(__file__).parents[1] / "world/heads/page_pictures.safetensors"),
    "knowledge": str(Path(__file__).parents[1] / "world/heads/knowledge.safetensors"),
}
KNOWN = {name: load_head(uri).fingerprint() for name, uri in HEADS.items()}
EMBEDDINGS = np.random.default_rng(0).normal(size=(3, 96)).astype(np.float16)


def test_each_head_says_what_it_says_alone():
    heads = HeadSet(HEADS, KNOWN)
    heads.load()
    found = heads.predict([row.tobytes() for row in EMBEDDINGS])
    for name, uri in HEADS.items():
        head = load_head(uri)
        assert [list(one[name]) for one in found] == [list(head.classes)] * 3
        assert [list(one[name].values()) for one in found] == head.predict(EMBEDDINGS).tolist()
    assert heads.predict([]) == []


def test_a_set_travels_without_weights_and_loads_them_again():
    heads = HeadSet(HEADS, KNOWN)
    heads.load()
    packed = pickle.dumps(heads)
    assert len(packed) < 500 and pickle.loads(packed) == heads
    with pytest.raises(ModelError, match=r"heads: expected load\(\) before predict\(\)"):
        pickle.loads(packed).predict([EMBEDDINGS[0].tobytes()])


def test_a_head_that_changed_since_the_run_began_is_refused():
    with pytest.raises(ModelError, match=r"page_pictures.safetensors: expected the head 0+ that the run began with"):
        HeadSet({"class": HEADS["class"]}, {"class": "0" * 32}).load()


def test_the_fingerprint_is_of_the_content_and_not_of_the_place():
    moved = {name: f"/elsewhere/{name}.safetensors" for name in HEADS}
    assert HeadSet(HEADS, KNOWN).fingerprint() == HeadSet(moved, KNOWN).fingerprint()
    assert HeadSet(HEADS, KNOWN).fingerprint() != HeadSet(HEADS, KNOWN | {"class": "0" * 32}).fingerprint()
