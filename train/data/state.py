"""The position of a job in its data as small JSON: what each rank has taken, and what waits with it in no pack yet.

A rank's `state_dict` holds the shared part (mixture, course) and its own; `combine_states` puts those of all ranks of a
checkpoint together. With as many ranks as before each goes on exactly where it stopped. With another number the draws
that are left, those that waited first, are dealt anew: every draw is still made once.
Left out on purpose: where a state is kept (train/checkpoint.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from train.data.corrupt import CorruptPolicy, Counts
from train.data.course import Course, format_course, parse_course
from train.data.errors import DataError
from train.data.mixture import Mixture

FORMAT = "beamsift-loader-1"


class Waiting(NamedTuple):
    """A document that is in no pack yet: piece `piece` of the `pieces` into which the sample of a draw was cut."""

    draw: int
    piece: int
    pieces: int
    length: int


class Left(NamedTuple):
    """Of a sample that was cut into `pieces`, those that are still to be packed."""

    pieces: int
    numbers: list[int]


class RankState(NamedTuple):
    position: int
    """Items taken of the rank's lane."""
    waiting: tuple[Waiting, ...]
    """In the order in which they came."""
    counts: dict[str, Any]
    """By source, as corrupt.Counts formats them."""
    dropped: dict[str, int]
    """Samples too long for a pack, by source."""


class Place(NamedTuple):
    """Of a process in the job: ranks that share data (tensor and context parallel ones) are one rank here."""

    rank: int = 0
    world: int = 1
    group: int = 1
    """Draws that a rank takes one after the other; as the mixture's run where a request is dear."""


class Position(NamedTuple):
    """Where one rank goes on."""

    course: Course
    partial: dict[int, Left]
    """By draw, of samples that were cut and packed in part; of any other draw all is to be packed."""
    rank: RankState


def describe_mixture(mixture: Mixture, fingerprints: Sequence[str]) -> dict[str, Any]:
    """What a state holds of the mixture, and what must be the same when it goes on."""
    sources = [
        {"name": one.name, "samples": one.samples, "draws": one.draws, "fingerprint": fingerprint}
        for one, fingerprint in zip(mixture.shares, fingerprints, strict=True)
    ]
    return {"seed": mixture.seed, "run": mixture.run, "sources": sources}


def format_state(mixture: dict[str, Any], position: Position, number: int) -> dict[str, Any]:
    course, partial, rank = position
    own = {
        "position": rank.position,
        "waiting": [list(one) for one in rank.waiting],
        "counts": rank.counts,
        "dropped": rank.dropped,
    }
    return {
        "format": FORMAT,
        "mixture": mixture,
        "course": format_course(course),
        "partial": {str(draw): list(left) for draw, left in sorted(partial.items())},
        "ranks": {str(number): own},
    }


