"""Which held-out captioned pictures a sample page shows: the first of one epoch's order, always the same ones.

Left out on purpose: what the model writes for them (train/samples.py), and samples of other kinds, which are counted.
"""

from __future__ import annotations

import io
from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple

from PIL import Image

from configs.schema.train import TrainConfig
from train.chat.samples import Chat, read_content
from train.chat.tokenizer import ChatTokenizer
from train.data.corrupt import is_samples_fault
from train.data.loader import Given, Loader, LoaderRules
from train.data.records import RawSample
from train.feed import make_chat, open_sources
from train.media import Look
from transforms.interleaved_shards import picture_suffixes
from transforms.records import Picture, Text

LOOKED_AT = 2048
"""Samples at most, so that a set without captions costs seconds and not an epoch."""
SIDE, QUALITY = 224, 70
"""Of a thumbnail: its longer side in pixels, and WebP's quality."""


class Thumbnail(NamedTuple):
    uri: str
    """data:"""
    width: int
    height: int


class Caption(NamedTuple):
    raw: RawSample
    text: str
    picture: Thumbnail


class Chosen(NamedTuple):
    captions: tuple[Caption, ...]
    skipped: Counter[str]
    """How many others were come across, by what they are."""


def choose_captions(cfg: TrainConfig, tokenizer: ChatTokenizer) -> Chosen:
    """`report.samples` of them, or as many as there are. Raises DataError."""
    chat, captions = make_chat(cfg, tokenizer), list[Caption]()
    skipped: Counter[str] = Counter()
    with Loader(open_sources(cfg, cfg.data.held_out), rules=LoaderRules(rounds=1)) as loader:
        for raw in _each_once(islice(loader, LOOKED_AT)):
            found = sift(raw, chat, cfg.context)
            if isinstance(found, Caption):
                captions.append(found)
            else:
                skipped[found] += 1
            if len(captions) == cfg.report.samples:
                break
        for counts in loader.counts.sources.values():
            skipped += counts.skipped
    return Chosen(tuple(captions), skipped)


def _each_once(given: Iterable[Given]) -> Iterator[RawSample]:
    """A source with a weight, or repeats, gives a sample again."""
    seen = set()
    for one in given:
        if (one.source, one.item.key) not in seen:
            seen.add((one.source, one.item.key))
            yield one.item


def sift(raw: RawSample, chat: Chat, length: int) -> Caption | str:
    """A picture and its caption that both fit into `length` tokens, or what the sample is instead."""
    try:
        content = read_content(raw)
        if not isinstance(content, list):
            return "conversation"
        if not any(isinstance(piece, Picture) for piece in content):
            return "text without a picture"
        if len(content) != 2 or not isinstance(content[0], Picture) or not isinstance(content[1], Text):
            return "document"
        [sample] = chat.tokenize(raw)
        if len(sample.input_ids) > length:
            return "longer than the context"
        [picture] = [raw.parts[suffix] for suffix in picture_suffixes(list(raw.parts))]
        return Caption(raw, content[1].value, shrink(picture))
    except Exception as error:
        if not is_samples_fault(error):
            raise
        return type(error).__name__


def shrink(data: bytes) -> Thumbnail:
    """The picture as the model is shown it. Raises MediaError."""
    small, file = Look().shown(data), io.BytesIO()
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS, reducing_gap=2.0)
    small.save(file, "WEBP", quality=QUALITY, method=4)
    return Thumbnail("data:image/webp;base64," + b64encode(file.getvalue()).decode("ascii"), *small.size)
