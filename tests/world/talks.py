"""Conversations of the toy world: questions on counts and colours, answered in English or Chinese, and planted faults.

A talk is a record as LLaMA-Factory has it, the pictures that it shows (pixels, sides) and the rule that it falls to.
Left out on purpose: pictures that can be opened; what is not there at all (tests/pipelines/sft_pool.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from tests.world.chance import random_of
from transforms.response_format import ANSWER, ANSWER_END, BOX, BOX_END, THINK, THINK_END

COLOURS = ["red", "green", "blue", "yellow", "violet", "orange", "brown", "white", "black", "pink"]
THINGS = ["house", "tree", "car", "boat", "cat", "face", "star", "circle", "flower", "fish", "kite", "lamp", "chair"]
PLACES = ["shelf", "table", "roof", "meadow", "harbour", "window", "street", "river", "wall", "garden", "bridge"]
ZH_COLOURS = ["红色", "绿色", "蓝色", "黄色", "紫色", "白色", "黑色"]
ZH_THINGS = ["房子", "树", "汽车", "小船", "猫", "星星", "圆圈", "方块", "花", "鱼"]
ZH_PLACES = ["架子", "桌子", "屋顶", "草地", "港口", "窗户", "街道", "河边"]
ODD = {
    "en": ["The sign reads “红色的房子”.", "Wait, `count(圆圈)` is 7.", "It says 北京 there."],
    "zh": ["牌子上写着 Hotel Blue Star。", "等等，`count(circles)` 是 7。", "这里用 $a + b = c$ 计算。"],
}
"""What sound thoughts hold of another language, and a doubt."""
Shown = tuple[bytes, int, int]
"""A hash of pixels, width, height."""


class Talk(NamedTuple):
    key: str
    record: dict[str, Any]
    pictures: tuple[Shown, ...] = ()
    rule: str = ""
    """That it is to fall to; empty where it stays."""


MOST = {"max_prompt": 5_000, "max_answer": 4_000, "max_thought": 20_000}
"""Limits on lengths under which the faults are faults; those of the config would make a toy of 20 MB."""


def talks(seed: int, sound: int, each: int) -> Iterator[Talk]:
    """`sound` sound ones, then `each` for every rule; copies come with the one that they are copies of."""
    for number in range(sound):
        yield sound_talk(f"sound-{number}", random_of(seed, number, "sound"))
    for rule, plant in FAULTS.items():
        for number in range(each):
            chance = random_of(seed, number, rule)
            yield plant(sound_talk(f"{rule}-{number}", chance, plain=False), chance)._replace(rule=rule)
    for number in range(each):
        chance = random_of(seed, number, "copy")
        first = sound_talk(f"copied-{number}", chance, plain=False)
        yield first
        yield _copied(first, chance)._replace(rule="prompt_duplicate")


def sound_talk(key: str, chance: Random, *, plain: bool = True) -> Talk:
    """Of several turns or one, with a picture or without, with a thought or (where `plain`) without."""
    count, language = chance.randint(2, 990), chance.choice(["en", "zh"])
    shown = ((chance.randbytes(16), chance.randint(40, 900), chance.randint(40, 900)),)
    pictures = shown if chance.random() < 0.5 else ()
    if plain and chance.random() < 0.3:  # a hot question of many pictures, or one that no picture belongs to
        asked = "Describe the image." if pictures else _question(chance, language)
        return Talk(key, _record([asked, _describe(chance, language)], pictures), pictures)
    said = [_question(chance, language), respond(chance, language, count)]
    if chance.random() < 0.3:
        said = [_question(chance, language), _describe(chance, language), *said]
    fields = {
        "reference": chance.choice([str(count), count, f"{count}.0"]),
        "pass_rate": chance.choice([0.1, 0.5, 0.9]),
    }
    return Talk(key, _record(said, pictures) | (fields if chance.random() < 0.8 or not plain else {}), pictures)


def respond(chance: Random, language: str, count: int, thought: str = "") -> str:
    thought = thought or think(chance, language)
    box = f"{BOX}{chance.choice([f'{count}', f'{count:,}', f'{count}.0', f' {count} ', f'${count}$'])}{BOX_END}"
    answer = f"There are {box} of them." if language == "en" else f"一共有{box}个。"
    if chance.random() < 0.5:
        return f"{THINK}{thought}{THINK_END}\n{ANSWER}{answer}{ANSWER_END}"
    return f"{THINK}{thought}{THINK_END}\n{answer}"


def think(chance: Random, language: str, least: int = 4) -> str:
    """Sentences of one language with names, code and a doubt now and then, as sound thoughts have them."""
    said = [_sentence(chance, language) for _ in range(chance.randint(least, least + 6))]
    said[1:1] = [chance.choice(ODD[language])] if chance.random() < 0.5 else []
    return (" " if language == "en" else "").join(said)


def _sentence(chance: Random, language: str) -> str:
    one, then, n, m = chance.choice(COLOURS), chance.choice(THINGS), chance.randint(2, 99), chance.randint(100, 999)
    place, where = chance.choice(PLACES), chance.choice(PLACES)
    if language == "zh":
        one, then, place = chance.choice(ZH_COLOURS), chance.choice(ZH_THINGS), chance.choice(ZH_PLACES)
        return chance.choice(
            [f"{place}那里有{n}个{one}的{then}，", f"我数到{m}个{then}在{place}旁边。", f"加上{n}个以后得到{m}。"]
        ).replace("，", "。")
    return chance.choice(
        [
            f"The {place} by the {where} holds {n} {one} {then}s.",
            f"I count {m} of each {then} near that {place}.",
            f"So adding {n} to {m} gives the {one} ones.",
            f"Row {n} is {one}, and the {where} shows {m}.",
        ]
    )


def _question(chance: Random, language: str) -> str:
    if language == "zh":
        some = "、".join(f"{chance.choice(ZH_COLOURS)}的{chance.choice(ZH_THINGS)}" for _ in range(6))
        return f"{chance.choice(ZH_PLACES)}旁边有{some}，一共有几个{chance.choice(ZH_THINGS)}？"
    some = ", ".join(
        f"{chance.choice(COLOURS)} {chance.choice(THINGS)}s on the {chance.choice(PLACES)}" for _ in range(5)
    )
    return f"There are {some}. How many {chance.choice(THINGS)}s are there by the {chance.choice(PLACES)} in all?"


def _describe(chance: Random, language: str) -> str:
    return _sentence(chance, language) + (" " if language == "en" else "") + _sentence(chance, language)


def _record(said: list[str], pictures: tuple[Shown, ...]) -> dict[str, Any]:
    said = ["<image>" * len(pictures) + said[0], *said[1:]]
    roles = ["user", "assistant"] * len(said)
    messages = [{"role": role, "content": text} for role, text in zip(roles, said, strict=False)]
    return {"messages": messages} | ({"images": [f"{n}.jpg" for n in range(len(pictures))]} if pictures else {})


Plant = Callable[[Talk, Random], Talk]


def _last(change: Callable[[str, Random], str]) -> Plant:
    """A fault in the last response."""

    def plant(talk: Talk, chance: Random) -> Talk:
        *before, last = talk.record["messages"]
        return _with(talk, [*before, {**last, "content": change(last["content"], chance)}])

    return plant


def _thought(change: Callable[[str, str, Random], str]) -> Plant:
    """A fault in the thought of the last response; `change` is told its language."""

    def planted(text: str, chance: Random) -> str:
        head, _, rest = text.partition(THINK_END)
        thought = head.removeprefix(THINK)
        return f"{THINK}{change(thought, 'en' if 'of them.' in rest else 'zh', chance)}{THINK_END}{rest}"

    return _last(planted)


def _with(talk: Talk, messages: list[dict[str, str]], **fields: Any) -> Talk:
    return talk._replace(record={**talk.record, "messages": messages, **fields})


def _silent(talk: Talk, chance: Random) -> Talk:
    return _with(talk, talk.record["messages"][:1])


def _asks_on(talk: Talk, chance: Random) -> Talk:
    return _with(talk, [*talk.record["messages"], {"role": "user", "content": _question(chance, "en")}])


def _unasked(talk: Talk, chance: Random) -> Talk:
    first = {"role": "assistant", "content": "Hello, what can I do for you?"}
    first_turns = [
        [first],
        [{"role": "system", "content": "Be kind."}, first],
        [{"role": "user", "content": " "}, first],
    ]
    return _with(talk, [*chance.choice(first_turns), *talk.record["messages"]])


def _draws(talk: Talk, chance: Random) -> Talk:
    *before, last = talk.record["messages"]
    pictures = (*talk.pictures, (chance.randbytes(16), 64, 64))
    images = [f"{n}.jpg" for n in range(len(pictures))]
    return _with(talk, [*before, {**last, "content": f"{last['content']}<image>"}], images=images)._replace(
        pictures=pictures
    )


def _sliver(talk: Talk, chance: Random) -> Talk:
    first, *rest = talk.record["messages"]
    first = {**first, "content": f"<image>{first['content'].removeprefix('<image>')}"}
    thin = (chance.randbytes(16), *chance.choice([(1, 300), (2500, 10)]))
    return _with(talk, [first, *rest], images=["0.jpg"])._replace(pictures=(thin,))


def _uneven(talk: Talk, chance: Random) -> Talk:
    """A video whose frames are not of one size."""
    record = _record([f"<video>{_question(chance, 'en')}", _describe(chance, "en")], ())
    frames = tuple((chance.randbytes(16), 64, side) for side in (64, chance.choice([63, 128]), 64))
    videos = [{"frames": ["0.jpg", "1.jpg", "2.jpg"], "seconds": [0, 1, 2]}]
    return talk._replace(record=record | {"videos": videos}, pictures=frames)


def _broken_tags(text: str, chance: Random) -> str:
    tag = chance.choice([THINK, THINK_END])
    return chance.choice(
        [
            text.replace(tag, "", 1),
            text.replace(tag, tag * 2, 1),
            f"Sure. {text}",
            text.partition(THINK_END)[0] + THINK_END,
            text.replace(THINK, "<thinking>").replace(THINK_END, "</thinking>"),
            f"{text}<|im_end|>",
            text.replace(THINK_END, f" {THINK}again{THINK_END} so{THINK_END}"),
            f"{THINK_END}{text}",
        ]
    )


def _other_number(text: str, chance: Random) -> str:
    said = text[text.index(BOX) + len(BOX) : text.index(BOX_END)]
    number = int(float(said.strip(" $").replace(",", "")))
    wrong = chance.choice(
        [f"{number + 1}", f"-{number}", f"{number}%", f"{number} or {number + 1}", f"{number}0", f"{number}²"]
    )
    return text.replace(f"{BOX}{said}{BOX_END}", f"{BOX}{wrong}{BOX_END}")


def _mixed(thought: str, language: str, chance: Random) -> str:
    other = "zh" if language == "en" else "en"
    if chance.random() < 0.5:
        return f"{think(chance, language, 4)} {think(chance, other, 3)}"
    return " ".join(f"{_sentence(chance, language)} {_sentence(chance, other)}" for _ in range(5))


def _doubting(thought: str, language: str, chance: Random) -> str:
    doubts = {
        "en": ["Wait,", "Hmm,", "Let me recheck:", "Actually,", "Hold on,"],
        "zh": ["等等，", "不对，", "再确认，"],
    }
    return " ".join(f"{chance.choice(doubts[language])} {_sentence(chance, language)}" for _ in range(14))


def _again(thought: str, language: str, chance: Random) -> str:
    return " ".join([thought] * chance.randint(3, 5)) if len(thought) > 60 else " ".join([thought] * 9)


def _in_circles(thought: str, language: str, chance: Random) -> str:
    """One sentence that does not end."""
    joined, sign = (", and ", ", ") if language == "en" else ("，", "，")
    run = joined.join(_sentence(chance, language).strip("。.").replace(", ", sign) for _ in range(4))
    return joined.join([run] * 4) + ("." if language == "en" else "。")


def _copied(talk: Talk, chance: Random) -> Talk:
    """The same question in another writing, answered in fewer words."""
    first, *rest = talk.record["messages"]
    asked = chance.choice([str, str.upper, lambda said: f" {said}", lambda said: said.replace(",", ";")])(
        first["content"]
    )
    asked = asked.replace("<IMAGE>", "<image>")
    shorter = rest[-1]["content"].replace(" of them", "").replace("一共有", "有")
    return _with(talk, [{**first, "content": asked}, *rest[:-1], {**rest[-1], "content": shorter}])._replace(
        key=f"{talk.key}b"
    )


FAULTS: dict[str, Plant] = {
    "response_missing": _silent,
    "conversation_unanswered": _asks_on,
    "response_unasked": _unasked,
    "response_picture": _draws,
    "picture_sliver": _sliver,
    "video_frame_sizes": _uneven,
    "response_tags": _last(_broken_tags),
    "box_broken": _last(
        lambda text, chance: text.replace(*chance.choice([(BOX_END, ""), (BOX, BOX + BOX), (BOX, "")]), 1)
    ),
    "box_missing": _last(lambda text, chance: text.replace(BOX, "").replace(BOX_END, "")),
    "box_twice": _last(lambda text, chance: text.replace(BOX, f"{BOX}3{BOX_END} or {BOX}", 1)),
    "box_in_thought": _last(lambda text, chance: text.replace(THINK_END, f" {BOX}3{BOX_END}{THINK_END}", 1)),
    "answer_wrong": _last(_other_number),
    "prompt_too_long": lambda talk, chance: _with(
        talk,
        [{"role": "system", "content": " ".join(_question(chance, "en") for _ in range(40))}, *talk.record["messages"]],
    ),
    "answer_too_long": _last(lambda text, chance: text.replace(BOX_END, BOX_END + think(chance, "en", 150), 1)),
    "thought_too_long": _thought(
        lambda thought, language, chance: think(chance, language, 1000 if language == "en" else 2000)
    ),
    "response_mixed_language": _thought(_mixed),
    "response_repeated_sentences": _thought(_again),
    "response_repeated_runs": _thought(_in_circles),
    "response_hesitations": _thought(_doubting),
    "task_too_hard": lambda talk, chance: _with(
        talk, talk.record["messages"], pass_rate=chance.choice([0, 0.0, 0.005])
    ),
    "task_too_easy": lambda talk, chance: _with(
        talk, talk.record["messages"], pass_rate=chance.choice([1, 1.0, 0.995])
    ),
}
