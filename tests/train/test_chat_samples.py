"""Samples of shards to tokens: ours and foreign ones, each kind; what is wrong with one names it."""

import json
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.train_chat import ChatRules
from tests.train.chat_pictures import ToyLook
from tests.train.tokenizer import BASE_SPECIAL, toy_tokenizer
from train.chat.errors import NothingToTrain, PicturesMismatch, SampleMalformed, SampleTooLong, SampleUnfit
from train.chat.samples import Chat, Fitted
from train.chat.tokenizer import ChatTokenizer
from train.data.records import RawSample
from transforms.conversations import conversation_pieces, parse_conversation
from transforms.records import Drop, Picture, Sample, Span, Text
from transforms.shards import sample_json, sample_members

TOY = ChatTokenizer(toy_tokenizer(), "glm-4.1v")
CHAT = Chat(TOY, ChatRules(), ToyLook())
PICTURE = "<|begin_of_image|><|image|><|end_of_image|>"
TALK = {
    "messages": [
        {"role": "user", "content": "<image>Who?"},
        {"role": "assistant", "content": "<think>Players.</think>\n<answer>Two players.</answer>"},
    ]
}
TALK_TEXT = (
    f"[gMASK]<sop><|user|>\n{PICTURE}Who?<|assistant|>\n<think>Players.</think>\n<answer>Two players.</answer><|user|>"
)


def raw(parts, **members):
    return RawSample("s", "k", 0, {**parts, **members})


def text(parts, chat=CHAT, length=1000):
    return [TOY.decode(one.input_ids) for one in chat.tokenize(raw(parts), length)]


def ours(pieces, data, caption=None):
    """The members of a sample as our writer makes them, by suffix."""
    sample = Sample("k", "a.jsonl", 0, 0, tuple(pieces))
    members = sample_members(sample, data, sample_json(sample), caption)
    return {name.removeprefix("k."): content for name, content in members}


def picture(**more):
    return Picture(Span("a.jpg", 0, 3, "file"), format="jpeg", width=28, height=28, **more)


def test_a_caption_of_ours_is_the_text_that_won():
    pieces = [picture(), Text("alt text"), Text("IMG_1.JPG", drop=Drop("caption_file_name", 1.0, 0.5))]
    parts = ours(pieces, [b"2x2", None, None], "a red circle\n")
    assert sorted(parts) == ["jpg", "json", "txt"]
    assert text(parts) == [f"[gMASK]<sop>{PICTURE}a red circle<|endoftext|>"]


def test_a_foreign_caption():
    assert text({"jpg": b"2x2", "txt": b"a red circle"}) == [f"[gMASK]<sop>{PICTURE}a red circle<|endoftext|>"]
    parts = {"png": b"2x2", "txt": b"a red circle", "json": b'{"width": 1}'}
    assert text(parts) == [f"[gMASK]<sop>{PICTURE}a red circle<|endoftext|>"]


def test_a_document_of_ours_without_what_was_dropped():
    gone = picture(drop=Drop("picture_too_small", 10, 150))
    pieces = [Text("One", "heading"), picture(), Text("Two", "paragraph"), gone, picture(), Text("Three", "paragraph")]
    parts = ours(pieces, [None, b"2x2", None, None, b"2x4", None])
    wide = "<|begin_of_image|><|image|><|image|><|end_of_image|>"
    assert text(parts) == [f"[gMASK]<sop>One\n{PICTURE}Two\n{wide}Three<|endoftext|>"]


def test_pictures_stand_in_the_order_of_their_numbers():
    pieces = [part for number in range(12) for part in (picture(), Text(f"{number}", "paragraph"))]
    data = [
        None if isinstance(piece, Text) else b"2x4" if index == 20 else b"2x2" for index, piece in enumerate(pieces)
    ]
    parts = dict(sorted(ours(pieces, data).items()))  # 10.jpg before 2.jpg
    [sample] = CHAT.tokenize(raw(parts), 1000)
    assert sample.grids[:, 2].tolist() == [2] * 10 + [4, 2]


