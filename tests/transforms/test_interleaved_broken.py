"""Foreign records of another shape: each is refused with what was expected and what was found."""

import pytest

from transforms.interleaved_documents import RecordBroken
from transforms.interleaved_lists import OBELICS, parse_lists
from transforms.interleaved_mmc4 import parse_mmc4
from transforms.interleaved_rows import parse_rows
from transforms.interleaved_shards import parse_document
from transforms.interleaved_tokens import IMAGE, parse_tokens

BROKEN = [
    (OBELICS, {"images": ["a"], "texts": ["b"]}, "found both"),
    (OBELICS, {"images": [None], "texts": [None]}, "found neither"),
    (OBELICS, {"images": ["a"], "texts": []}, "one length"),
    (OBELICS, {"images": ["a"]}, "expected 'texts'"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[{"}, "as JSON"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[1]"}, "an object for an image"),
    (OBELICS, {"images": ["a"], "texts": [None], "metadata": "[{}, {}]"}, "found 2 entries"),
    (OBELICS, {"images": [3], "texts": [None]}, "expected text"),
    (OBELICS, {"images": [None], "texts": ["\ud800"]}, "surrogate"),
    (OBELICS, {"images": ["a"], "texts": [None], "general_metadata": "[]"}, "as an object"),
]


@pytest.mark.parametrize(("schema", "record", "found"), BROKEN)
def test_a_record_of_another_shape_says_what_was_expected(schema, record, found):
    with pytest.raises(RecordBroken, match=found):
        parse_lists(record, schema)


@pytest.mark.parametrize(
    ("parse", "record", "found"),
    [
        (parse_mmc4, {"text_list": [], "image_info": [{"matched_text_index": 0}]}, "matched_text_index"),
        (parse_mmc4, {"text_list": ["a"], "image_info": [], "similarity_matrix": [[1]]}, "similarity matrix of 0"),
        (parse_mmc4, {"text_list": "a", "image_info": []}, "a list of sentences"),
        (parse_tokens, {"text": IMAGE}, "expected 1 images"),
        (parse_rows, [{"position": 0, "modality": "audio"}], "found 'audio'"),
        (parse_rows, [{"position": "0", "modality": "text"}], "expected 'position'"),
        (parse_document, {"key": "a"}, "expected 'beamsift'"),
        (parse_document, {"beamsift": {"pieces": [{}]}}, "piece 0"),
        (parse_document, {"beamsift": {"pieces": [{"picture": 3}]}}, "piece 0"),
        (parse_document, {"beamsift": {"pieces": [{"text": "a", "drop": {}}]}}, "a drop of rule"),
        (parse_document, {"beamsift": {"pieces": [{"text": "a", "measures": {"a": []}}]}}, "measures"),
    ],
)
def test_other_schemas_say_what_was_expected(parse, record, found):
    with pytest.raises(RecordBroken, match=found):
        parse(record)
