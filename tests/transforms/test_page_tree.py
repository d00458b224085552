"""The flat lists of a page and their sums."""

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


@given(
    st.lists(
        st.sampled_from(["<p>", "<div>", "</div>", "<td>", "<b>", "</p>", "x", "<img>", "</b>", "<li>"]), max_size=40
    )
)
def test_parents_and_ends_agree(parts):
    tree = parse_tree("".join(parts), RULES)
    assert len(tree.characters) == len(tree.tags) + 1
    for i, parent in enumerate(tree.parents):
        assert parent < i < tree.ends[i] and (parent < 0 or tree.ends[i] <= tree.ends[parent])