@pytest.mark.parametrize("own", [True, False], ids=["ours", "foreign"])
def test_a_conversation(own):
    pieces = conversation_pieces(parse_conversation(TALK), [picture()])
    foreign = {"jpg": b"2x2", "json": json.dumps(TALK).encode()}
    parts = ours(pieces, [None if isinstance(piece, Text) else b"2x2" for piece in pieces]) if own else foreign
    assert text(parts) == [TALK_TEXT]


@pytest.mark.parametrize("own", [True, False], ids=["ours", "foreign"])
def test_a_video_of_three_frames_is_two_pictures(own):
    video = {"frames": ["0.jpg", "1.jpg", "2.jpg"], "seconds": [0, 0.5, 1]}
    said = {"messages": [{"role": "user", "content": "<video>What?"}, {"role": "assistant", "content": "A goal."}]}
    said["videos"] = [video]
    pieces = conversation_pieces(parse_conversation(said), [picture()] * 3)
    foreign = {"0.jpg": b"2x2", "1.jpg": b"2x2", "2.jpg": b"2x2", "json": json.dumps(said).encode()}
    parts = ours(pieces, [None if isinstance(piece, Text) else b"2x2" for piece in pieces]) if own else foreign
    assert text(parts) == [
        f"[gMASK]<sop><|user|>\n<|begin_of_video|>{PICTURE}0{PICTURE}1<|end_of_video|>What?/nothink<|assistant|>\n"
        "<think></think>\n<answer>A goal.</answer><|user|>"
    ]


def test_a_conversation_in_the_other_form():
    chat = Chat(TOY, ChatRules(form="glm-4.5v"), ToyLook())
    assert text({"jpg": b"2x2", "json": json.dumps(TALK).encode()}, chat) == [
        f"[gMASK]<sop><|user|>\n{PICTURE}Who?<|assistant|>\n<think>Players.</think>\nTwo players.<|user|>"
    ]


def own_document():
    return ours([picture(), Text("One", "paragraph")], [b"2x2", None])


@pytest.mark.parametrize(
    ("parts", "error", "message"),
    [
        ({"jpg": b"2x2"}, SampleMalformed, r"expected a .txt, messages or pieces, found members \['jpg'\]"),
        ({"txt": b"\xff"}, SampleMalformed, "expected a caption in UTF-8"),
        ({"jpg": b"2x2", "txt": b" "}, NothingToTrain, "expected a text, found 1 pictures and none"),
        ({"json": b"{"}, SampleMalformed, "expected JSON, found"),
        ({"json": b"[]"}, SampleMalformed, "expected a JSON object, found list"),
        ({"json": b'{"beamsift": {}}'}, SampleMalformed, "expected a sample of beamsift, found"),
        ({"json": b'{"messages": []}'}, SampleMalformed, "expected turns, found none"),
        ({"json": json.dumps(TALK).encode()}, PicturesMismatch, "found 1 places and 0 pictures"),
        (
            {"0.jpg": b"2x2", "1.jpg": b"2x2", "json": json.dumps(TALK).encode()},
            PicturesMismatch,
            "found 1 places and 2 pictures",
        ),
        (
            {"json": json.dumps({**TALK, "images": ["a", "b"]}).encode(), "jpg": b"2x2"},
            PicturesMismatch,
            "found 1 placeholders and 2 pictures",
        ),
        ({"json": own_document()["json"]}, PicturesMismatch, "found 1 places and 0 pictures"),
        ({**own_document(), "1.jpg": b"2x2"}, PicturesMismatch, "found 1 places and 2 pictures"),
    ],
)
def test_what_is_wrong_names_the_sample(parts, error, message):
    with pytest.raises(error, match=f"sample 'k': .*{message}"):
        CHAT.tokenize(raw(parts), 1000)


