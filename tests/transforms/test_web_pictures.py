"""Tests of transforms/web_pictures.py."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import transforms.web_pictures as web_pictures
from configs.schema.web_rules import WebPictureRules
from transforms.records import Drop, Picture, Span
from transforms.web_pictures import (
    address_words,
    check_web_picture,
    measure_page_picture,
    measure_real_shape,
    measure_sharpness,
)

SPAN = Span("pages.warc.gz", 0, 9, "warc")
RULES = WebPictureRules()
SOUND = {"short_side": 300, "width_to_height": 1.5, "sharpness": 500.0}


def judge(url: str = "https://a.example/photo.jpg", shown: tuple[int, int] = (0, 0), **measures: float) -> Drop | None:
    found = measure_page_picture(url, shown, RULES)
    return check_web_picture(Picture(SPAN, measures={**SOUND, **found, **measures}), RULES)


def test_a_picture_of_an_article_stays():
    assert judge() is None
    assert judge(shown=(640, 426)) is None


@pytest.mark.parametrize(
    ("measures", "drop"),
    [
        ({"short_side": 149}, Drop("picture_too_small", 149, 150)),
        ({"width_to_height": 0.49}, Drop("picture_too_narrow", 0.49, 0.5)),
        ({"width_to_height": 2.01}, Drop("picture_too_wide", 2.01, 2.0)),
        ({"sharpness": 99.9}, Drop("picture_blurred", 99.9, 100.0)),
    ],
    ids=["small", "narrow", "wide", "blurred"],
)
def test_a_measure_beyond_its_limit_goes(measures, drop):
    assert judge(**measures) == drop


def test_a_value_at_its_limit_stays():
    assert judge(short_side=150, width_to_height=0.5, sharpness=100.0) is None
    assert judge(width_to_height=2.0, shown=(50, 50)) is None


@pytest.mark.parametrize(
    ("path", "word"),
    [
        ("logo.png", "logo"),
        ("img/site-logo@2x.png", "logo"),
        ("SiteLogo.svg", "logo"),
        ("icons/mail.png", "icon"),
        ("icon16.png", "icon"),
        ("wp-content/plugins/share/x.png", "plugin"),
        ("buy_button.gif", "button"),
        ("%6Cogo.png", "logo"),
    ],
)
def test_decoration_by_the_words_of_its_address(path, word):
    assert judge(f"https://a.example/{path}") == Drop("picture_decoration", 1, 0, word)


@pytest.mark.parametrize(
    "url",
    [
        "https://logo.example/photo.jpg",
        "https://a.example/silicon-valley.jpg",
        "https://a.example/lexicon.png",
        "https://a.example/photo.jpg?via=logo",
        "https://a.example/photo.jpg#icon",
        "https://a.example/catalogo.jpg",
        "https://a.example/native-form-widgets/map.png",
        "data:image/png;base64,logo/icon",
        "",
    ],
)
def test_words_inside_words_and_outside_the_path_say_nothing(url):
    assert judge(url) is None


def test_a_large_file_shown_as_an_icon():
    assert judge(shown=(32, 32)) == Drop("picture_decoration", 32, 50)
    assert judge(shown=(0, 32)) is None


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("https://t.example/pixel?id=9", "pixel"),
        ("https://t.example/px/1x1.gif", "1x1"),
        ("https://t.example/tracking/open.gif", "tracking"),
    ],
)
def test_trackers_by_address(url, word):
    assert judge(url) == Drop("picture_tracker", 1, 0, word)


def test_a_photograph_of_a_pixel_is_no_tracker():
    assert judge("https://a.example/google-pixel.jpg") is None


def test_one_pixel_is_there_to_be_fetched():
    assert judge(shown=(1, 1)) == Drop("picture_tracker", 1, 2)
    assert check_web_picture(Picture(SPAN, width=1, height=1), RULES) == Drop("picture_tracker", 1, 2)
    assert check_web_picture(Picture(SPAN, width=2, height=3), RULES) is None


def test_what_was_not_measured_is_not_judged_and_rules_can_be_off():
    assert check_web_picture(Picture(SPAN), RULES) is None
    assert check_web_picture(Picture(SPAN, measures={"short_side": 1}), WebPictureRules(enabled=False)) is None


def test_shape_has_a_side():
    assert measure_real_shape(100, 300) == {"width_to_height": 0.3333}


def test_words_are_parted_and_singular():
    assert address_words("https://a.example/Photos/my-Own/x/300x250_NewAds.jpg?x#y") == (
        "photo", "x", "300x250", "new", "ads", "jpg",
    )  # fmt: skip


@given(st.text(max_size=200))
def test_no_address_is_an_error(url):
    measure_page_picture("https://a/" + url, (1, 1), RULES)
    measure_page_picture(url, (1, 1), RULES)
    assert len(address_words("https://a/" + url)) <= 200


@settings(max_examples=50)
@given(st.integers(1, 24), st.integers(1, 24), st.integers(0, 2**32 - 1))
def test_sharpness_is_opencvs(height, width, seed):
    """Written out pixel by pixel: borders mirrored without repeating the edge (BORDER_REFLECT_101)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    grey = np.floor(pixels @ np.array([0.299, 0.587, 0.114], np.float64) + 0.5)
    around = np.pad(grey, 1, mode="reflect" if min(height, width) > 1 else "edge")
    if height > 1 == width:
        around[:, [0, 2]] = around[:, [1, 1]]
    if min(height, width) == 1:
        around = np.pad(grey, [(int(height > 1),) * 2, (int(width > 1),) * 2], mode="reflect")
        around = np.pad(around, [(int(height == 1),) * 2, (int(width == 1),) * 2], mode="edge")
    edges = around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:] - 4 * grey
    assert measure_sharpness(pixels) == pytest.approx(edges.var(), rel=0.05, abs=0.5)


def test_a_flat_picture_has_no_sharpness_and_a_blurred_one_little():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    soft = noise.astype(float)
    for _ in range(20):
        soft = (soft + np.roll(soft, 1, 0) + np.roll(soft, 1, 1) + np.roll(soft, -1, 0) + np.roll(soft, -1, 1)) / 5
    assert measure_sharpness(np.full((9, 9, 3), 77, np.uint8)) == 0
    assert measure_sharpness(soft.astype(np.uint8)) < 20 < 10_000 < measure_sharpness(noise)


def test_a_drawing_in_black_on_nothing_is_sharp():
    drawing = np.zeros((64, 64, 4), np.uint8)
    drawing[::8, :, 3] = 255
    on_white = np.full((64, 64, 3), 255, np.uint8)
    on_white[::8] = 0
    assert measure_sharpness(drawing) == measure_sharpness(on_white) > 10_000


def test_rows_of_a_large_picture_stand_for_all(monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (300, 200, 4), dtype=np.uint8)
    whole = measure_sharpness(noise)
    monkeypatch.setattr(web_pictures, "SAMPLED_PIXELS", 20_000)
    assert measure_sharpness(noise) == pytest.approx(whole, rel=0.05)
