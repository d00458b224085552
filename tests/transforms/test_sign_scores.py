"""QR codes and adverts on real pictures: floors under precision and recall; RESULTS.md has the table."""

import pytest

pytest.importorskip("zxingcpp")

from tests.benchmarks.sign_scores import IMAGES, SignScore, format_scores, score, score_signs
from tests.transforms.real_pages import DATA

real_data = pytest.mark.skipif(not (DATA.is_dir() and IMAGES.is_dir()), reason="../shared/data is absent")

# Number of pictures, of true ones, and the least recall. Precision is 1 in every line.
FLOORS = {
    "web_images, QR codes: found": (25, 16, 1.0),
    "web_images, QR codes: dropped, at `codes.drop_share` 0.05": (25, 16, 0.81),
    # The goods of shops bear no sign that a rule can know; two have one by their name, which does not suffice.
    "web_images, adverts without their pages: dropped": (25, 5, 0.0),
    "web_images, adverts without their pages: one sign or more": (25, 5, 0.4),
    "web, adverts on their pages: dropped by the rules alone": (352, 7, 1.0),
    "web, adverts on their pages: gone by the rules or with their block": (7, 7, 1.0),
}


@real_data
@pytest.mark.real_data
@pytest.mark.parametrize("name", FLOORS)
def test_precision_and_recall_on_real_pictures(name):
    found, (pictures, true, recall) = score_signs()[name], FLOORS[name]
    assert (found.pictures, found.true) == (pictures, true)
    assert found.precision == 1 and found.recall >= recall, found
    assert name in format_scores()


def test_scores():
    found = score([(True, True), (True, False), (False, True), (False, False)])
    assert found == SignScore(4, 2, 2, 1) and (found.precision, found.recall) == (0.5, 0.5)
    assert score([(False, True)]).precision == 1
