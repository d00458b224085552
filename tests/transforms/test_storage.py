"""Files appear whole or not at all; reads are exact; a scheme nobody registered is refused with what to install."""

import os
from pathlib import Path

import pytest

from transforms.storage import (
    REMOTE,
    FileStat,
    LocalStorage,
    download,
    folder_of,
    join,
    local_path,
    scheme_of,
    storage_for,
)

STORAGE = LocalStorage()


def test_a_file_appears_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.bin"
    with STORAGE.create(str(path)) as file:
        file.write(b"abc")
        assert not path.exists()
        assert [name[:5] for name in os.listdir(path.parent)] == [".tmp-"]
        assert STORAGE.list(str(path.parent)) == []
    assert path.read_bytes() == b"abc"
    assert os.listdir(path.parent) == ["a.bin"]


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), STORAGE.create(str(path)) as file:
        file.write(b"half")
        raise KeyError("stop")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_name_of_255_bytes_can_be_created(tmp_path: Path) -> None:
    STORAGE.write(str(tmp_path / ("n" * 255)), b"x")
    assert os.listdir(tmp_path) == ["n" * 255]


def test_create_in_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    STORAGE.write("plain", b"x")
    assert STORAGE.exists("plain")


def test_read_gives_the_exact_range(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    assert STORAGE.read(str(tmp_path / "a"), 3, 6) == b"345"
    assert STORAGE.read(str(tmp_path / "a"), 10, 10) == b""


def test_a_short_read_says_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    with pytest.raises(OSError, match="expected 5 bytes, found 2"):
        STORAGE.read(str(tmp_path / "a"), 2, 7)


@pytest.mark.parametrize(("start", "end"), [(-1, 2), (3, 2)])
def test_a_range_must_be_in_order(tmp_path: Path, start: int, end: int) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    with pytest.raises(ValueError, match="expected 0 <= start <= end"):
        STORAGE.read(str(tmp_path / "a"), start, end)


def test_a_fifo_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="found a FIFO"):
        STORAGE.open(str(tmp_path / "pipe"))
    assert STORAGE.match(str(tmp_path / "*")) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="found a folder"):
        STORAGE.stat(str(tmp_path))
    assert not STORAGE.exists(str(tmp_path))


def test_a_device_is_no_file() -> None:
    with pytest.raises(OSError, match="found a device"):
        STORAGE.stat("/dev/null")


def test_stat_tells_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123")
    os.utime(tmp_path / "a", (7, 8))
    assert STORAGE.stat(f"file://{tmp_path}/a") == FileStat(f"{tmp_path}/a", 4, 8.0)


def test_list_is_flat_and_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "deep/c"):
        STORAGE.write(str(tmp_path / name), b"")
    assert [file.uri for file in STORAGE.list(str(tmp_path))] == [f"{tmp_path}/a", f"{tmp_path}/b"]
    assert STORAGE.list(str(tmp_path / "nothing")) == []


def test_list_spells_its_files_as_the_folder_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "a.tar").touch()
    for folder in (str(tmp_path), f"{tmp_path}/", f"file://{tmp_path}"):
        assert [file.uri for file in LocalStorage().list(folder)] == [join(folder, "a.tar")]


def test_match_takes_globs_and_plain_names(tmp_path: Path) -> None:
    for name in ("b.tar", "a.tar", "deep/er/c.tar", "x[1].tar"):
        STORAGE.write(str(tmp_path / name), b"")
    assert [Path(f.uri).name for f in STORAGE.match(f"{tmp_path}/**/*.tar")] == ["a.tar", "b.tar", "c.tar", "x[1].tar"]
    assert [Path(f.uri).name for f in STORAGE.match(f"{tmp_path}/x[1].tar")] == ["x[1].tar"]
    assert STORAGE.match(f"{tmp_path}/none*") == []


def test_delete_twice_is_no_error(tmp_path: Path) -> None:
    STORAGE.write(str(tmp_path / "a"), b"")
    STORAGE.delete(str(tmp_path / "a"))
    STORAGE.delete(str(tmp_path / "a"))
    assert not STORAGE.exists(str(tmp_path / "a"))


def test_fetch_of_a_local_file_is_the_file_itself(tmp_path: Path) -> None:
    STORAGE.write(str(tmp_path / "a"), b"")
    assert STORAGE.fetch(f"file://{tmp_path}/a", "elsewhere") == f"{tmp_path}/a"


def test_download_copies_under_a_name_of_its_own(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        STORAGE.write(str(tmp_path / folder / "a.tar"), folder.encode())
    paths = [download(STORAGE, str(tmp_path / folder / "a.tar"), str(tmp_path / "copy")) for folder in ("one", "two")]
    assert [Path(path).read_bytes() for path in paths] == [b"one", b"two"]
    assert all(path.endswith("-a.tar") for path in paths)


def test_a_scheme_without_a_factory_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(REMOTE, "hdfs", raising=False)
    with pytest.raises(ValueError, match=r"found hdfs://.*apache-beam\[hadoop\]"):
        storage_for("hdfs://host/a.tar")


def test_a_claim_is_won_once(tmp_path: Path) -> None:
    path = str(tmp_path / "deep" / "claim")
    assert STORAGE.claim(path, b"mine")
    assert not STORAGE.claim(path, b"yours")
    assert Path(path).read_bytes() == b"mine"
    assert os.listdir(tmp_path / "deep") == ["claim"]


def test_a_stream_is_the_range_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transforms.storage.COPY_BYTES", 3)
    (tmp_path / "a").write_bytes(b"0123456789")
    assert list(STORAGE.stream(str(tmp_path / "a"), 1, 8)) == [b"123", b"456", b"7"]
    assert list(STORAGE.stream(str(tmp_path / "a"), 4, 4)) == []
    with pytest.raises(OSError, match="expected 3 bytes, found 2"):
        list(STORAGE.stream(str(tmp_path / "a"), 2, 11))


def test_a_registered_scheme_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(REMOTE, "memory", lambda: STORAGE)
    assert storage_for("Memory://a") is STORAGE


@pytest.mark.parametrize("uri", ["a.tar", "/a.tar", "file:///a.tar", "FILE:///a.tar", "c:/a.tar"])
def test_paths_are_local(uri: str) -> None:
    assert isinstance(storage_for(uri), LocalStorage)


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("a", "b", "c"), "a/b/c"),
        (("a/", "/b/"), "a/b"),
        (("/", "b"), "/b"),
        (("s3://bucket", "b"), "s3://bucket/b"),
        (("a/",), "a/"),
    ],
)
def test_join(parts: tuple[str, ...], joined: str) -> None:
    assert join(*parts) == joined


def test_folder_of() -> None:
    assert [folder_of(uri) for uri in ("a/b", "b", "/b", "s3://x/y/z")] == ["a", ".", "/", "s3://x/y"]


def test_schemes_and_local_paths() -> None:
    assert [scheme_of(uri) for uri in ("S3://x", "/x", "a:b")] == ["s3", "", ""]
    assert local_path("file:///a%20b") == "/a b"
    assert local_path("a%20b") == "a%20b"


def test_a_file_that_goes_while_a_folder_is_listed_is_not_listed(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"1")
    real = os.path.isfile

    def and_gone(path: str) -> bool:
        found = real(path)
        if path.endswith("a"):
            os.unlink(path)
        return found

    monkeypatch.setattr(os.path, "isfile", and_gone)
    assert [file.uri for file in LocalStorage().list(str(tmp_path))] == [f"{tmp_path}/b"]
