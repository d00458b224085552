"""The page around the sections: no network, no script, a theme switch in CSS alone, a table of contents.

There is no script at all, so that a caption has nothing to break into and a viewer that forbids scripts shows the
whole page; light-dark() and :has() carry the theme.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

from pipelines.report_pages.markup import esc
from transforms.foreign_text import POLICY as POLICY

Contents = Sequence[tuple[str, str, Sequence[tuple[str, str]]]]
"""(anchor, title, [(anchor, title) one level down])."""


def page(title: str, header: str, contents: Contents, body: str) -> str:
    style = files("pipelines").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer"><meta name="robots" content="noindex">'
        f"<title>{esc(title)}</title><style>{style}</style></head><body>{_themes()}{_toc(contents)}"
        f"<main>{header}{body}</main></body></html>\n"
    )


def _themes() -> str:
    options = "".join(
        f'<label><input type="radio" name="theme" id="theme-{name}"{" checked" if name == "auto" else ""}>'
        f"<span>{name}</span></label>"
        for name in ("auto", "light", "dark")
    )
    return f'<fieldset class="themes"><legend>Theme</legend>{options}</fieldset>'


def _toc(contents: Contents) -> str:
    items = []
    for anchor, title, below in contents:
        inner = "".join(f'<li><a href="#{esc(a)}">{esc(t).replace("_", "_<wbr>")}</a></li>' for a, t in below)
        nested = f"<ol>{inner}</ol>" if inner else ""
        items.append(f'<li><a href="#{esc(anchor)}">{esc(title)}</a>{nested}</li>')
    return f'<nav aria-label="Contents"><ol>{"".join(items)}</ol></nav>'
