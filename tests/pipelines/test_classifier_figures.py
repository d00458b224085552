"""The figures of a head, by hand on six pictures."""

import json

import numpy as np

from pipelines.classifier_figures import Judged, as_json, format_table, summarise
from pipelines.labelled_pictures import LeftOut

TRUTH = np.array([0, 0, 0, 1, 1, 1])
SHARES = np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8], [0.1, 0.9]])


def judged(classes=("chart", "map"), shares=SHARES) -> Judged:
    left_out = [LeftOut("a", "Copy", ""), LeftOut("b", "Copy", ""), LeftOut("c", "PictureTruncated", "")]
    return Judged(classes, (), TRUTH, shares, shares, left_out, 10)


def test_figures_by_hand():
    found = summarise(judged(), 1.0)
    assert (found.pictures, found.accuracy, found.balanced_accuracy) == (6, 0.8333, 0.8333)
    assert found.confusion == ((2, 1), (0, 3))
    chart, map_ = found.classes
    assert (chart.precision, chart.recall, chart.pictures) == (1.0, 0.6667, 3)
    assert (map_.precision, map_.recall) == (0.75, 1.0)
    assert (chart.threshold, chart.recall_there) == (0.4, 1.0)
    assert chart.average_precision == 1.0
    # Five right with confidences 0.9 0.8 0.7 0.8 0.9, one wrong at 0.6; a bin each: (0.6 + 0.3 + 0.4 + 0.2) / 6.
    assert found.calibration_error == 0.25


def test_a_class_that_the_set_lacks_is_told_as_such():
    shares = np.hstack([SHARES, np.zeros((6, 1))])
    found = summarise(judged(("chart", "map", "other"), shares), 0.95)
    other = found.classes[2]
    assert (other.pictures, other.precision, other.recall, other.threshold) == (0, None, None, None)
    assert found.balanced_accuracy == 0.8333
    assert format_table(found).splitlines()[3].split() == ["other", "0", "–", "–", "0.0000", "–", "–"]


def test_the_json_is_plain_and_counts_what_was_left_out():
    plain = as_json(summarise(judged(), 0.95), judged(), {"head": "ab"})
    assert json.loads(json.dumps(plain, allow_nan=False)) == json.loads(json.dumps(plain))
    assert plain["left_out"] == {"Copy": 2, "PictureTruncated": 1}
    assert plain["classes"]["chart"]["recall"] == 0.6667 and plain["head"] == "ab"
