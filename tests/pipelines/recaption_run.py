"""A small pool whose captions say how a server is to treat them, and whole runs that recaption it."""

from __future__ import annotations

from pathlib import Path

from tests.pipelines.small_run import jpeg
from tests.recaption.server import MODEL, Served, first_caption
from tests.transforms.pools import write_tar

GOOD = "Two boats in the harbour of Lisbon"
CAPTIONS = {
    "a": [f"{GOOD}, number {n}" for n in range(4)] + ["slow boats in the harbour of Porto"],
    "b": [
        "busy2 boats in the harbour of Lagos",
        "error1 boats in the harbour of Faro",
        "cut1 boats in the harbour of Sines",
        "malformed1 boats in the harbour of Nazaré",
        "busy boats of the ferry company",
        "error boats of the ferry company",
        "half boats of the ferry company",
    ],
    "c": ["malformed boats of the navy", "lose the boats of Madeira", "refused boats of the navy", "length of a boat"],
}
"""By tar. The word at the beginning decides, see tests/recaption/server.py; `1` and `2` mean: so often, then well."""
ROWS = sum(map(len, CAPTIONS.values()))
REFUSED = {"busy", "error", "half", "malformed", "refused"}
ANSWERED = [text for texts in CAPTIONS.values() for text in texts if text.split()[0] not in REFUSED]


def write_pool(folder: Path) -> list[str]:
    """Three tars; the first row of each carries keys that repeat."""
    for name, captions in CAPTIONS.items():
        members = []
        for number, caption in enumerate(captions):
            members += [(f"{name}{number}.jpg", jpeg(hash_of(caption))), (f"{name}{number}.txt", caption.encode())]
        write_tar(folder, members, f"{name}.tar")
    return sorted(str(path) for path in folder.glob("*.tar"))


def hash_of(caption: str) -> int:
    return sum(caption.encode())


def write(body: dict) -> str:
    """Every fact of the original and a sentence of its own; of one that shall lose, the name is gone."""
    caption = first_caption(body["messages"][0]["content"][1]["text"])
    return f"{caption.replace('Madeira', 'an island')}, seen from above. The water is calm and blue."


def asking(served: Served | str, *more: str, clip: str = "") -> tuple[str, ...]:
    """Arguments of a run that asks this server; with `clip`, a model's folder, relevance is on and keeps every pair."""
    url = served if isinstance(served, str) else served.url
    values = {
        "recaption.enabled": "true", "recaption.batch_size": "4", "recaption.captioner.model": MODEL,
        "recaption.captioner.max_side": "64", "recaption.captioner.price_in": "2.0",
        "recaption.captioner.price_out": "10.0", "recaption.captioner.server.url": url,
        "recaption.captioner.server.concurrency": "4", "recaption.captioner.server.attempts": "3",
        "recaption.captioner.server.first_wait_seconds": "0.01",
        "recaption.captioner.server.longest_wait_seconds": "0.05", "output.samples_per_shard": "5",
        "boilerplate.enabled": "false", "output.max_failure_rate": "0",
    }  # fmt: skip
    if clip:
        values |= {"relevance.model": clip, "relevance.pretrained": '""', "relevance.min_score": "-1"}
        values |= {"relevance.device": "cpu", "relevance.precision": "fp32"}
    else:
        values["relevance.enabled"] = "false"
    return (*(part for name, value in values.items() for part in ("--set", f"{name}={value}")), *more)
