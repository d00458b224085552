"""The plan of requests: what it may cost, that nothing is lost, and where one stream beats many requests."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.ranges import Costs, Place, Run, cost, join_runs, merge_places, plan_runs

RUNS_ONLY = Costs(request=0)
MIB = 1 << 20


def places_of(*ranges: tuple[int, int], uri: str = "s3://a") -> list[Place]:
    return [Place(uri, start, end) for start, end in ranges]


def bounds(runs: list[Run]) -> list[tuple[int, int, bool]]:
    return [(run.start, run.end, run.streamed) for run in runs]


@st.composite
def any_places(draw: st.DrawFn) -> list[Place]:
    """Places as plans bring them: mostly forward in a file, now and then another file or a step back."""
    sizes = st.integers(0, 3_000)
    found = []
    for uri in draw(st.lists(st.sampled_from(["s3://a", "s3://b"]), max_size=4)):
        steps = draw(st.lists(st.tuples(st.integers(0, 2_000), sizes), max_size=12))
        ends = list(accumulate(gap + size for gap, size in steps))
        found += [Place(uri, end - size, end) for end, (_, size) in zip(ends, steps, strict=True)]
    return found


COSTS = st.builds(Costs, over=st.just(1.1), most=st.integers(1, 6_000), request=st.integers(0, 4_000))


@given(any_places(), COSTS)
def test_every_place_is_in_exactly_one_run_and_in_order(places: list[Place], costs: Costs) -> None:
    runs = plan_runs(places, costs)
    assert [place for run in runs for place in run.places] == places
    for run in runs:
        assert all(run.uri == place.uri for place in run.places)
        assert all(run.start <= place.start <= place.end <= run.end for place in run.places)
        assert all(a.end <= b.start for a, b in zip(run.places, run.places[1:], strict=False))


@given(any_places(), COSTS)
def test_merged_runs_cost_at_most_a_tenth_more_and_one_request_each(places: list[Place], costs: Costs) -> None:
    runs = merge_places(places, costs)
    assert sum(run.end - run.start for run in runs) <= 1.1 * sum(place.end - place.start for place in places)
    for run in runs:
        assert run.end - run.start <= costs.most or len(run.places) == 1


@given(any_places(), COSTS)
def test_a_plan_never_costs_more_than_runs_or_whole_files(places: list[Place], costs: Costs) -> None:
    planned = plan_runs(places, costs)
    runs = merge_places(places, costs)
    assert cost(planned, costs) <= cost(runs, costs)
    whole = join_runs(runs, costs._replace(request=10**9))
    assert cost(planned, costs) <= cost(whole, costs)


@given(any_places())
def test_without_a_price_of_requests_the_runs_stay(places: list[Place]) -> None:
    assert plan_runs(places, RUNS_ONLY) == merge_places(places, RUNS_ONLY)


def test_neighbours_are_one_request_up_to_a_tenth_of_gaps() -> None:
    assert bounds(plan_runs(places_of((0, 1000), (1100, 2000)), RUNS_ONLY)) == [(0, 2000, False)]
    assert bounds(plan_runs(places_of((0, 1000), (1300, 2000)), RUNS_ONLY)) == [(0, 1000, False), (1300, 2000, False)]


def test_a_run_is_no_longer_than_what_is_held() -> None:
    places = places_of(*((i * MIB, (i + 1) * MIB) for i in range(20)))
    assert bounds(plan_runs(places, RUNS_ONLY)) == [(0, 16 * MIB, False), (16 * MIB, 20 * MIB, False)]
    assert bounds(plan_runs(places)) == [(0, 20 * MIB, True)]
    assert bounds(plan_runs(places_of((0, 40 * MIB)))) == [(0, 40 * MIB, False)]


def test_another_file_or_a_step_back_begins_another_run() -> None:
    places = [*places_of((0, 10)), *places_of((10, 20), uri="s3://b"), *places_of((20, 30), (5, 10), (5, 10))]
    assert bounds(plan_runs(places)) == [
        (0, 10, False),
        (10, 20, False),
        (20, 30, False),
        (5, 10, False),
        (5, 10, False),
    ]


@pytest.mark.parametrize(("keep", "requests", "over"), [(1, 1, 1.1), (3, 1, 3.3), (50, 1, 55), (70, 15, 1.0)])
def test_where_streaming_the_whole_shard_wins(keep: int, requests: int, over: float) -> None:
    """A shard of 1,000 pictures of 50 kB, of which every `keep`-th is kept: with 3 MB a request, a stream wins up to
    one in 56 (gaps under 3 MB); of rarer ones each is a request of its own."""
    size, step = 50_000, 54_000
    places = places_of(*((i * step, i * step + size) for i in range(0, 1000, keep)))
    runs = plan_runs(places)
    assert len(runs) == requests
    assert sum(run.end - run.start for run in runs) <= over * len(places) * size


def test_nothing_wanted_is_nothing_asked() -> None:
    assert plan_runs([]) == []
