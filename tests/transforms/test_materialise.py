"""Bytes come back exactly as they were scanned, from every container, with few files open."""

import gzip
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.transforms.pools import read_all, tar_bytes, write_tar
from transforms.materialise import RECIPES, SpanReader, materialise
from transforms.records import Recipe, Span, pictures
from transforms.storage import FileStat, LocalStorage, download, local_path

BODIES = [random.Random(i).randbytes(700) for i in range(6)]


class Remote(LocalStorage):
    """Local files behind a scheme, so that nothing can be read in place."""

    def open(self, uri: str):  # type: ignore[no-untyped-def]
        return super().open(local_path(uri.replace("memory://", "file://")))

    def stat(self, uri: str) -> FileStat:
        raise NotImplementedError

    def fetch(self, uri: str, folder: str) -> str:
        return download(self, uri, folder)


def pool(folder: Path, kind: str) -> str:
    members = {f"{i}.jpg": body for i, body in enumerate(BODIES)}
    path = folder / f"x.{kind}"
    if kind == "tar":
        return write_tar(folder, members)
    if kind == "tar.gz":
        path.write_bytes(gzip.compress(tar_bytes(members)))
    elif kind == "parquet":
        pq.write_table(pa.table({"image": BODIES}), path, row_group_size=4)
    else:
        for name, body in members.items():
            (folder / name).write_bytes(body)
        path.write_text("".join(f'{{"image": "{name}"}}\n' for name in members))
    return str(path)


@pytest.mark.parametrize("kind", ["tar", "tar.gz", "parquet", "jsonl"])
def test_bytes_come_back_in_any_order(tmp_path: Path, kind: str) -> None:
    sources = [pictures(row.sample)[0].source for row in read_all(pool(tmp_path, kind))]
    order = [5, 0, 3, 3, 4, 1, 2]
    with SpanReader(str(tmp_path / "staging"), open_files=2) as spans:
        assert [materialise(sources[i], spans) for i in order] == [BODIES[i] for i in order]
    assert list((tmp_path / "staging").glob("*")) == []


def test_a_struct_column_comes_back(tmp_path: Path) -> None:
    column = pa.array([{"bytes": b"A", "path": None}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": column}), tmp_path / "x.parquet")
    with SpanReader(str(tmp_path)) as spans:
        assert spans.read(Span(f"{tmp_path}/x.parquet", 0, 1, "parquet", "image")) == b"A"


def test_a_remote_gzip_is_fetched_and_not_kept(tmp_path: Path) -> None:
    path = pool(tmp_path, "tar.gz")
    with SpanReader(str(tmp_path / "staging"), storage_of=lambda uri: Remote()) as spans:
        assert spans.read(Span(f"memory://{path}", 512, 1212, "tar.gz", "0.jpg")) == BODIES[0]
        assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_a_file_that_has_shrunk_says_expected_and_found(tmp_path: Path, kind: str) -> None:
    path = pool(tmp_path, kind)
    with SpanReader(str(tmp_path)) as spans, pytest.raises(OSError, match="expected 900 bytes, found "):
        spans.read(Span(path, 10_200, 11_100, kind, "x"))  # type: ignore[arg-type]


@pytest.mark.parametrize(("start", "column"), [(6, "image"), (0, "picture")])
def test_a_parquet_without_the_row_or_column(tmp_path: Path, start: int, column: str) -> None:
    path = pool(tmp_path, "parquet")
    with SpanReader(str(tmp_path)) as spans, pytest.raises(OSError, match=f"x.parquet@{start}-{start + 1}: expected"):
        spans.read(Span(path, start, start + 1, "parquet", column))


def test_a_parquet_cell_that_is_null(tmp_path: Path) -> None:
    pq.write_table(pa.table({"image": pa.array([None], pa.binary())}), tmp_path / "x.parquet")
    with (
        SpanReader(str(tmp_path)) as spans,
        pytest.raises(OSError, match="expected bytes in column 'image', found none"),
    ):
        spans.read(Span(f"{tmp_path}/x.parquet", 0, 1, "parquet", "image"))


def test_a_container_of_another_pipeline(tmp_path: Path) -> None:
    with SpanReader(str(tmp_path)) as spans, pytest.raises(ValueError, match="found 'video'"):
        spans.read(Span("x", 0, 1, "video"))


def test_no_more_files_are_open_than_allowed(tmp_path: Path) -> None:
    sources = [pictures(row.sample)[0].source for row in read_all(pool(tmp_path, "jsonl"))]
    with SpanReader(str(tmp_path), open_files=2) as spans:
        for source in sources:
            materialise(source, spans)
            assert len(spans._sources) <= 2
    assert not spans._sources


def test_an_unknown_recipe_is_named(tmp_path: Path) -> None:
    with (
        SpanReader(str(tmp_path)) as spans,
        pytest.raises(ValueError, match=r"expected a recipe of \['page_data_uri', 'tiff_frame'\], found 'page'"),
    ):
        materialise(Recipe("page", {"dpi": 72}), spans)


def test_a_recipe_gets_its_spans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "twice", lambda recipe, spans: 2 * spans.read(recipe.inputs[0]))
    (tmp_path / "a").write_bytes(b"ab")
    with SpanReader(str(tmp_path)) as spans:
        assert materialise(Recipe("twice", {}, (Span(f"{tmp_path}/a", 0, 2, "file"),)), spans) == b"abab"
