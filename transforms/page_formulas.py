"""Formulas of a page as LaTeX between dollars: MathML with or without its source, MathJax scripts.

KaTeX and MathJax carry MathML, mostly with the author's LaTeX as an annotation; that is taken. MathML alone becomes
LaTeX for what schools write (fractions, roots, scripts, fences, tables). Left out on purpose: spacing, styles and
colours.
"""

from __future__ import annotations

import re

from transforms.page_text import text_parts
from transforms.page_tree import SILENT, Tree

_TEX = re.compile(r"(?:application/x-tex|text/x-tex|latex|tex)$", re.IGNORECASE)
_SPECIAL = {
    "∞": r"\infty", "√": r"\sqrt", "≤": r"\le", "≥": r"\ge", "≠": r"\ne", "×": r"\times", "·": r"\cdot",
    "∑": r"\sum", "∫": r"\int", "∏": r"\prod", "π": r"\pi", "α": r"\alpha", "β": r"\beta", "→": r"\to", "∈": r"\in",
    "±": r"\pm", "−": "-", "\u2061": "", "\u2062": "", "\u2063": ",", "{": r"\{", "}": r"\}",
}  # fmt: skip
_NO_FORMULA = SILENT | {"annotation", "annotation-xml"}
_SCRIPTS = {"msup": "^", "msub": "_", "mover": "^", "munder": "_"}
_BOTH_SCRIPTS = frozenset({"msubsup", "munderover"})
_MAX_FORMULA = 20_000
"""Characters; what is longer is no formula a person wrote."""


def formula_of_math(tree: Tree, i: int) -> tuple[str, bool]:
    """LaTeX of the <math> at node i and whether it stands on a line of its own; "" where it holds nothing."""
    end, values = tree.ends[i], tree.values[i]
    display = values.get("display") == "block" or values.get("mode") == "display"
    for n in range(i, end):
        if tree.tags[n] == "annotation" and _TEX.search(tree.values[n].get("encoding", "")):
            return tidy_formula("".join(text_parts(tree, n + 1, tree.ends[n], {}))), display
    return tidy_formula(values.get("alttext", "") or _to_latex(tree, i, end)), display


def formula_of_script(tree: Tree, i: int) -> tuple[str, bool]:
    """As `formula_of_math`, of a MathJax 2 <script type="math/tex; mode=display">; "" for any other script."""
    kind = tree.values[i].get("type", "")
    if not kind.startswith("math/tex"):
        return "", False
    return tidy_formula("".join(tree.texts.get(n, "") for n in range(i + 1, tree.ends[i]))), "mode=display" in kind


def tidy_formula(latex: str) -> str:
    """On one line, without MediaWiki's wrapping; cut at 20,000 characters."""
    latex = " ".join(latex[:_MAX_FORMULA].split())
    return (
        latex.removeprefix(r"{\displaystyle").removesuffix("}").strip()
        if latex.startswith(r"{\displaystyle")
        else latex
    )


def _to_latex(tree: Tree, start: int, end: int) -> str:
    """From the last node to the first, so that every element finds its children done and nothing recurses."""
    if end - start > _MAX_FORMULA:
        return ""
    children: dict[int, list[str]] = {}
    for n in range(end - 1, start - 1, -1):
        tag, below = tree.tags[n], children.pop(n, [])[::-1]
        if tag in _NO_FORMULA:
            continue
        latex = _of_text(tree.texts[n]) if not tag else _of_element(tag, below)
        if n == start or sum(map(len, below)) > _MAX_FORMULA:
            return latex
        if latex:
            children.setdefault(tree.parents[n], []).append(latex)
    return ""


def _of_text(text: str) -> str:
    text = text.strip()
    return " ".join(_SPECIAL.get(sign, sign) for sign in text) if len(text) == 1 else text


def _of_element(tag: str, below: list[str]) -> str:
    if tag == "mfrac" and len(below) == 2:
        return rf"\frac{{{below[0]}}}{{{below[1]}}}"
    if tag in _SCRIPTS and len(below) == 2:
        return f"{below[0]}{_SCRIPTS[tag]}{{{below[1]}}}"
    if tag in _BOTH_SCRIPTS and len(below) == 3:
        return f"{below[0]}_{{{below[1]}}}^{{{below[2]}}}"
    if tag == "msqrt":
        return rf"\sqrt{{{' '.join(below)}}}"
    if tag == "mroot" and len(below) == 2:
        return rf"\sqrt[{below[1]}]{{{below[0]}}}"
    if tag == "mtr":
        return " & ".join(below)
    if tag == "mtable":
        return r"\begin{matrix}" + r" \\ ".join(below) + r"\end{matrix}"
    return " ".join(below)
