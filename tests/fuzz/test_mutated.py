"""Valid inputs, mutated by hypothesis: flipped, cut, inserted into, spliced. See targets.py for what must hold."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

EXAMPLES = {"picture": 300, "parquet": 150, "gzip": 200}
"""So that each target takes a few seconds; 400 where the file is read fast."""


@st.composite
def mutated(draw: st.DrawFn, valid: list[bytes]) -> bytes:
    data = bytearray(draw(st.sampled_from(valid)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["flip", "set", "cut", "insert", "splice", "repeat"])):
            case "flip" if place < len(data):
                data[place] ^= 1 << draw(st.integers(0, 7))
            case "set":
                data[place : place + 4] = draw(
                    st.sampled_from([b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\x80\0\0\0"])
                )
            case "cut":
                del data[place : place + draw(st.integers(1, 600))]
            case "insert":
                data[place:place] = draw(st.binary(max_size=40))
            case "splice":
                data[place:] = draw(st.sampled_from(valid))[place:]
            case "repeat":
                data[place:place] = data[place : place + draw(st.integers(1, 600))]
    return bytes(data)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_any_damage_ends_in_declared_rows(target: str) -> None:
    valid = seeds(target)
    for data in valid:
        TARGETS[target](data)

    @settings(max_examples=EXAMPLES.get(target, 400), suppress_health_check=list(HealthCheck))
    @given(mutated(valid) | st.binary(max_size=2000))
    def run(data: bytes) -> None:
        TARGETS[target](data)

    run()
