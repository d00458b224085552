"""What a run's captioner did, added up: asked, accepted, turned away by rule, tokens, and what they cost.

From what lies on the ledger, so a bundle that was tried twice counts once. What a server charged for replies that were
cut, or for answers of a worker that died, is not in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from configs.schema.recaption import CaptionerRules
from pipelines.plain_text import cell
from recaption.captioner import cost
from recaption.prompting import load_prompts
from transforms.shards import Manifest

OTHERS = ("asked", "accepted", "text", "tokens_in", "tokens_out")


def sum_recaptions(parts: Iterable[Mapping[str, int]], rules: CaptionerRules) -> dict[str, Any]:
    """The manifest's `counts.recaption`; `text` counts rows whose text the refined one is. `parts` are the units'
    tallies (transforms/recaptions.py)."""
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    sums: dict[str, Any] = {name: found[name] for name in OTHERS}
    sums["turned_away"] = {rule: n for rule, n in sorted(found.items()) if rule not in OTHERS}
    sums["cost"] = round(cost(sums["tokens_in"], sums["tokens_out"], rules), 6)
    return sums | {"model": rules.model, "prompts": [prompt.version for prompt in load_prompts(rules.prompt)]}


def recaption_card(manifest: Manifest) -> str:
    """The part of the data card on refined captions; empty where none were asked for."""
    sums = manifest.counts.get("recaption")
    if sums is None:
        return ""
    share, kept = manifest.config["recaption"]["mix"]["recaption_share"], manifest.counts["kept"]
    turned = ", ".join(f"{rule} {number:,}" for rule, number in sums["turned_away"].items()) or "none"
    rows = {
        "captioner": f"`{cell(sums['model'])}`, {manifest.config['recaption']['captioner']['backend']}",
        "prompts": ", ".join(f"`{prompt}`" for prompt in sums["prompts"]),
        "asked": f"{sums['asked']:,} rows; {sums['tokens_in']:,} tokens read, {sums['tokens_out']:,} written",
        "cost": f"{sums['cost']:,} at the prices of the config",
        "accepted": f"{sums['accepted']:,}",
        "turned away": turned,
        "mix": f"{share:.0%} of the accepted by a hash of the key: {sums['text']:,} of {kept:,} texts",
    }
    lines = "".join(f"| {name} | {value} |\n" for name, value in rows.items())
    return f"## Refined captions\n\n| | |\n|---|---|\n{lines}\n{_WHERE}"


_WHERE = """`KEY.txt` is the refined text or the original, as `beamsift.measures.text_from` in `KEY.json` says. Both
texts stand in its `pieces`, the refined one with role `recaption`, its prompt, the model's own name, tokens and, where
it was turned away, the reason.
"""
