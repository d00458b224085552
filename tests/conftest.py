"""What all tests share: property tests may take their time on a busy machine; long tests run untraced."""

import pytest
from hypothesis import settings

settings.register_profile("beamsift", deadline=None)
settings.load_profile("beamsift")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole runs and long tests add nothing to the coverage of the pure floors, and take half as long again traced."""
    for item in items:
        if item.get_closest_marker("slow") or item.get_closest_marker("beam"):
            item.add_marker("no_cover")
