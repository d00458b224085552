"""Documents of a new pool that a finished run keeps: by address first, else by the text most like theirs."""

import pyarrow as pa
import pytest
from msgspec.structs import replace

from configs.schema.web import WebConfig
from tests.transforms.test_text_duplicates import changed, document, prose, text_of
from transforms.known_documents import (
    SCHEMA,
    apply_known_document,
    check_known_document,
    compare_documents,
    known_row,
    make_known_documents,
)
from transforms.records import Failure, Sample

CFG = WebConfig.model_validate({"against": {"runs": ["out/old", "out/older"]}})


def page(key: str, address: str, words: list[str], position: int = 0) -> Sample:
    return replace(document(key, text_of(words)), source_key=address, position=position)


OLD = [
    (0, page("a", "http://old.example/a", prose(1))),
    (1, page("b", "http://old.example/a", prose(2))),
    (1, page("c", "http://old.example/c", changed(prose(1), 60))),
    (1, page("d", "", [])),
]


def told(sample: Sample, cfg: WebConfig = CFG) -> tuple | None:
    rows = []
    for run, one in OLD:
        address, signature = known_row(one, cfg.duplicates)
        rows.append({"run": run, "key": one.key, "address": address, "signature": signature})
    known = make_known_documents(pa.Table.from_pylist(rows, SCHEMA), cfg)
    return compare_documents([sample], known, cfg).get(sample.position)


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        (page("n", "http://OLD.example:80/a#top", prose(9)), (0, "a", "address", 1.0)),
        (page("n", "http://new.example/", prose(1)), (0, "a", "text", 1.0)),
        (page("n", "http://new.example/", prose(2)), (1, "b", "text", 1.0)),
        (page("n", "http://new.example/", changed(prose(1), 60)), (1, "c", "text", 1.0)),
        (page("n", "http://new.example/", prose(9)), None),
        (page("n", "", []), None),
        (replace(page("n", "http://old.example/a", prose(1)), failure=Failure("PageBroken", "", "")), None),
    ],
)
def test_what_is_known_of_a_page(sample, expected):
    assert told(sample) == expected


def test_texts_are_compared_where_duplicates_are_looked_for():
    off = CFG.model_copy(update={"duplicates": CFG.duplicates.model_copy(update={"enabled": False})})
    assert told(page("n", "http://new.example/", prose(1)), off) is None
    assert told(page("n", "http://old.example/c", prose(1)), off) == (1, "c", "address", 1.0)


def test_the_fate_names_the_run_the_document_and_why():
    known = apply_known_document(OLD[0][1], (1, "c", "text", 0.91), CFG.against.runs)
    drop = check_known_document(known, CFG)
    assert drop and (drop.rule, drop.value, drop.limit) == ("document_known", 0.91, 0.8)
    assert drop.detail == "text of out/older c"
    assert check_known_document(OLD[0][1], CFG) is None and check_known_document(known, WebConfig()) is None
