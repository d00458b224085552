"""Facts: numbers, dates, quantities, names, quotes and noise, as literals in and out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recaption.facts import added_facts, find_facts, lost_facts
from recaption.measures import find_dates, find_quantities
from recaption.names import find_names, is_title
from recaption.noise import find_noise, strip_noise
from recaption.numerals import find_numerals, parse_han
from tests.recaption.chinese_numerals import write_han


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("twelve hundred people", ["1200"]),
        ("1,200 and 7.50", ["1200", "7.5"]),
        ("twenty-one, the 3rd and the third floor", ["21", "3"]),
        ("half a dozen of two hundred and five", ["6", "205"]),
        ("one of a few", []),
        ("一百二十三只鸟", ["123"]),
        ("二〇一九年", ["2019"]),
        ("两万人", ["20000"]),
        ("2万人", ["20000"]),
        ("三明治", []),
        ("十分美丽", []),
        ("三四只", []),
        ("第三", ["3"]),
        ("A380 and B52", []),
        ("#3", []),
    ],
)
def test_numerals(text, values):
    assert sorted({numeral.value for numeral in find_numerals(text)}) == sorted(values)


@given(st.integers(1, 99_999_999))
def test_chinese_numerals_are_read_as_written(number):
    assert parse_han(write_han(number)) == number


@pytest.mark.parametrize(
    ("text", "components"),
    [
        ("May 3, 1998", {"y1998", "m5", "d3"}),
        ("3rd of May 1998", {"y1998", "m5", "d3"}),
        ("1998-05-03", {"y1998", "m5", "d3"}),
        ("1998年5月3日", {"y1998", "m5", "d3"}),
        ("一九九八年五月三日", {"y1998", "m5", "d3"}),
        ("in October", {"m10"}),
        ("the nineteenth century", {"c19"}),
        ("十九世纪", {"c19"}),
        ("20世纪80年代", {"s1980"}),
        ("the 1960s", {"s1960"}),
        ("in 1935", {"y1935"}),
        ("1920 people", set()),
        ("a man may march", set()),
    ],
)
def test_dates(text, components):
    assert {component for *_, found in find_dates(text) for component in found} == components


@pytest.mark.parametrize(
    ("text", "quantities"),
    [
        ("1.5 m", ["1500 mm"]),
        ("150cm", ["1500 mm"]),
        ("一百五十厘米", ["1500 mm"]),
        ("ten miles", ["10 mile"]),
        ("5 feet", ["60 in"]),
        ("a 12-inch disc", ["12 in"]),
        ("two in a boat", []),
        ("25% and 百分之三十", ["25 percent", "30 percent"]),
        ('the number "43" here', []),
        ("3 men", []),
    ],
)
def test_quantities(text, quantities):
    assert sorted(found for *_, found in find_quantities(text)) == quantities


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("View of the Tiber, Rome, Looking towards the Ponte Sant’Angelo", ["Tiber", "Rome", "Ponte Sant’Angelo"]),
        ("A black Volkswagen Beetle by the Golden Gate Bridge", ["Volkswagen Beetle", "Golden Gate Bridge"]),
        ("Pittsburgh Board of Education building", ["Pittsburgh Board of Education"]),
        ("A man on TV with an iPhone on Monday", ["iPhone"]),
        ("An Airbus A380 of the RAF", ["Airbus A380", "RAF"]),
        ("A man walks. Snow falls.", []),
        ("Red Door", []),
        ("VIII", []),
        ("西湖边的张教授", ["西湖", "张"]),
        ("歌手周杰伦在上海演出", ["周杰伦", "上海"]),
        ("一座城市的夜景", []),
    ],
)
def test_names(text, names):
    assert [name.text for name in find_names(text)] == names


def test_a_title_tells_nothing_by_its_capitals():
    assert is_title("Boats on the Beach at Sunset") and not is_title("Two men of Rome walk along a wide street")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("DSC_0012 sunset", "sunset"),
        ("IMG_2041.JPG two dogs", "two dogs"),
        ("dress $19.99 free shipping", "dress"),
        ("红色连衣裙 ￥199 包邮", "红色连衣裙"),
        ("lake #sunset #nature", "lake"),
        ("bridge. Photo by Jane Doe", "bridge."),
        ("lighthouse © 2019 John Smith", "lighthouse"),
        ("https://a.com/b.jpg cat", "cat"),
        ("flower f/2.8 1/200s ISO 100", "flower"),
        ("lake 1920x1080", "lake"),
        ("mug SKU: 88213", "mug"),
        ("A photo of 12 cars by a river", "A photo of 12 cars by a river"),
        ("a room with floral wallpaper and a copyright sign", "a room with floral wallpaper and a copyright sign"),
    ],
)
def test_noise(text, left):
    assert " ".join(strip_noise(text).split()) == left
    assert bool(find_noise(text)) == (text != left)


@given(st.text(max_size=200))
def test_a_text_has_all_its_own_facts(text):
    facts = find_facts(text)
    assert lost_facts([facts], facts) == [] and added_facts([facts], facts) == []


def test_what_is_lost_and_what_is_added():
    old = find_facts('Two boats near "Hotel Roma" in Venice, 1998')
    new = find_facts('Three boats near a hotel in Venice, seen by Anna Bruni, with the word "Stop"')
    assert [str(fact) for fact in lost_facts([old], new)] == ["quote Hotel Roma", "date 1998", "number Two"]
    assert [str(fact) for fact in added_facts([old], new)] == ["quote Stop", "number Three", "name Anna Bruni"]


def test_a_place_survives_in_the_other_language():
    assert lost_facts([find_facts("Sunset in Hangzhou")], find_facts("杭州的日落。")) == []
    assert lost_facts([find_facts("北京的胡同")], find_facts("A lane in Beijing.")) == []
