"""Which pictures are decoded in a child: none that a camera, a browser or a designer's program writes."""

from __future__ import annotations

import tarfile

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.transforms.drawn import DATA, photo, png_chunk, save
from transforms.picture_headers import read_header
from transforms.picture_suspicion import MANY_CHUNKS, MANY_PIXELS, MANY_SCANS, MUCH_METADATA, suspicion


def asked(data: bytes) -> str:
    return suspicion(read_header(data), data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_ordinary_pictures_are_not(kind: str) -> None:
    assert asked(save(photo(), kind)) == asked(save(photo(300, 400), kind)) == ""
    assert asked(save(photo(), "JPEG", progressive=True, icc_profile=bytes(600_000))) == ""


@pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF"])
def test_formats_with_slow_or_old_decoders_are(kind: str) -> None:
    assert asked(save(photo(), kind)) == kind.lower()


def test_a_memoryview_gives_the_same_answer() -> None:
    data = save(photo(), "JPEG")
    assert suspicion(read_header(data), memoryview(data)) == ""


@pytest.mark.parametrize(("width", "found"), [(4096, ""), (4097, "many pixels")])
def test_many_pixels(width: int, found: str) -> None:
    assert width * 4096 - MANY_PIXELS in (0, 4096)
    assert asked(save(Image.new("1", (width, 4096)), "PNG")) == found


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_animations(kind: str) -> None:
    frames = [Image.fromarray(photo() // n) for n in (1, 2)]
    assert asked(save(frames[0], kind, save_all=True, append_images=frames[1:])) == "animation"


def test_many_scans() -> None:
    data = save(photo(), "JPEG", progressive=True)
    assert 5 < data.count(b"\xff\xda") <= MANY_SCANS // 5
    assert asked(data + b"\xff\xda" * MANY_SCANS) == "many scans"


def test_much_metadata_before_or_behind_the_pixels() -> None:
    notes = PngInfo()
    notes.add(b"teSt", bytes(MUCH_METADATA - 13))
    data = save(photo(), "PNG", pnginfo=notes)
    assert asked(data) == ""
    assert asked(data[:-12] + png_chunk(b"teSt", b"1") + data[-12:]) == "much metadata"


def test_many_chunks() -> None:
    data = save(photo(), "PNG")
    assert asked(data[:33] + png_chunk(b"teSt", b"") * (MANY_CHUNKS - 1) + data[33:]) == ""
    assert asked(data[:33] + png_chunk(b"IDAT", b"") * MANY_CHUNKS + data[33:]) == "many chunks"


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_no_picture_of_the_caption_pairs_is_suspicious() -> None:
    found = []
    for path in sorted(DATA.glob("caption_pairs/*.tar")):
        with tarfile.open(path) as archive:
            files = [m for m in archive if not m.name.endswith((".txt", ".json"))]
            found += [asked(archive.extractfile(member).read()) for member in files]  # type: ignore[union-attr]
    assert len(found) > 100 and np.count_nonzero(found) == 0
