"""The embeddings that a scorer keeps on request: what scores were made of, and nothing where nobody asked."""

import numpy as np
import pytest

pytest.importorskip("open_clip")

from classifiers.clip import ClipScorer
from classifiers.errors import ModelError
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
    assert (plain[0].picture, plain[0].captions, plain[1].picture) == (b"", (), b"")
    assert len(found[1].picture) == len(found[0].picture) and found[1].captions == ()
    alone = np.frombuffer(found[1].picture, np.float16)  # a picture without a caption is embedded too: heads read it
    assert np.allclose(alone, keeping.embed([noise(1)])[0], atol=1e-3)
    assert keeping.fingerprint() != made.fingerprint()


def test_pictures_alone_get_the_same_embeddings(tmp_path):
    """So that a head fitted to the ones reads the others from a run's sidecar."""
    keeping = ClipScorer(scorer(save_tiny_clip(tmp_path)).rules, keep_embeddings=True)
    keeping.load()
    pictures = [noise(0), noise(1)]
    alone = keeping.embed(pictures)
    kept = [np.frombuffer(one.picture, np.float16) for one in keeping.predict([(p, ("one",)) for p in pictures])]
    assert np.array_equal(alone.astype(np.float16), kept)
    assert np.allclose(np.linalg.norm(alone, axis=1), 1.0, atol=1e-5)
    assert keeping.embed([]).shape == (0, 0)


def test_embedding_before_loading_or_with_nan_weights_stops(tmp_path):
    made = scorer(save_tiny_clip(tmp_path, seed=77))  # of its own: scorers of a process share equal weights
    with pytest.raises(ModelError, match=r"expected load\(\) before embed\(\)"):
        ClipScorer(made.rules).embed([noise(0)])
    made._network.model.visual.proj.data[:] = float("nan")
    with pytest.raises(ModelError, match="expected finite embeddings"):
        made.embed([noise(0)])
