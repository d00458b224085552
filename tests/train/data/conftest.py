"""A mixture of two small sets, opened once."""

import pytest

from tests.train.data.toy_set import write_set
from train.data.loader import OpenMixture, SourceSpec, open_mixture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    write_set(folder / "a", 23, prefix="a")
    write_set(folder / "b", 8, prefix="b")
    return folder


@pytest.fixture(scope="module")
def mixed(folder) -> OpenMixture:
    return open_mixture([SourceSpec("a", str(folder / "a")), SourceSpec("b", str(folder / "b"))], 1)
