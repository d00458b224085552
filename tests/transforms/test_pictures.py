"""Pixels are those of Pillow, equal pixels hash alike, and the step measures each picture of a batch."""

import io
import tarfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

from configs.schema.caption import ImageRules, ReadRules
from tests.transforms.drawn import DATA, FORMATS, LIMIT, photo, save
from transforms import picture_decoding
from transforms.loaded import Loaded
from transforms.perceptual_hash import hash_likeness
from transforms.pictures import decode, hash_pixels, measure_pictures, read_header
from transforms.records import Failure, Picture, Recipe, Sample, Span, Text


def sample(*data, container="tar", member="a.jpg", failure=None):
    span = Span("raw.tar", 10, 20, container, member)
    pieces = (Text("a caption"), *(Picture(span) for _ in data))
    return Loaded(Sample("a", "raw.tar", 0, 0, pieces, failure=failure), [None, *data], [None] * (1 + len(data)))


def measure(*data, image=None, read=None, **options):
    return measure_pictures([sample(*data, **options)], image or ImageRules(), read or ReadRules())[0]


@pytest.mark.parametrize("name", ["png", "webp", "bmp", "tiff"])
def test_lossless_pixels_come_back(name):
    options = {"lossless": True} if name == "webp" else {}
    assert np.array_equal(decode(save(photo(), FORMATS[name], **options), LIMIT), photo())


def test_jpeg_is_decoded_as_pillow_does_at_full_resolution():
    data = save(photo(384, 512), "JPEG", quality=90)
    expected = np.asarray(Image.open(io.BytesIO(data)))
    assert np.array_equal(decode(memoryview(data), LIMIT), expected)


def test_cmyk_jpeg():
    data = save(Image.fromarray(photo()).convert("CMYK"), "JPEG", quality=95)
    assert np.abs(decode(data, LIMIT).astype(int) - photo()).mean() < 8


def test_stray_bytes_and_trailing_bytes_in_a_jpeg():
    data = save(photo(), "JPEG")
    expected = hash_pixels(decode(data, LIMIT))
    assert hash_pixels(decode(data[:-2] + b"\x00\x00\x00" + data[-2:], LIMIT)) == expected
    assert hash_pixels(decode(data + b"<!-- served in 3 ms -->", LIMIT)) == expected


@pytest.mark.parametrize(("mode", "channels"), [("1", 3), ("L", 3), ("LA", 4), ("RGBA", 4), ("I;16", 3), ("RGB", 3)])
def test_png_modes(mode, channels):
    image = Image.fromarray(np.dstack([photo(), photo()[..., 0]]))
    image = Image.fromarray(photo()[..., 0].astype(np.uint16) * 257) if mode == "I;16" else image.convert(mode)
    pixels = decode(save(image, "PNG"), LIMIT)
    assert (pixels.shape, pixels.dtype) == ((48, 64, channels), np.uint8)


def test_palette_picture():
    data = save(Image.fromarray(photo()).convert("P"), "PNG")
    assert np.array_equal(decode(data, LIMIT), np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))


def test_sixteen_bits_keep_their_high_byte():
    grey = photo()[..., 0].astype(np.uint16) * 257
    assert np.array_equal(decode(save(grey, "PNG"), LIMIT)[..., 1], photo()[..., 0])


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_wide_greys_are_stretched(kind):
    pixels = decode(save(np.array([[-1000, 0, 1000]], kind), "TIFF"), LIMIT)
    assert pixels[0, :, 0].tolist() == [0, 127, 255]


def test_flat_and_infinite_floats_are_black():
    assert not decode(save(np.array([[np.inf, np.nan, 0]], np.float32), "TIFF"), LIMIT).any()


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_transparent_colour_of_a_png(mode):
    image = Image.new(mode, (4, 4))
    image.putpixel((0, 0), 1 if mode != "RGB" else (1, 1, 1))
    data = save(image, "PNG", transparency=0 if mode != "RGB" else (0, 0, 0))
    pixels = decode(data, LIMIT)
    assert (pixels.shape, pixels[0, 0, 3], pixels[1, 1, 3]) == ((4, 4, 4), 255, 0)


