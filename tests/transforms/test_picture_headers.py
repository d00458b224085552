"""Formats, sizes and frame counts from the first bytes of a file: Pillow is the oracle."""

import json
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from tests.transforms.drawn import DATA, FORMATS, LIMIT, photo, png_chunk, save
from transforms.picture_headers import MAX_FRAMES, MAX_PARTS, count_tiff_frames
from transforms.pictures import PictureError, decode, read_header, sniff_format


@pytest.mark.parametrize("name", FORMATS)
def test_header_of_each_format(name):
    assert read_header(save(photo(), FORMATS[name])) == (name, 64, 48, 1)


@pytest.mark.parametrize("name", ["png", "webp", "gif", "tiff"])
def test_frames_are_counted(name):
    frames = [Image.fromarray(photo() // n) for n in (1, 2, 3)]
    data = save(frames[0], FORMATS[name], save_all=True, append_images=frames[1:], duration=50)
    assert read_header(data) == (name, 64, 48, 3)


def test_both_webp_codings_and_the_extended_header():
    rgba = np.dstack([photo(), photo()[..., 0]])
    files = [save(photo(), "WEBP"), save(photo(), "WEBP", lossless=True), save(rgba, "WEBP")]
    assert [data[12:16] for data in files] == [b"VP8 ", b"VP8L", b"VP8X"]
    assert [read_header(data) for data in files] == [("webp", 64, 48, 1)] * 3


def test_big_tiff_and_big_endian():
    assert read_header(save(photo(), "TIFF", big_tiff=True)) == ("tiff", 64, 48, 1)
    head = b"MM\x00*" + struct.pack(">I", 8) + struct.pack(">HI", 0, 14) + struct.pack(">HI", 0, 8)
    assert count_tiff_frames(head) == 2  # the chain loops
    assert count_tiff_frames(head[:13] + b"\x63" + head[14:]) == 1  # and points behind the end


def test_tiff_directory_over_the_end_of_the_file():
    assert count_tiff_frames(b"II*\x00" + struct.pack("<IH", 8, 99) + bytes(8)) == 1


def test_mpo_is_one_picture():
    frames = [Image.fromarray(photo()), Image.fromarray(photo() // 2)]
    assert read_header(save(frames[0], "MPO", save_all=True, append_images=frames[1:])).frames == 1


def test_frame_count_is_capped():
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x00"
    data = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0, 0, 0) + frame * (MAX_FRAMES + 5)
    assert read_header(data).frames == MAX_FRAMES


def test_gif_frame_wider_than_its_screen():
    data = bytearray(save(photo(), "GIF"))
    data[6:10] = struct.pack("<HH", 5, 5)
    assert read_header(bytes(data)) == ("gif", 64, 48, 1)
    assert decode(bytes(data), LIMIT).shape == (48, 64, 3)


def test_gif_with_junk_between_blocks_is_one_frame():
    assert read_header(b"GIF89a" + struct.pack("<HHBBB", 3, 2, 0, 0, 0) + b"\x99") == ("gif", 3, 2, 1)
    data = save(photo(), "GIF")
    place = data.index(b"\x2c")
    assert read_header(data[:place] + b"\x99\0" + data[place:]) == ("gif", 64, 48, 1)
    assert decode(data[:place] + b"\x99\0" + data[place:], LIMIT).shape == (48, 64, 3)


def test_gif_cut_in_the_header_of_a_later_frame_keeps_the_first():
    assert read_header(save(photo(), "GIF")[:-1] + b"\x2c\0\0") == ("gif", 64, 48, 1)


def test_headers_of_jpegs_that_turbojpeg_refuses():
    head = b"\xff\xd8\xff\xfe\x00\x04ab\xff" + b"\xff\xc1" + struct.pack(">HBHHB", 8, 8, 3, 5, 0)
    assert read_header(head) == ("jpeg", 5, 3, 1)
    with pytest.raises(PictureError, match="found none"):
        read_header(b"\xff\xd8" + b"\xff\xfe\x00\x02" * (MAX_PARTS + 1))


def test_both_bmp_headers_and_rows_from_the_top():
    assert read_header(b"BM" + bytes(12) + struct.pack("<IHH", 12, 7, 5)) == ("bmp", 7, 5, 1)
    assert read_header(b"BM" + bytes(12) + struct.pack("<Iii", 40, 7, -5)) == ("bmp", 7, 5, 1)


def test_a_walk_over_chunks_ends():
    data = save(photo(), "PNG")
    many = (
        data[:33] + png_chunk(b"teSt", b"") * (MAX_PARTS + 1) + png_chunk(b"acTL", struct.pack(">II", 9, 0)) + data[33:]
    )
    assert read_header(many).frames == 1


@pytest.mark.parametrize("name", FORMATS)
def test_sniffed_by_content(name):
    data = save(photo(), FORMATS[name])
    assert sniff_format(data) == sniff_format(memoryview(data)) == name


def test_unknown_content():
    assert sniff_format(b"<!DOCTYPE html>") == sniff_format(b"") == ""


def test_the_message_says_what_was_found():
    with pytest.raises(PictureError, match="found a file of b'<html>404</h'"):
        read_header(b"<html>404</html>")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_declared_sizes_of_the_caption_pairs():
    with tarfile.open(DATA / "caption_pairs" / "00000.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive}
    sizes = {name[:-5]: json.loads(data) for name, data in files.items() if name.endswith(".json")}
    found = {name.rsplit(".", 1)[0]: data for name, data in files.items() if not name.endswith((".txt", ".json"))}
    wrong = [key for key, meta in sizes.items() if read_header(found[key])[1:3] != (meta["width"], meta["height"])]
    assert wrong == []
