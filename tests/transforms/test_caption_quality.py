"""Tests of transforms/caption_quality.py, transforms/words.py and transforms/file_names.py."""

import gzip
import json
import tarfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.caption import CaptionRules, LanguageRules
from transforms.caption_quality import (
    check_caption,
    check_language,
    count_words,
    measure_caption,
    measure_captions,
    measure_language,
)
from transforms.file_names import measure_file_names, measure_urls
from transforms.loaded import Loaded
from transforms.records import Drop, Failure, Picture, Sample, Span, Text
from transforms.words import split_words

DATA = Path(__file__).parents[3] / "shared" / "data"
# Written out, so that a better default does not break a test.
RULES = CaptionRules(
    min_characters=6,
    max_characters=4000,
    min_words=3,
    max_words=800,
    max_file_name_share=0.5,
    max_url_share=0.5,
    max_repeated_characters=9,
    max_repeated_words=0.5,
    max_control_characters=0,
)


def check(value, rules=RULES):
    return check_caption(Text(value, measures=measure_caption(value)), rules)


def rule(value, rules=RULES):
    drop = check(value, rules)
    return drop and drop.rule


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


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 0),
        (" \n\t ", 0),
        ("... — !!! 😀", 0),
        ("A Christmas light.", 3),
        ("A well-known actor's 3.5 km run", 6),
        ("Tux—the Linux mascot!", 4),
        ("red/blue - green", 3),
        ("(a) “Stop”", 2),
        ("修改硬盘大小", 3),
        ("在SageMaker实例上打开终端", 6),
        ("東京都に住んでいる猫です。", 8),
        ("ฉันชอบกินข้าวผัดกุ้ง", 6),
        ("한국어 문장 입니다", 3),
        ("हिन्दी में एक वाक्य", 4),
        ("Кошка сидит на стуле", 4),
        ("صورة قطة جميلة", 3),
        ("😀 猫が 😀 two", 3),
        ("𠮷野家", 2),
    ],
)
def test_words_in_any_script(text, words):
    assert count_words(text) == words


def test_words_lose_case_and_punctuation_at_their_ends():
    assert split_words('"Stop!" said (Tom); well-known.') == ["stop", "said", "tom", "well-known"]


@pytest.mark.parametrize("text", ["\u200b\ufeff", "\u200e \u200f", "", "   ", "\u00ad"])
def test_invisible_caption_is_missing(text):
    assert check(text) == Drop("caption_missing", 0, 1)


FILE_NAMES = """IMG_2041.JPG|DSC00012|kafka-before|screenshot_2020-01-01|photo1.png|image|img|Untitled|untitled-3|mq-11
2018-05-03-foo-bar|1234567|123e4567-e89b-12d3-a456-426614174000|d41d8cd98f00b204e9800998ecf8427e|P1010023|Photo 12
Screen Shot 2016-04-01 at 10.20.30 AM.png|Screenshot 2023-01-02 at 10.33.12|IMG-20180503-WA0012.jpg|IMG_0001 IMG_0002
微信图片_20180503121212.png|/images/a.b/foo.png|"image.png"|image-20191104211642271|my.holiday.photo.jpeg|Untitled-1
220px-Internet_dog.jpg|e-commerce-website-detail-page-architecture-2|Slow-Start-Preheating-Mode|where-is-my-offer
PreferFunctionalStaffOrganization|C:\\Users\\me\\cat.bmp|scan0001.tiff|DJI_0042|eureka-server-homepage.png|Image (3)"""
PROSE = """A Christmas light.|well-known actor|The fed ramp ready indicator|修改硬盘大小|Confetti.|COVID-19 test|X-ray
A well-known, much-loved state-of-the-art museum|iPhone-12 on a table|Self-Portrait|Image of 8|1990|Route 66|t-shirt
A screenshot of the page in 2016|Photo of 3 cats|Apollo 11|The 1960s|Boeing 747-400 taking off|Su-Do-Ku puzzle
CIFAR-10 图像分类竞赛页面|The Voyager-2 deep-space probe.|Photo (left)|A map, 1:25000|5-0 win|image at|e.g. a"""


@pytest.mark.parametrize("text", FILE_NAMES.replace("\n", "|").split("|"))
def test_file_names(text):
    assert check(text).rule == "caption_file_name"


@pytest.mark.parametrize("text", PROSE.replace("\n", "|").split("|"))
def test_ordinary_captions_are_not_file_names(text):
    assert measure_file_names(text) == 0.0


def test_share_of_a_file_name_inside_a_caption():
    assert measure_file_names("see foo_1.png now") == pytest.approx(9 / 15)
    assert rule("A long description of the picture foo_1.png") is None


@pytest.mark.parametrize(
    "text",
    """http://a.b/c|https://example.com/foo?bar=1 here|www.foo.com|example.com|mail@foo.org|Visit beamsift.org/shop
请访问https://foo.com/abc-def-ghijk查看|(http://x.y)|mailto:me@foo.de|shop.example.co.uk|WWW.EXAMPLE.COM.
HTTPS://EXAMPLE.COM|"example.com"|sub.example.com, b.example.com|ftp://host/file""".replace("\n", "|").split("|"),
)
def test_addresses(text):
    assert check(text).rule == "caption_url"


@pytest.mark.parametrize(
    "text",
    """e.g. a cat.|p.m. in the U.S.A.|beta.fec.gov linked to fec.gov before the URL changes|A dog.In the park|README.md
v1.2.3 of it|Ph.D. student|The homepage of identitytheft.gov|WhiteHouse.gov using HTTPS.|@handle|a: b|3.com5""".replace(
        "\n", "|"
    ).split("|"),
)
def test_ordinary_captions_are_not_addresses(text):
    assert measure_urls(text) == 0.0


def test_share_of_an_address_inside_a_caption():
    assert measure_urls("see https://a.io now") == pytest.approx(12 / 18)
    assert measure_urls("A long honest caption of a cat, via http://a.io") < 0.5


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


def real_captions():
    for path in sorted(DATA.glob("caption_pairs/*.tar")):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith(".txt"):
                    yield archive.extractfile(member).read().decode()


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_file_names_of_the_caption_pairs():
    named = {text for text in real_captions() if rule(text) == "caption_file_name"}
    assert len(named) == 77
    # All but one read as file names to the eye; that one is more than half a file name.
    assert [text for text in named if " " in text and not text.endswith(" (1).png")] == ["shapes-01.jpg mask detail"]
    assert [text for text in real_captions() if rule(text) == "caption_url"] == []


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
