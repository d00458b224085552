"""Labelled and unlabelled pictures from folders and pools: what counts, what is named, what stops."""

import hashlib
import io
import json
import tarfile

import pytest
from PIL import Image

from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from pipelines.labelled_pictures import check_label_field, different, read_labelled, read_unlabelled, unite

RULES = ReadRules(max_picture_bytes=10_000)


def png(colour: str) -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(made, "PNG")
    return made.getvalue()


def sha(colour: str) -> str:
    return hashlib.sha256(png(colour)).hexdigest()


@pytest.fixture
def folder(tmp_path):
    for place, colour in {"map/a.png": "red", "map/deep/b.png": "navy", "chart/c.png": "gold"}.items():
        path = tmp_path / "set" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(colour))
    return tmp_path / "set"


def write_tar(path, members) -> str:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return str(path)


def labels(pictures) -> dict[str, str]:
    return {one.sha256: one.label for one in pictures.found}


def test_the_first_folder_is_the_class(folder):
    found = read_labelled([str(folder)], "cls", RULES)
    assert labels(found) == {sha("gold"): "chart", sha("red"): "map", sha("navy"): "map"}
    assert found.left_out == []


def test_what_is_no_labelled_picture_is_named(folder):
    (folder / "stray.png").write_bytes(png("red"))
    (folder / "map" / "large.png").write_bytes(b"x" * 10_001)
    (folder / "x\u202ey").mkdir()
    (folder / "x\u202ey" / "d.png").write_bytes(png("pink"))
    for hidden in (folder / ".cache", folder / "map" / ".thumbs"):
        hidden.mkdir()
        (hidden / "x.png").write_bytes(png("white"))
    found = read_labelled([str(folder)], "cls", RULES)
    assert {one.place[len(str(folder)) + 1 :]: one.error for one in found.left_out} == {
        "map/large.png": "PictureTooLarge",
        "stray.png": "LabelMissing",
        "x\u202ey/d.png": "LabelMissing",
    }
    assert len(found.found) == 3


def test_a_pool_is_every_picture_of_a_folder(folder):
    (folder / "stray.png").write_bytes(png("pink"))
    assert labels(read_unlabelled([str(folder)], RULES)) == dict.fromkeys(map(sha, ("pink", "red", "navy", "gold")), "")


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_tar_has_its_classes_as_members(tmp_path, suffix):
    members = {"a.png": png("red"), "a.cls": b"map\n", "b.png": png("gold"), "b.cls": b"3", "c.png": png("pink")}
    path = write_tar(tmp_path / "0.tar", members | {"d.cls": b"map", "e.png": png("navy"), "e.cls": b" "})
    if suffix == "tar.gz":
        import gzip

        path = str(tmp_path / "0.tar.gz")
        (tmp_path / "0.tar.gz").write_bytes(gzip.compress((tmp_path / "0.tar").read_bytes()))
    found = read_labelled([path], "cls", RULES)
    assert labels(found) == {sha("red"): "map", sha("gold"): "3"}
    assert [one.message.split(",")[0] for one in found.left_out] == [
        "expected a .cls member",
        "expected a class of 1 to 100 printable characters",
    ]


def test_a_tar_has_its_classes_in_its_json(tmp_path):
    def told(value) -> bytes:
        return json.dumps({"page": {"class": value}}).encode()

    members = {"a.png": png("red"), "a.json": told("map"), "b.png": png("gold"), "b.json": told(7)}
    members |= {"c.png": png("pink"), "c.json": told(None), "d.png": png("navy"), "e.json": b"{"}
    found = read_labelled([write_tar(tmp_path / "0.tar", members)], "json.page.class", RULES)
    assert labels(found) == {sha("red"): "map", sha("gold"): "7"}
    assert sorted(one.error for one in found.left_out) == ["LabelMissing", "LabelMissing", "PictureMissing"]


def test_a_label_goes_to_the_first_picture_of_a_sample_and_a_pool_takes_all(tmp_path):
    path = write_tar(tmp_path / "0.tar", {"a.0.png": png("red"), "a.1.png": png("gold"), "a.cls": b"map"})
    assert labels(read_labelled([path], "cls", RULES)) == {sha("red"): "map"}
    assert set(labels(read_unlabelled([path], RULES))) == {sha("red"), sha("gold")}


def test_copies_count_once_and_one_picture_in_two_classes_stops(folder):
    (folder / "map" / "z.png").write_bytes(png("red"))
    found = read_labelled([str(folder)], "cls", RULES)
    united = unite(found, different(found), {})
    assert [one.sha256 for one in united.found] == sorted(map(sha, ("red", "navy", "gold")))
    assert [(one.error, one.message) for one in united.left_out] == [("Copy", f"of {folder}/map/a.png")]
    (folder / "chart" / "z.png").write_bytes(png("red"))
    with pytest.raises(ConfigError, match=r"found 'chart' at .*chart/z.png and 'map' at .*map/a.png, the same bytes"):
        unite(read_labelled([str(folder)], "cls", RULES), different(found), {})


def test_labels_win_over_folders_and_take_pictures_from_the_pool(folder, tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "p.png").write_bytes(png("pink"))
    pool = read_unlabelled([str(tmp_path / "pool")], RULES)
    given = {sha("red"): "other", sha("pink"): "map"}
    united = unite(read_labelled([str(folder)], "cls", RULES), pool, given)
    assert labels(united) == {sha("gold"): "chart", sha("navy"): "map", sha("red"): "other", sha("pink"): "map"}
    with pytest.raises(ConfigError, match="expected pictures of --input or --pool, found 1 of 2 in neither, sha256"):
        unite(read_labelled([str(folder)], "cls", RULES), read_unlabelled([str(folder)], RULES), given)


def test_inputs_without_pictures_stop(tmp_path):
    (tmp_path / "none" / "map").mkdir(parents=True)
    with pytest.raises(ConfigError, match="none: expected .*none/CLASS/PICTURE, found an empty folder"):
        read_labelled([str(tmp_path / "none")], "cls", RULES)
    with pytest.raises(ConfigError, match="expected at least one file, found none"):
        read_unlabelled([str(tmp_path / "*.tar")], RULES)
    (tmp_path / "i.jsonl").write_text('{"image": "a.png"}\n')
    with pytest.raises(ConfigError, match="--label cls: expected a tar, found .*i.jsonl"):
        read_labelled([str(tmp_path / "i.jsonl")], "cls", RULES)


@pytest.mark.parametrize("label", ["", "class", "json.", "json..x", "cls.x"])
def test_a_label_field_that_is_none(label):
    assert check_label_field("json.a.b") == "json.a.b"
    with pytest.raises(ConfigError, match="--label: expected cls or json.PATH"):
        check_label_field(label)
