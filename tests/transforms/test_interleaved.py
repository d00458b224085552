"""Records of foreign schemas to documents and back, and documents to records and back: nothing that fits is lost."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.interleaved_documents import (
    Document,
    Losses,
    RecordBroken,
    finite,
    format_json,
    pool_fields,
    pool_meta,
    reference,
    size_and_meta,
    with_size,
)
from transforms.interleaved_lists import MINT, OBELICS, OMNICORPUS, format_lists, parse_lists
from transforms.interleaved_mmc4 import format_mmc4, parse_mmc4
from transforms.interleaved_rows import format_rows, parse_rows
from transforms.interleaved_schemas import SCHEMAS
from transforms.interleaved_shards import parse_document
from transforms.interleaved_tokens import END, IMAGE, format_tokens
from transforms.records import Drop, Failure, Sample, Text
from transforms.shards import sample_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
URL = TEXT.map(lambda text: "u" + text)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
SCALAR = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | NUMBER | TEXT
VALUE = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2))
NAME = TEXT | st.sampled_from(["url", "key", "beamsift", "pool", "id", "width"])
FIELDS = st.dictionaries(NAME, VALUE, max_size=4)
SHAPE = st.lists(st.booleans(), max_size=5)
FAST = settings(max_examples=30, deadline=None)


def said(schema):
    if schema is not OMNICORPUS:
        return FIELDS.filter(lambda d: "beamsift_layout" not in d)
    side = st.none() | st.integers(-1, 5000)
    kinds = {"d_hash": TEXT, "img_url_sha": TEXT, "p_hash": TEXT, "width": side, "height": side, "bytes": side}
    kinds |= {"d_hash_dup_count": side, "p_hash_dup_count": side}
    kinds |= {"aesthetic_prob": st.none() | NUMBER, "unsafe_prob": NUMBER}
    return st.fixed_dictionaries(kinds)


def about(schema):
    if schema is not OMNICORPUS:
        return FIELDS.map(lambda d: {n: v for n, v in d.items() if n not in ("images", "texts", "image_metadata")})
    names = ("fluency_prob", "non_advertisement_prob", "politics_prob", "porn_prob", "toxic_prob")
    texts = {"id": st.none() | TEXT, "url": TEXT, "domain": st.lists(TEXT, max_size=2)}
    return st.fixed_dictionaries(texts | dict.fromkeys(names, st.none() | NUMBER))


@st.composite
def lists(draw, schema, dense):
    shape = draw(SHAPE)
    record = {
        "images": [draw(URL) if image else None for image in shape],
        "texts": [None if image else draw(TEXT) for image in shape],
    }
    entries = [draw(said(schema)) if image else None for image in shape if image or dense]
    record[schema.pictures] = json.dumps(entries) if schema.as_text else entries
    general = draw(about(schema))
    if schema.general:
        return record | {schema.general: json.dumps(general) if schema.as_text else general}
    return general | record


@st.composite
def mmc4(draw):
    texts = draw(st.lists(TEXT, max_size=4))
    pictures = draw(st.integers(0, 4 if texts else 0))
    infos = [
        {
            "image_name": draw(TEXT),
            "raw_url": draw(TEXT),
            "matched_text_index": draw(st.integers(0, len(texts) - 1)),
            "matched_sim": draw(st.none() | NUMBER),
            "face_detections": draw(st.none() | st.lists(VALUE, max_size=1)),
        }
        for _ in range(pictures)
    ]
    matrix = [[draw(NUMBER) for _ in texts] for _ in infos]
    rest = draw(FIELDS) | {"url": draw(TEXT), "could_have_url_duplicate": draw(st.integers(0, 1))}
    return rest | {"text_list": texts, "image_info": infos, "similarity_matrix": matrix}


@st.composite
def tokens(draw):
    parts = draw(st.lists(st.sampled_from([IMAGE, END, "a ", "\n"]), max_size=6))
    return draw(FIELDS) | {"text": "".join(parts), "images": ["a.jpg" for part in parts if part == IMAGE]}


def through_a_shard(document):
    """The document as our own JSON member gives it back."""
    data = sample_json(Sample("k", "/pool/a.parquet", 0, 0, document.pieces, "k", json.dumps(document.meta)))
    return parse_document(json.loads(data))


def decoded(record):
    return {
        name: json.loads(value) if name in ("metadata", "general_metadata") and isinstance(value, str) else value
        for name, value in record.items()
    }


CASES = {
    "obelics": lists(OBELICS, True),
    "omnicorpus": lists(OMNICORPUS, True),
    "mint": lists(MINT, False),
    "mmc4": mmc4(),
    "data-juicer": tokens(),
}


@pytest.mark.parametrize("name", CASES)
def test_theirs_to_ours_to_theirs(name):
    schema = SCHEMAS[name]

    @FAST
    @given(CASES[name])
    def check(record):
        losses = Losses()
        document = through_a_shard(schema.parse(record))
        again = schema.format(document, "k", losses)
        assert decoded(again) == decoded(record)
        assert not +losses

    check()


@pytest.mark.parametrize(("schema", "dense"), [(OMNICORPUS, False), (MINT, True), (OBELICS, False)])
def test_a_list_laid_out_otherwise_keeps_its_layout(schema, dense):
    @FAST
    @given(lists(schema, dense).filter(lambda record: any(record["images"]) and any(record["texts"])))
    def check(record):
        assert decoded(format_lists(through_a_shard(parse_lists(record, schema)), schema, "k", Losses())) == decoded(
            record
        )

    check()


def held(meta, *, sized, roles):
    """Documents of ours that a schema can hold whole."""
    picture = st.builds(with_size, meta, URL) if sized else st.builds(reference, URL, meta)
    return st.lists(picture | st.builds(Text, TEXT, st.sampled_from(roles)), max_size=5).map(tuple)


OURS = {
    "obelics": st.builds(Document, held(st.none() | FIELDS, sized=False, roles=["paragraph"]), FIELDS.map(pool_meta)),
    "mint": st.builds(
        Document,
        held(FIELDS, sized=True, roles=["paragraph"]),
        FIELDS.filter(lambda d: not {"images", "texts"} & set(d)).map(pool_meta),
    ),
    "omnicorpus": st.builds(
        Document,
        held(
            said(OMNICORPUS).map(lambda d: {n: v for n, v in d.items() if v is not None}),
            sized=True,
            roles=["paragraph"],
        ),
        about(OMNICORPUS).map(lambda d: {n: v for n, v in d.items() if v is not None}),
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_ours_to_theirs_to_ours(name):
    schema = SCHEMAS[name]

    @FAST
    @given(OURS[name])
    def check(document):
        losses = Losses()
        record = json.loads(json.dumps(schema.format(document, "k", losses)))
        assert schema.parse(record) == document
        assert not +losses

    check()


@FAST
@given(OURS["obelics"])
def test_a_document_survives_our_own_json(document):
    assert through_a_shard(document) == document


def test_what_our_json_says_of_pictures_that_have_no_member():
    dropped = reference("u", {"alt": "x"})
    pieces = (
        dropped.__class__(dropped.source, drop=Drop("qr_code", 0.4, 0.1), url="u"),
        dropped.__class__(dropped.source, failure=Failure("PictureTruncated", "m", "/machine/a.tar#1"), url="v"),
        Text("t", "heading", measures={"words": 1}),
    )
    found = through_a_shard(Document(pieces, {}))
    assert found.pieces[0] == pieces[0] and found.pieces[2] == pieces[2]
    assert found.pieces[1].failure == Failure("PictureTruncated", "", "")


def test_mmc4_puts_a_picture_before_its_sentence():
    info = {"image_name": "a.jpg", "raw_url": "u", "matched_sim": 0.3, "face_detections": None}
    infos = [info | {"matched_text_index": 1}, info | {"matched_text_index": 0, "raw_url": "v"}]
    record = {"text_list": ["one", "two"], "image_info": infos, "similarity_matrix": [[0.1, 0.3], [0.3, 0.2]]}
    pieces = parse_mmc4(record).pieces
    assert [getattr(piece, "url", "") or piece.value for piece in pieces] == ["v", "one", "u", "two"]


def test_mmc4_counts_what_it_cannot_hold():
    dropped = Text("gone", "sentence", drop=Drop("r", 1, 0))
    pieces = (Text("a", "heading"), dropped, with_size({"width": 3, "height": 4}, "u"))
    losses = Losses()
    record = format_mmc4(Document(pieces, {"text_list": 1}), "k", losses)
    assert record["text_list"] == ["a"] and record["similarity_matrix"] is None
    assert [(info["image_name"], info["matched_text_index"]) for info in record["image_info"]] == [("k.0.jpg", 0)]
    expected = {"text_roles": 1, "dropped_texts": 1, "sizes": 1, "placement": 1, "fields": 1}
    assert +losses == expected
    format_mmc4(Document(pieces[2:], {}), "k", losses := Losses())
    assert losses["pictures_without_text"] == 1


def test_omnicorpus_counts_fields_that_its_struct_lacks():
    losses = Losses()
    record = format_lists(Document((reference("u", {"alt": "x", "bytes": 3}),), {"url": 4}), OMNICORPUS, "k", losses)
    assert record["metadata"][0]["bytes"] == 3 and "alt" not in record["metadata"][0]
    assert record["general_metadata"]["url"] is None
    assert +losses == {"fields": 2}


def test_data_juicer_counts_texts_that_run_together():
    losses = Losses()
    format_tokens(Document((Text("a", "paragraph"), Text("b" + END, "paragraph")), {}), "k", losses)
    assert +losses == {"joined_texts": 1, "tokens": 1}


ROWS = st.lists(st.tuples(st.booleans(), TEXT, st.dictionaries(st.sampled_from(["score", "key"]), NUMBER)), max_size=4)


@FAST
@given(ROWS, st.dictionaries(st.sampled_from(["url", "key"]), TEXT))
def test_curator_rows_and_back(rows, fields):
    blank = dict.fromkeys(format_rows(Document((), {}), "k", Losses())[0])
    record = [blank | {"sample_id": "k", "position": -1, "modality": "metadata"} | fields]
    for position, (image, text, own) in enumerate(rows):
        row = blank | {"sample_id": "k", "position": position, "modality": "image" if image else "text"}
        place = {"content_type": "image/png", "source_ref": json.dumps({"path": text})} | own
        record.append(row | (place if image else {"content_type": "text/plain", "text_content": text}))
    losses = Losses()
    assert format_rows(through_a_shard(parse_rows(record[::-1])), "k", losses) == record
    assert not +losses


@given(FIELDS)
def test_pool_fields_never_collide_with_ours(fields):
    meta = pool_meta(fields)
    assert not {"key", "beamsift"} & set(meta)
    assert pool_fields(meta) == fields


@given(st.none() | FIELDS, TEXT)
def test_a_stated_size_is_the_pictures_own(fields, url):
    for names in (("width", "height"), ("original_width", "original_height")):
        assert size_and_meta(with_size(fields, url, names), losses := Losses(), names) == fields
        assert not +losses


def test_numbers_that_json_lacks_are_null():
    assert finite({"a": [float("nan"), 1.5]}) == {"a": [None, 1.5]}
    assert format_json({"b": float("inf"), "a": 1}) == '{"a":1,"b":null}'
    with pytest.raises(RecordBroken):
        format_json("\ud800")
