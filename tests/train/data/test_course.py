"""Courses: each draw is dealt once, at any number of ranks, after any number of changes of that number."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.data.course import Course, format_course, new_course, parse_course
from train.data.errors import DataError

WORLDS = st.integers(1, 4)
GROUPS = st.integers(1, 3)
JOBS = st.lists(st.tuples(WORLDS, GROUPS, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 5)), min_size=4)))
"""Of each job its world, its group, and of each rank how many items it takes and how many of them then wait."""


def lane(course: Course, rank: int) -> list[int]:
    return course.draws(rank, 0, 10_000).tolist()


@given(WORLDS, GROUPS, st.integers(0, 100))
def test_every_draw_is_dealt_once(world, group, end):
    course = new_course(world, group, end)
    assert sorted(draw for rank in range(world) for draw in lane(course, rank)) == list(range(end))


@given(WORLDS, GROUPS, st.integers(0, 40), st.integers(0, 40))
def test_a_lane_can_be_read_from_any_item(world, group, first, count):
    course = new_course(world, group, 100)
    assert course.draws(0, first, count).tolist() == lane(course, 0)[first : first + count]


@given(JOBS, st.integers(0, 150))
def test_each_draw_is_made_once_whatever_the_worlds(jobs, end):
    """Jobs one after the other, each killed with some items taken, of which some are in no pack yet."""
    course, made = new_course(1, 1, end), []
    positions, waiting = [0], []
    for world, group, taken in jobs:
        course = course.rest(positions, waiting, world, group)
        lanes = [lane(course, rank)[: taken[rank][0]] for rank in range(world)]
        waiting = [draw for rank, drawn in enumerate(lanes) for draw in drawn[: taken[rank][1]]]
        made += [draw for rank, drawn in enumerate(lanes) for draw in drawn[taken[rank][1] :]]
        positions = [len(drawn) for drawn in lanes]
    course = course.rest(positions, waiting, 1, 1)
    assert sorted([*made, *lane(course, 0)]) == list(range(end))


@given(JOBS)
def test_endless_courses_lose_nothing(jobs):
    course, made = new_course(1, 1), []
    positions, waiting = [0], []
    for world, group, taken in jobs:
        course = course.rest(positions, waiting, world, group)
        lanes = [course.draws(rank, 0, taken[rank][0]).tolist() for rank in range(world)]
        waiting = [draw for rank, drawn in enumerate(lanes) for draw in drawn[: taken[rank][1]]]
        made += [draw for rank, drawn in enumerate(lanes) for draw in drawn[taken[rank][1] :]]
        positions = [len(drawn) for drawn in lanes]
    course = course.rest(positions, waiting, 1, 1)
    last = max(made, default=0) + 50
    rest = course.draws(0, 0, last).tolist()
    assert sorted([*made, *rest])[:last] == list(range(last)) and len({*made, *rest}) == len(made) + len(rest)


@given(JOBS)
def test_a_course_survives_as_json(jobs):
    course = new_course(2, 1, 99)
    for world, group, taken in jobs:
        counts = [min(taken[rank % 4][0], len(lane(course, rank))) for rank in range(course.world)]
        course = course.rest(counts, lane(course, 0)[:2] if counts[0] > 1 else [], world, group)
        again = parse_course(json.loads(json.dumps(format_course(course))))
        assert [lane(again, rank) for rank in range(world)] == [lane(course, rank) for rank in range(world)]


def test_what_waited_comes_first():
    course = new_course(2, 1).rest([5, 3], [1, 6], 3, 1)
    # Taken: 0 2 4 6 8 and 1 3 5. Left below the furthest rank: 7 and 9.
    assert course.backlog.tolist() == [1, 6, 7, 9] and course.base == 10
    assert [lane_of.tolist() for lane_of in (course.draws(rank, 0, 3) for rank in range(3))] == [
        [1, 9, 12],
        [6, 10, 13],
        [7, 11, 14],
    ]


def test_a_backlog_of_many_ranks_is_some_bytes():
    """512 ranks that came 2,000 to 3,000 packs far: 250,000 draws are left behind the first of them."""
    positions = [2000 + 1000 * rank // 512 for rank in range(512)]
    course = new_course(512, 1).rest(positions, [], 256, 1)
    assert len(course.backlog) > 200_000
    assert len(json.dumps(format_course(course))) < 20_000


@pytest.mark.parametrize(
    "found", [{}, {"backlog": "!", "base": 0, "end": None, "world": 1, "group": 1}, {"backlog": 3}, {"backlog": "AAAA"}]
)
def test_what_is_no_course_is_refused(found):
    with pytest.raises(DataError, match="expected a course, found"):
        parse_course(found)


def test_a_new_course_has_no_backlog():
    assert np.array_equal(new_course(1, 1).backlog, [])
