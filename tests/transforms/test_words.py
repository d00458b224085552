"""Words are found in any script, and punctuation is none."""

import pytest

from transforms.words import count_words, split_words


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
