"""Perceptual hashes against imagehash, bit for bit: drawn pictures, degenerate ones, every real picture at hand."""

import io
from pathlib import Path

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from transforms.perceptual_hash import HASH_BYTES, hash_grey, hash_likeness, shrink_grey
from transforms.pictures import decode

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
ACROSS, DOWN = np.meshgrid(np.arange(32), np.arange(32))
DEGENERATE = {
    "black": np.zeros((32, 32)),
    "grey": np.full((32, 32), 77),
    "ramp": ACROSS * 8,
    "ramp down": DOWN * 8,
    "symmetric": abs(ACROSS - 15.5) * 16,
    "diamond": (abs(ACROSS - 15.5) + abs(DOWN - 15.5)) * 8,
    "box": ((abs(ACROSS - 15.5) < 7) & (abs(DOWN - 15.5) < 7)) * 255,
    "stripes": ACROSS % 2 * 255,
    "half": (ACROSS < 16) * 255,
    "chess board": (ACROSS // 4 + DOWN // 4) % 2 * 255,
}


def oracle(picture: Image.Image) -> str:
    return str(imagehash.phash(picture))


@given(arrays(np.uint8, st.tuples(st.integers(1, 70), st.integers(1, 70), st.sampled_from([3, 4]))))
def test_bits_are_the_oracles(pixels):
    assert hash_likeness(pixels).hex() == oracle(Image.fromarray(pixels))


@given(st.integers(0, 2**32), st.integers(8, 300), st.integers(8, 300))
def test_bits_are_the_oracles_on_smooth_pictures(seed, width, height):
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
    pixels = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC))
    assert hash_likeness(pixels).hex() == oracle(Image.fromarray(pixels))


@pytest.mark.parametrize("name", DEGENERATE)
def test_coefficients_that_are_zero_are_told_as_the_oracle_tells_them(name):
    pixels = np.repeat(DEGENERATE[name].astype(np.uint8)[..., None], 3, axis=2)
    assert hash_likeness(pixels).hex() == oracle(Image.fromarray(pixels))


def test_a_batch_is_hashed_as_its_pictures_are():
    batch = np.random.default_rng(0).integers(0, 256, (20, 32, 32), np.uint8)
    assert hash_grey(batch).tolist() == [int(hash_grey(one[None])[0]) for one in batch]
    assert hash_grey(batch[:0]).tolist() == []


def test_eight_bytes_and_a_grey_picture_of_32():
    pixels = np.random.default_rng(0).integers(0, 256, (90, 40, 3), np.uint8)
    assert len(hash_likeness(pixels)) == HASH_BYTES == 8
    assert shrink_grey(pixels).shape == (32, 32)


@pytest.mark.real_data
@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="real pictures are not at ../shared/data")
def test_bits_are_the_oracles_on_every_real_photo():
    files = sorted(path for name in ("duplicates", "grounding", "scene_text") for path in (DATA / name).rglob("*.jpg"))
    assert len(files) > 100
    for path in files:
        data = path.read_bytes()
        with Image.open(io.BytesIO(data)) as picture:
            assert hash_likeness(decode(data, 10**9)).hex() == oracle(picture), path
