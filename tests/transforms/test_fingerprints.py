"""Fingerprints tell things apart, chance is fair and repeats, and code is noticed when it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import fingerprints
from transforms.fingerprints import chance, code_fingerprint, digest, fingerprint
from transforms.records import Span

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=6,
)


@given(VALUES)
def test_the_same_value_gives_the_same_32_hex_digits(value):
    assert fingerprint(value) == fingerprint(value)
    assert len(bytes.fromhex(fingerprint(value))) == 16


def test_the_order_of_keys_does_not_count_but_that_of_parts_does():
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    assert fingerprint("a", "b") != fingerprint("b", "a")


@pytest.mark.parametrize(
    ("one", "other"),
    [(("ab", "c"), ("a", "bc")), ((1,), ("1",)), ((b"a",), ("a",)), (([],), ()), ((None,), ("",)), ((1,), (1.0,))],
)
def test_parts_do_not_run_together(one, other):
    assert fingerprint(*one) != fingerprint(*other)


def test_structs_count_by_their_values():
    assert fingerprint(Span("a", 0, 1, "tar")) == fingerprint(Span("a", 0, 1, "tar"))
    assert fingerprint(Span("a", 0, 1, "tar")) != fingerprint(Span("a", 0, 2, "tar"))


def test_fingerprints_hold_across_versions():
    # A changed literal here makes every sidecar in the world worthless: say so in the CHANGELOG.
    assert fingerprint("a", 1, {"b": 2.5}) == "7a72247b72d3fad5de7d26aedb03f7c6"
    assert digest(b"a").hex() == "27c35e6e9373877f29e562464e46497e"


def test_chance_is_a_fair_number_that_repeats():
    drawn = [chance(7, str(key), "shuffle") for key in range(2_000)]
    assert drawn == [chance(7, str(key), "shuffle") for key in range(2_000)]
    assert all(0 <= value < 1 for value in drawn)
    assert 0.48 < sum(drawn) / len(drawn) < 0.52


@pytest.mark.parametrize("other", [(8, "k", "p"), (7, "l", "p"), (7, "k", "q"), (7, "p\0k", "")])
def test_chance_depends_on_seed_key_and_purpose(other):
    assert chance(7, "k", "p") != chance(*other)


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A small source tree that `code_fingerprint` takes for ours."""
    for name in (
        "transforms/fingerprints.py",
        "transforms/beam/scan.py",
        "pipelines/caption.py",
        "pipelines/against.py",
        "pipelines/interleaved_web.py",
        "pipelines/sft.py",
        "pipelines/kinds.py",
        "pipelines/report.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    monkeypatch.setattr(fingerprints, "__file__", str(tmp_path / "transforms" / "fingerprints.py"))
    monkeypatch.setattr(fingerprints, "code_fingerprint", fingerprints.code_fingerprint.__wrapped__)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("transforms/fingerprints.py", True),
        ("transforms/beam/scan.py", True),
        ("pipelines/caption.py", True),
        ("pipelines/against.py", True),
        ("pipelines/interleaved_web.py", True),
        ("pipelines/sft.py", True),
        ("pipelines/kinds.py", True),
        ("pipelines/report.py", False),
    ],
)
def test_a_change_of_code_that_decides_is_noticed(house, name, counts):
    before = fingerprints.code_fingerprint()
    (house / name).write_text("new")
    assert (fingerprints.code_fingerprint() != before) == counts


def test_a_renamed_file_is_noticed(house):
    before = fingerprints.code_fingerprint()
    (house / "transforms/beam/scan.py").rename(house / "transforms/beam/other.py")
    assert fingerprints.code_fingerprint() != before


def test_our_own_code_has_a_fingerprint():
    assert len(bytes.fromhex(code_fingerprint())) == 16
