"""Tests of the charts: where bins and thresholds fall, and that a chart is well-formed whatever its labels say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.charts import Cut, Series, bar_svg, bin_counts, choose_edges, format_short, histogram_svg

HALF = [0.0, 0.5, 1.0]


def chart(series: Sequence[Series], *, cuts: Sequence[Cut] = (), label: str = "share") -> ElementTree.Element:
    return ElementTree.fromstring(histogram_svg(series, edges=HALF, cuts=cuts, x_label=label))


def test_the_first_cut_lies_on_an_edge() -> None:
    assert 0.3 in choose_edges(0.117, 0.533, cuts=[Cut(0.3, "low", "min")])


def test_edges_span_the_values_and_every_cut() -> None:
    edges = choose_edges(10, 20, cuts=[Cut(5, "short", "min"), Cut(90, "long", "max")])
    assert edges[0] <= 5
    assert edges[-1] > 90  # Room for the tint of what a maximum drops.


def test_whole_numbers_stand_in_the_middle_of_their_bins() -> None:
    assert choose_edges(1, 3, whole=True) == [0.5, 1.5, 2.5, 3.5]


def test_log_edges_of_whole_numbers_hold_one_number_at_least() -> None:
    edges = choose_edges(0, 5000, whole=True, log_x=True)
    assert edges[0] == -0.5
    assert all(b - a >= 1 for a, b in zip(edges, edges[1:], strict=False))


def test_one_value_gets_a_narrow_bar() -> None:
    edges = choose_edges(0.0, 0.0)
    assert (edges[0], edges[-1]) == (0.0, 1.0)
    assert edges[1] < 0.1


def test_a_value_on_an_edge_goes_to_the_side_that_the_rule_puts_it_on() -> None:
    assert bin_counts([0.5], HALF) == [0, 1]
    assert bin_counts([0.5], HALF, right_closed=True) == [1, 0]


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=40),
    st.floats(0, 1e6),
    st.sampled_from(["min", "max"]),
    st.booleans(),
    st.booleans(),
)
def test_every_value_is_counted_once(values: list[float], limit: float, side: str, whole: bool, log_x: bool) -> None:
    cuts = [Cut(limit, "limit", "min" if side == "min" else "max")]
    edges = choose_edges(min(values), max(values), cuts=cuts, whole=whole, log_x=log_x)
    assert edges == sorted(edges)
    assert len(edges) <= 90
    assert sum(bin_counts(values, edges)) == len(values)
    svg = histogram_svg([Series("all", bin_counts(values, edges))], edges=edges, cuts=cuts, x_label="x", log_x=log_x)
    ElementTree.fromstring(svg)
    assert "nan" not in svg and "inf" not in svg


def test_a_series_that_does_not_fit_its_edges_is_refused() -> None:
    with pytest.raises(ValueError, match="series 'kept': expected 2 counts, found 3"):
        histogram_svg([Series("kept", [1, 2, 3])], edges=HALF, x_label="x")


def test_each_cut_is_a_labelled_line() -> None:
    texts = [e.text for e in chart([Series("kept", [3, 4])], cuts=[Cut(0.5, "clip_score_low < 0.5", "min")]).iter()]
    assert "clip_score_low < 0.5" in texts


@pytest.mark.parametrize(("side", "x", "width"), [("min", "46.0", "192.0"), ("max", "238.0", "192.0")])
def test_the_dropped_side_is_tinted(side: str, x: str, width: str) -> None:
    cut = Cut(0.5, "half", "min" if side == "min" else "max")
    tint = next(e for e in chart([Series("kept", [3, 4])], cuts=[cut]).iter() if "--tint" in e.get("style", ""))
    assert (tint.get("x"), tint.get("width")) == (x, width)


def test_a_whole_number_cut_is_drawn_between_the_numbers() -> None:
    svg = histogram_svg(
        [Series("kept", [5, 2])], edges=[0.5, 1.5, 2.5], cuts=[Cut(1, "one", "max")], x_label="x", whole=True
    )
    assert "M238.0 2V" in svg  # Half way: between 1 and 2.


def test_a_single_row_stays_visible_beside_a_million() -> None:
    bars = re.findall(r'<path d="(M[^"]+z)"', histogram_svg([Series("x", [1_000_000, 1])], edges=HALF, x_label="x"))
    base, top = map(float, re.findall(r"M238\.0 ([\d.]+)V([\d.]+)", bars[0])[0])
    assert base - top == pytest.approx(1.5)


def test_a_stack_is_as_tall_as_its_sum() -> None:
    svg = histogram_svg([Series("a", [1, 0]), Series("b", [1, 0])], edges=HALF, x_label="x", layout="stack")
    lower, upper = (re.findall(r"M46\.0 ([\d.]+)V([\d.]+)", d)[0] for d in re.findall(r'd="(M46\.0[^"]*z)"', svg))
    assert lower[1] == upper[0]


def test_hostile_labels_stay_text() -> None:
    root = chart([Series("<b>", [1, 0])], cuts=[Cut(0.5, "</text><script>\x00", "min")], label='"><img src=x>')
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= {"svg", "title", "rect", "path", "text"}


def test_no_rows_still_draw_an_axis() -> None:
    assert chart([Series("kept", [0, 0])]) is not None


def test_a_bar_shows_a_trace_of_any_share() -> None:
    root = ElementTree.fromstring(bar_svg([(0.999999, "kept"), (0.000001, "dropped")], "a <b> c"))
    widths = [float(e.get("width", 0)) for e in root.iter() if e.tag.endswith("rect")]
    assert widths == [1000.0, 3.0]


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.3, "0.3"), (42, "42"), (1500, "1.5k"), (2e7, "20M"), (3e9, "3B"), (-0.25, "-0.25")]
)
def test_format_short(value: float, text: str) -> None:
    assert format_short(value) == text
