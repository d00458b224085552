"""Label files: what people fill comes back, and a wrong line is named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.strict import ConfigError
from pipelines.label_files import COLUMNS, format_labels, read_labels

A, B = "a" * 64, "b" * 64


def write(path, text: str) -> str:
    path.write_text(text, "utf-8")
    return str(path)


def row(sha256: str, name: str, picture: str = "p.jpg") -> dict[str, object]:
    return dict(zip(COLUMNS, (1, sha256, picture, "map", "0.5", name), strict=True))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_filled_template_comes_back_without_its_empty_rows(tmp_path, kind):
    path = write(tmp_path / f"l.{kind}", format_labels([row(A, "map"), row(B, "")], kind))
    assert read_labels([path]) == {A: "map"}
    assert read_labels([]) == {}


@settings(max_examples=40)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20).filter(lambda t: t.strip() and t.isprintable()))
def test_any_class_survives_both_formats(tmp_path_factory, name):
    folder = tmp_path_factory.mktemp("labels", numbered=True)
    name = name.lstrip("=+-@ ") or "x"
    for kind in ("csv", "jsonl"):
        path = folder / f"l.{kind}"
        path.write_bytes(format_labels([row(A, name)], kind).encode())
        assert read_labels([str(path)]) == {A: name.strip()}


def test_what_a_spreadsheet_makes_of_it_is_read(tmp_path):
    path = write(tmp_path / "l.csv", f"\ufeffnumber;class;sha256\r\n1; map ;{A.upper()}\r\n2;;{B}\r\n")
    assert read_labels([path]) == {A: "map"}


def test_no_cell_is_a_formula():
    text = format_labels([row(A, "", "=HYPERLINK(1)"), row(B, "", "@x")], "csv")
    assert ",'=HYPERLINK(1)," in text and ",'@x," in text


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "picture,class\na,b\n", "l.csv: expected columns sha256 and class, found 'picture,class'"),
        ("l.csv", f"sha256,class\n{A},map\nabc,map\n", "l.csv:3: expected a sha256 of 64 hex digits, found 'abc'"),
        ("l.csv", f"sha256,class\n{A},map\n{A},chart\n", "l.csv:3: expected class 'map' as at .*l.csv:2, the same"),
        ("l.jsonl", f'{{"sha256": "{A}", "class": "a\\nb"}}', "l.jsonl:1: expected a class of 1 to 100 printable char"),
        ("l.jsonl", '{"sha256": 1}\n', "l.jsonl:1: expected a sha256 of 64 hex digits, found '1'"),
        ("l.jsonl", "\n[]\n", "l.jsonl:2: expected a JSON object, found list"),
        ("l.jsonl", "{\n", "l.jsonl:1: expected a JSON object: "),
    ],
)
def test_a_wrong_line_is_named(tmp_path, name, text, message):
    with pytest.raises(ConfigError, match=message):
        read_labels([write(tmp_path / name, text)])


def test_a_file_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="none.csv: expected a CSV or JSONL file in UTF-8"):
        read_labels([str(tmp_path / "none.csv")])
