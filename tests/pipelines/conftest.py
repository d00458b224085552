"""A real finished run for the commands that read one; made once, never changed."""

import shutil
from pathlib import Path

import pytest

from tests.classifiers.tiny_clip import save_tiny_clip
from tests.pipelines.small_run import make_run, small_config


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> str:
    """A run without relevance: 20 rows, shards of 5."""
    return make_run(tmp_path_factory.mktemp("finished"), small_config())


@pytest.fixture(scope="session")
def scored(tmp_path_factory) -> str:
    """The same pool with scores of a tiny random model and a limit that keeps every pair."""
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("scored")
    model = save_tiny_clip(folder / "model")
    cfg = small_config(enabled=True, min_score=-1, model=model, pretrained="", device="cpu", precision="fp32")
    return make_run(folder, cfg)


@pytest.fixture
def damaged(finished, tmp_path) -> Path:
    """A copy to damage."""
    return Path(shutil.copytree(finished, tmp_path / "out"))
