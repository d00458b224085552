"""What a run's captioner did, added up: asked, accepted, turned away by rule, tokens, and what they cost.

From what lies on the ledger, so a bundle that was tried twice counts once. What a server charged for replies that were
cut, or for answers of a worker that died, is not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from configs.schema.recaption import CaptionerRules
from recaption.captioner import cost
from transforms.beam.write_ledger import Tally

OTHERS = ("asked", "accepted", "text", "tokens_in", "tokens_out")


def sum_recaptions(tallies: Sequence[Tally], rules: CaptionerRules) -> dict[str, Any]:
    """The manifest's `counts.recaption`; `text` counts rows whose text the refined one is."""
    found: Counter[str] = Counter()
    for tally in tallies:
        found.update(tally.recaptions)
    return recaption_counts(found, rules)


def recaption_counts(found: Mapping[str, int], rules: CaptionerRules) -> dict[str, Any]:
    sums: dict[str, Any] = {name: found.get(name, 0) for name in OTHERS}
    sums["cost"] = round(cost(sums["tokens_in"], sums["tokens_out"], rules), 6)
    return sums | {"turned_away": {rule: n for rule, n in sorted(found.items()) if rule not in OTHERS}}
