"""Each caption rule fires at its limit and in its order; measures of any text end, and in linear time."""

import gzip
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.caption import CaptionRules, LanguageRules
from tests.transforms.judged import DATA, RULES, check, rule
from transforms.caption_quality import (
    check_caption,
    check_language,
    measure_caption,
    measure_captions,
    measure_language,
)
from transforms.loaded import Loaded
from transforms.records import Drop, Failure, Picture, Sample, Span, Text


def test_all_measures_of_a_caption():
    assert measure_caption(" A cat, a dog and a bird in Hoo.\n") == {
        "characters": 31,
        "words": 9,
        "file_name_share": 0.0,
        "url_share": 0.0,
        "repeated_characters": 2,
        "repeated_words": 0.2222,
        "control_characters": 0,
    }


@pytest.mark.parametrize("text", ["\u200b\ufeff", "\u200e \u200f", "", "   ", "\u00ad"])
def test_invisible_caption_is_missing(text):
    assert check(text) == Drop("caption_missing", 0, 1)


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("", 0),
        ("123 ...", 0),
        ("abc", 1),
        ("book", 2),
        ("1000000000000", 0),
        ("a          b", 1),
        ("Chapter 1 ......... 5", 1),
    ]
    + [
        ("A" * 12 + " " + "b" * 5, 12),
        ("好" * 10, 10),
        ("!" * 11, 11),
        ("😀" * 4, 4),
        ("··········", 0),
        ("……………………", 0),
    ],
)
def test_longest_run(text, run):
    assert measure_caption(text)["repeated_characters"] == run


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("cat cat cat cat cat", 0.0),
        ("cat cat cat cat cat cat", 0.8333),
        ("Cat cat, CAT. a b c", 0.3333),
        ("one two three four five six", 0.0),
        ("红色的猫红色的猫红色的猫", 0.6667),
    ],
)
def test_repeated_words(text, share):
    assert measure_caption(text)["repeated_words"] == share


def test_a_long_text_may_use_its_words_again():
    words = [f"w{n}" for n in range(40)]
    assert measure_caption(" ".join(words * 5))["repeated_words"] == 0.0


@pytest.mark.parametrize(
    ("text", "count"),
    [("a\tb\r\nc\u0085", 0), ("\x00a\x07", 2), ("\x7f\x9f", 2), ("\u202eabc\u200f\u2066", 0), ("a\x0cb\x0bc", 2)],
)
def test_control_characters(text, count):
    assert measure_caption(text)["control_characters"] == count


@pytest.mark.parametrize(
    ("measure", "stays", "goes", "name", "limit"),
    [
        ("control_characters", 0, 1, "caption_control_characters", 0),
        ("file_name_share", 0.5, 0.5001, "caption_file_name", 0.5),
        ("url_share", 0.5, 0.5001, "caption_url", 0.5),
        ("repeated_characters", 9, 10, "caption_repeated_characters", 9),
        ("repeated_words", 0.5, 0.5001, "caption_repeated_words", 0.5),
        ("characters", 6, 5, "caption_too_short", 6),
        ("characters", 4000, 4001, "caption_too_long", 4000),
        ("words", 3, 2, "caption_too_few_words", 3),
        ("words", 800, 801, "caption_too_many_words", 800),
    ],
)
def test_each_rule_at_its_limit(measure, stays, goes, name, limit):
    sound = measure_caption("A brown dog runs across the grass.")
    assert check_caption(Text("", measures={**sound, measure: stays}), RULES) is None
    assert check_caption(Text("", measures={**sound, measure: goes}), RULES) == Drop(name, goes, limit)


def test_rules_fire_in_order():
    bad = {"characters": 0, "words": 0, "file_name_share": 1.0, "url_share": 1.0}
    bad |= {"repeated_characters": 99, "repeated_words": 1.0, "control_characters": 1}
    mend = [("characters", 1), ("control_characters", 0), ("file_name_share", 0.0), ("url_share", 0.0)]
    mend += [
        ("repeated_characters", 1),
        ("repeated_words", 0.0),
        ("characters", 5000),
        ("characters", 9),
        ("words", 900),
    ]
    fired = []
    for measure, value in [*mend, ("words", 9)]:
        fired.append(check_caption(Text("", measures=bad), RULES).rule)
        bad[measure] = value
    assert fired == [
        "caption_missing",
        "caption_control_characters",
        "caption_file_name",
        "caption_url",
        "caption_repeated_characters",
        "caption_repeated_words",
        "caption_too_short",
        "caption_too_long",
        "caption_too_few_words",
        "caption_too_many_words",
    ]
    assert check_caption(Text("", measures=bad), RULES) is None


