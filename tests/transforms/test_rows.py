"""Rows by reference: sidecar names, and the fold that turns a reference into samples."""

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from transforms.records import Drop, Sample, Unit, encode_sample, with_measures
from transforms.rows import (
    Check,
    Join,
    RowsRef,
    apply_fold,
    joined_sidecars,
    rows_of,
    sidecar_uri,
    unit_name,
    with_answers,
    with_sidecar,
)
from transforms.sidecars import create_sidecar
from transforms.storage import LocalStorage

UNIT = Unit(0, "pool/a.tar", "tar")
ROWS = [Sample(f"k{index}", "pool/a.tar", 0, index) for index in range(3)]


def give(name: str):
    return lambda sample, answer: with_measures(sample, **{name: answer})


@dataclass
class Site:
    """A unit's scan sidecar, and a storage that counts what is opened."""

    ref: RowsRef
    storage: LocalStorage


@pytest.fixture
def site(tmp_path):
    uri, storage = f"{tmp_path}/scan.arrow", LocalStorage()
    write(uri, [encode_sample(row) for row in ROWS])
    return Site(RowsRef(UNIT, uri, "scanned"), storage)


def write(uri: str, records: list[bytes]) -> None:
    with create_sidecar(LocalStorage(), uri, "me") as sidecar:
        for record in records:
            sidecar.append(record)


def test_an_empty_fold_gives_the_rows_of_the_scan(site):
    assert list(rows_of(site.ref, (), site.storage)) == ROWS


def test_answers_reach_their_rows_and_the_others_pass(site):
    ref = with_answers(site.ref, "copies", {1: 7})
    found = list(rows_of(ref, (Join("copies", give("copies")),), site.storage))
    assert [row.measures for row in found] == [{}, {"copies": 7}, {}]


def test_answers_in_a_sidecar_count_the_same(site, tmp_path):
    uri = f"{tmp_path}/clip.arrow"
    write(uri, [msgspec.msgpack.encode((position, score)) for position, score in ((0, 0.25), (2, 0.5))])
    ref = with_sidecar(site.ref, "clip", uri, "model")
    found = list(rows_of(ref, (Join("clip", give("clip")),), site.storage))
    assert [row.measures for row in found] == [{"clip": 0.25}, {}, {"clip": 0.5}]
    assert joined_sidecars(with_answers(ref, "copies", {})) == {"clip": uri}


def test_the_steps_of_a_fold_see_one_another_in_order(site):
    drop = Drop("image_duplicate", 2, 1)
    fold = (
        Join("copies", give("copies")),
        Check(lambda row: replace(row, drop=drop) if row.measures.get("copies") == 2 else row),
        Check(lambda row: with_measures(row, alive=int(row.alive))),
    )
    found = list(apply_fold(ROWS, fold, {"copies": {0: 2, 1: 3}}))
    assert [row.measures["alive"] for row in found] == [0, 1, 1]


def test_a_join_nobody_made_stops(site):
    with pytest.raises(KeyError, match="clip"):
        list(rows_of(site.ref, (Join("clip", give("clip")),), site.storage))


def test_a_reference_survives_its_encoding(site):
    ref = with_sidecar(with_answers(site.ref, "copies", {1: [2, "k"]}), "clip", "work/clip.arrow", "model")
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(ref), type=RowsRef) == ref


def test_made_by_chains_all_that_went_in(site):
    one, other = with_answers(site.ref, "copies", {1: 7}), with_answers(site.ref, "copies", {1: 8})
    assert one == with_answers(site.ref, "copies", {1: 7})
    made = [site.ref, one, other, with_answers(site.ref, "twins", {1: 7}), with_answers(site.ref, "copies", {})]
    made += [with_sidecar(one, "clip", "u", "model"), with_sidecar(one, "clip", "u", "model 2")]
    made += [with_sidecar(other, "clip", "u", "model")]
    assert len({ref.made_by for ref in made}) == len(made)


@given(st.dictionaries(st.integers(0, 99), st.integers(0, 999)))
def test_made_by_does_not_depend_on_the_order_of_answers(answers):
    ref = RowsRef(UNIT, "scan", "scanned")
    assert with_answers(ref, "n", answers) == with_answers(ref, "n", dict(reversed(answers.items())))


@pytest.mark.parametrize(
    ("uri", "stem"),
    [("pool/a.tar", "a-"), ("s3://b/x.tar.gz", "x-"), (f"{'n' * 300}.tar", "n" * 40 + "-"), ("pool/.tar", "-")],
)
def test_a_units_name_begins_with_its_file(uri, stem):
    assert unit_name(Unit(0, uri, "tar")).startswith(stem + "00000-")


def test_a_units_name_knows_path_and_part_but_not_its_index():
    units = [Unit(0, "a/x.tar", "tar"), Unit(0, "b/x.tar", "tar"), Unit(0, "a/x.tar", "tar", part=1)]
    assert len({unit_name(unit) for unit in units}) == 3
    assert unit_name(replace(units[0], index=9)) == unit_name(units[0])


def test_sidecars_of_a_stage_lie_together():
    assert sidecar_uri("out/", "scan", UNIT) == f"out/work/scan/{unit_name(UNIT)}.arrow"
