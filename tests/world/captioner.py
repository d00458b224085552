"""A stand-in captioner for the toy world, behind a real HTTP server: python -m tests.world.captioner -- COMMAND …

Serves the OpenAI protocol while COMMAND runs and gives its exit code. It writes the world's exact captions as a careful
model would, without their stock openings; a fifth of them it spoils on purpose, by a hash of the caption, so that the
guard has something to turn away and score.py can say how much of it was.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from typing import NamedTuple

from tests.recaption.server import first_caption, serving

SHARE = 0.2
"""Of captions that are spoiled."""
PORT = 18471
"""Fixed, because the address is part of the recipe."""
_OPENING = re.compile(
    r"^(?:this picture shows|there (?:is|are)|(?:a )?(?:simple )?(?:drawing|picture|image) (?:of|with))\s"
    r"|^(?:这张图片?(?:上|里)?(?:有|是|画着)|图(?:中|上|里)(?:有|是)|画面(?:中|上|里)(?:有|是))",
    re.IGNORECASE,
)
_HAN = re.compile("[\u4e00-\u9fff]")
_QUOTE = re.compile(r'"[^"]+"|“[^”]+”|「[^」]+」|《[^》]+》')
_NUMBER = re.compile(r"\b(?:two|three|four|five|six|seven|eight|nine|ten|\d+)\b|[两三四五六七八九十]", re.IGNORECASE)


class Written(NamedTuple):
    text: str
    spoil: str
    """How it was spoiled; empty where it was not."""


def write(caption: str) -> Written:
    """What the stand-in writes of a picture whose exact caption this is."""
    good = refine(caption)
    chance = int.from_bytes(hashlib.blake2b(caption.encode(), digest_size=8).digest(), "big")
    if chance % 1000 >= 1000 * SHARE:
        return Written(good, "")
    names = list(SPOILS)
    for step in range(len(names)):
        name = names[(chance // 1000 + step) % len(names)]
        if (spoiled := SPOILS[name](good)) != good:
            return Written(spoiled, name)
    raise AssertionError("no spoil changed the text")


def refine(caption: str) -> str:
    """The caption as a sentence of its own."""
    text = _OPENING.sub("", caption.strip()).strip() or caption.strip()
    text = text[:1].upper() + text[1:]
    return text if text[-1] in ".!?。！？" else text + ("。" if is_chinese(text) else ".")


def is_chinese(text: str) -> bool:
    return _HAN.search(text) is not None


def _without(pattern: re.Pattern[str], instead: tuple[str, str]) -> Callable[[str], str]:
    return lambda text: pattern.sub(instead[is_chinese(text)], text, count=1)


def _either(english: str, chinese: str) -> Callable[[str], str]:
    return lambda text: (chinese if is_chinese(text) else english).format(text=text, low=text[:1].lower() + text[1:])


SPOILS: dict[str, Callable[[str], str]] = {
    "quote lost": _without(_QUOTE, ("something", "某物")),
    "number lost": _without(_NUMBER, ("several", "几")),
    "place and year added": _either("{text} It was made in Berlin in 1987.", "{text}这是一九八七年在柏林画的。"),
    "refusal": _either("I'm sorry, but I can't help with this image.", "抱歉，我无法描述这张图片。"),
    "boilerplate": _either("The image shows {low}", "这张图片展示了{text}"),
    "cut": lambda text: text[: len(text) * 2 // 3].rstrip(" .。"),
    "repetition": lambda text: " ".join([text] * 4),
    "other language": _either("有一个彩色的东西，背景很简单，看起来很漂亮。", "Something colourful on a plain ground."),
    "advert": _either("{text} Free download at www.example.com", "{text}免费下载 www.example.com"),
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.world.captioner", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("command", nargs=argparse.REMAINDER)
    command = parser.parse_args().command
    if command[:1] == ["--"]:
        command = command[1:]

    def answer(body: dict) -> str:
        return write(first_caption(body["messages"][0]["content"][1]["text"])).text

    with serving(write=answer, port=PORT) as served:
        ended = subprocess.run(command, check=False)
        print(f"stand-in captioner: {served.answers:,} answers, at most {served.most} at a time", file=sys.stderr)
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
