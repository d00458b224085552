"""Names: people, places, works, products and codes that a text mentions, by their shape; no model.

English tells a name by its capital where capitals mean something: not at the start of a sentence, and in a title only
for words that captions otherwise never write in lower case. Chinese has no capitals: known places, administrative
suffixes, names after or before a title, and Latin words.
Left out on purpose: Chinese personal names without a title and places outside the list without such a suffix; nested
titles; who or what is named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
_TOKEN = re.compile(r"[^\W_]+(?:[.'’&-][^\W_]+)*")
_CONNECTORS = frozenset(str.split("of the de da del della di la le las los el al van von der den du des and & y und"))
_NOT_NAMES = frozenset(
    str.split(
        "i i'm i've tv tvs cd cds dvd dvds led ok usb pm am mr mrs ms dr st jr sr bw b&w bbq suv suvs atm diy pvc pc "
        "monday tuesday wednesday thursday friday saturday sunday january february march april may june july august "
        "september october november december ad bc bce ce t-shirt t-shirts x-ray v-neck u-shaped l-shaped no vs a an"
    )
)
VISIBLE = frozenset(
    str.split(
        "christmas halloween easter santa claus victorian gothic baroque renaissance asian caucasian african european "
        "american british english french german italian spanish dutch chinese japanese korean indian persian arabic "
        "roman greek latin russian mexican swiss scottish irish labrador retriever shepherd siamese dalmatian poodle "
        "husky lego polaroid western eastern mediterranean"
    )
)
"""Capitalised words that say what a thing looks like: an added one needs no support."""

_SMALL_IN_TITLES = _CONNECTORS | frozenset(str.split("with from over under into onto near towards toward upon through"))
_HAN = "\u4e00-\u9fff"
_SURNAMES = (
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕张孔曹严华金魏陶姜谢邹章苏潘葛范彭鲁韦马方任袁柳唐罗薛雷贺倪汤殷毕郝安常于傅"
    "齐康伍余顾孟黄穆萧尹姚邵汪毛宋庞熊纪项祝董梁杜阮蓝闵季贾江童颜郭梅林钟徐邱骆高夏蔡田樊胡凌霍卢莫房丁邓石崔龚程陆段侯"
    "宁甘武刘龙叶黎白乔翁谭冉莲蒲鹿"
)
_TITLES = "先生|女士|小姐|教授|博士|老师|主席|总统|总理|将军|书记|医生|导演|教练"
_BEFORE = "歌手|演员|画家|作家|诗人|导演|摄影师|总统|主席|球星|球员|明星|书法家|科学家|作者|艺术家|教练|主持人"
# After a name stands what the person does; these characters are seldom part of a given name.
_STOP = "在的与和是了正站坐手身穿拿演为于及中向对接出等笔创主表举"
_PERSON = re.compile(
    rf"(?:{_BEFORE})([{_SURNAMES}][{_HAN}](?![{_STOP}])[{_HAN}]|[{_SURNAMES}](?![{_STOP}])[{_HAN}])(?=[^{_HAN}]|[{_STOP}]|$)"
    rf"|(?:(?<![{_HAN}])|(?<=[的和与在是]))([{_SURNAMES}][{_HAN}]{{0,2}}?)(?:{_TITLES})"
)
_SUFFIXES = "省|市|县|镇|古村|古镇|寺|大桥|大学|博物馆|火车站|机场|国家公园|古城|塔|故居|广场"
_PLACE = re.compile(
    rf"(?:^|[^{_HAN}]|[在于到位从是去的])((?!一|这|那|某|几|每|城|小|大)[{_HAN}]{{2,5}}?(?:{_SUFFIXES}))"
)


@dataclass(frozen=True)
class Name:
    text: str
    tokens: tuple[str, ...]
    """Folded words that make it this name, or the one Chinese string."""
    place: bool = False


def fold(text: str) -> str:
    """Lower case, without accents, with plain quotes and spaces: `Sant’Angelo` as `sant'angelo`."""
    text = unicodedata.normalize("NFKC", text).replace("’", "'").replace("‘", "'")
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def fold_word(word: str) -> str:
    folded = fold(word)
    return folded[:-2] if folded.endswith("'s") else folded.rstrip("'.")


def words_of(text: str) -> frozenset[str]:
    """All folded words of a text, hyphenated ones also in parts."""
    words = {fold_word(match.group()) for match in _TOKEN.finditer(text)}
    return frozenset(words | {part for word in words for part in re.split(r"[-&']", word) if part})


@cache
def lower_case_words() -> frozenset[str]:
    lines = (HERE / "lower_case_words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


@cache
def places() -> dict[str, str]:
    """Folded English to Chinese, of the places known by name."""
    lines = (HERE / "places.tsv").read_text(encoding="utf-8").splitlines()
    return dict((fold(en), zh) for en, zh in (line.split("\t") for line in lines if not line.startswith("#")))


def is_common(word: str) -> bool:
    """Whether captions write the word in lower case, in this form or a simple other one."""
    folded, known = fold_word(word), lower_case_words()
    forms = [folded, folded.removesuffix("s"), folded.removesuffix("es"), folded.removesuffix("ing")]
    if doubled := re.fullmatch(r"(.*(.))\2(?:ed|ing)", folded):
        forms.append(doubled[1])
    forms.append(folded.removesuffix("ies") + "y")
    forms += [folded.removesuffix("ing") + "e", folded.removesuffix("ed"), folded.removesuffix("d"), folded + "s"]
    parts = folded.split("-")
    return any(form in known for form in forms) or (len(parts) > 1 and all(map(is_common, parts)))


def find_names(text: str) -> list[Name]:
    """Names in reading order, English ones first; NFKC text without noise."""
    return [*_latin_names(text), *_chinese_names(text)]


def _latin_names(text: str) -> Iterator[Name]:
    tokens = list(_TOKEN.finditer(text))
    title = is_title(text)
    run: list[re.Match[str]] = []
    for number, token in enumerate(tokens):
        between = text[tokens[number - 1].end() : token.start()] if number else ""
        if run and between not in (" ", "-", " & "):
            yield from _as_names(run, title)
            run = []
        joins = bool(run) and not title and token.group().lower() in _CONNECTORS
        if joins or _is_candidate(token.group(), _starts_sentence(text, token), title):
            run.append(token)
        elif run:
            yield from _as_names(run, title)
            run = []
    yield from _as_names(run, title)


def is_title(text: str) -> bool:
    """Whether capitals say nothing, because nearly all longer words have one; prepositions do not count."""
    words = [w for w in re.findall(r"[^\W\d_]{4,}", text) if w.isascii() and w.lower() not in _SMALL_IN_TITLES]
    return bool(words) and sum(word[0].isupper() for word in words) >= 0.9 * len(words)


def _starts_sentence(text: str, token: re.Match[str]) -> bool:
    before = text[: token.start()].rstrip(" \"'“‘(*-")
    return not before or before[-1] in ".!?:;\n。！？：；"


def _is_candidate(word: str, first: bool, title: bool) -> bool:
    if fold_word(word) in _NOT_NAMES or word.lower() in _CONNECTORS or not any(c.isalpha() for c in word):
        return False
    if any(c.isdigit() for c in word):
        # A380, B-52, 7-Eleven; not 3rd, 1960s, 10km, 18-year-old.
        return any(c.isupper() for c in word) and len(word) > 1
    if not any(c.isupper() for c in word) or (len(word) == 1):
        return False
    inner = any(c.isupper() for c in word[1:]) and not word.isupper()
    return inner or not ((first or title or word.isupper()) and is_common(word))


def _as_names(run: list[re.Match[str]], title: bool) -> Iterator[Name]:
    words = [token.group() for token in run]
    while words and words[-1].lower() in _CONNECTORS:
        words.pop()
    if not words:
        return
    if len(words) == 1 and re.fullmatch(r"[IVXLC]+", words[0]):  # "VIII" numbers a work; "Henry VIII" is a name
        return
    folded = [fold_word(word) for word in words if word.lower() not in _CONNECTORS]
    distinctive = tuple(word for word in folded if not is_common(word))
    text = " ".join(words)
    known = any(fold(part) in places() for part in (text, *words))
    yield Name(text, distinctive or tuple(folded), known)


def _chinese_names(text: str) -> Iterator[Name]:
    if not re.search(f"[{_HAN}]", text):
        return
    found: dict[str, bool] = {zh: True for zh in places().values() if zh in text}
    found |= {match[1] or match[2]: False for match in _PERSON.finditer(text)}
    longer = {match[1]: True for match in _PLACE.finditer(text)}
    found |= {name: True for name in longer if not any(name in known for known in found)}
    for name in sorted(found, key=text.index):
        yield Name(name, (name,), found[name])
