"""Cut, damaged and bomb pictures fail with a class of their own, and cost neither memory nor a warning."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.transforms.drawn import FORMATS, LIMIT, fails, photo, png_chunk, save
from transforms.pictures import PictureError, decode, read_header


def test_decompression_bomb_of_pillow_is_too_large(monkeypatch):
    def bomb(_):
        raise Image.DecompressionBombError("too many pixels")

    monkeypatch.setattr("transforms.picture_decoding._as_rgb", bomb)
    assert fails(save(photo(), "PNG")) == "PictureTooLarge"


def test_empty_file():
    assert fails(b"") == "PictureEmpty"


@pytest.mark.parametrize(
    "data", [b"<html>404</html>", b"\x00" * 100, b"BM" + bytes(60), b"\xff\xd8\xff\xe0\x00\x04" + b"x" * 99]
)
def test_garbage(data):
    assert fails(data) == "PictureUndecodable"


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_cut_file_is_truncated(name, share):
    data = save(photo(200, 300), FORMATS[name])
    assert fails(data[: int(len(data) * share)]) in {"PictureTruncated"}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [4, 9, 14, 20, 25, 40])
def test_cut_header_fails_clean(name, size):
    assert fails(save(photo(), FORMATS[name])[:size]) in {"PictureTruncated", "PictureUndecodable"}


def test_jpeg_that_ends_early_and_was_closed():
    data = save(photo(200, 300), "JPEG")
    assert fails(data[: len(data) // 2] + b"\xff\xd9") == "PictureTruncated"


@pytest.mark.parametrize("name", FORMATS)
def test_too_many_pixels_for_the_decoder(name):
    assert fails(save(photo(), FORMATS[name]), limit=64 * 48 - 1) == "PictureTooLarge"
    assert decode(save(photo(), FORMATS[name]), 64 * 48).shape == (48, 64, 3)


def test_png_that_claims_a_bomb_is_not_decoded():
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b""))
    assert read_header(data) == ("png", 100_000, 100_000, 1)
    assert fails(data, 10**9) == "PictureTooLarge"


def test_size_of_zero():
    header = struct.pack(">IIBBBBB", 0, 5, 8, 2, 0, 0, 0)
    assert fails(b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header)) == "PictureUndecodable"


def test_text_chunk_bomb_fails_clean():
    notes = PngInfo()
    notes.add_text("comment", "a" * (8 << 20), zip=True)
    data = save(photo(), "PNG", pnginfo=notes)
    assert len(data) < 100_000
    assert read_header(data) == ("png", 64, 48, 1)
    assert fails(data) == "PictureUndecodable"


def test_corrupt_exif_is_no_failure_and_no_warning():
    exif = b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\x00" + b"\x1a\x01\x05\x00\xff\xff\xff\xff\xff\xff\xff\x7f" * 9
    data = save(Image.fromarray(photo()).convert("CMYK"), "JPEG", exif=exif)
    assert decode(data, LIMIT).shape == (48, 64, 3)


def test_broken_animation_chunk_is_no_warning():
    data = save(photo(), "PNG")
    data = data[:33] + png_chunk(b"acTL", struct.pack(">II", 0, 0)) + data[33:]
    assert read_header(data).frames == 1
    assert decode(data, LIMIT).shape == (48, 64, 3)


@pytest.mark.parametrize("name", FORMATS)
def test_damaged_bytes_never_raise_anything_else(name):
    rng = np.random.default_rng(7)
    frames = [Image.fromarray(photo() // n) for n in (1, 2)]
    options = {} if name in ("jpeg", "bmp") else {"save_all": True, "append_images": frames[1:]}
    whole = np.frombuffer(save(frames[0], FORMATS[name], **options), np.uint8)
    for _ in range(150):
        data = whole.copy()
        places = rng.integers(0, min(len(data), rng.choice([64, len(data)])), rng.integers(1, 6))
        data[places] = rng.integers(0, 256, len(places))
        try:
            decode(data.tobytes(), LIMIT)
        except PictureError as error:
            assert error.error in {"PictureTruncated", "PictureUndecodable", "PictureTooLarge"}
