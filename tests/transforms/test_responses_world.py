"""Every rule on conversations of the toy world: of what is planted, and of what is flagged, at least 98 % each."""

import json
from collections import Counter

from configs.schema.sft import LengthRules, SftConfig
from pipelines.sft_rules import REPORT
from tests.world.talks import FAULTS, MOST, Talk, talks
from transforms.conversations import conversation_pieces, parse_conversation
from transforms.loaded import Loaded
from transforms.raw_sample import clean_key
from transforms.records import Picture, Sample, Span
from transforms.responses_measures import measure_conversations
from transforms.responses_rules import decide_again

CFG = SftConfig(length=LengthRules(**MOST))
REQUIRED = 0.98
OFF = {"response_plain", "answer_too_short", "thought_too_short"}
"""Rules that turn nothing away by default."""


def measured(talk: Talk, position: int) -> Sample:
    conversation = parse_conversation(talk.record)
    shown = [Picture(Span("a", 0, 1, "file"), width=w, height=h, pixels=pixels) for pixels, w, h in talk.pictures]
    pieces = tuple(conversation_pieces(conversation, shown))
    fields = {name: talk.record[name] for name in ("reference", "pass_rate") if name in talk.record}
    sample = Sample(clean_key(talk.key), "a.jsonl", 0, position, pieces, meta=json.dumps(fields))
    return measure_conversations([Loaded(sample, [None] * len(pieces), [None] * len(pieces))], CFG.read)[0].sample


def test_precision_and_recall_of_each_rule():
    world = list(talks(seed=1, sound=1000, each=60))
    decided = decide_again([measured(talk, n) for n, talk in enumerate(world)], [0] * len(world), CFG)
    planted = Counter(talk.rule for talk in world)
    pairs = Counter((talk.rule, one.drop.rule if one.drop else "") for talk, one in zip(world, decided, strict=True))
    assert planted.keys() == {"", "prompt_duplicate", *FAULTS}
    assert {spec.rule for spec in REPORT.rules} - planted.keys() == OFF
    flagged = Counter(one.drop.rule if one.drop else "" for one in decided)
    shares = {rule: (pairs[rule, rule] / max(flagged[rule], 1), pairs[rule, rule] / planted[rule]) for rule in planted}
    assert {rule: both for rule, both in shares.items() if min(both) < REQUIRED} == {}
