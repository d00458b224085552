"""Mixed language: speech in another script counts, names, code, formulas and quotations do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms.responses_language import measure_mixed

CHINESE = "图中有三个红色的圆形和两个蓝色的方块。"
ENGLISH = "There are three red circles and two blue squares in the picture."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "42",
        ENGLISH,
        CHINESE,
        "使用 PyTorch 的 DataLoader 加载数据，batch size 为 32。",
        "这首歌是 Shape of You，由 Ed Sheeran 演唱。",
        f"{CHINESE}\n1. Harry Potter\n2. Ron Weasley\n3. Hermione Granger",
        f"{CHINESE}```python\n# this is the count of the circles\nn = 3\n```",
        f"{CHINESE}$\\text{{the sum of the two is }} 5$",
        f'标志上写着 "Please keep off the grass and stay on the path"，{CHINESE}',
        f'The sign says "请勿践踏草坪，谢谢合作". {ENGLISH}',
        f"The sign 出口 means exit. {ENGLISH}",
        f"{ENGLISH}\n1. 中华人民共和国\n2. 上海交通大学",
        "東京タワーは赤いです。漢字とかなを混ぜて書きます。",
        "<think>" + ENGLISH + "</think>",
        f"{CHINESE} https://example.com/the/sum/of/all/things",
    ],
)
def test_one_language(text):
    assert measure_mixed(text) == 0


@pytest.mark.parametrize(
    ("text", "least"),
    [
        (f"{CHINESE}{ENGLISH}", 0.4),
        (f"{ENGLISH}\n{CHINESE}", 0.3),
        ("首先 we need to 计算面积, and then 我们 have the answer 是三十五个平方厘米", 0.4),
        ("Первая сумма равна пяти рублям. Then we add the second one to it and get seven.", 0.3),
        ("加上7个以后得到530。Row 7 is red, and the river shows 64 of them. 加上49个以后得到569。", 0.2),
        (f"So 首先 we look at 图片 and count. {ENGLISH}", 0.1),
    ],
)
def test_two_languages(text, least):
    assert measure_mixed(text) >= least


@given(st.text())
def test_a_share_of_any_text(text):
    assert 0 <= measure_mixed(text) <= 1
