"""Tables that hold data, as Markdown; tables that only lay a page out are left to be read as blocks.

Left out on purpose: spans (a cell is written once, where it begins) and alignment.
"""

from __future__ import annotations

from transforms.page_text import clean_text, text_parts
from transforms.page_tree import Tree

_BLOCKS_INSIDE = frozenset({"h1", "h2", "h3", "h4", "pre", "blockquote", "form", "figure", "hr"})
_MAX_CELL = 400
"""Characters of the longest cell of data; above it the cells are columns of a page."""
_NESTED = 4
"""Times the nodes of a table that its cells may hold together; more lie in each other by hundreds."""


def data_rows(tree: Tree, i: int, skipped: dict[int, int]) -> list[list[str]]:
    """Cells of the table at node i by row, cleaned; empty where it lays out: nested, one column, blocks or long
    texts."""
    end = tree.ends[i]
    if i in tree.holds_table or tree.values[i].get("role") in ("presentation", "none"):
        return []
    cells = [n for n in range(i + 1, end) if tree.tags[n] in ("td", "th")]
    rows = _rows(tree, i, cells)
    if len(rows) < 2 or max(map(len, rows)) < 2 or not _BLOCKS_INSIDE.isdisjoint(tree.tags[i:end]):
        return []
    heads = any(tree.tags[n] == "th" for n in cells)
    pictures = tree.pictures[end] - tree.pictures[i]
    if pictures and not heads and pictures * 3 > len(cells):
        return []
    if any(tree.characters[tree.ends[n]] - tree.characters[n] > _MAX_CELL for n in cells):
        return []
    if sum(tree.ends[n] - n for n in cells) > _NESTED * (end - i):
        return []
    found = [[clean_text(text_parts(tree, n + 1, tree.ends[n], skipped) or [""]) for n in row] for row in rows]
    found = [row for row in found if any(row)]
    return found if len(found) > 1 and max(map(len, found)) > 1 else []


def _rows(tree: Tree, table: int, cells: list[int]) -> list[list[int]]:
    """Cells by the row they stand in. Broken HTML may put one into another cell or outside any row: then by parent."""
    rows: dict[int, list[int]] = {}
    for cell in cells:
        rows.setdefault(tree.parents[cell], []).append(cell)
    return list(rows.values())


def format_table(rows: list[list[str]]) -> str:
    """A GitHub table; the first row is its head, padded to the widest."""
    width = max(map(len, rows))
    lines = ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows]
    lines[0] += "  |" * (width - len(rows[0]))
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _escape(cell: str) -> str:
    return cell.replace("|", r"\|").replace("\n", " ")
