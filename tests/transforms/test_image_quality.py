"""Tests of transforms/image_quality.py."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.caption import ImageRules
from transforms.image_quality import check_image, measure_content, measure_shape
from transforms.records import Drop, Picture, Span

SPAN = Span("raw.tar", 0, 1, "tar", "a.jpg")
SOUND = {"short_side": 300, "aspect_ratio": 1.5, "pixel_count": 135_000, "frames": 1, "grey_std": 50.0, "entropy": 7.0}
# Written out, so that a better default does not break a test.
RULES = ImageRules(
    min_short_side=200,
    max_aspect_ratio=3.0,
    min_pixel_count=40_000,
    max_pixel_count=89_478_485,
    min_grey_std=4.0,
    min_entropy=0.5,
)


def check(rules=RULES, **measures):
    return check_image(Picture(SPAN, measures={**SOUND, **measures}), rules)


def test_shape_is_measured_from_the_header():
    expected = {"short_side": 200, "aspect_ratio": 1.665, "pixel_count": 66_600, "frames": 3, "bytes": 9}
    assert measure_shape(200, 333, 3, 9) == expected


@pytest.mark.parametrize("shape", [(1, 1), (1, 100_000), (100_000, 1), (3, 7), (384, 512), (480, 480), (128, 128)])
@pytest.mark.parametrize("channels", [3, 4])
def test_one_colour_has_no_spread_in_any_shape(shape, channels):
    pixels = np.full((*shape, channels), 255, np.uint8)
    assert measure_content(pixels) == {"grey_std": 0.0, "entropy": 0.0}


@pytest.mark.parametrize("period", range(2, 17))
@pytest.mark.parametrize("axis", [0, 1])
def test_stripes_of_any_period_do_not_look_solid(period, axis):
    line = (np.arange(512) % period == 0).astype(np.uint8) * 255
    grey = np.tile(line, (512, 1)) if axis else np.tile(line, (512, 1)).T
    share = 1 / period
    assert measure_content(np.dstack([grey] * 3))["grey_std"] == pytest.approx(
        255 * (share - share**2) ** 0.5, rel=0.15
    )


def test_sample_is_close_to_all_pixels():
    pixels = np.random.default_rng(0).integers(0, 256, (384, 512, 3), dtype=np.uint8)
    grey = pixels @ np.array([0.299, 0.587, 0.114])
    assert measure_content(pixels)["grey_std"] == pytest.approx(float(grey.std()), rel=0.02)


def test_two_equal_levels_are_one_bit():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = 200
    assert measure_content(pixels) == {"grey_std": 100.0, "entropy": 1.0}


def test_transparent_pixels_count_as_white():
    pixels = np.zeros((10, 10, 4), np.uint8)
    assert measure_content(pixels) == {"grey_std": 0.0, "entropy": 0.0}
    pixels[:5, :, :3], pixels[:5, :, 3] = 255, 255
    assert measure_content(pixels) == {"grey_std": 0.0, "entropy": 0.0}
    pixels[:5, :, :3] = 0
    assert measure_content(pixels)["grey_std"] == 127.5


def test_half_transparent_black_is_mid_grey():
    pixels = np.zeros((2, 1, 4), np.uint8)
    pixels[0, 0, 3] = 128
    assert measure_content(pixels)["grey_std"] == 64.0


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 2**32 - 1))
def test_content_stays_in_its_bounds(height, width, seed):
    measures = measure_content(np.random.default_rng(seed).integers(0, 256, (height, width, 4), dtype=np.uint8))
    assert 0 <= measures["grey_std"] <= 127.5
    assert 0 <= measures["entropy"] <= 8


def test_sound_picture_stays():
    assert check() is None


@pytest.mark.parametrize(
    ("measure", "stays", "goes", "rule", "limit"),
    [
        ("pixel_count", 89_478_485, 89_478_486, "image_too_many_pixels", 89_478_485),
        ("short_side", 200, 199, "image_too_small", 200),
        ("aspect_ratio", 3.0, 3.0001, "image_aspect_ratio", 3.0),
        ("pixel_count", 40_000, 39_999, "image_too_few_pixels", 40_000),
        ("frames", 1, 2, "image_animated", 1),
        ("grey_std", 4.0, 3.9999, "image_solid_colour", 4.0),
        ("entropy", 0.5, 0.4999, "image_low_information", 0.5),
    ],
)
def test_each_rule_at_its_limit(measure, stays, goes, rule, limit):
    assert check(**{measure: stays}) is None
    assert check(**{measure: goes}) == Drop(rule, goes, limit)


def test_rules_fire_in_order():
    bad = {"pixel_count": 1, "short_side": 1, "aspect_ratio": 9.0, "frames": 2, "grey_std": 0.0, "entropy": 0.0}
    fired = []
    for measure in ["short_side", "aspect_ratio", "pixel_count", "frames", "grey_std", "entropy"]:
        fired.append(check(**bad).rule)
        bad[measure] = SOUND[measure]
    assert fired == [
        "image_too_small",
        "image_aspect_ratio",
        "image_too_few_pixels",
        "image_animated",
        "image_solid_colour",
        "image_low_information",
    ]


def test_many_pixels_come_first():
    assert check(pixel_count=10**9, short_side=1).rule == "image_too_many_pixels"


def test_animation_may_be_allowed():
    assert check(ImageRules(allow_animated=True), frames=50) is None


def test_disabled_rules_never_fire():
    assert check(ImageRules(enabled=False), short_side=1) is None


def test_what_was_not_measured_cannot_fire():
    assert check_image(Picture(SPAN), ImageRules()) is None
