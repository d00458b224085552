"""The embeddings that a scorer keeps on request: what scores were made of, and nothing where nobody asked."""

import numpy as np
import pytest

pytest.importorskip("open_clip")

from classifiers.clip import ClipScorer
from tests.classifiers.test_clip import noise, scorer
from tests.classifiers.tiny_clip import save_tiny_clip


def test_embeddings_are_kept_where_they_are_asked_for(tmp_path):
    made = scorer(save_tiny_clip(tmp_path))
    keeping = ClipScorer(made.rules, keep_embeddings=True)
    keeping.load()
    batch = [(noise(0), ("one", "another")), (noise(1), ())]
    found, plain = keeping.predict(batch), made.predict(batch)
    assert [(one.scores, one.truncated) for one in found] == [(one.scores, one.truncated) for one in plain]
    packed = (found[0].picture, *found[0].captions)
    picture, *captions = (np.frombuffer(data, np.float16).astype(float) for data in packed)
    assert np.allclose([picture @ caption for caption in captions], found[0].scores, atol=2e-3)
    assert (found[1].picture, plain[0].picture, plain[0].captions) == (b"", b"", ())
    assert keeping.fingerprint() != made.fingerprint()
