"""What a page says of its pictures, one test for each way of saying it."""

import pytest

from configs.schema.web_page import PageRules
from transforms.page_content import read_page
from transforms.page_pictures import PagePicture, formula_of, stated_size
from transforms.records import Text


def pictures(html: str) -> list[PagePicture]:
    page = read_page(html, "http://a.example/", PageRules())
    return [piece for piece in page.pieces if isinstance(piece, PagePicture)]


def roles(html: str) -> list[tuple[str, str]]:
    pieces = read_page(html, "http://a.example/", PageRules()).pieces
    return [(p.role, p.value) if isinstance(p, Text) else ("picture", p.caption) for p in pieces]


@pytest.mark.parametrize(
    ("html", "element", "sources"),
    [
        ("<img src=a.png>", "img", [("src", "a.png")]),
        ("<img src='' srcset='a.png 1x, b.png 2x'>", "img", [("srcset", "a.png 1x, b.png 2x")]),
        ("<img src=blank.gif data-src=a.png>", "img", [("src", "blank.gif"), ("data-src", "a.png")]),
        (
            "<img data-original=a data-lazy-srcset='b 2x'>",
            "img",
            [("data-original", "a"), ("data-lazy-srcset", "b 2x")],
        ),
        ("<img data-hero='/x/a.webp?w=9' data-id=7>", "img", [("data-hero", "/x/a.webp?w=9")]),
        (
            "<picture><source srcset=a.webp type=image/webp><img src=a.png alt=q></picture>",
            "picture",
            [("srcset", "a.webp"), ("src", "a.png")],
        ),
        (
            "<img src='data:image/gif;base64,R0' data-x=1><noscript><img src=a.png></noscript>",
            "img",
            [("src", "data:image/gif;base64,R0"), ("src", "a.png")],
        ),
        ("<noscript><img src=a.png></noscript>", "img", [("src", "a.png")]),
        ("<object data=a.svg><img src=a.png></object>", "object", [("data", "a.svg"), ("src", "a.png")]),
        ("<video poster=p.jpg src=v.mp4>no</video>", "video", [("poster", "p.jpg")]),
        ("<input type=image src=a.png>", "input", [("src", "a.png")]),
        ("<image src=a.png>", "img", [("src", "a.png")]),
        ("<div role=img style='background: url(\"a.png\") no-repeat'></div>", "background", [("style", "a.png")]),
        ("<div class=thumbnail style='background-image:url(a.png)'></div>", "background", [("style", "a.png")]),
        ("<svg><title>A</title><path/></svg>", "svg", []),
        ("<img alt=nothing>", "img", []),
    ],
)
def test_every_address_that_an_element_offers(html, element, sources):
    (picture,) = pictures(f"<p>text</p>{html}")
    assert (picture.element, list(picture.sources)) == (element, sources)


@pytest.mark.parametrize(
    "html", ["<div style='background:url(a.png)'>text</div>", "<div style='background:url(a.png)'></div>"]
)
def test_a_background_of_text_or_of_nothing_named_is_decoration(html):
    assert pictures(html) == []


def test_two_pictures_are_not_one_though_the_second_has_no_script():
    html = "<img src=a.png alt=a><noscript><img src=b.png alt=b></noscript>"
    assert [picture.sources for picture in pictures(html)] == [(("src", "a.png"),), (("src", "b.png"),)]


def test_alt_title_size_link_names_and_place():
    around = "<p>1234</p><div class='wide photo' id=lead>{}</div><p>567890"
    html = around.format("<a href=/big.png><img class=x src=a alt=' A  b ' title=T width=300></a>")
    (picture,) = pictures(html)
    assert (picture.alt, picture.title, picture.width, picture.height) == ("A b", "T", 300, 0)
    assert (picture.link, picture.names, picture.share) == ("/big.png", ("x", "wide", "photo", "lead"), 0.4)


def test_alt_text_by_label():
    assert (
        pictures("<p id=l>A bear<br>asleep<script>no</script></p><img src=a aria-labelledby=l>")[0].alt
        == "A bear asleep"
    )
    assert pictures("<img src=a aria-label=b>")[0].alt == "b"


@pytest.mark.parametrize(
    ("values", "size"),
    [
        ({"width": "300", "height": "200px"}, (300, 200)),
        ({"width": "50%", "height": "auto"}, (0, 0)),
        ({"width": "1", "style": "width: 640.5px; max-height:9px;height:480px"}, (640, 480)),
        ({"width": "99999999999999"}, (0, 0)),
    ],
)
def test_the_size_as_stated(values, size):
    assert stated_size(values) == size


@pytest.mark.parametrize(
    ("html", "caption"),
    [
        ("<figure><img src=a><figcaption>A rock</figcaption></figure>", "A rock"),
        ("<figure><figcaption>A rock</figcaption><img src=a></figure>", "A rock"),
        ("<figure><img src=a>A rock</figure>", "A rock"),
        ("<div class='wp-caption'><img src=a><p class=wp-caption-text>A rock</p></div>", "A rock"),
        ("<div class=figure><img src=a><p>A rock</p></div>", "A rock"),
        ("<img src=a><p>Figure 3: A rock</p>", "Figure 3: A rock"),
        ("<p>Fig. 3. A rock</p><img src=a>", "Fig. 3. A rock"),
        ("<img src=a><p>图 3.1 岩石</p>", "图 3.1 岩石"),
        ("<table><tr><td><img src=a></td></tr><tr><td class=caption>A rock</td></tr></table>", "A rock"),
        ("<table><tr><td><img src=a></td></tr><tr><td>Figure 3. A rock</td></tr></table>", "Figure 3. A rock"),
    ],
)
def test_captions_are_copied_to_their_picture_and_stay_pieces(html, caption):
    found = roles(f"<p>Before</p>{html}<p>After</p>")
    assert sorted(found[1:3]) == [("caption", caption), ("picture", caption)]
    assert (found[0], found[3:]) == (("paragraph", "Before"), [("paragraph", "After")])


def test_a_figure_of_two_pictures_gives_both_its_caption_and_a_paragraph_about_a_figure_is_none():
    html = "<figure><img src=a><img src=b><figcaption>Rocks</figcaption></figure>"
    assert [picture.caption for picture in pictures(html)] == ["Rocks", "Rocks"]
    assert pictures("<img src=a><p>Figure " + "it out " * 200)[0].caption == ""
    assert pictures("<img src=a><p>Figures show this")[0].caption == ""


@pytest.mark.parametrize(
    ("values", "latex"),
    [
        ({"class": "mwe-math-fallback-image-inline", "alt": r"{\displaystyle x^{2}}"}, "x^{2}"),
        ({"class": "tex", "alt": r"$\frac12$"}, r"\frac12"),
        ({"src": "/latex.php?x", "alt": r"\alpha"}, r"\alpha"),
        ({"alt": "$x+y$"}, "x+y"),
        ({"alt": "costs $5 or $6 a piece"}, ""),
        ({"class": "photo", "alt": "A rock"}, ""),
        ({"class": "math", "alt": ""}, ""),
    ],
)
def test_a_picture_of_a_formula_is_its_latex(values, latex):
    assert formula_of(values) == latex