def test_all_lossless_files_of_one_picture_hash_alike():
    opaque = np.dstack([photo(), np.full((48, 64), 255, np.uint8)])
    files = [save(photo(), kind) for kind in ("PNG", "BMP", "TIFF")]
    files += [save(photo(), "WEBP", lossless=True), save(opaque, "PNG"), save(opaque, "WEBP", lossless=True)]
    assert {hash_pixels(decode(data, LIMIT)) for data in files} == {hash_pixels(photo())}
    assert hash_pixels(opaque) == hash_pixels(photo())
    assert len(hash_pixels(photo())) == 16


def test_grey_picture_hashes_as_its_rgb():
    grey = np.repeat(photo()[..., :1], 3, axis=2)
    assert hash_pixels(decode(save(grey[..., 0], "PNG"), LIMIT)) == hash_pixels(grey)


def test_colour_under_transparency_is_not_hashed():
    first = np.dstack([photo(), np.where(photo()[..., 0] > 99, 255, 0).astype(np.uint8)])
    assert hash_pixels(decode(save(first, "WEBP", lossless=True), LIMIT)) == hash_pixels(first)


def test_hash_tells_shape_and_pixels_apart():
    black, changed = np.zeros((2, 6, 3), np.uint8), np.zeros((2, 6, 3), np.uint8)
    changed[1, 5, 2] = 1
    clear = np.zeros((2, 6, 4), np.uint8)
    assert len({hash_pixels(p) for p in (black, changed, clear, black.reshape(6, 2, 3), black.reshape(3, 4, 3))}) == 5


def test_odd_subsampling_is_read_by_pillow():
    data = bytearray(save(photo(), "JPEG", subsampling=0))
    place = data.index(b"\xff\xc0")
    data[place + 11] = 0x31
    assert read_header(bytes(data)) == ("jpeg", 64, 48, 1)


def test_threads_leave_the_warning_filters_as_they_were():
    before, data = list(warnings.filters), save(photo(), "PNG")
    with ThreadPoolExecutor(4) as pool:
        assert len(list(pool.map(lambda _: decode(data, LIMIT).shape, range(64)))) == 64
    assert warnings.filters == before


def test_memory_error_is_not_a_bad_picture(monkeypatch):
    def exhausted(*_):
        raise MemoryError

    data = save(photo(), "PNG")
    monkeypatch.setattr("transforms.picture_decoding._as_rgb", exhausted)
    with pytest.raises(MemoryError):
        decode(data, LIMIT)
    monkeypatch.setitem(picture_decoding._PLUGINS, "png", exhausted)
    with pytest.raises(MemoryError):
        decode(data, LIMIT)


def test_step_measures_a_picture():
    data = save(photo(), "PNG")
    done = measure(data)
    found = done.sample.pieces[1]
    assert (found.format, found.width, found.height, found.sha256) == ("png", 64, 48, sha256(data).digest())
    assert found.pixels == hash_pixels(photo())
    shape = {"short_side": 48, "aspect_ratio": 1.3333, "pixel_count": 3072, "frames": 1, "bytes": len(data)}
    assert {name: found.measures[name] for name in shape} == shape
    assert set(found.measures) - set(shape) == {"grey_std", "entropy"}
    assert np.array_equal(done.pixels[1], photo())
    assert done.pixels[0] is None and done.sample.fate == "kept"


def test_step_keeps_length_order_and_input():
    batch = [sample(save(photo(), "PNG")), sample(b"x"), sample()]
    assert [item.sample.fate for item in measure_pictures(batch, ImageRules(), ReadRules())] == [
        "kept",
        "failed",
        "kept",
    ]
    assert [item.sample.pieces[1:2] and item.sample.pieces[1].sha256 for item in batch] == [b"", b"", ()]


def test_step_makes_room_for_pixels():
    item = sample(save(photo(), "PNG"))
    item.pixels = []
    assert measure_pictures([item], ImageRules(), ReadRules())[0].pixels[1].shape == (48, 64, 3)


