"""Lists, tables, code and formulas of a page as Markdown."""

import pytest

from configs.schema.web_page import PageRules
from transforms.page_content import read_page
from transforms.records import Text


def texts(html: str) -> list[tuple[str, str]]:
    page = read_page(html, "http://a.example/", PageRules())
    return [(piece.role, piece.value) if isinstance(piece, Text) else ("picture", "") for piece in page.pieces]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<ol start=4><li>a<li>b</ol>", "4. a\n5. b"),
        ("<ul><li>a<ol><li>b<li>c</ol><li>d</ul>", "- a\n  1. b\n  2. c\n- d"),
        ("<ul><li><p>a</p><p>b</p></ul>", "- a\n  b"),
        ("<dl><dt>a<dd>b<dt>c<dd>d</dl>", "- a\n  b\n- c\n  d"),
        ("<ul><li>a<br>b</ul>", "- a\n  b"),
    ],
)
def test_lists(html, text):
    assert texts(html) == [("list", text)]


def test_a_picture_parts_a_list_and_two_lists_are_two_pieces():
    assert [role for role, _ in texts("<ul><li>a<li><img src=x><li>b</ul><ul><li>c</ul>")] == [
        "list", "picture", "list", "list",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<table><tr><th>a<th>b<tr><td>1<td>2|3</table>", "| a | b |\n| --- | --- |\n| 1 | 2\\|3 |"),
        ("<table><tr><td>a<tr><td>1<td>2</table>", "| a |  |\n| --- | --- |\n| 1 | 2 |"),
        (
            "<table><thead><tr><th>a<th>b</thead><tbody><tr><td>1<br>2<td><b>3</b><span hidden>4</span></table>",
            "| a | b |\n| --- | --- |\n| 1 2 | 3 |",
        ),
    ],
)
def test_tables_of_data(html, text):
    assert texts(html) == [("table", text)]


@pytest.mark.parametrize(
    "html",
    [
        "<table><tr><td>a<td>b</table>",
        "<table><tr><td>a<tr><td>b</table>",
        "<table role=presentation><tr><td>a<td><tr><td>b<td></table>",
        "<table><tr><td><table><tr><td>a</table><td><tr><td>b<td></table>",
        "<table><tr><td><pre>a</pre><td><tr><td>b<td></table>",
    ],
)
def test_tables_that_lay_a_page_out_are_its_blocks(html):
    assert "table" not in {role for role, _ in texts(html)}
    assert [value.strip("`\n") for _, value in texts(html)] == ["a", "b"]


def test_pictures_of_a_table_of_data_follow_it():
    html = "<table><tr><th>a<th>b<th>c<tr><td>1<td>2<td><img src=x><tr><td>3<td>4<td>5</table>"
    assert [role for role, _ in texts(html)] == ["table", "picture"]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<pre>  a\n\tb  \n</pre>", "```\n  a\n\tb\n```"),
        ("<pre><code class='language-c++'>a</code></pre>", "```c++\na\n```"),
        ("<pre>a<br>b<span>c</span></pre>", "```\na\nbc\n```"),
        ("<pre>``` a</pre>", "````\n``` a\n````"),
        ("<pre>if (a &lt; b)<script>no</script></pre>", "```\nif (a < b)\n```"),
    ],
)
def test_code_keeps_its_lines(html, text):
    assert texts(html) == [("code", text)]


def test_numbers_of_lines_are_no_code():
    rows = (
        "<td class=linenos><div class=linenodiv><pre>1\n2</pre></div></td><td class=code><pre>a = 1\nb = 2</pre></td>"
    )
    spans = "<pre><span class=lineno>1 </span>a = 1\n<span class=lineno>2 </span>b = 2</pre>"
    for html in (f"<table class=highlighttable><tr>{rows}</table>", spans):
        prose = "Some prose that is long enough to be it. " * 4
        assert texts(f"<p>{prose}</p>{html}")[1:] == [("code", "```\na = 1\nb = 2\n```")]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<h2>Rock<a class=headerlink href=#rock>¶</a></h2>", "## Rock"),
        ("<h2><a class=anchor href=#rock><span>#</span></a> Rock</h2>", "## Rock"),
        ("<h2><a href=#rock>Rock</a></h2>", "## Rock"),
        ("<h2>Which C? <a href=/c-sharp>#</a></h2>", "## Which C? #"),
        ("<p>Press <a href=#keys>#</a> twice.</p>", "Press # twice."),
    ],
)
def test_a_headings_link_to_itself_is_no_part_of_it(html, text):
    assert [value for _, value in texts(html)] == [text]


def test_prose_in_a_pre_is_paragraphs():
    lines = "It was a long and quiet evening by the sea\nand nobody had come along the road for hours\n"
    assert texts(f"<pre>{lines * 2}\n{lines * 2}</pre>") == [("paragraph", " ".join((lines * 2).split()))] * 2


@pytest.mark.parametrize(
    ("html", "latex"),
    [
        (
            r"<math><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math>",
            "x^2",
        ),
        ("<math alttext='a+b'><mi>a</mi></math>", "a+b"),
        ("<math><mfrac><mn>1</mn><msup><mi>x</mi><mn>2</mn></msup></mfrac></math>", r"\frac{1}{x^{2}}"),
        ("<math><msubsup><mi>a</mi><mi>i</mi><mn>2</mn></msubsup><mo>≤</mo><mi>π</mi></math>", r"a_{i}^{2} \le \pi"),
        ("<math><msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt></math>", r"\sqrt{a + b}"),
        ("<math><mroot><mi>a</mi><mn>3</mn></mroot></math>", r"\sqrt[3]{a}"),
        (
            "<math><mtable><mtr><mtd>a</mtd><mtd>b</mtd></mtr><mtr>c</mtr></mtable></math>",
            r"\begin{matrix}a & b \\ c\end{matrix}",
        ),
        ("<script type='math/tex'>x_1</script>", "x_1"),
        (
            "<span class=katex><span class=katex-mathml><math>"
            "<annotation encoding='application/x-tex'>y</annotation></math></span>"
            "<span class=katex-html aria-hidden=true>why</span></span>",
            "y",
        ),
        ("<img class=tex src=a alt='$z$'>", "z"),
    ],
)
def test_formulas_in_a_line(html, latex):
    assert texts(f"<p>let {html} be</p>") == [("paragraph", f"let ${latex}$ be")]


def test_formulas_on_a_line_of_their_own():
    assert texts("<p>a<math display=block><mi>x</mi></math>b") == [
        ("paragraph", "a"),
        ("formula", "$$\nx\n$$"),
        ("paragraph", "b"),
    ]
    assert texts("<p>a</p><script type='math/tex; mode=display'>x</script>")[1:] == [("formula", "$$\nx\n$$")]
