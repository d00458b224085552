"""Saved pages find the files beside them, and nothing outside their folder."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.schema.web_reading import WebReadRules
from tests.transforms.archives import HTML, PNG
from transforms.materialise import SpanReader
from transforms.page_folder import (
    find_saved_picture,
    list_page_units,
    list_saved_pages,
    read_saved_page,
    read_saved_pages,
    saved_root,
)
from transforms.records import Drop, Span
from transforms.warc_reader import Page, Refused

RULES = WebReadRules(max_page_bytes=200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "saved"
    (root / "sub" / "page_files").mkdir(parents=True)
    (root / "shared").mkdir()
    (root / "sub" / "page.html").write_bytes(HTML)
    for path in ("sub/page_files/a b.png", "sub/page_files/frame.html", "shared/c.png"):
        (root / path).write_bytes(PNG)
    (tmp_path / "secret.png").write_bytes(PNG)
    (root / "sub" / "out.png").symlink_to(tmp_path / "secret.png")
    (root / "sub" / "in.png").symlink_to(root / "shared" / "c.png")
    (root / "up").symlink_to(tmp_path)
    return root


@pytest.mark.parametrize(
    ("addresses", "path"),
    [
        (["page_files/a%20b.png"], "sub/page_files/a b.png"),
        (["./page_files/a b.png?v=1#x"], "sub/page_files/a b.png"),
        (["../shared/./c.png"], "shared/c.png"),
        (["gone.png", "../shared/c.png"], "shared/c.png"),
        (["../../secret.png", "../shared/c.png"], "shared/c.png"),
        (["http://e.com/large.png", "data:,x", "../shared/c.png"], "shared/c.png"),
    ],
)
def test_found(folder: Path, addresses: list[str], path: str) -> None:
    found = find_saved_picture(addresses, f"{folder}/sub/page.html", f"{folder}/")
    assert found == Span(f"{folder}/{path}", 0, len(PNG), "file", path)
    with SpanReader(str(folder)) as spans:
        assert spans.read(found) == PNG


@pytest.mark.parametrize(
    ("address", "rule"),
    [
        ("../../secret.png", "picture_outside_folder"),
        ("../../../../../../etc/passwd", "picture_outside_folder"),
        ("%2e%2e/%2e%2e/secret.png", "picture_outside_folder"),
        ("/etc/passwd", "picture_outside_folder"),
        ("..\\..\\secret.png", "picture_outside_folder"),
        ("a%00.png", "picture_outside_folder"),
        ("out.png", "picture_unresolved"),
        ("in.png", "picture_unresolved"),
        ("../up/secret.png", "picture_unresolved"),
        ("../up/saved/shared/c.png", "picture_unresolved"),
        ("page_files", "picture_unresolved"),
        ("gone.png", "picture_unresolved"),
        ("x" * 5000, "picture_unresolved"),
    ],
)
def test_not_followed(folder: Path, address: str, rule: str) -> None:
    found = find_saved_picture([address], f"{folder}/sub/page.html", str(folder))
    assert isinstance(found, Drop) and (found.rule, found.detail) == (rule, address)


@pytest.mark.parametrize(
    "address", ["http://e.com/a.png", "//e.com/a.png", "file:///etc/passwd", "C:/a.png", "data:,x"]
)
def test_the_web_is_asked_elsewhere(folder: Path, address: str) -> None:
    assert find_saved_picture([address], f"{folder}/sub/page.html", str(folder)) is None


def test_a_fifo_is_no_picture(folder: Path) -> None:
    os.mkfifo(folder / "sub" / "pipe.png")
    assert isinstance(find_saved_picture(["pipe.png"], f"{folder}/sub/page.html", str(folder)), Drop)


def test_pages_and_not_their_parts_are_listed(folder: Path) -> None:
    (folder / "z.HTM").write_bytes(b"")
    assert list_saved_pages(str(folder)) == [f"{folder}/sub/page.html", f"{folder}/z.HTM"]


@pytest.mark.parametrize(
    ("name", "told"),
    [("a-Dateien", False), ("b-Dateien", True), ("a_fichiers", False), ("a_notes", True), ("b_files", False)],
)
def test_a_folder_beside_its_page_is_a_part_of_it_in_any_language(tmp_path: Path, name: str, told: bool) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / "a.html").write_bytes(HTML)
    (tmp_path / name / "x.html").write_bytes(HTML)
    assert (f"{tmp_path}/{name}/x.html" in list_saved_pages(str(tmp_path))) == told


def test_a_folder_that_may_not_be_listed_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = os.scandir

    def closed(path: str) -> Iterator[os.DirEntry]:
        if str(path).endswith("shared"):
            raise PermissionError(13, "closed", path)
        return listed(path)

    monkeypatch.setattr(os, "scandir", closed)
    with pytest.raises(PermissionError):
        list_page_units(str(folder), WebReadRules())


def test_pages_of_a_unit_are_named_by_their_place_in_the_folder(folder: Path) -> None:
    (folder / "b.html").write_bytes(b"<!-- saved from url=(0020)http://e.com/b -->")
    (folder / "c.html").write_bytes(b"")
    unit, last = list_page_units(str(folder), WebReadRules(pages_per_unit=2))
    assert (unit.pages, unit.end, unit.size, last.pages) == (("b.html", "c.html"), 2, 44, ("sub/page.html",))
    read, refused = read_saved_pages(unit, RULES)
    assert isinstance(read, Page) and (read.url, read.span.member) == ("http://e.com/b", "b.html")
    assert isinstance(refused, Refused) and (refused.url, refused.failure.error) == ("c.html", "PageEmpty")
    (page,) = read_saved_pages(last, RULES)
    assert isinstance(page, Page) and (page.url, saved_root(page.span)) == ("sub/page.html", str(folder))


def test_where_a_page_was_saved_from(folder: Path) -> None:
    uri = f"{folder}/sub/page.html"
    assert read_saved_page(uri, 3, RULES) == Page(3, uri, "", Span(uri, 0, len(HTML), "file"), HTML, "")
    Path(uri).write_bytes(b"<!DOCTYPE html>\n<!-- saved from url=(0020)http://E.com/a?b -->\n<html>")
    assert read_saved_page(uri, 0, RULES).url == "http://e.com/a?b"


@pytest.mark.parametrize(("size", "error"), [(0, "PageEmpty"), (201, "PageTooLarge"), (-1, "FileMissing")])
def test_refused(folder: Path, size: int, error: str) -> None:
    path = folder / "x.html"
    if size >= 0:
        path.write_bytes(b"x" * size)
    found = read_saved_page(str(path), 0, RULES)
    assert isinstance(found, Refused) and found.failure.error == error
