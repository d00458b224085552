"""Conversations to tokens: the released templates' text, what is trained on, thoughts of history, cuts."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.train_chat import ChatRules
from tests.train.chat_pictures import toy
from tests.train.tokenizer import SPECIAL, toy_tokenizer
from train.chat.conversations import Conversations, Spoken, Video
from train.chat.errors import NothingToTrain, SampleMalformed, SampleTooLong
from train.chat.tokenizer import ChatTokenizer

TOYS = {form: ChatTokenizer(toy_tokenizer(), form) for form in ("glm-4.1v", "glm-4.5v")}
PICTURE = "<|begin_of_image|><|image|><|end_of_image|>"
TALK = [
    Spoken("system", ("Be brief.",)),
    Spoken("user", (toy(), "Who?")),
    Spoken("assistant", ("<think>Players.</think>\n<answer>Two players.</answer>",)),
    Spoken("user", ("Compare ", toy(), " and ", toy(), "\nwell.")),
    Spoken("assistant", ("<think>1+1</think>\n<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer>",)),
]
PLAIN = [turn if turn.role != "assistant" else Spoken("assistant", ("Yes.",)) for turn in TALK]


def encode(said, /, *, length=1000, **rules):
    rules = ChatRules(**rules)
    return Conversations(TOYS[rules.form], rules).samples("s", "k", said, length)


def texts(said, /, **rules):
    """(the whole text, the text that is trained on) of each sample."""
    decode = TOYS[rules.get("form", "glm-4.1v")].decode
    found = encode(said, **rules)
    return [(decode(one.input_ids), decode(one.input_ids[one.weights > 0])) for one in found]


# What the template of zai-org/GLM-4.1V-9B-Thinking, revision 3c1471e51dc8 (sha256 of its JSON string 5232dbe7…1e90),
# writes of TALK: rendered by transformers' render_jinja_template, which is not needed here.
RELEASED_4_1V = (
    f"[gMASK]<sop><|system|>\nBe brief.<|user|>\n{PICTURE}Who?<|assistant|>\n<think>Players.</think>\n"
    f"<answer>Two players.</answer><|user|>\nCompare {PICTURE} and {PICTURE}\nwell.<|assistant|>\n<think>1+1</think>\n"
    "<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer>"
)
# What the template of GLM-4.5V writes of it without answer tags, and of PLAIN with enable_thinking false.
RELEASED_4_5V = (
    f"[gMASK]<sop><|system|>\nBe brief.<|user|>\n{PICTURE}Who?<|assistant|>\n<think></think>\nTwo players.<|user|>\n"
    f"Compare {PICTURE} and {PICTURE}\nwell.<|assistant|>\n<think>1+1</think>\nIt is <|begin_of_box|>2<|end_of_box|>."
)
RELEASED_NOTHINK = (
    f"[gMASK]<sop><|system|>\nBe brief.<|user|>\n{PICTURE}Who?/nothink<|assistant|>\n<think></think>\nYes.<|user|>\n"
    f"Compare {PICTURE} and {PICTURE}\nwell./nothink<|assistant|>\n<think></think>\nYes."
)


@pytest.mark.parametrize(
    ("turns", "form", "history", "released"),
    [
        (TALK, "glm-4.1v", "keep", RELEASED_4_1V),
        (TALK, "glm-4.5v", "strip", RELEASED_4_5V),
        (PLAIN, "glm-4.5v", "strip", RELEASED_NOTHINK),
    ],
)
def test_the_text_is_that_of_the_released_template_and_its_tokens_those_of_the_library(turns, form, history, released):
    [sample] = encode(turns, form=form, history=history)
    assert TOYS[form].decode(sample.input_ids) == released + "<|user|>"
    assert sample.input_ids.tolist() == toy_tokenizer().encode(released + "<|user|>").ids


def test_responses_and_what_ends_them_are_trained_on_and_nothing_else():
    [(_, trained)] = texts(TALK, history="keep")
    assert trained == (
        "<think>Players.</think>\n<answer>Two players.</answer><|user|>"
        "<think>1+1</think>\n<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer><|user|>"
    )


def test_a_response_whose_thought_is_stripped_is_context_alone():
    [(whole, trained)] = texts(TALK, history="strip")
    assert "<|assistant|>\n<answer>Two players.</answer><|user|>" in whole
    assert trained == "<think>1+1</think>\n<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer><|user|>"


@pytest.mark.parametrize(
    ("form", "answer"), [("glm-4.1v", "<answer>Yes.</answer>"), ("glm-4.5v", "Yes.")], ids=["4.1v", "4.5v"]
)
def test_an_empty_thought_is_read_and_not_trained_on(form, answer):
    [(whole, trained)] = texts(PLAIN, form=form)
    assert whole.count(f"/nothink<|assistant|>\n<think></think>\n{answer}") == 2
    assert trained == f"{answer}<|user|>{answer}<|user|>"


def test_a_switch_that_the_user_wrote_is_not_doubled_and_not_believed():
    asked = [Spoken("user", ("Who?/nothink ",)), Spoken("assistant", ("Me.",))]
    assert "Who?/nothink<|assistant|>" in texts(asked)[0][0]
    [sample] = encode(asked)
    assert (sample.input_ids == TOYS["glm-4.1v"].ids["/nothink"]).sum() == 1
    thought = [Spoken("user", ("Who?/nothink",)), Spoken("assistant", ("<think>Hm.</think><answer>Me.</answer>",))]
    assert "Who?<|assistant|>" in texts(thought)[0][0]


def test_turns_last_and_each():
    assert [trained for _, trained in texts(TALK, turns="last", history="keep")] == [
        "<think>1+1</think>\n<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer><|user|>"
    ]
    each = encode(TALK, turns="each")
    assert [one.key for one in each] == ["k@0", "k@1"]
    assert [len(one.patches) for one in each] == [1, 3]
    assert [trained for _, trained in texts(TALK, turns="each")] == [
        "<think>Players.</think>\n<answer>Two players.</answer><|user|>",
        "<think>1+1</think>\n<answer>It is <|begin_of_box|>2<|end_of_box|>.</answer><|user|>",
    ]


def test_the_end_and_the_system_prompt_are_the_configs():
    assert texts(TALK[1:3], end="<|endoftext|>")[0][1].endswith("</answer><|endoftext|>")
    assert texts(TALK[1:3], system="Think.")[0][0].startswith("[gMASK]<sop><|system|>\nThink.<|user|>\n")
    assert "Think." not in texts(TALK, system="Think.")[0][0]


def test_a_video_is_pictures_each_followed_by_its_second():
    video = Video(((toy(2, 4), 0.0), (toy(2, 4), 1.9)))
    [(whole, _)] = texts([Spoken("user", (video, video, "What?")), Spoken("assistant", ("A goal.",))])
    frame = "<|begin_of_image|><|image|><|image|><|end_of_image|>"
    shown = f"<|begin_of_video|>{frame}0{frame}1<|end_of_video|>"
    assert whole.startswith(f"[gMASK]<sop><|user|>\n{shown}{shown}What?/nothink")


def test_pictures_stand_at_their_placeholders():
    [sample] = encode([Spoken("user", (toy(2, 4, 1.0), "x", toy(4, 6, 2.0))), Spoken("assistant", ("y",))])
    image = TOYS["glm-4.1v"].ids["<|image|>"]
    assert (sample.kinds == (sample.input_ids == image)).all()
    assert sample.kinds.sum() == 2 + 6
    assert sample.grids.tolist() == [[1, 2, 4], [1, 4, 6]]
    assert [float(one[0, 0]) for one in sample.patches] == [1.0, 2.0]
    assert [one.dtype for one in (sample.input_ids, sample.weights, sample.grids, sample.kinds)] == [
        np.int32, np.float32, np.int32, np.int8,
    ]  # fmt: skip


def test_turns_after_the_last_response_are_left_out():
    more = [*TALK, Spoken("user", ("Sure?", toy()))]
    assert encode(more)[0].input_ids.tolist() == encode(TALK)[0].input_ids.tolist()
    assert len(encode(more)[0].grids) == 3


def test_a_long_conversation_ends_with_an_earlier_response_or_goes():
    whole = len(encode(TALK)[0].input_ids)
    [cut] = encode(TALK, length=whole - 1)
    assert cut.input_ids.tolist() == encode(TALK[:3])[0].input_ids.tolist()
    assert len(cut.patches) == 1
    with pytest.raises(SampleTooLong, match=rf"sample 'k': expected at most {whole - 1} tokens, found {whole}"):
        encode(TALK, length=whole - 1, too_long="drop")
    with pytest.raises(SampleTooLong, match=rf"expected at most 20 tokens, found {whole}"):
        encode(TALK, length=20)
    assert [one.key for one in encode(TALK, length=whole - 1, turns="each")] == ["k@0"]
    with pytest.raises(SampleTooLong):
        encode(TALK, length=whole - 1, turns="each", too_long="drop")


def test_what_is_wrong_names_the_sample():
    with pytest.raises(NothingToTrain, match="sample 'k': expected a response, found 2 turns and none"):
        encode(TALK[:2])
    with pytest.raises(SampleMalformed, match="sample 'k': expected a response of glm-4.1v, found no </answer>"):
        encode([Spoken("user", ("x",)), Spoken("assistant", ("<think>a</think><answer>b",))])
    with pytest.raises(SampleMalformed, match="expected pictures in the turns of users"):
        encode([Spoken("user", ("x",)), Spoken("assistant", ("a", toy()))])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from([*SPECIAL, "a red circle", "\n", " "]), max_size=6).map("".join),
    st.sampled_from(["glm-4.1v", "glm-4.5v"]),
)
def test_a_user_cannot_write_a_special_token(text, form):
    [sample] = encode([Spoken("user", (text, toy())), Spoken("assistant", ("Yes.",))], form=form)
    [usual] = encode([Spoken("user", ("x", toy())), Spoken("assistant", ("Yes.",))], form=form)
    special = set(TOYS[form].ids.values())
    assert [one for one in sample.input_ids if one in special] == [one for one in usual.input_ids if one in special]
    assert TOYS[form].decode(sample.input_ids[sample.weights > 0]) == TOYS[form].decode(
        usual.input_ids[usual.weights > 0]
    )
