"""Numbers, tables and sections of a page; text that nobody trusts goes through `esc` or `foreign` alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from transforms.foreign_text import esc as esc
from transforms.foreign_text import foreign as foreign


def count(number: float) -> str:
    return f"{int(number):,}"


def share(part: float, whole: float) -> str:
    """A percentage that never rounds something to nothing, nor nearly all to all."""
    if not whole:
        return "–"
    percent = 100 * part / whole
    if part and percent < 0.05:
        return "&lt;0.1%"
    if part != whole and percent > 99.95:
        return "&gt;99.9%"
    return f"{percent:.1f}%"


def number(value: object) -> str:
    """A measured value: whole numbers with commas, others with up to four decimals, as they were measured."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return foreign(value, 80)
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) >= 1e-4 else f"{value:.3g}"


def byte_size(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:,.0f} {unit}" if unit == "bytes" or size >= 100 else f"{size:,.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable")


def seconds(value: float) -> str:
    if value < 60:
        return f"{value:.2f} s" if value < 10 else f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def table(head: Sequence[str], rows: Iterable[Sequence[str]], numeric: frozenset[int] = frozenset()) -> str:
    """`head` and cells are HTML already; columns in `numeric` stand right."""
    kinds = [' class="num"' if i in numeric else "" for i in range(len(head))]
    top = "".join(f'<th scope="col"{kind}>{cell}</th>' for kind, cell in zip(kinds, head, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for kind, cell in zip(kinds, row, strict=True)) + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>'


def section(anchor: str, title: str, lead: str, body: str) -> str:
    intro = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{esc(anchor)}"><h2>{esc(title)}</h2>{intro}{body}</section>'
