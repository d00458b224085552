"""What text from outside can be on a page: text, and nothing else."""

import pytest

from transforms.foreign_text import POLICY, esc, foreign


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<b onload='x'>&amp;\"", "&lt;b onload=&#x27;x&#x27;&gt;&amp;amp;&quot;"),
        ("a\0b\x1b[2J\x7f", "a␀b␛[2J␡"),
        ("\x85\ud800\uffff", "���"),
        ("a\tb\r\nc", "a b\n\nc"),
        (7, "7"),
    ],
)
def test_nothing_of_it_is_markup_and_nothing_is_hidden(text, shown):
    assert esc(text) == shown


def test_a_long_text_is_cut_before_it_is_escaped():
    assert foreign("<" * 5, 3) == '<bdi dir="auto">&lt;&lt;&lt;…</bdi>'
    assert foreign("<<<", 3) == '<bdi dir="auto">&lt;&lt;&lt;</bdi>'


def test_pages_may_run_nothing_and_fetch_nothing():
    assert POLICY.startswith("default-src 'none'; img-src data:;") and "script" not in POLICY
