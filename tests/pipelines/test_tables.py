"""The funnel on the terminal: rules in the order they apply, and nothing of a pool read as markup."""

import io
from types import SimpleNamespace

from rich.console import Console

from pipelines.tables import funnel_table


def shown(read: int, kept: int, dropped: dict[str, int], failed: dict[str, int]) -> list[list[str]]:
    counts = {"read": read, "kept": kept, "dropped": dropped, "failed": failed}
    console = Console(file=io.StringIO(), width=100)
    console.print(funnel_table(SimpleNamespace(pipeline="caption", counts=counts)))
    title, *lines = console.file.getvalue().splitlines()
    return [title.split(), *(line.strip("│").split() for line in lines if line.startswith("│"))]


def test_rules_in_the_order_they_apply_then_failures_then_kept():
    dropped = {"clip_score_low": 1, "caption_too_long": 2, "image_too_small": 3}
    assert shown(2000, 1990, dropped, {"[red]TarBroken": 4}) == [
        ["caption:", "1,990", "of", "2,000", "kept"],
        ["dropped", "│", "image_too_small", "│", "3", "│", "0.15%"],
        ["dropped", "│", "caption_too_long", "│", "2", "│", "0.10%"],
        ["dropped", "│", "clip_score_low", "│", "1", "│", "0.05%"],
        ["failed", "│", "[red]TarBroken", "│", "4", "│", "0.20%"],
        ["kept", "│", "│", "1,990", "│", "99.50%"],
    ]


def test_an_empty_pool_has_no_shares():
    assert shown(0, 0, {}, {})[1:] == [["kept", "│", "│", "0", "│", "–"]]
