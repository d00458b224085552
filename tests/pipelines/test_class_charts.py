"""Charts of a classifier: well-formed SVG that says what it shows and holds no foreign markup."""

import re
from xml.etree import ElementTree

import numpy as np

from pipelines.class_charts import POINTS, calibration_svg, precision_recall_svg
from transforms.class_scores import Bin, precision_recall

EVIL = "</title><script>alert(1)</script>"


def titles(svg: str) -> list[str]:
    return [found.text or "" for found in ElementTree.fromstring(svg).iter() if found.tag.endswith("title")]


def test_a_curve_has_its_name_and_the_point_that_is_told():
    curve = precision_recall(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
    svg = precision_recall_svg(curve, EVIL, (0.9, 1.0, 0.5))
    assert titles(svg) == [f"Precision over recall of {EVIL}", "at 0.90 and above: precision 1.000, recall 0.500"]
    assert "<script" not in svg and svg.count("<circle") == 1


def test_a_long_curve_is_thinned_but_keeps_its_ends():
    scores = np.linspace(1, 0, 5000)
    curve = precision_recall(scores, np.arange(5000) % 3 == 0)
    svg = precision_recall_svg(curve, "x", None)
    line = max(re.findall(r'd="(M[^"]*)"', svg), key=len)
    assert line.count("L") <= POINTS + 2 and len(svg) < 20_000
    assert "<circle" not in svg


def test_bars_tell_confidence_and_accuracy_and_tint_what_is_too_sure():
    svg = calibration_svg([Bin(0.5, 0.6, 4, 0.55, 0.75), Bin(0.9, 1.0, 9, 0.95, 0.5)], "Calibrated")
    assert titles(svg)[1:] == ["4 pictures: 0.550 sure, 0.750 right", "9 pictures: 0.950 sure, 0.500 right"]
    assert svg.count("fill-opacity:.35") == 1


def test_nothing_to_draw_is_no_trouble():
    empty = precision_recall(np.array([0.5]), np.array([False]))
    for svg in (precision_recall_svg(empty, "x", None), calibration_svg([], "x")):
        ElementTree.fromstring(svg)
