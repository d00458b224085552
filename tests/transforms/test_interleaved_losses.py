"""Any document of ours in each foreign schema: what does not come back was counted as lost, and nothing else.

A round trip may change what says nothing: a field that is null (OmniCorpus's structs cannot tell it from none), the
name or place that a schema gives a picture without one, and where a picture of no size keeps a side that its pool says.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.transforms.test_interleaved import FIELDS, TEXT, URL, about, said, through_a_shard
from transforms.interleaved_documents import Document, Losses, format_json, pool_fields, pool_meta, reference
from transforms.interleaved_lists import LIST_SCHEMAS, OMNICORPUS
from transforms.interleaved_rows import format_rows, parse_rows
from transforms.interleaved_schemas import SCHEMAS
from transforms.records import Drop, Failure, Picture, Text

ROLES = {"obelics": "paragraph", "omnicorpus": "paragraph", "mint": "paragraph", "mmc4": "sentence"}
ROLES |= {"data-juicer": "paragraph", "rows": "paragraph"}
SIDE = st.integers(1, 4000)
SIDES_OF = {name: schema.sides for name, schema in LIST_SCHEMAS.items()}
SAID = {
    # The fields that the datasets' cards and code list of a picture, and of a document.
    "obelics": st.fixed_dictionaries({}, optional={
        "document_url": TEXT, "src": TEXT, "unformatted_src": TEXT, "formatted_filename": TEXT, "alt_text": TEXT,
        "format": TEXT, "rendered_width": SIDE, "rendered_height": SIDE, "original_width": SIDE,
        "original_height": SIDE,
    }),
    "mint": st.fixed_dictionaries({}, optional={"height": SIDE, "width": SIDE, "page": SIDE, "xref": SIDE}),
    "mmc4": st.fixed_dictionaries({}, optional={
        "image_name": TEXT, "matched_sim": st.floats(-1, 1), "face_detections": st.lists(SIDE, max_size=2),
    }),
    "omnicorpus": said(OMNICORPUS),
}  # fmt: skip
ABOUT = {
    "obelics": st.fixed_dictionaries({}, optional={
        "url": TEXT, "warc_filename": TEXT, "warc_record_offset": SIDE, "warc_record_length": SIDE,
    }),
    "mint": st.fixed_dictionaries({}, optional={
        "url": TEXT, "pdf_name": TEXT, "previous_word_count": SIDE, "language_id_whole_page_fasttext": FIELDS,
        "bff_contained_ngram_count_before_dedupe": SIDE,
    }),
    "mmc4": st.fixed_dictionaries({}, optional={"url": TEXT, "could_have_url_duplicate": st.integers(0, 1)}),
    "omnicorpus": about(OMNICORPUS),
}  # fmt: skip
GIVEN = {"mmc4": "image_name", "rows": "source_ref"}
"""What a schema gives a picture that has none."""
RARELY = st.integers(0, 5).map(lambda number: not number)


@st.composite
def pictures(draw, meta):
    sides = draw(st.sampled_from([(0, 0), (30, 40), (0, 40), (30, 0)]))
    drop = Drop("picture_code", 0.4, 0.1) if draw(RARELY) else None
    failure = Failure("PictureTruncated", "", "") if draw(RARELY) else None
    measures = {"sharpness": 3.5} if draw(RARELY) else {}
    made = replace(reference(draw(URL), draw(meta)), width=sides[0], height=sides[1])
    return replace(made, drop=drop, failure=failure, measures=measures)


@st.composite
def texts(draw, role):
    drop = Drop("words", 1, 3) if draw(RARELY) else None
    measures = {"words": 2} if draw(RARELY) else {}
    return Text(draw(TEXT), "heading" if draw(RARELY) else role, measures=measures, drop=drop)


def documents(name):
    meta = st.none() | FIELDS | SAID.get(name, FIELDS)
    pieces = st.lists(pictures(meta) | texts(ROLES[name]), max_size=4).map(tuple)
    return st.builds(Document, pieces, (FIELDS | ABOUT.get(name, FIELDS)).map(pool_meta))


def plain(document: Document, name: str) -> Document:
    """Without what says nothing."""
    found = []
    for piece in document.pieces:
        if isinstance(piece, Picture):
            said = {n: v for n, v in json.loads(piece.meta or "{}").items() if v is not None}
            said.pop(GIVEN.get(name, ""), None)
            for side, field in zip(("width", "height"), SIDES_OF.get(name, ()), strict=False):
                if not getattr(piece, side) and type(said.get(field)) is int and said[field] > 0:
                    piece = replace(piece, **{side: said.pop(field)})
            piece = replace(piece, meta=format_json(said) if said else "")
        found.append(piece)
    return Document(tuple(found), {n: v for n, v in pool_fields(document.meta).items() if v is not None})


def written_and_read(name: str, document: Document, losses: Losses) -> Document:
    if name == "rows":
        return parse_rows(json.loads(json.dumps(format_rows(document, "k", losses))))
    schema = SCHEMAS[name]
    return schema.parse(json.loads(json.dumps(schema.format(document, "k", losses))))


@pytest.mark.parametrize("name", ROLES)
def test_what_does_not_come_back_was_counted_as_lost(name):
    @settings(max_examples=80, deadline=None)
    @given(documents(name))
    def check(document):
        losses = Losses()
        again = written_and_read(name, through_a_shard(document), losses)
        if not +losses:
            assert plain(again, name) == plain(document, name)
        assert again != document or not +losses

    check()
