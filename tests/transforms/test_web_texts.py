"""Tests of transforms/web_texts.py."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.schema.web_rules import AlbumRules, SafetyRules, WebTextRules
from transforms.records import Drop, Failure, Picture, Sample, Span, Text
from transforms.web_texts import (
    TEXT_MEASURES,
    SafetyWords,
    check_album,
    check_safety,
    check_text,
    document_text,
    mark_words_per_picture,
    measure_text,
)
from transforms.words import unspaced_share

RULES = WebTextRules()
PICTURE = Picture(Span("pages.warc.gz", 0, 9, "warc"))
PROSE = (
    "The lighthouse keeper climbed the stairs every evening to trim the lamp. Fog rolled over the bay in autumn, and "
    "ships waited outside until the bell had rung twice. His daughter kept a journal of the weather, of passing "
    "birds, and of the letters that the mail boat brought. Years later a museum printed it with drawings of tools, "
    "engines and maps, which students of the harbour still read when they ask how people lived on such a rock."
)
CHINESE = "灯塔看守人每天傍晚都要爬上楼梯修剪灯芯。秋天的雾气笼罩海湾，船只在外面等待，直到钟声敲响两次。" * 1


def document(*pieces: Picture | Text, **measures: float | int | str) -> Sample:
    return Sample("k", "pages.warc.gz", 0, 0, pieces, measures=measures)


def judge(text: str, rules: WebTextRules = RULES) -> Drop | None:
    return check_text(document(**measure_text(text, rules)), rules)


def rule(text: str, **limits: object) -> str:
    found = judge(text, WebTextRules(**limits))  # type: ignore[arg-type]
    return found.rule if found else ""


def test_prose_stays():
    found = measure_text(PROSE, RULES)
    assert judge(PROSE) is None
    assert found["language"] == "en"
    assert found["text_words"] == len(PROSE.split())
    assert set(found) <= set(TEXT_MEASURES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A few words only, and no more than that.", "document_too_few_words"),
        ("", "document_too_few_words"),
        (" ".join(["a b c d e f g"] * 20), "document_short_words"),
        (" ".join(f"{chr(97 + i % 26) * 14}{i}" for i in range(80)), "document_long_words"),
        (PROSE + " #tag" * 12, "document_symbols"),
        (PROSE + " ... " * 12, "document_symbols"),
        (" ".join(f"{n}00 total" if n % 5 == 0 else f"{n}77" for n in range(1, 99)), "document_few_letters"),
        ("\n".join([PROSE[:200], PROSE[200:], PROSE[:200]]), "document_repeated_lines"),
        (PROSE + " read more" * 30, "document_top_2gram"),
        (f"{PROSE} {PROSE}", "document_repeated_5grams"),
    ],
)
def test_each_rule(text, expected):
    assert rule(text) == expected


def test_longer_runs():
    said = " and so it went on " * 12
    assert rule(PROSE + said, max_top_2gram=1, max_repeated_5grams=1, max_repeated_10grams=1) == "document_top_3gram"
    loose = {"max_top_2gram": 1, "max_top_3gram": 1, "max_repeated_5grams": 1}
    assert rule(PROSE + said, max_repeated_10grams=1, **loose) == "document_top_4gram"
    assert rule(f"{PROSE} {PROSE}", max_repeated_5grams=1) == "document_repeated_10grams"


def test_too_many_words():
    assert judge(PROSE, WebTextRules(max_words=60)) == Drop("document_too_many_words", len(PROSE.split()), 60)


def test_shares_are_exact():
    words = [f"w{n:03d}" for n in range(95)]
    found = measure_text(" ".join([*words[:90], *words[:10]]), RULES)
    assert (found["repeated_5grams"], found["repeated_10grams"]) == (0.1, 0.1)
    found = measure_text(" ".join([*words[:84], *["ab cd"] * 8]), RULES)
    assert found["top_2gram"] == round(8 * 4 / (84 * 4 + 16 * 2), 4)
    assert found["top_3gram"] == round(7 * 6 / (84 * 4 + 16 * 2), 4)


def test_headings_are_no_symbols():
    text = "\n".join(f"## Part {n}\n{line}" for n, line in enumerate(PROSE.split(". ")))
    assert measure_text(text, RULES)["symbols"] == 0


def test_chinese_has_words_and_no_mean_length():
    found = measure_text(CHINESE, RULES)
    assert found["language"] == "zh"
    assert "mean_word" not in found
    assert 20 < int(found["text_words"]) < len(CHINESE)
    assert judge(CHINESE, WebTextRules(min_words=20)) is None
    assert unspaced_share("") == unspaced_share("abc") == 0 < unspaced_share(CHINESE) < 1


def test_language():
    rules = WebTextRules(languages=("de", "zh"))
    drop = judge(PROSE, rules)
    assert drop and (drop.rule, drop.detail) == ("document_language", "en, allowed de zh")
    unsure = document(text_words=80, language="en", language_confidence=0.49)
    assert check_text(unsure, RULES) == Drop("document_language_unsure", 0.49, 0.5, "en")
    noise = "".join(Random(3).choices("abcdefghijklmnopqrstuvwxyz    ", k=900))
    assert judge(noise, RULES) == Drop("document_language_unsure", 0.0, 0.5, "und")


def test_as_many_words_as_may_stay_are_read():
    """Of six characters each, as in English, with the space."""
    found = measure_text("aword " * (RULES.max_words + 1), RULES)
    assert found["text_words"] == RULES.max_words + 1


def test_only_so_many_characters_are_read():
    found = measure_text("word " * 1_000, WebTextRules(max_characters=1_000))
    assert (found["text_characters"], found["text_words"]) == (1_000, 200)


def test_what_was_not_measured_is_not_judged_and_rules_can_be_off():
    assert check_text(document(), RULES) is None
    assert check_text(document(text_words=0), WebTextRules(enabled=False)) is None


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_is_measured_within_bounds(text):
    found = measure_text(text, RULES)
    shares = ("letter_words", "repeated_lines", "top_2gram", "top_4gram", "repeated_5grams", "repeated_10grams")
    assert all(0 <= float(found.get(name, 0)) <= 1 for name in shares)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=20, max_size=60))
def test_repeated_runs_are_those_found_one_by_one(words):
    found = measure_text(" ".join(words), RULES)
    for size in (5, 10):
        seen, covered = set(), set()
        for start in range(len(words) - size + 1):
            run = tuple(words[start : start + size])
            covered |= set(range(start, start + size)) if run in seen else set()
            seen.add(run)
        assert found[f"repeated_{size}grams"] == round(len(covered) / len(words), 4)


LIST = ["# words to avoid", "badword", "very bad phrase  # a comment", "坏词", "", "Straße"]


@pytest.mark.parametrize(
    ("text", "count", "found"),
    [
        ("A badword, and BADWORD again.", 2, "badword 2"),
        ("badword badword", 2, "badword 2"),
        ("Badwords and unbadword are others.", 0, None),
        ("a very bad, phrase", 1, "very bad phrase 1"),
        ("这是一个坏词。", 1, "坏词 1"),
        ("STRASSE", 1, "strasse 1"),
        ("", 0, None),
    ],
)
def test_words_to_avoid(text, count, found):
    measures = SafetyWords(LIST).measure(text)
    assert (measures["unsafe_words"], measures.get("unsafe_found")) == (count, found)


def test_more_of_them_than_may_stay():
    rules = SafetyRules(max_count=2, max_share=0.01)
    many = document(**SafetyWords(LIST).measure("badword " * 3 + "word " * 997))
    assert check_safety(many, rules) == Drop("document_unsafe_words", 3, 2, "badword 3")
    dense = document(**SafetyWords(LIST).measure("badword " * 2 + "word " * 98))
    assert check_safety(dense, rules) == Drop("document_unsafe_share", 0.02, 0.01, "badword 2")
    assert check_safety(document(**SafetyWords([]).measure("badword")), rules) is None
    assert check_safety(document(), rules) is None


def album(pictures: int, words: int, **rules: object) -> Drop | None:
    marked = mark_words_per_picture(document(*[PICTURE] * pictures, text_words=words))
    return check_album(marked, AlbumRules(**rules))  # type: ignore[arg-type]


def test_albums():
    assert album(10, 100) is None
    assert album(10, 99) == Drop("document_album", 9.9, 10.0)
    assert album(0, 99) == Drop("document_without_pictures", 0, 1)
    assert album(0, 99, require_picture=False) is None
    assert album(1, 2_000) is None
    assert album(1, 2_000, max_words_per_picture=1_000) == Drop("document_few_pictures", 2_000.0, 1_000.0)
    assert album(10, 0, enabled=False) is None


def test_only_pictures_that_stay_count():
    gone = Picture(PICTURE.source, drop=Drop("picture_advert", 2, 2))
    broken = Picture(PICTURE.source, failure=Failure("PictureEmpty", "", ""))
    marked = mark_words_per_picture(document(PICTURE, gone, broken, text_words=30))
    assert (marked.measures["pictures_kept"], marked.measures["words_per_picture"]) == (1, 30.0)
    assert check_album(mark_words_per_picture(document(PICTURE)), AlbumRules()) is None


def test_text_of_a_document_is_that_of_its_pieces_that_stay():
    pieces = (Text("# Title", "heading"), PICTURE, Text("gone", drop=Drop("x", 1, 0)), Text("A line.", "paragraph"))
    assert document_text(document(*pieces)) == "# Title\nA line."
