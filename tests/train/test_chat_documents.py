"""Captions and documents to tokens: order, separators, what is trained on, and cuts that go through no picture."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.train.chat_pictures import toy
from tests.train.tokenizer import toy_tokenizer
from train.chat.documents import AROUND, Documents
from train.chat.errors import NothingToTrain, SampleTooLong
from train.chat.tokenizer import ChatTokenizer

TOY = ChatTokenizer(toy_tokenizer(), None)
PICTURE = "<|begin_of_image|><|image|><|end_of_image|>"
CUTTING, WHOLE = Documents(TOY, "token", cut=True), Documents(TOY, "token", cut=False)


def texts(pieces, length=1000, documents=CUTTING):
    return [TOY.decode(one.input_ids) for one in documents.samples("s", "k", pieces, length)]


def test_a_caption_is_its_picture_its_text_and_the_end():
    [sample] = CUTTING.samples("s", "k", [toy(4, 4), "a red circle"], 100)
    assert TOY.decode(sample.input_ids) == (
        "[gMASK]<sop><|begin_of_image|>" + "<|image|>" * 4 + "<|end_of_image|>a red circle<|endoftext|>"
    )
    assert TOY.decode(sample.input_ids[sample.weights > 0]) == "a red circle<|endoftext|>"
    assert (sample.source, sample.key, sample.grids.tolist()) == ("s", "k", [[1, 4, 4]])


def test_a_document_in_its_order():
    [sample] = CUTTING.samples("s", "k", ["# One", "Two.", toy(), toy(), "", "Three."], 100)
    assert TOY.decode(sample.input_ids) == (f"[gMASK]<sop># One\n\nTwo.\n{PICTURE}{PICTURE}Three.<|endoftext|>")
    assert TOY.decode(sample.input_ids[sample.weights > 0]) == "# One\n\nTwo.\nThree.<|endoftext|>"


def test_a_document_over_the_context_is_cut_between_pieces():
    pieces = ["One " * 8, "Two " * 8, "Three " * 8]
    room = AROUND + max(len(TOY.text(piece)) for piece in pieces)
    assert texts(pieces, room) == [
        "[gMASK]<sop>" + "One " * 8, "[gMASK]<sop>" + "Two " * 8, "[gMASK]<sop>" + "Three " * 8 + "<|endoftext|>",
    ]  # fmt: skip
    assert [one.key for one in CUTTING.samples("s", "k", pieces, room)] == ["k@0", "k@1", "k@2"]
    with pytest.raises(SampleTooLong, match=r"sample 'k': expected at most \d+ tokens, found \d+"):
        texts(pieces, room, WHOLE)


def test_a_picture_goes_with_the_text_after_it():
    parts = texts(["One " * 8, toy(), "Two " * 8], AROUND + len(TOY.text("One " * 8)) + 4)
    assert parts == ["[gMASK]<sop>" + "One " * 8, f"[gMASK]<sop>{PICTURE}" + "Two " * 8 + "<|endoftext|>"]


def test_only_a_text_that_is_too_long_alone_is_cut_inside():
    parts = texts(["One " * 40], AROUND + 10)
    assert len(parts) > 3
    assert "".join(part.removeprefix("[gMASK]<sop>").removesuffix("<|endoftext|>") for part in parts) == "One " * 40


def test_a_picture_over_the_context_names_its_size():
    with pytest.raises(SampleTooLong, match="sample 'k': expected pictures of at most 17 tokens, found one of 27"):
        texts(["One", toy(10, 10)], AROUND + 17)


@pytest.mark.parametrize("pieces", [[], [""], [toy()]])
def test_without_a_text_there_is_nothing_to_train_on(pieces):
    with pytest.raises(NothingToTrain, match="sample 'k': expected a text, found"):
        texts(pieces)


pieces = st.lists(
    st.one_of(st.text(min_size=1, max_size=40), st.tuples(st.sampled_from([2, 4]), st.sampled_from([2, 4]))),
    min_size=1,
    max_size=12,
).map(lambda drawn: [one if isinstance(one, str) else toy(*one, mark=number) for number, one in enumerate(drawn)])


@settings(max_examples=150, deadline=None)
@given(pieces.filter(lambda drawn: any(isinstance(one, str) for one in drawn)), st.integers(12, 60))
def test_whatever_is_cut_no_picture_is_and_no_text_is_lost(drawn, length):
    parts = CUTTING.samples("s", "k", drawn, length)
    image, start, end = (TOY.ids[name] for name in ("<|image|>", "<|begin_of_image|>", "<|end_of_image|>"))
    for part in parts:
        assert len(part.input_ids) <= length
        assert part.weights[0] == 0
        assert part.kinds.sum() == sum(h * w // 4 for _, h, w in part.grids.tolist())
        runs = TOY.decode([one for one in part.input_ids if one in (image, start, end)])
        expected = "".join(
            "<|begin_of_image|>" + "<|image|>" * (h * w // 4) + "<|end_of_image|>" for _, h, w in part.grids.tolist()
        )
        assert runs == expected
        assert len(part.patches) == len(part.grids)
    kept = b"".join(TOY.decode(part.input_ids[part.weights > 0]).encode() for part in parts)
    for text in (one for one in drawn if isinstance(one, str) and len(TOY.text(one)) <= length - AROUND):
        assert text.encode() in kept
    assert sum(int(part.input_ids[-1] == TOY.ids["<|endoftext|>"]) for part in parts) == 1
