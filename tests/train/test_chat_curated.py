"""What the SFT pipeline's rules keep, training can use: random conversations, sound and broken, through both."""

from functools import cache
from itertools import product

from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from configs.schema.sft import SftConfig
from configs.schema.train_chat import ChatRules
from tests.train.tokenizer import toy_tokenizer
from tests.world.files import as_png
from tests.world.talks import Talk, talks
from train.chat.samples import Chat
from train.chat.tokenizer import ChatTokenizer
from train.data.records import RawSample
from train.media import Look
from transforms.conversations import ConversationBroken, conversation_pieces, parse_conversation
from transforms.loaded import Loaded
from transforms.records import Picture, Sample, Span, pictures
from transforms.response_format import TAGS
from transforms.responses_measures import measure_conversations
from transforms.responses_rules import mark_unsound
from transforms.shards import sample_json

CFG = SftConfig()
SIZES = [(64, 64), (64, 32), (1, 200), (201, 1), (1400, 7), (7, 1401), (3, 3)]
KINDS = list(product(("glm-4.1v", "glm-4.5v"), ("all", "last", "each"), ("strip", "keep")))


@cache
def chat(form, turns, history):
    rules = ChatRules(form=form, turns=turns, history=history)
    return Chat(ChatTokenizer(toy_tokenizer(), form), rules, Look())


@cache
def png(width, height):
    return as_png(Image.new("RGB", (width, height), "red"))


def curated(talk: Talk) -> Sample | None:
    """None for what is no conversation to the reader."""
    try:
        conversation = parse_conversation(talk.record)
    except ConversationBroken:
        return None
    shown = [Picture(Span("a", 0, 1, "file"), format="png", width=w, height=h) for _, w, h in talk.pictures]
    pieces = tuple(conversation_pieces(conversation, shown))
    loaded = Loaded(Sample("k", "a.jsonl", 0, 0, pieces), [None] * len(pieces), [None] * len(pieces))
    return mark_unsound(measure_conversations([loaded], CFG.read)[0].sample, CFG)


def trained(sample: Sample, kind=KINDS[0]) -> int:
    """Tokens that are trained on. Raises what training raises."""
    shown = {f"{n}.png": png(one.width, one.height) for n, one in enumerate(pictures(sample))}
    found = chat(*kind).tokenize(RawSample("s", "k", 0, {"json": sample_json(sample), **shown}))
    return sum(int((one.weights > 0).sum()) for one in found)


SIGNS = st.sampled_from([*TAGS, "a", "two cats", " ", "\n", "/nothink", "<|user|>", "<image>", "<|image|>", "<THINK>"])
SOUND = st.sampled_from(["Yes.", "<think>a</think>b", "<think></think>\n<answer>c</answer>", "<answer>d</answer>"])
CONTENTS = st.one_of(SOUND, st.lists(SIGNS, max_size=6).map("".join), st.just("<video>q"))
ROLES = st.sampled_from(
    [["user", "assistant"], ["assistant", "user"], ["system", "user"], ["observation", "assistant"]]
)


@st.composite
def records(draw) -> Talk:
    roles = draw(ROLES) + ["assistant", "user", "assistant"] * draw(st.integers(0, 1))
    messages = [{"role": role, "content": draw(CONTENTS)} for role in roles]
    text = "".join(one["content"] for one in messages)
    videos = [{"frames": ["a", "b"], "seconds": [0, 1]}] * text.count("<video>")
    images = ["c"] * text.count("<image>")
    sides = draw(st.lists(st.sampled_from(SIZES), min_size=len(images) + 2 * len(videos), max_size=len(images) + 14))
    return Talk("k", {"messages": messages, "images": images, "videos": videos}, tuple((b"", *one) for one in sides))


@given(records(), st.sampled_from(KINDS))
@settings(max_examples=400, deadline=None)
@example(Talk("k", {"messages": [{"role": "assistant", "content": "Yes."}]}), KINDS[0])
def test_whatever_is_kept_becomes_tokens(talk, kind):
    sample = curated(talk)
    if sample is not None and sample.alive:
        assert trained(sample, kind) > 0


def test_sound_conversations_of_the_toy_world_become_tokens_under_each_form():
    world = [talk for talk in talks(seed=3, sound=24, each=0)]
    for number, talk in enumerate(world):
        sample = curated(talk)
        assert sample is not None and sample.alive, talk
        assert trained(sample, KINDS[number % len(KINDS)]) > 3
