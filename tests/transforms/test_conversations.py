"""Conversations: every way of writing one gives the same turns; broken ones say what is wrong; pieces and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.conversations import (
    Conversation,
    ConversationBroken,
    Shown,
    Turn,
    conversation_pieces,
    is_conversation,
    parse_conversation,
    pieces_conversation,
)
from transforms.records import Picture, Span, Text

ASKED = Conversation(
    (
        Turn("system", ("Be brief.",)),
        Turn("user", (Shown(0), "Who are they?")),
        Turn("assistant", ("<think>Players.</think>\n<answer>Two players.</answer>",)),
        Turn("user", ("And ", Shown(1), "?")),
        Turn("assistant", ("A ball.",)),
    ),
    ("a.jpg", "b.jpg"),
)
ANSWER = "<think>Players.</think>\n<answer>Two players.</answer>"
RECORDS = {
    "LLaMA-Factory": {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "<image>Who are they?"},
            {"role": "assistant", "content": ANSWER},
            {"role": "user", "content": "And <image>?"},
            {"role": "assistant", "content": "A ball."},
        ],
        "images": ["a.jpg", "b.jpg"],
    },
    "LLaVA": {
        "conversations": [
            {"from": "system", "value": "Be brief."},
            {"from": "human", "value": "<image>Who are they?"},
            {"from": "gpt", "value": ANSWER},
            {"from": "human", "value": "And <image>?"},
            {"from": "gpt", "value": "A ball."},
        ],
        "image": ["a.jpg", "b.jpg"],
    },
    "OpenAI": {
        "messages": [
            {"role": "system", "content": [{"type": "text", "text": "Be brief."}]},
            {
                "role": "user",
                "content": [{"type": "image", "image": "a.jpg"}, {"type": "text", "text": "Who are they?"}],
            },
            {"role": "assistant", "reasoning_content": "Players.", "content": "<answer>Two players.</answer>"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "And "},
                    {"type": "image_url", "image_url": {"url": "b.jpg"}},
                    {"type": "text", "text": "?"},
                ],
            },
            {"role": "assistant", "content": "A ball."},
        ]
    },
}


@pytest.mark.parametrize("record", RECORDS.values(), ids=RECORDS)
def test_every_way_of_writing_gives_the_same_turns(record):
    assert parse_conversation(record) == ASKED


def test_a_video_is_its_frames_with_their_seconds():
    video = {"frames": ["0.jpg", "1.jpg"], "seconds": [0, 2.5]}
    frames = (Shown(1, 0, 0.0), Shown(2, 0, 2.5))
    placed = {"messages": [{"role": "user", "content": "<image><video>What?"}], "images": ["a.jpg"], "videos": [video]}
    parts = [{"type": "image", "image": "a.jpg"}, {"type": "video", **video}, {"type": "text", "text": "What?"}]
    for record in (placed, {"messages": [{"role": "user", "content": parts}]}):
        assert parse_conversation(record) == (
            (Turn("user", (Shown(0), *frames, "What?")),),
            ("a.jpg", "0.jpg", "1.jpg"),
        )


def test_the_text_of_a_part_holds_no_placeholders():
    record = {"messages": [{"role": "user", "content": [{"type": "text", "text": "What is the <image> tag?"}]}]}
    assert parse_conversation(record).turns[0].parts == ("What is the <image> tag?",)


def user(content):
    return {"messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"text": "x"}, r"list of messages or conversations, found \['text'\]"),
        ({"messages": []}, "expected turns, found none"),
        ({"messages": ["x"]}, "turn 0: expected an object, found str"),
        ({"messages": [{"role": "narrator", "content": "x"}]}, "turn 0: expected a role .* found 'narrator'"),
        (user(None), "expected a turn's text or parts, found NoneType"),
        (user([{"type": "audio"}]), "expected a part of text, image or video"),
        (user("<image><image>x") | {"images": ["a"]}, "found 2 placeholders and 1 pictures"),
        (user("x") | {"images": ["a", "b"]}, "found 0 placeholders and 2 pictures"),
        (user("<video>x"), "found 1 placeholders and 0 videos"),
        (user("x") | {"videos": [{"frames": ["a"], "seconds": [0]}]}, "found 0 placeholders and 1 videos"),
        (user("<video>x") | {"videos": ["a.mp4"]}, "expected a video as frames and as many seconds"),
        (user("<video>x") | {"videos": [{"frames": ["a"], "seconds": [-1]}]}, "expected seconds of frames from 0"),
        (user("<video>x") | {"videos": [{"frames": ["a"], "seconds": ["0"]}]}, "expected seconds of frames from 0"),
        ({"messages": [{"role": "user", "content": "x"}] * 2}, "found user twice at 0"),
        (
            {"messages": [{"role": "user", "content": "x"}, {"role": "system", "content": "x"}]},
            "a system turn at the start, found one at 1",
        ),
    ],
)
def test_what_is_no_conversation_says_why(record, message):
    with pytest.raises(ConversationBroken, match=message):
        parse_conversation(record)


def picture(name):
    return Picture(Span(name, 0, 0, "url"), url=name)


def test_the_pieces_of_a_conversation():
    pieces = conversation_pieces(ASKED, [picture("a.jpg"), picture("b.jpg")])
    assert [piece.value if isinstance(piece, Text) else piece.url for piece in pieces[:4]] == [
        "Be brief.", "", "a.jpg", "Who are they?",
    ]  # fmt: skip
    assert [piece.role for piece in pieces if isinstance(piece, Text)][:3] == ["system", "user", "user"]
    assert is_conversation(pieces)
    assert not is_conversation([Text("a cat"), picture("a.jpg")])


@st.composite
def conversations(draw):
    turns, names = [], []
    for role in draw(st.sampled_from([["user", "assistant"] * 2, ["system", "user", "assistant"], ["user"]])):
        parts = []
        for kind in draw(st.lists(st.sampled_from(["text", "picture", "frame"]), max_size=4)):
            if kind == "text" and not (parts and isinstance(parts[-1], str)):
                parts.append(draw(st.text(min_size=1, max_size=9)))
            elif kind != "text":
                video = -1 if kind == "picture" else draw(st.integers(0, 3))
                parts.append(Shown(len(names), video, 0.0 if video < 0 else draw(st.floats(0, 99))))
                names.append(f"{len(names)}.jpg")
        turns.append(Turn(role, tuple(parts)))
    return Conversation(tuple(turns), tuple(names))


@given(conversations())
def test_pieces_and_back(conversation):
    assert pieces_conversation(conversation_pieces(conversation, [picture(name) for name in conversation.names])) == (
        conversation
    )


@pytest.mark.parametrize(
    ("pieces", "message"),
    [
        ([picture("a.jpg")], "piece 0: expected a turn, found a picture before the first"),
        ([Text("a cat")], "piece 0: expected a text of a turn, found a caption"),
        (
            [Text("x", "user"), Picture(Span("a", 0, 0, "url"), meta='{"video":"x"}')],
            "picture 0: expected a video's number",
        ),
    ],
)
def test_pieces_of_something_else_are_refused(pieces, message):
    with pytest.raises(ConversationBroken, match=message):
        pieces_conversation(pieces)
