"""The flat lists of a page and their sums."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.schema.web_page import PageRules
from transforms.page_tree import parse_tree

RULES = PageRules(min_prose=3)


def test_a_subtree_is_a_range_and_its_sums_are_differences():
    tree = parse_tree("<div><p>abc<a href=x>de</a></p><script>no</script><img src=a></div><p>f", RULES)
    i = tree.tags.index("div")
    end = tree.ends[i]
    assert tree.tags[i:end] == ["div", "p", "", "a", "", "script", "", "img"]
    sums = (tree.characters, tree.linked, tree.prose, tree.pictures)
    assert [column[end] - column[i] for column in sums] == [5, 2, 3, 1]


def test_a_text_with_entities_is_one_text():
    tree = parse_tree("<p>a&amp;b &lt; c&nbsp;d", RULES)
    assert list(tree.texts.values()) == ["a&b < c\xa0d"]


def test_the_declared_charset_of_characters_is_not_asked():
    assert "é中" in parse_tree("<?xml encoding='latin-1'?><meta charset=gb2312><p>é中", RULES).texts.values()


@pytest.mark.parametrize("tag", ["nav", "main", "header", "section", "article", "figure", "svg", "p", "a", "x-page"])
@pytest.mark.parametrize("close", ["", "</head>", "<body>", "</head><body>"])
def test_what_no_head_holds_ends_the_head(tag, close):
    """A page may leave out <head> and <body>. libxml2 takes elements that came after HTML 4 for parts of the head."""
    tree = parse_tree(f"<!doctype html><title>T</title><meta name=a>{close}<{tag}>abc</{tag}><main>def</main>", RULES)
    head, main = tree.tags.index("head"), tree.tags.index("main")
    assert tree.characters[-1] == (3 if tag == "svg" else 6)
    assert tree.tags[head : tree.ends[head]] == ["head", "title", "", "meta"]
    assert tree.tags[tree.parents[main]] in ("html", "body") and tree.ends[0] == len(tree.tags)


def test_a_head_holds_its_own():
    parts = "<script>var a</script><style>p{}</style><noscript><link rel=b></noscript><template><p>c</template>"
    tree = parse_tree(f"<html><head><title>T</title>{parts}</head><body>abc", RULES)
    assert tree.characters[-1] == 3 and tree.tags[tree.ends[tree.tags.index("head")]] == "body"


@given(
    st.lists(
        st.sampled_from(
            ["<p>", "<div>", "</div>", "<td>", "<b>", "</p>", "x", "<img>", "</b>", "<li>", "<title>", "<nav>"]
        ),
        max_size=40,
    )
)
def test_parents_and_ends_agree(parts):
    tree = parse_tree("".join(parts), RULES)
    assert len(tree.characters) == len(tree.tags) + 1
    for i, parent in enumerate(tree.parents):
        assert parent < i < tree.ends[i] and (parent < 0 or tree.ends[i] <= tree.ends[parent])
