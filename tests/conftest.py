"""What all tests share: property tests may take their time on a busy machine; few tests run traced."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("beamsift", deadline=None)
settings.load_profile("beamsift")


TRACED = {Path(__file__).with_name(name) for name in ("configs", "transforms")}
"""The tests of the pure floors, whose coverage is held."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Others, whole runs and long tests cover little more, and take half as long again where they are traced."""
    for item in items:
        long = item.get_closest_marker("slow") or item.get_closest_marker("beam")
        if long or not TRACED.intersection(item.path.parents):
            item.add_marker("no_cover")