def test_disabled_rules_and_unmeasured_texts_never_fire():
    assert rule("", CaptionRules(enabled=False)) is None
    assert check_caption(Text(""), CaptionRules()) is None


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("A brown dog runs across the wet grass in front of the house.", "en"),
        ("Ein brauner Hund läuft über die nasse Wiese vor dem Haus.", "de"),
        ("Un chien brun court sur l'herbe mouillée devant la maison.", "fr"),
        ("一只棕色的狗在房子前面的草地上奔跑。", "zh"),
        ("茶色い犬が家の前の草の上を走っています。", "ja"),
        ("갈색 개가 집 앞 젖은 풀밭을 달린다.", "ko"),
        ("สุนัขสีน้ำตาลวิ่งบนสนามหญ้า", "th"),
    ],
)
def test_language_of_a_sentence(text, language):
    found = measure_language(text)
    assert found["language"] == language
    assert 0.5 < found["language_confidence"] <= 1


def test_what_is_no_language_is_undetermined():
    assert measure_language("Snuffbox")["language"] == "und"


@pytest.mark.parametrize("text", ["", "2", "😀😀", "\x00", "12:30 — !"])
def test_text_without_letters_has_no_language(text):
    assert measure_language(text) == {"language": "und", "language_confidence": 0.0}


def test_language_looks_at_the_first_thousand_characters():
    start = "A brown dog runs across the grass. " * 30
    assert measure_language(start + "是" * 5000) == measure_language(start[:1000])


def test_language_rule():
    text = Text("", measures={"language": "fr", "language_confidence": 0.7})
    rules = LanguageRules(allowed=("en", "zh"))
    assert check_language(text, rules) == Drop("caption_language", 0.7, 0, "fr, allowed en zh")
    assert check_language(text, LanguageRules(allowed=("fr",))) is None
    assert check_language(text, LanguageRules()) is None
    assert check_language(text, LanguageRules(enabled=False, allowed=("en",))) is None
    assert check_language(Text(""), rules) is None


def loaded(*pieces, failure=None):
    return Loaded(Sample("a", "raw.tar", 0, 0, pieces, failure=failure), [None] * len(pieces), [None] * len(pieces))


def test_step_measures_captions_only():
    picture, heading = Picture(Span("raw.tar", 0, 1, "tar")), Text("A heading", "heading")
    batch = [loaded(picture, Text("A brown dog runs.", measures={"clip_score": 0.3}), heading)]
    done = measure_captions(batch, LanguageRules())
    expected = {"clip_score": 0.3, **measure_caption("A brown dog runs."), **measure_language("A brown dog runs.")}
    assert done[0].sample.pieces == (picture, Text("A brown dog runs.", measures=expected), heading)
    assert batch[0].sample.pieces[1].measures == {"clip_score": 0.3}


def test_step_without_language():
    done = measure_captions([loaded(Text("A dog"))], LanguageRules(enabled=False))
    assert done[0].sample.pieces[0].measures == measure_caption("A dog")


def test_step_skips_failed_samples():
    item = loaded(Text("A dog"), failure=Failure("PictureEmpty", "", ""))
    assert measure_captions([item], LanguageRules()) == [item]


@given(st.text())
def test_any_text_is_measured(text):
    measures = measure_captions([loaded(Text(text))], LanguageRules())[0].sample.pieces[0].measures
    for share in ("file_name_share", "url_share", "repeated_words", "language_confidence"):
        assert 0 <= measures[share] <= 1
    assert 0 <= measures["words"] <= measures["characters"] <= len(text)


HOSTILE = """a|a |-|a-|a.|_|a_|a@|http://|www.|1|f|.|a.jpg|Aa|中|中 |ก|\x00|\u202e|😀|image |-1.|\u200b |a.com |aa.com.
x@y.z |'|\u0301|a—|ab12|a-_|1_._|12345678-|a-b_c.d|0.com/|://|(|IMG_1|e\u0301|\ufeff|.png|a\x00|\u3000|mailto:|aa-.""".replace(
    "\n", "|"
).split("|")


FRAMES = ["{}!", "image 1 {}x y", "a{}中", "http://{} {}", "x{}.png"]


@pytest.mark.parametrize("frame", FRAMES)
def test_hostile_captions_take_linear_time(frame):
    """50 ms is the promise for 64 KiB; the bound leaves room for a busy machine, a quadratic pattern takes a minute."""
    slow = {}
    for unit in HOSTILE:
        text = frame.format(*[unit * (65_536 // len(unit.encode()))] * 2)
        started = time.process_time()
        measure_caption(text)
        measure_language(text)
        slow[unit] = time.process_time() - started
    assert {unit: seconds for unit, seconds in slow.items() if seconds > 0.3} == {}


def test_megabytes_are_measured():
    for unit in ["a ", "中", "IMG_1.jpg "]:
        assert measure_caption(unit * (1_000_000 // len(unit)))["words"] >= 0


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_sentences_by_people_are_kept():
    with gzip.open(DATA / "captions_text" / "captions.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    sentences = [row["caption"] for row in rows if row["source"].startswith(("coco", "iiw"))]
    assert len(sentences) > 10_000
    assert [text for text in sentences if rule(text) is not None] == []
    foreign = [text for text in sentences[::8] if measure_language(text)["language"] != "en"]
    assert len(foreign) <= 2
