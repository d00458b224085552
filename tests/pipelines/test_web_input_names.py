"""How inputs of web pages are named, and what units come of them."""

import os
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.strict import ConfigError
from configs.schema.web import WebConfig
from pipelines.web_inputs import limit_web_units, list_web_units
from transforms.records import Unit

CFG = WebConfig()


def shape(units: list[Unit]) -> list[tuple[object, ...]]:
    return [(unit.index, Path(unit.uri).name, unit.kind, unit.schema, unit.part, unit.pages) for unit in units]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "saved/sub").mkdir(parents=True)
    (tmp_path / "saved/a_files").mkdir()
    for name in ("saved/b.html", "saved/a.html", "saved/sub/c.htm", "saved/a_files/x.html", "saved/a_files/x.jpg"):
        (tmp_path / name).write_text("x")
    (tmp_path / "z.warc").write_bytes(b"")
    (tmp_path / "m.jsonl").write_text('{"text_list": [], "image_info": []}\n' * 3)
    (tmp_path / "m.tar").write_bytes(b"x")
    return tmp_path


def test_units_of_all_kinds_are_ranked_together(folder):
    cfg = WebConfig.model_validate({"read": {"documents_per_unit": 2, "pages_per_unit": 2}})
    inputs = [f"{folder}/*.warc", f"saved:{folder}/saved/", f"mmc4:{folder}/*.jsonl", f"mint:{folder}/m.tar"]
    units = list_web_units(inputs, cfg)
    assert shape(units) == [
        (0, "m.jsonl", "folder", "mmc4", 0, ()),
        (1, "m.jsonl", "folder", "mmc4", 1, ()),
        (2, "m.tar", "tar", "mint", 0, ()),
        (3, "saved", "pages", "", 0, ("a.html", "b.html")),
        (4, "saved", "pages", "", 1, ("sub/c.htm",)),
        (5, "z.warc", "warc", "", 0, ()),
    ]
    assert list_web_units(inputs[::-1] + inputs, cfg) == units


def test_the_first_rows_are_of_all_kinds_and_archives_stay(folder, tmp_path):
    inputs = [f"{folder}/*.warc", f"saved:{folder}/saved", f"mmc4:{folder}/m.jsonl"]
    units = limit_web_units(list_web_units(inputs, CFG), 2, CFG, str(tmp_path))
    assert [(unit.index, unit.kind, unit.limit) for unit in units] == [(0, "folder", 2), (1, "warc", 0)]
    # Three documents, and the row that says what is wrong with the tar beside them.
    units = limit_web_units(list_web_units(inputs, CFG), 5, CFG, str(tmp_path))
    assert [(unit.kind, unit.limit) for unit in units] == [("folder", 5), ("pages", 1), ("warc", 0)]


@pytest.mark.parametrize(
    ("changed", "again"),
    [
        ("saved/sub/c.htm", {"pages"}),
        ("saved/a_files/x.jpg", {"pages"}),
        ("m.jsonl", {"folder"}),
        ("m.tar", {"folder"}),
        ("images/1.jpg", {"folder"}),
        ("z.warc", {"warc"}),
        ("other.txt", set()),
    ],
)
def test_what_a_unit_depends_on_changes_it(folder, changed, again):
    inputs = [f"{folder}/*.warc", f"saved:{folder}/saved", f"mmc4:{folder}/m.jsonl"]
    before = list_web_units(inputs, CFG)
    (folder / changed).parent.mkdir(exist_ok=True)
    (folder / changed).write_text("y")
    os.utime(folder / changed, (1, 1))
    after = list_web_units(inputs, CFG)
    assert {one.kind for one, other in zip(before, after, strict=True) if one != other} == again


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (["m.jsonl"], "expected a file of .warc .warc.gz, found another extension; saved pages are named saved:FOLDER"),
        (["saved"], "expected at least one file, found none; saved pages"),
        (["saved:images"], "expected a folder with saved pages, found none"),
        (["saved:saved/a.html"], "Not a directory"),
        (["obelics:z.warc"], "expected a file of .tar .tar.gz .tgz .parquet .jsonl"),
        (["mint:gone.tar"], "expected at least one file, found none"),
        (["mint:m.tar", "beamsift:m.tar"], "expected one name for it, found mint and beamsift"),
        (["saved:saved", "saved:saved/sub"], "expected folders apart"),
    ],
)
def test_what_names_nothing_or_two_things_is_refused(folder, monkeypatch, inputs, found):
    monkeypatch.chdir(folder)
    with pytest.raises(ConfigError, match=found):
        list_web_units(inputs, CFG)


def test_a_folder_has_a_name_of_its_own_however_it_is_spelled(folder, monkeypatch):
    monkeypatch.chdir(folder / "saved")
    assert [Path(unit.uri).name for unit in list_web_units(["saved:."], CFG)] == ["saved"]
    assert [unit.uri for unit in list_web_units(["saved:../saved//"], CFG)] == ["../saved"]
