"""Known pictures: which row of a finished run a new one is, equal first, else the near one least different."""

import pyarrow as pa
import pytest
from msgspec.structs import replace

from configs.schema.caption import CaptionConfig
from tests.transforms.test_near_duplicates import look, pair
from transforms.known_pictures import SCHEMA, apply_known, check_known, compare_known, make_known
from transforms.records import Drop, Failure, Sample

CFG = CaptionConfig.model_validate({"near_duplicates": {"enabled": True}, "against": {"runs": ["old", "older"]}})


def seen(key: str, code: int, pixels: bytes = b"", looked: bytes = look(0)) -> Sample:
    sample = pair(key, code, look=looked)
    return replace(sample, pieces=(replace(sample.pieces[0], pixels=pixels, sha256=b"of " + pixels), sample.pieces[1]))


def table(*samples: Sample) -> pa.Table:
    rows = [
        {"run": number % 2, "key": row.key}
        | {name: getattr(row.pieces[0], name) for name in ("sha256", "pixels", "likeness", "look")}
        for number, row in enumerate(samples)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


KNOWN = table(seen("a", 0, b"A"), seen("b", 0b11, b"B"), seen("c", 0, b"C", look(1)), seen("d", 0, b"A"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (seen("x", 0b1111111, b"A"), (0, "a", 0, 0.0)),
        (seen("x", 0b1, b"X"), (0, "a", 1, 0.0)),
        (seen("x", 0b11, b"X"), (1, "b", 0, 0.0)),
        (seen("x", 0, b"X", look(1)), (0, "c", 0, 0.0)),
        (seen("x", 0b11111 << 40, b"X"), None),
        (seen("x", 0, b"X", look(2)), None),
    ],
    ids=["equal", "nearest of equal looks", "fewest bits", "its own look", "too far", "another look"],
)
def test_what_a_row_is(row, told):
    assert compare_known([row], make_known(KNOWN, CFG), CFG).get(0) == told


def test_rows_are_compared_whatever_other_rules_say_of_them_but_not_failed_ones():
    row = seen("x", 0, b"A")
    known = make_known(KNOWN, CFG)
    assert compare_known([replace(row, drop=Drop("image_too_small", 1, 2))], known, CFG) == {0: (0, "a", 0, 0.0)}
    assert compare_known([replace(row, failure=Failure("PictureEmpty", "", ""))], known, CFG) == {}


def test_switched_off_rules_compare_nothing():
    off = CFG.model_copy(update={"duplicates": CFG.duplicates.model_copy(update={"enabled": False})})
    off = off.model_copy(update={"near_duplicates": CFG.near_duplicates.model_copy(update={"enabled": False})})
    assert compare_known([seen("x", 0, b"A")], make_known(KNOWN, off), off) == {}


def test_the_drop_names_run_and_key():
    row = apply_known(seen("x", 0), (1, "b", 2, 0.01), ("old", "older"))
    assert check_known(row, CFG) == Drop("image_known", 2, 0, "older b")
    assert check_known(seen("x", 0), CFG) is None and check_known(row, CaptionConfig()) is None