def test_step_fails_the_sample_and_keeps_what_it_measured():
    data = save(photo(200, 300), "PNG")
    done = measure(data[: len(data) // 2])
    assert (done.sample.failure.error, done.sample.failure.place) == ("PictureTruncated", "raw.tar#a.jpg")
    assert done.sample.pieces[1].failure == done.sample.failure
    assert (done.sample.pieces[1].width, done.sample.pieces[1].measures["short_side"]) == (300, 200)
    assert done.pixels == [None, None]


def test_first_failure_of_several_is_the_samples():
    done = measure(b"", save(photo(), "PNG"), b"<html>")
    assert done.sample.failure.error == "PictureEmpty"
    assert [piece.failure and piece.failure.error for piece in done.sample.pieces[1:]] == [
        "PictureEmpty",
        None,
        "PictureUndecodable",
    ]


def test_step_skips_failed_samples():
    failure = Failure("CaptionNotUtf8", "", "")
    done = measure(b"", failure=failure)
    assert (done.sample.failure, done.sample.pieces[1].sha256) == (failure, b"")


def test_bytes_over_the_limit_and_no_bytes():
    assert measure(b"12345", read=ReadRules(max_picture_bytes=4)).sample.failure == Failure(
        "PictureTooLarge", "expected at most 4 bytes, found 5", "raw.tar#a.jpg"
    )
    assert measure(None).sample.failure.error == "PictureMissing"
    short = sample(b"x")
    short.data = []
    assert measure_pictures([short], ImageRules(), ReadRules())[0].sample.failure.error == "PictureMissing"


def test_place_of_a_span_without_a_member_and_of_a_recipe():
    assert measure(b"", member="").sample.failure.place == "raw.tar@10-20"
    item = Loaded(Sample("a", "b", 0, 0, (Picture(Recipe("render_page", {})),)), [b""], [None])
    assert measure_pictures([item], ImageRules(), ReadRules())[0].sample.failure.place == "render_page"


def test_picture_over_the_rule_is_measured_from_its_header_only():
    rules = {"min_pixel_count": 1, "max_pixel_count": 64 * 48 - 1}
    done = measure(save(photo(), "PNG"), image=ImageRules(**rules))
    found = done.sample.pieces[1]
    assert (done.sample.failure, done.pixels[1], found.pixels, found.width) == (None, None, b"", 64)
    assert set(found.measures) == {"short_side", "aspect_ratio", "pixel_count", "frames", "bytes"}


def test_the_perceptual_hash_is_taken_where_it_is_asked_for():
    large = ImageRules(max_pixel_count=100)
    for image, likeness, expected in (
        (ImageRules(), True, hash_likeness(photo())),
        (ImageRules(), False, b""),
        (large, True, b""),
    ):
        (item,) = measure_pictures([sample(save(photo(), "PNG"))], image, ReadRules(), likeness)
        assert item.sample.pieces[1].likeness == expected


def test_picture_over_the_decoder_limit_fails():
    assert measure(save(photo(), "PNG"), read=ReadRules(max_decode_pixels=9)).sample.failure.error == "PictureTooLarge"


def test_disabled_rules_still_measure_and_hash():
    found = measure(save(photo(), "PNG"), image=ImageRules(enabled=False, min_pixel_count=1, max_pixel_count=1))
    assert found.sample.pieces[1].pixels == hash_pixels(photo())
    assert "grey_std" in found.sample.pieces[1].measures


def real_pictures():
    for path in sorted(DATA.glob("*/*.*")):
        if path.suffix in {".jpg", ".jpeg", ".png"}:
            yield path.name, path.read_bytes()
    for path in sorted(DATA.glob("caption_pairs/*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if not member.name.endswith((".txt", ".json")):
                    yield member.name, archive.extractfile(member).read()


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_real_pictures_read_as_pillow_reads_them():
    wrong = []
    for name, data in real_pictures():
        with Image.open(io.BytesIO(data)) as image:
            expected = (*image.size, getattr(image, "n_frames", 1) if image.format != "MPO" else 1)
        if read_header(data)[1:] != expected or decode(data, 10**8).shape[1::-1] != expected[:2]:
            wrong.append(name)
    assert wrong == []
