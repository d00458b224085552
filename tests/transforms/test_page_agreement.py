"""Our text of the real pages held against trafilatura's and resiliparse's, by site family; RESULTS.md has the table.

The floors lie a little under what was measured and read by eye, so that a change which loses content or lets
boilerplate in shows, whatever the others make of a page.
"""

from collections import Counter

import pytest

pytest.importorskip("trafilatura")
pytest.importorskip("readability")

from tests.benchmarks.page_agreement import agreements, format_agreements, token_f1
from tests.transforms.real_pages import DATA

pytestmark = [pytest.mark.real_data, pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data/web is absent")]

# F1 with trafilatura and resiliparse; of 100 words that both give, how many ours may lack.
FLOORS = {
    "girlsown": (0.99, 0.99, 0.2),
    "handbook en-US": (0.76, 0.80, 0.1),
    "handbook zh-CN": (0.67, 0.79, 0.1),
    "magz-news": (0.63, 0.59, 1.0),
    "mdn": (0.80, 0.78, 5.0),
}
RENAMED = {"handbook en-US": (0.93, 0.98, 0.1), "handbook zh-CN": (0.82, 0.97, 0.1)}


@pytest.mark.parametrize(("renamed", "floors"), [(False, FLOORS), (True, RENAMED)])
def test_each_family_agrees_as_measured(renamed, floors):
    found = agreements(renamed)
    assert found.keys() == floors.keys()
    for name, (trafilatura, resiliparse, lacking) in floors.items():
        one = found[name]
        assert (one.f1["trafilatura"] >= trafilatura, one.f1["resiliparse"] >= resiliparse) == (True, True), (name, one)
        assert 100 * one.lacking <= lacking * one.both, (name, one)


def test_hardly_a_word_is_ours_alone_where_boxes_have_no_name():
    assert all(one.alone <= 0.02 * one.words for one in agreements(renamed=True).values())


def test_token_f1_of_bags():
    one, other = Counter("aab"), Counter("abc")
    assert token_f1(one, other) == token_f1(other, one) == 4 / 6
    assert (token_f1(one, one), token_f1(one, Counter()), token_f1(Counter(), Counter())) == (1.0, 0.0, 1.0)


def test_the_table_names_every_family():
    assert all(f"| {name} |" in format_agreements() for name in FLOORS)
