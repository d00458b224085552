"""Records: what they may hold, what a fate is, and that encoding loses nothing."""

from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import msgspec
import numpy as np
import pytest
from hypothesis import given

from tests.transforms.random_samples import SAMPLES
from transforms import records
from transforms.fingerprints import digest
from transforms.perceptual_hash import LOOK_BYTES, hash_likeness, measure_look
from transforms.pictures import hash_pixels
from transforms.records import (
    Drop,
    Failure,
    Picture,
    Recipe,
    Sample,
    Span,
    Text,
    Unit,
    decode_sample,
    encode_sample,
    pictures,
    texts,
    with_measures,
)

STRUCTS = [v for v in vars(records).values() if isinstance(v, type) and issubclass(v, msgspec.Struct)]
HASHES = {(Picture, "sha256"), (Picture, "pixels"), (Picture, "likeness"), (Picture, "look")}
"""The only bytes a record may hold."""
PICTURE = Picture(Span("a.tar", 512, 900, "tar", "1.jpg"))
DROP = Drop("image_too_small", 63, 200)
FAILURE = Failure("PictureEmpty", "expected a picture, found zero bytes", "a.tar#1.jpg")


def row(**changes: Any) -> Sample:
    return Sample(**{"key": "k", "source": "a.tar", "part": 0, "position": 0} | changes)


def atoms(kind: Any) -> Iterator[Any]:
    """The plain types a field's type is made of."""
    parts = get_args(kind)
    if not parts:
        yield kind
    for part in parts:
        yield from atoms(part)


@given(SAMPLES)
def test_encoding_is_invertible(sample):
    assert decode_sample(encode_sample(sample)) == sample


@given(SAMPLES)
def test_equal_samples_have_equal_bytes(sample):
    assert encode_sample(decode_sample(encode_sample(sample))) == encode_sample(sample)


def test_law_1_no_field_can_hold_pixels():
    plain = {str, int, float, bool, type(None), *STRUCTS}
    holders = {
        (struct, name)
        for struct in STRUCTS
        for name, kind in get_type_hints(struct).items()
        for atom in atoms(kind)
        if not (atom in plain or isinstance(atom, str) or atom is Ellipsis)
    }
    assert holders == HASHES
    assert {get_type_hints(struct)[name] for struct, name in HASHES} == {bytes}


def test_law_1_the_bytes_a_record_holds_are_hashes():
    assert len(hash_pixels(np.zeros((300, 300, 3), np.uint8))) == 16
    assert len(digest(b"x" * 90_000)) == 16
    assert len(hash_likeness(np.zeros((300, 300, 3), np.uint8))) == 8
    assert len(measure_look(np.zeros((300, 300, 3), np.uint8))) == LOOK_BYTES == 99


@pytest.mark.parametrize("struct", STRUCTS)
def test_records_are_frozen_and_positional(struct):
    assert struct.__struct_config__.frozen
    assert struct.__struct_config__.array_like


def test_a_record_cannot_be_changed():
    with pytest.raises(AttributeError):
        row().key = "other"


@pytest.mark.parametrize(
    ("changes", "fate"),
    [({}, "kept"), ({"drop": DROP}, "dropped"), ({"failure": FAILURE}, "failed")],
)
def test_fate(changes, fate):
    assert row(**changes).fate == fate
    assert row(**changes).alive == (fate == "kept")


def test_a_failure_outranks_a_drop():
    assert row(drop=DROP, failure=FAILURE).fate == "failed"


def test_pieces_by_kind_and_role_keep_their_order():
    sample = row(pieces=(Text("a"), PICTURE, Text("title", role="heading"), Text("b")))
    assert pictures(sample) == [PICTURE]
    assert [text.value for text in texts(sample)] == ["a", "b"]
    assert [text.value for text in texts(sample, "heading")] == ["title"]


def test_new_measures_join_the_old_and_the_sample_stays():
    before = row(measures={"copies": 2})
    assert with_measures(before, duplicate_of="k").measures == {"copies": 2, "duplicate_of": "k"}
    assert before.measures == {"copies": 2}


def test_a_picture_may_be_a_recipe():
    drawn = row(pieces=(Picture(Recipe("draw_page", {"page": 3, "dpi": 150.0}, (Span("a.pdf", 0, 9, "pdf"),))),))
    assert decode_sample(encode_sample(drawn)) == drawn


def test_what_is_no_sample_is_refused():
    with pytest.raises(msgspec.ValidationError):
        decode_sample(msgspec.msgpack.encode(["k", "a.tar"]))
    with pytest.raises(msgspec.DecodeError):
        decode_sample(encode_sample(row())[:-1])


def test_a_unit_reads_all_rows_unless_told():
    assert Unit(0, "a.tar", "tar").limit < 0


def test_a_picture_recorded_before_perceptual_hashes_still_reads():
    fields = msgspec.msgpack.decode(msgspec.msgpack.encode(PICTURE))
    assert fields[-3:] == [b"", "", ""]
    assert msgspec.convert(fields[:-3], Picture) == PICTURE