def test_a_conversation_is_its_own_fault_where_the_tokenizer_is_a_base_models():
    chat = Chat(ChatTokenizer(toy_tokenizer(BASE_SPECIAL), None), ChatRules(), ToyLook())
    assert text({"jpg": b"2x2", "txt": b"a red circle"}, chat) == [f"[gMASK]<sop>{PICTURE}a red circle<|endoftext|>"]
    for read in (chat.tokenize, chat.prompt):
        with pytest.raises(
            SampleMalformed, match="expected a caption or document, found a conversation, and no <think>"
        ):
            read(raw({"jpg": b"2x2", "json": json.dumps(TALK).encode()}))


def test_a_broken_picture_is_the_decoders_to_name():
    with pytest.raises(OSError, match="broken picture"):
        CHAT.tokenize(raw({"jpg": b"", "txt": b"x"}), 1000)


def test_an_error_crosses_a_process_border():
    error = SampleTooLong("k", "expected at most 5 tokens, found 6")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.key) == (SampleTooLong, str(error), "k")


@pytest.mark.parametrize("form", ["glm-4.1v", "glm-4.5v"])
@pytest.mark.parametrize("answer", ["<think>Players.</think>\nTwo.", "Two."], ids=["think", "nothink"])
def test_a_prompt_is_what_stands_before_the_first_token_that_is_trained_on(form, answer):
    chat = Chat(TOY, ChatRules(form=form), ToyLook())
    said = {"messages": [TALK["messages"][0], {"role": "assistant", "content": answer}]}
    one = raw({"jpg": b"2x4", "json": json.dumps(said).encode()})
    prompt, [sample] = chat.prompt(one, nothink="<think>" not in answer), chat.tokenize(one)
    first = int((sample.weights > 0).argmax())
    assert prompt.input_ids.tolist() == sample.input_ids[:first].tolist()
    assert prompt.kinds.tolist() == sample.kinds[:first].tolist()
    assert [seen.grid for seen in prompt.pictures] == [(1, 2, 4)]


def test_the_prompt_of_a_caption_is_its_picture():
    one = raw({"jpg": b"2x4", "txt": b"a red circle"})
    prompt, [sample] = CHAT.prompt(one), CHAT.tokenize(one)
    assert prompt.input_ids.tolist() == sample.input_ids[: int((sample.weights > 0).argmax())].tolist()


def test_history_in_a_prompt_is_written_as_in_training():
    more = {"messages": [*TALK["messages"], {"role": "user", "content": "And?"}, *TALK["messages"][1:]]}
    one = raw({"jpg": b"2x2", "json": json.dumps(more).encode()})
    prompt, [sample] = CHAT.prompt(one), CHAT.tokenize(one)
    assert prompt.input_ids.tolist() == sample.input_ids[: int((sample.weights > 0).argmax())].tolist()
    with pytest.raises(SampleMalformed, match="expected a turn that asks"):
        CHAT.prompt(raw({"json": json.dumps({"messages": TALK["messages"][1:]}).encode()}))


def test_a_chat_goes_to_a_worker_process():
    again = pickle.loads(pickle.dumps(Fitted(CHAT, 1000)))
    one = raw({"jpg": b"2x2", "json": json.dumps(TALK).encode()})
    assert TOY.decode(again(one)[0].input_ids) == TALK_TEXT


def test_too_long_is_not_corrupt():
    one = raw({"jpg": b"2x2", "json": json.dumps(TALK).encode()})
    assert Fitted(CHAT, 20)(one) == []
    with pytest.raises(SampleMalformed):
        Fitted(CHAT, 20)(raw({"json": b"{"}))


members = st.dictionaries(
    st.sampled_from(["jpg", "0.jpg", "1.png", "txt", "json", "cls"]),
    st.one_of(
        st.binary(max_size=20), st.just(b"2x2"), st.just(json.dumps(TALK).encode()), st.just(own_document()["json"])
    ),
)


@given(members)
def test_any_members_are_a_sample_or_a_named_error(parts):
    try:
        found = CHAT.tokenize(raw(parts), 1000)
    except (SampleUnfit, OSError, ValueError) as error:  # the toy look refuses what is no size
        assert isinstance(error, SampleUnfit) is str(error).startswith("sample 'k': ")
        return
    assert all(len(one.input_ids) <= 1000 for one in found)
