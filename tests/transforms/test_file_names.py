"""File names and addresses are told from prose."""

import pytest

from tests.transforms.judged import DATA, check, real_captions, rule
from transforms.file_names import measure_file_names, measure_urls

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


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_file_names_of_the_caption_pairs():
    named = {text for text in real_captions() if rule(text) == "caption_file_name"}
    assert len(named) == 77
    # All but one read as file names to the eye; that one is more than half a file name.
    assert [text for text in named if " " in text and not text.endswith(" (1).png")] == ["shapes-01.jpg mask detail"]
    assert [text for text in real_captions() if rule(text) == "caption_url"] == []