def combine_states(states: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The state of a job from those of its ranks. Raises DataError where they are not of one checkpoint."""
    first, *others = list(states) or [{}]
    if first.get("format") != FORMAT:
        raise DataError(f"loader state: expected states of format {FORMAT!r}, found {first.get('format', 'none')!r}")
    ranks = dict(first["ranks"])
    for other in others:
        for part in ("format", "mixture", "course", "partial"):
            if other[part] != first[part]:
                raise DataError(f"loader state: expected states of one job, found two of different {part}")
        if twice := ranks.keys() & other["ranks"].keys():
            raise DataError(f"loader state: expected each rank once, found rank {min(twice)} twice")
        ranks |= other["ranks"]
    return {**first, "ranks": ranks}


def check_state(state: dict[str, Any], mixture: dict[str, Any]) -> None:
    """Raises DataError where a state is none, or was saved with other data than those that are open now."""
    if state.get("format") != FORMAT:
        raise DataError(f"loader state: expected format {FORMAT!r}, found {state.get('format')!r}")
    try:
        _check_mixture(state["mixture"], mixture)
    except (KeyError, TypeError) as error:
        raise DataError(f"loader state: expected a description of the mixture, found none of {error}") from error


def _check_mixture(stated: dict[str, Any], found: dict[str, Any]) -> None:
    for name in ("seed", "run"):
        if stated[name] != found[name]:
            raise DataError(f"loader state: expected {name} {stated[name]}, found {found[name]}")
    names, others = ([one["name"] for one in side["sources"]] for side in (stated, found))
    if names != others:
        raise DataError(f"loader state: expected sources {', '.join(names)}, found {', '.join(others)}")
    for one, other in zip(stated["sources"], found["sources"], strict=True):
        for part in ("fingerprint", "samples", "draws"):
            if one[part] != other[part]:
                raise DataError(
                    f"loader state: source {one['name']!r}: expected {part} {one[part]}, found {other[part]}: "
                    "other data or weights than those the state was saved with; start anew, or bring those back"
                )


def restore(state: dict[str, Any], mixture: Mixture, place: Place, *, pack: bool) -> Position:
    """Where a rank goes on. `pack`: whether the caller takes up waiting documents; else they are dealt anew.

    Raises DataError where the state is none, or lacks a rank that is needed.
    """
    course, ranks = _parsed(state)
    own = ranks.get(str(place.rank))
    if (course.world, course.group) == (place.world, place.group) and own and (pack or not own.waiting):
        return Position(course, _partial(state), own)
    if missing := [number for number in range(course.world) if str(number) not in ranks]:
        raise DataError(
            f"loader state: expected the states of all {course.world} ranks to go on with {place.world}, found none "
            f"of rank {missing[0]}; combine_states puts them together"
        )
    return _deal_anew(state, [ranks[str(number)] for number in range(course.world)], mixture, place)


def _deal_anew(state: dict[str, Any], ranks: Sequence[RankState], mixture: Mixture, place: Place) -> Position:
    waiting = [one for rank in ranks for one in rank.waiting]
    draws = {one.draw for one in waiting}
    rest = parse_course(state["course"]).rest([rank.position for rank in ranks], draws, place.world, place.group)
    still = set(rest.backlog.tolist())
    partial = {draw: left for draw, left in _partial(state).items() if draw in still}
    partial |= _left([one for one in waiting if one.pieces > 1])
    counts, dropped = _added_up(ranks, draws, mixture) if place.rank == 0 else ({}, {})
    return Position(rest, partial, RankState(0, (), counts, dropped))


def _left(waiting: Sequence[Waiting]) -> dict[int, Left]:
    left: dict[int, Left] = {}
    for one in waiting:
        left.setdefault(one.draw, Left(one.pieces, [])).numbers.append(one.piece)
    return left


def _parsed(state: dict[str, Any]) -> tuple[Course, dict[str, RankState]]:
    try:
        ranks = {
            number: RankState(
                one["position"], tuple(Waiting(*row) for row in one["waiting"]), one["counts"], one["dropped"]
            )
            for number, one in state["ranks"].items()
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"loader state: expected what each rank has taken, found {error!r}") from error
    return parse_course(state["course"]), ranks


def _partial(state: dict[str, Any]) -> dict[int, Left]:
    return {int(draw): Left(*left) for draw, left in state["partial"].items()}


def _added_up(ranks: Sequence[RankState], again: set[int], mixture: Mixture) -> tuple[dict[str, Any], dict[str, int]]:
    """The counts of all ranks, which the first one carries on, without the samples that will be given again."""
    counts, dropped = Counts((share.name for share in mixture.shares), CorruptPolicy()), Counter[str]()
    for rank in ranks:
        counts.add(rank.counts)
        dropped.update(rank.dropped)
    for source in mixture.locate(np.array(sorted(again), np.int64)).source.tolist():
        counts.sources[mixture.shares[source].name].given -= 1
    return counts.format(), dict(dropped)
