"""Whether the demo's model sees: which colour and which shape it expects at their places in held-out captions.

    python -m tests.world.score_model out/demo/model

The model is read back from its hub folder. A word is right where, of all words of its kind, it is the likeliest one
behind the caption's beginning; chance is the share of the most frequent word. Then the same captions once more, each
with the picture of another: what is right there, their grammar gives away. Exit code 1 where a bound is missed.
Only words that name a thing in the picture count ("a red circle on green grass": red and circle).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from configs.schema.strict import ConfigError, load_config
from configs.schema.train import TrainConfig
from tests.world.demo_model import read_samples
from tests.world.objects import THINGS
from tests.world.shapes import OUTLINES
from tests.world.words import COLOURS
from train.chat.tokenizer import IMAGE, ChatTokenizer
from train.data.records import Array, RawSample, TokenSample

BOUNDS = {"loss": 0.68, "colour": 0.6, "shape": 0.6, "colour, shuffled": 0.2, "shape, shuffled": 0.2}
"""Held-out loss at most, words right at least, and when shuffled at most; measured 0.622, 74, 76, 15, 10 %."""
KINDS: dict[str, tuple[str, ...]] = {"colour": tuple(COLOURS), "shape": tuple(OUTLINES)}
TOGETHER = 16
"""Captions in one forward."""


class Fact(NamedTuple):
    kind: str
    token: int
    """The word's place in the sample; the token before it predicts it."""
    word: str


class Seen(NamedTuple):
    loss: float
    """Mean over trained tokens."""
    right: dict[str, float]
    chance: dict[str, float]
    words: dict[str, int]


def word_ids(tokenizer: ChatTokenizer) -> dict[str, dict[str, int]]:
    """Ids of the words of each kind, as they stand in a sentence. Raises ConfigError where one is several tokens."""
    found = {kind: {word: tokenizer.text(f" {word}") for word in words} for kind, words in KINDS.items()}
    split = [word for words in found.values() for word, ids in words.items() if len(ids) != 1]
    if split:
        raise ConfigError(f"tokenizer: expected one token for each word that is scored, found more for {split}")
    return {kind: {word: int(ids[0]) for word, ids in words.items()} for kind, words in found.items()}


def find_facts(
    ids: Array, labels: Iterable[str], words: dict[str, dict[str, int]], tokenizer: ChatTokenizer
) -> list[Fact]:
    """Where (L,) ids name a thing of the picture: `labels` are the world's truth, as "red circle"."""
    facts = []
    for label in sorted(set(labels)):
        colour, _, noun = label.partition(" ")
        if colour in COLOURS and (noun in OUTLINES or noun in THINGS):
            run = tokenizer.text(f" {label}")
            for at in (n for n in range(len(ids) - len(run) + 1) if (ids[n : n + len(run)] == run).all()):
                facts.append(Fact("colour", at, colour))
                facts += [Fact("shape", at + 1, noun)] if noun in words["shape"] else []
    return facts


def labels_of(raw: RawSample) -> list[str]:
    return [str(box["label"]) for box in json.loads(raw.parts["json"])["world"]["boxes"]]


def exchange(samples: Sequence[TokenSample], image: int) -> list[TokenSample]:
    """Each caption with the picture of the one before it."""
    return [with_picture(sample, samples[number - 1], image) for number, sample in enumerate(samples)]


def with_picture(sample: TokenSample, other: TokenSample, image: int) -> TokenSample:
    """A caption with one picture, and another's picture in its place."""
    place, count = int(np.argmax(sample.kinds)), int(other.kinds.sum())

    def spliced(values: Array, filling: Any) -> Array:
        middle = np.full(count, filling, values.dtype)
        return np.concatenate([values[:place], middle, values[place + int(sample.kinds.sum()) :]])

    return TokenSample(
        source=sample.source,
        key=sample.key,
        input_ids=spliced(sample.input_ids, image),
        weights=spliced(sample.weights, 0),
        kinds=spliced(sample.kinds, 1),
        grids=other.grids,
        patches=other.patches,
    )


