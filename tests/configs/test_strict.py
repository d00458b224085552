"""Loading a config: values, overrides, and errors that name the key, what was expected and what was found."""

import subprocess
import sys

import pytest
from pydantic import Field

from configs.schema.strict import ConfigError, Strict, load_config, parse_config


class Inner(Strict):
    size: int = Field(4, ge=1)
    """Pixels."""
    names: tuple[str, ...] = ()
    """Names."""


class Outer(Strict):
    inner: Inner = Inner()
    """A section."""
    share: float = Field(0.5, ge=0, le=1)
    """A share."""
    label: str = ""
    """A text."""


def load(text: str, tmp_path, *overrides: str) -> Outer:
    path = tmp_path / "a.yaml"
    path.write_text(text, encoding="utf-8")
    return load_config(path, Outer, list(overrides))


def test_without_a_file_the_defaults_stand():
    assert load_config(None, Outer) == Outer()


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_file_gives_the_defaults(tmp_path, text):
    assert load(text, tmp_path) == Outer()


def test_values_of_the_file_replace_defaults(tmp_path):
    found = load("inner: {size: 7, names: [a, b]}\nlabel: Größe\n", tmp_path)
    assert found == Outer(inner=Inner(size=7, names=("a", "b")), label="Größe")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("inner.size=9", Outer(inner=Inner(size=9))),
        ("inner.names=[a, b]", Outer(inner=Inner(names=("a", "b")))),
        ("share=0.25", Outer(share=0.25)),
        ("label=a=b", Outer(label="a=b")),
        ("label=''", Outer(label="")),
    ],
)
def test_an_override_sets_one_key(override, expected):
    assert load_config(None, Outer, [override]) == expected


def test_overrides_outrank_the_file_and_the_last_one_wins(tmp_path):
    found = load("inner: {size: 7, names: [a]}", tmp_path, "inner.size=8", "inner.size=9")
    assert found == Outer(inner=Inner(size=9, names=("a",)))


@pytest.mark.parametrize("override", ["inner.size", "=3", "inner.=3", ".size=3", "", "inner..size=3"])
def test_an_override_of_another_form_is_an_error(override):
    with pytest.raises(ConfigError, match="--set expects section.key=value, found"):
        load_config(None, Outer, [override])


def test_an_override_that_is_no_yaml_is_an_error():
    with pytest.raises(ConfigError, match="'share=.1, 2': expected a YAML value"):
        load_config(None, Outer, ["share=[1, 2"])


def test_a_value_is_no_section(tmp_path):
    with pytest.raises(ConfigError, match="'share' is a value, not a section"):
        load("share: 0.1", tmp_path, "share.size=3")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"inner": {"sise": 3}}, "place: inner.sise: Extra inputs are not permitted, found 3"),
        ({"inner": {"size": 0}}, "place: inner.size: Input should be greater than or equal to 1, found 0"),
        ({"share": 1.5}, "place: share: Input should be less than or equal to 1, found 1.5"),
        ({"share": float("nan")}, "place: share: Input should be a finite number, found nan"),
        ({"inner": {"size": "x"}}, "place: inner.size: .*valid integer.*found 'x'"),
        ({"label": 3}, "place: label: Input should be a valid string, found 3"),
        ({"inner": {"names": ["a", 3]}}, "place: inner.names.1: Input should be a valid string, found 3"),
        ({"inner": 3}, "place: inner: .*found 3"),
    ],
)
def test_a_wrong_value_names_key_expected_and_found(values, message):
    with pytest.raises(ConfigError, match=message):
        parse_config(values, Outer, "place")


def test_every_wrong_key_is_named_at_once():
    with pytest.raises(ConfigError, match="share.*; .*label"):
        parse_config({"share": 2, "label": 3}, Outer, "place")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"- a\n", "expected a mapping at the top, found list"),
        (b"a: [", "expected a readable YAML"),
        (b"\xff", "readable"),
    ],
)
def test_a_file_of_another_form_is_an_error_that_names_it(tmp_path, data, message):
    (tmp_path / "a.yaml").write_bytes(data)
    with pytest.raises(ConfigError, match=f"a.yaml: .*{message}"):
        load_config(tmp_path / "a.yaml", Outer)


def test_a_file_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ConfigError, match="none.yaml: expected a readable YAML file.*No such file"):
        load_config(tmp_path / "none.yaml", Outer)


def test_a_config_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Outer().label = "x"


def test_reading_a_config_needs_pydantic_and_yaml_only():
    code = "import sys, configs.schema.caption; print(*sorted(m for m in sys.modules if '.' not in m))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"apache_beam", "torch", "pyarrow", "duckdb", "numpy", "PIL"} & set(done.stdout.split())
