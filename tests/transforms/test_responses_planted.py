"""gsm8k's worked answers as thoughts, faults planted in half of them: no sound one goes, and nearly all bad ones do."""

import gzip
import json
import re
from collections import Counter
from random import Random

import pytest
from msgspec.structs import replace

from configs.schema.sft import SftConfig
from tests.transforms.real_pages import DATA
from transforms.conversations import conversation_pieces, parse_conversation
from transforms.records import Sample
from transforms.response_format import BOX, BOX_END, Response, format_response
from transforms.responses_measures import measure_conversation
from transforms.responses_rules import decide_again

INSTRUCTIONS = DATA.parent / "instructions"
CFG = SftConfig()
FAULTS = ("tags", "box", "wrong", "mixed", "repeated", "doubts", "rate", "copy")
RULES = {
    "tags": {"response_tags"},
    "box": {"box_missing"},
    "wrong": {"answer_wrong"},
    "mixed": {"response_mixed_language"},
    "repeated": {"response_repeated_sentences", "response_repeated_runs"},
    "doubts": {"response_hesitations", "response_repeated_sentences"},
    "rate": {"task_too_hard", "task_too_easy"},
    "copy": {"prompt_duplicate"},
}
LEAST = {"mixed": 0.8, "repeated": 0.8, "copy": 0.9}
"""Share of the planted faults that must be found; 1 of the others. Short thoughts said once more stay below limits."""


def rows(name):
    with gzip.open(INSTRUCTIONS / name, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def planted(row, fault, chance, chinese):
    """(question, response, record's fields) of a row of gsm8k with a fault."""
    lines = re.sub(r"<<[^>]*>>", "", row["answer"].partition("####")[0]).strip().split("\n")
    right, rate = row["final"], 0.5
    said = f"{right}0" if fault == "wrong" else right
    answer = f"It is {said}." if fault == "box" else f"It is {BOX}{said}{BOX_END}."
    if fault == "mixed":
        lines[chance.randrange(len(lines))] = chance.choice(chinese)
    elif fault == "repeated":
        lines += lines[len(lines) // 2 :] * chance.randint(2, 6)
    elif fault == "doubts":
        lines = [part for n, one in enumerate([*lines, *"abcdef"]) for part in (one, f"Wait, let me recheck {n}.")]
    elif fault == "rate":
        rate = chance.choice([0.0, 1.0])
    text = format_response(Response("\n".join(lines), answer), chance.choice(["glm-4.1v", "glm-4.5v"]))
    if fault == "tags":
        text = chance.choice([text.replace("</think>", ""), f"Sure. {text}", f"{text}<think>"])
    return row["question"], text, {"reference": right, "pass_rate": rate}


def sample(key, question, response, fields):
    turns = [{"role": "user", "content": question}, {"role": "assistant", "content": response}]
    conversation = parse_conversation({"messages": turns})
    measures = measure_conversation(conversation, fields, CFG.read)
    return Sample(key, "a.jsonl", 0, 0, tuple(conversation_pieces(conversation, [])), measures=measures)


@pytest.mark.real_data
@pytest.mark.skipif(not INSTRUCTIONS.is_dir(), reason="no ../shared/data")
def test_planted_faults_are_found_and_sound_answers_stay():
    chance = Random(0)
    sentences = [
        one["output"].partition("。")[0] + "。" for one in rows("alpaca_demo.jsonl.gz") if "。" in one["output"]
    ]
    chinese = [one for one in sentences if 12 <= len(one) <= 60 and not re.search("[A-Za-z]", one)]
    samples, truth = [], {}
    for number, row in enumerate(rows("gsm8k_train.jsonl.gz")):
        fault = FAULTS[number // 2 % len(FAULTS)] if number % 2 else ""
        question, *rest = planted(row, fault, chance, chinese)
        samples.append(sample(f"{number}", question, *rest))
        truth[f"{number}"] = "" if fault == "copy" else fault
        if fault == "copy":
            truth[f"{number}b"] = fault
            samples.append(sample(f"{number}b", f"Solve this: {question}", *rest))
    samples = [replace(one, position=position) for position, one in enumerate(samples)]
    counts, found = Counter(truth.values()), Counter()
    for one in decide_again(samples, [0] * len(samples), CFG):
        rule, fault = one.drop.rule if one.drop else "", truth[one.key]
        pair = rule == "prompt_duplicate" and f"{one.key.rstrip('b')}b" in truth  # either one of two may stay
        found["copy" if pair else fault] += rule in (RULES[fault] if fault else ()) or pair
        assert fault or pair or not rule, (one.key, one.drop)
    shares = {fault: found[fault] / counts[fault] for fault in FAULTS}
    assert {fault: share for fault, share in shares.items() if share < LEAST.get(fault, 1)} == {}
