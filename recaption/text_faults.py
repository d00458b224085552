"""Faults of a written text that show without its picture: refusals, stock openings, talk of the prompt, no end,
repetition, the wrong language.
"""

from __future__ import annotations

import re

from recaption.names import fold
from transforms.caption_quality import measure_language

_REFUSAL = re.compile(
    r"""(?ix)
      \b(?:i['’]?m|i\ am|we\ are|we['’]re)\s(?:sorry|unable|not\ able|afraid)\b
    | \bi\s(?:can(?:no|['’])t|can\ not|do\ not|don['’]t|am\ not|won['’]t|could\ not|couldn['’]t)\s
      (?:\w+\s){0,2}?(?:assist|help|provide|identify|describe|see|view|have|recogni[sz]e|comply|fulfil|access|determine)
    | \bas\ an?\s(?:ai|artificial|large\ language|language|vision)\b
    | \b(?:no|without\ an?)\s(?:image|picture|photo)
      \s(?:was|is|has\ been)\s(?:provided|attached|given|available|uploaded|visible)
    | \bplease\s(?:provide|upload|share|attach)\b
    | \b(?:unable|impossible)\ to
      \s(?:assist|provide|describe|identify\ (?:the|any)\ (?:person|people|individual)|process|view|see)\b
    | \bagainst\ (?:my|our|the)\ (?:policy|policies|guidelines)\b
    | 抱歉|对不起，|我(?:无法|不能|没办法|看不到)|无法(?:提供|查看|识别|描述|协助|回答|处理)(?:您|你|该|这|图|此|任何)?
    | 作为(?:一个|一名)?(?:人工智能|AI|语言模型|大模型)|请(?:您)?(?:提供|上传)(?:图|一张|相关|更)
    """
)
_KIND = r"(?:image|picture|photo(?:graph)?|scene|caption|illustration|drawing|screenshot|figure|shot|painting)"
_OPENING = re.compile(
    rf"""(?ix)^\s*["'“*]*(?:
      (?:sure|certainly|of\ course|okay|ok|here(?:['’]s|\ is|\ are)|absolutely)\b[,!:.]?
    | (?:(?:the|this|that|in\ the|in\ this)\s(?:\w+\s){{0,2}}?{_KIND}s?|an?\s(?:image|picture))
      \s*(?:provided|above|here|given)?,?\s?
      (?:shows?|depicts?|features?|displays?|captures?|contains?|portrays?|presents?|is\sof|is\sa|showcases?|we\s(?:can\s)?see|
      there\s(?:is|are)|illustrates?|appears?|can\sbe\sseen|showing|depicting)
    | in\s(?:the|this)\s{_KIND},
    | (?:caption|description|refined\ caption|answer|output)\s*[:：]
    | (?:这|该|此|本)(?:张|幅|副|个|是一[张幅])?
      (?:图片|图像|照片|图|画面|画|插图|截图)(?:展示|显示|描绘|呈现|中|里|是|展现|拍摄|为|描述|主要)
    | (?:图片|图像|照片|画面|图)(?:中|里|上)?(?:展示|显示|描绘|呈现|展现|中是|中有|，)
    | (?:在)?(?:这张|这幅|该)?(?:图片|图像|照片|画面)中[，,]?
    | 好的[，,。！]|当然[，,！]|以下是|描述[:：]|答[:：]
    )"""
)
_META = re.compile(
    r"""(?ix)
      \b(?:original|provided|given|accompanying|above)\s(?:text|caption|description|alt\ text|title|prompt)\b
    | \bthe\s(?:caption|alt\ text|text\ above|prompt)\s(?:says|states|mentions|suggests|indicates)
    | \bbased\ on\ the\s(?:image|picture|caption|text|provided)
    | 原(?:文|始)?(?:描述|说明|标题|文字)|上(?:面|述)(?:的)?(?:文字|描述|说明)
    | 根据(?:图片|文字|描述|提供)|提供的(?:文字|图片|描述)
    """
)
_END = re.compile(r"[.!?…。！？][\"'”’」』》)）\]]*\s*$")
_MARKUP = re.compile(r"(?m)^\s*(?:[-*•]\s|#{1,6}\s|\d+\.\s)|\*\*|<\|?/?\w+\|?>|```|\{\"|!\[")
_HAN = re.compile("[\u3400-\u9fff]")
_KANA = re.compile("[\u3040-\u30ff]")
PHRASE_WORDS, PHRASE_CHARACTERS = 4, 8
SURE = 0.9
"""Probability from which the identifier's other language is believed."""


def is_refusal(text: str) -> bool:
    return _REFUSAL.search(text) is not None


def is_boilerplate(text: str) -> bool:
    """A stock opening, talk of prompt or caption, or markup where a plain caption was asked for."""
    return any(pattern.search(text) for pattern in (_OPENING, _META, _MARKUP))


def ends_well(text: str) -> bool:
    """Whether the text ends as a sentence does."""
    return _END.search(text) is not None


def measure_repetition(text: str) -> float:
    """Share (0..1) of a text's phrases that occurred before in it: runs of four words, or of eight characters where
    the text is Han; 0 for fewer than two phrases."""
    folded = fold(text)
    if han_share(text) >= 0.5:
        units, size = [c for c in folded if c.isalnum()], PHRASE_CHARACTERS
    else:
        units, size = re.findall(r"\w+", folded), PHRASE_WORDS
    phrases = [tuple(units[at : at + size]) for at in range(len(units) - size + 1)]
    return round(1 - len(set(phrases)) / len(phrases), 4) if len(phrases) > 1 else 0.0


def han_share(text: str) -> float:
    """Share (0..1) of a text's letters that are Han."""
    letters = sum(c.isalpha() for c in text)
    return len(_HAN.findall(text)) / letters if letters else 0.0


def wrong_language(text: str, wanted: str, shortest: int) -> str:
    """The language found where it is surely not `wanted` (ISO 639-1), else empty.

    Han and kana tell by script whatever the length; other languages only from `shortest` characters on and where the
    identifier is sure, because of a short text it knows nothing.
    """
    han, kana = han_share(text), len(_KANA.findall(text))
    if not wanted:
        return ""
    if wanted in ("zh", "ja"):
        if wanted == "zh" and kana > 0.1 * max(1, len(text)):
            return "ja"
        return "" if han + (kana / max(1, len(text)) if wanted == "ja" else 0) >= 0.3 else "not " + wanted
    if han >= 0.3:
        return "zh"
    if len(text) < shortest:
        return ""
    found = measure_language(text)
    sure = float(found["language_confidence"]) >= SURE
    return str(found["language"]) if sure and found["language"] != wanted else ""
