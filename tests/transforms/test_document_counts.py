"""What is counted of documents beside rows: classes and weights add up over units."""

from collections import Counter

from configs.schema.web import WebConfig
from transforms.document_counts import sum_documents, tally_documents
from transforms.picture_classes import class_measures
from transforms.records import Drop, Picture, Sample, Span

ON = WebConfig.model_validate({"classifier": {"enabled": True}, "knowledge": {"enabled": True}})
ADVERT = class_measures("class", {"advertisement": 0.9, "content": 0.1})
MAP = class_measures("class", {"advertisement": 0.1, "content": 0.9}) | class_measures("knowledge", {"map": 1.0})


def document(weight: float, *pieces: Picture, drop: Drop | None = None) -> Sample:
    return Sample("d", "a.warc", 0, 0, pieces, measures={"knowledge_weight": weight}, drop=drop)


def picture(measures: dict, drop: Drop | None = None) -> Picture:
    return Picture(Span("a.warc", 0, 9, "warc"), measures=measures, drop=drop)


GONE = picture(ADVERT, Drop("picture_class_advertisement", 0.9, 0.5))
ROWS = [
    document(4.0, picture(MAP), GONE),
    document(1.0, picture({})),
    document(1.5, picture(MAP)),
    document(4.0, picture(MAP), drop=Drop("document_album", 1, 10)),
]


def test_units_add_up_to_the_manifests_counts():
    summed = sum((tally_documents([row]) for row in ROWS), Counter())
    assert summed == tally_documents(ROWS)
    assert sum_documents(summed, ON) == {
        "pictures": {
            "read": 5, "kept": 3, "dropped": {"picture_class_advertisement": 1, "with_document": 1}, "failed": {},
        },
        "classes": {"advertisement": 1, "content": 3},
        "knowledge": {"documents": 3, "weight": 6.5, "weights": {"1": 2, "4": 1}, "pictures": {"map": 2}},
    }  # fmt: skip


def test_without_heads_only_pictures_are_counted():
    assert set(sum_documents(tally_documents(ROWS), WebConfig())) == {"pictures"}
