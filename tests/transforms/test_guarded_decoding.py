"""A child that crashes, hangs, grows or leaves costs one picture; pixels are the same; nobody is left behind."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.transforms.drawn import DATA, FORMATS, LIMIT, fails, photo, save
from transforms import guarded_decoding
from transforms.guarded_decoding import DecodeLimits, decode_guarded
from transforms.picture_decoding import decode_here
from transforms.picture_headers import PictureError, read_header
from transforms.pictures import decode

LIMITS = DecodeLimits(seconds=10, bytes=1 << 30)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The child that misbehaves on request, with little patience for it."""
    guarded_decoding._guard.stop()
    monkeypatch.setattr(guarded_decoding, "_CHILD", "tests.transforms.odd_child")
    monkeypatch.setattr(guarded_decoding, "WALL_FACTOR", 1)
    yield
    guarded_decoding._guard.stop()


def ask(data: bytes, seconds: int = 1) -> int:
    """The number of the child that answered."""
    return int.from_bytes(decode_guarded(data, LIMIT, DecodeLimits(seconds, 1 << 30)).tobytes(), "little")


def refused(data: bytes) -> PictureError:
    with pytest.raises(PictureError) as caught:
        ask(data)
    return caught.value


@pytest.mark.parametrize("name", FORMATS)
def test_pixels_are_those_of_the_own_process(name: str) -> None:
    for mode in ("RGB", "L", "RGBA", "1"):
        if name in ("jpeg", "bmp") and mode == "RGBA":
            continue
        data = save(Image.fromarray(photo(200, 333)).convert(mode), FORMATS[name])
        here, there = decode_here(read_header(data), data, LIMIT), decode_guarded(data, LIMIT, LIMITS)
        assert (here.shape, here.dtype) == (there.shape, there.dtype) and np.array_equal(here, there)


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_pixels_of_real_pictures_are_those_of_the_own_process() -> None:
    paths = [path for path in sorted(DATA.glob("*/*.*")) if path.suffix in {".jpg", ".png"}]
    for path in paths[::8]:
        data = path.read_bytes()
        assert np.array_equal(decode(data, 10**9), decode_guarded(memoryview(data), 10**9, LIMITS)), path


def test_errors_are_those_of_the_own_process() -> None:
    data = save(photo(200, 300), "TIFF")
    with pytest.raises(PictureError) as here:
        decode_here(read_header(data), data[:9000], LIMIT)
    with pytest.raises(PictureError) as there:
        decode_guarded(data[:9000], LIMIT, LIMITS)
    assert (here.value.error, str(here.value)) == (there.value.error, str(there.value))
    assert fails(save(photo(), "TIFF"), 64 * 48 - 1) == "PictureTooLarge"


def test_a_child_that_crashes_costs_one_picture(odd: None) -> None:
    first = ask(b"answer")
    error = refused(b"crash")
    assert (error.error, str(error)) == (
        "PictureCrashed",
        "expected a picture, found that its decoder ended by SIGSEGV",
    )
    assert ask(b"answer") not in (0, first)


def test_a_child_that_leaves_costs_one_picture(odd: None) -> None:
    assert str(refused(b"leave")) == "expected a picture, found that its decoder ended by exit code 3"


@pytest.mark.parametrize("data", [b"hang", b"spin"])
def test_a_child_that_does_not_end_is_ended(odd: None, data: bytes) -> None:
    start = time.monotonic()
    error = refused(data)
    assert (error.error, str(error)) == (
        "PictureTimeout",
        "expected a picture decoded in 1 s of CPU, found it still at work",
    )
    assert time.monotonic() - start < 8


def test_spent_cpu_counts_for_each_picture_alone(odd: None) -> None:
    assert len({ask(b"answer", seconds=1) for _ in range(50)}) == 1


def test_a_child_is_replaced_after_many_pictures(odd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_decoding, "MAX_SERVED", 2)
    assert len({ask(b"answer") for _ in range(6)}) == 3


def test_only_a_new_child_refuses(odd: None) -> None:
    ask(b"answer")
    used = guarded_decoding._guard._child
    assert used is not None
    used.kill()  # as if an earlier picture had done it
    assert ask(b"answer") not in (0, used.pid)


def test_a_child_that_cannot_start_stops_the_program(odd: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guarded_decoding, "_CHILD", "tests.transforms.no_such_child")
    with pytest.raises(RuntimeError, match="no_such_child: expected it to start"):
        ask(b"answer")


def test_memory_over_the_limit_is_one_failed_picture() -> None:
    """A directory of 20,000 tags that each name the same half megabyte: 10 GB from 0.7 MB."""
    entries = [(256, 3, 1, 4), (257, 3, 1, 4), *((1000 + i, 1, 500_000, 8) for i in range(20_000))]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(struct.pack("<HHII", *one) for one in entries)
    with pytest.raises(PictureError) as caught:
        decode(head.ljust(700_000, b"\0"), LIMIT, DecodeLimits(20, 1 << 29))
    assert caught.value.error == "PictureMemory"
    assert str(caught.value) == "expected a picture decoded in 536870912 bytes of memory, found it to need more"


def test_threads_take_turns() -> None:
    files = [save(photo(40 + n, 60), "TIFF") for n in range(24)]
    with ThreadPoolExecutor(6) as pool:
        shapes = list(pool.map(lambda data: decode(data, LIMIT).shape, files))
    assert shapes == [(40 + n, 60, 3) for n in range(24)]


def test_threads_that_end_leave_the_child_to_others(odd: None) -> None:
    found = set()
    for _ in range(3):
        with ThreadPoolExecutor(1) as pool:
            found.add(pool.submit(ask, b"answer").result())
    assert len(found) == 1


def test_a_forked_process_starts_its_own_child(odd: None) -> None:
    ours = ask(b"answer")
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(write, str(ask(b"answer")).encode())
        guarded_decoding._guard.stop()
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    theirs = int(os.read(read, 20))
    assert theirs not in (0, ours)
    assert ask(b"answer") == ours


def test_the_child_ends_with_its_parent() -> None:
    """Killed, so that no handler of the parent runs."""
    code = (
        "import os; from transforms import guarded_decoding as g; from tests.transforms.drawn import *\n"
        "decode(save(photo(), 'TIFF'), LIMIT); print(g._guard._child.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    child = Path(f"/proc/{int(done.stdout)}/cmdline")
    end = time.monotonic() + 10
    while child.exists() and child.read_bytes() and time.monotonic() < end:
        time.sleep(0.05)
    assert not child.exists() or not child.read_bytes()  # a zombie that nobody reaps has no command line


def test_the_child_imports_nothing_heavy() -> None:
    code = "import sys, transforms.decoding_child; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"apache_beam", "torch", "pydantic", "pyarrow", "duckdb"} & set(done.stdout.split())
