"""Pictures named by a path: files in the folder of the index, and none outside it."""

import os
from pathlib import Path

import pytest

from configs.schema.caption import ReadRules
from tests.transforms.pools import data_of, errors, failure_of, read_all, read_index


@pytest.mark.parametrize(
    "path",
    ["../out.jpg", "sub/../../out.jpg", "/etc/hostname", "link.jpg", "dirlink/out.jpg", "file:///etc/hostname",
     "http://host/a.jpg", "", "sub", "pipe", "a\\u0000b.jpg", "..\\\\out.jpg"],
)  # fmt: skip
def test_no_path_leaves_the_folder_or_stalls(tmp_path: Path, path: str) -> None:
    pool = tmp_path / "pool"
    (pool / "sub").mkdir(parents=True)
    (tmp_path / "out.jpg").write_bytes(b"secret")
    (pool / "link.jpg").symlink_to(tmp_path / "out.jpg")
    (pool / "dirlink").symlink_to(tmp_path)
    os.mkfifo(pool / "pipe")
    (row,) = read_index(pool, "i.jsonl", f'{{"image": "{path}"}}')
    assert failure_of(row).error == "FileMissing"
    assert "in the folder of the index, found: " in failure_of(row).message
    assert row.data == []


def test_a_link_inside_the_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "inner.jpg").symlink_to("a.jpg")
    assert data_of(read_index(tmp_path, "i.jsonl", '{"image": "inner.jpg"}')[0]) == [b"AA"]


def test_an_index_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_index(tmp_path, "i.jsonl", '{"image": "a.jpg"}')
    monkeypatch.chdir(tmp_path)
    assert data_of(read_all("i.jsonl")[0]) == [b"AA"]


def test_a_large_picture_is_not_read(tmp_path: Path) -> None:
    (row,) = read_index(tmp_path, "i.jsonl", '{"image": "a.jpg"}', ReadRules(max_picture_bytes=1))
    assert (errors([row]), data_of(row)) == (["PictureTooLarge"], [None])
    assert failure_of(row).place == f"{tmp_path}/a.jpg"
