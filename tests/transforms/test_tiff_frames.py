"""Frames of TIFFs taken apart and put together: Pillow sees the same pixels, and damage is an error with a class."""

import io
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from transforms.picture_headers import PictureError, read_header
from transforms.tiff_frames import format_frames, parse_frames


def tiff(count=3, mode="RGB", **options):
    frames = [Image.linear_gradient("L").resize((20 + n, 30)).convert(mode) for n in range(count)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:], **options)
    return buffer.getvalue()


def pixels(data):
    image = Image.open(io.BytesIO(data))
    return [(image.seek(n), image.size, image.tobytes())[1:] for n in range(getattr(image, "n_frames", 1))]


@pytest.mark.parametrize(
    ("mode", "options"),
    [
        ("RGB", {}),
        ("L", {"compression": "tiff_lzw"}),
        ("1", {"compression": "group4"}),
        ("RGB", {"compression": "tiff_adobe_deflate"}),
        ("RGB", {"compression": "jpeg"}),
        ("P", {}),
        ("I;16B", {}),
    ],
)
def test_each_frame_alone_and_all_together_show_the_same_pixels(mode, options):
    data = tiff(mode=mode, **options)
    frames = list(parse_frames(data))
    alone = [format_frames([frame]) for frame in frames]
    assert [read_header(one).frames for one in alone] == [1, 1, 1]
    assert [shown for one in alone for shown in pixels(one)] == pixels(data)
    assert pixels(format_frames(frames)) == pixels(data)
    assert [list(parse_frames(one))[0].parts for one in alone] == [frame.parts for frame in frames]


def test_writing_is_deterministic_and_a_fixed_point():
    data = format_frames(list(parse_frames(tiff())))
    assert format_frames(list(parse_frames(data))) == data


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II+\0" + bytes(20), b"\xff\xd8\xff", tiff()[:300]])
def test_what_is_no_whole_tiff_is_a_picture_error(data):
    with pytest.raises(PictureError):
        list(parse_frames(data))


def test_directories_in_a_circle_end():
    data = bytearray(format_frames(list(parse_frames(tiff(1)))))
    count = int.from_bytes(data[8:10], "little")
    data[10 + 12 * count : 14 + 12 * count] = (8).to_bytes(4, "little")
    assert len(list(parse_frames(bytes(data)))) == 1


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6))
def test_damaged_bytes_never_raise_anything_else(changes):
    data = bytearray(tiff(2))
    for place, value in changes:
        data[place if place < 8 else len(data) - place] = value
    with suppress(PictureError):
        format_frames(list(parse_frames(bytes(data))) or [next(parse_frames(tiff(1)))])


def test_frames_that_share_their_bytes_a_thousand_times_are_refused():
    directory = b"\2\0" + bytes.fromhex("1101 0400 01000000") + (8).to_bytes(4, "little")
    directory += bytes.fromhex("1701 0400 01000000") + (50_000).to_bytes(4, "little")
    start, step = 8 + 50_000, len(directory) + 4
    chain = b"".join(directory + (start + (n + 1) * step).to_bytes(4, "little") for n in range(1000))
    with pytest.raises(PictureError, match="share no bytes"):
        list(parse_frames(b"II*\0" + start.to_bytes(4, "little") + bytes(50_000) + chain))