def look(model: Any, samples: Sequence[TokenSample], labels: Sequence[Sequence[str]], tokenizer: ChatTokenizer) -> Seen:
    """What a model makes of samples, `labels` being the truth of the captions, whatever pictures they have."""
    import torch

    words = word_ids(tokenizer)
    sums, right, truth = np.zeros(2), Counter[str](), {kind: Counter[str]() for kind in KINDS}
    with torch.no_grad():
        for at in range(0, len(samples), TOGETHER):
            part = samples[at : at + TOGETHER]
            pack, scores = score_tokens(model, part, tokenizer)
            rows = np.flatnonzero(pack.weights > 0)
            sums += -scores[rows, pack.labels[rows]].sum(), len(rows)
            for start, sample, told in zip(pack.bounds, part, labels[at : at + TOGETHER], strict=False):
                for fact in find_facts(sample.input_ids, told, words, tokenizer):
                    choice = words[fact.kind]
                    likely = scores[start + fact.token - 1, list(choice.values())].argmax()
                    right[fact.kind] += list(choice)[likely] == fact.word
                    truth[fact.kind][fact.word] += 1
    counts = {kind: found.total() for kind, found in truth.items()}
    if not all(counts.values()):
        raise ConfigError(f"held-out captions: expected words of {', '.join(KINDS)} to score, found {counts}")
    shares = {kind: max(found.values()) / counts[kind] for kind, found in truth.items()}
    return Seen(sums[0] / sums[1], {kind: right[kind] / counts[kind] for kind in KINDS}, shares, counts)


def score_tokens(model: Any, samples: Sequence[TokenSample], tokenizer: ChatTokenizer) -> tuple[Any, Array]:
    """A pack without padding, and (tokens, words) log-probabilities of the next token."""
    from train.pack import Padding, build_pack
    from train.packed_inputs import pack_inputs
    from train.positions import document_positions

    length = sum(len(sample.input_ids) for sample in samples)
    pack = build_pack(samples, Padding(length, 0), document_positions)
    inputs = pack_inputs(pack, tokenizer.ids[IMAGE])
    return pack, model(inputs, lambda states, head: head(states)).log_softmax(dim=1).numpy()


def count_shared(one: Iterable[RawSample], other: Iterable[RawSample]) -> int:
    """Pictures of `other` that are also in `one`, byte for byte."""
    known = {picture_hash(sample) for sample in one}
    return sum(picture_hash(sample) in known for sample in other)


def picture_hash(sample: RawSample) -> bytes:
    [data] = [value for name, value in sample.parts.items() if name not in ("txt", "json")]
    return hashlib.sha256(data).digest()


def missed_bounds(seen: Seen, shuffled: Seen) -> list[str]:
    """What is not as it must be, in words."""
    found = [("loss", seen.loss, -1)]
    found += [(kind, seen.right[kind], 1) for kind in KINDS]
    found += [(f"{kind}, shuffled", shuffled.right[kind], -1) for kind in KINDS]
    return [
        f"{name}: expected at {'least' if sign > 0 else 'most'} {BOUNDS[name]}, found {value:.3f}"
        for name, value, sign in found
        if sign * (value - BOUNDS[name]) < 0 or np.isnan(value)
    ]


def print_table(seen: Seen, shuffled: Seen) -> None:
    table = Table("held out", "with its picture", "with another's", "chance", "words", "bounds")
    table.add_row("loss", f"{seen.loss:.4f}", f"{shuffled.loss:.4f}", "", "", f"<= {BOUNDS['loss']}")
    for kind in KINDS:
        bounds = f">= {BOUNDS[kind]}, <= {BOUNDS[f'{kind}, shuffled']}"
        right = (f"{found.right[kind]:.1%}" for found in (seen, shuffled))
        table.add_row(f"{kind} right", *right, f"{seen.chance[kind]:.1%}", str(seen.words[kind]), bounds)
    Console().print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path, help="what `beamsift train` wrote")
    output = parser.parse_args().output
    from train.chat.samples import Chat
    from train.chat.tokenizer import load_tokenizer
    from train.media import FACTOR, SLICES, Look, PixelLimits
    from train.model import load_model

    cfg = load_config(str(output / "config.yaml"), TrainConfig)
    tokenizer = load_tokenizer(str(output / "hub"), None)
    held_out = list(read_samples(cfg, cfg.data.held_out))
    shared = count_shared(read_samples(cfg, cfg.data.sources), held_out)
    chat = Chat(tokenizer, cfg.chat, Look(pictures=PixelLimits(most=cfg.model.picture_tokens * FACTOR**2 * SLICES)))
    samples = [chat.tokenize(raw)[0] for raw in held_out]
    model, labels = load_model(str(output / "hub")), [labels_of(raw) for raw in held_out]
    seen = look(model, samples, labels, tokenizer)
    shuffled = look(model, exchange(samples, tokenizer.ids[IMAGE]), labels, tokenizer)
    print_table(seen, shuffled)
    print(f"{time.time() - Path(cfg.model.source, 'tokenizer.json').stat().st_mtime:.0f} s since the model was made")
    missed = missed_bounds(seen, shuffled)
    missed += [f"pictures: expected none of the held-out ones in training, found {shared}"] if shared else []
    print("\n".join(missed) or f"all bounds are met; none of {len(held_out)} held-out pictures was trained on")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
