"""The faults of the web, their rates, and what the caption pipeline must say of each: at most one for each sample.

Every sound sample lies inside the defaults of configs/schema/caption.py and every fault outside, by a wide margin.
Left out on purpose: how a fault is made (bad_captions.py, bad_pictures.py), and PictureTooLarge, which by default
takes a file of more than 64 MiB.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import NamedTuple

from tests.world.chance import number_of, share_of
from tests.world.composition import Composition, clearly_different
from tests.world.files import format_of
from tests.world.scenes import compose

# kind: (share of all pairs, the rule or failure class that must fire; "" where the sample must be kept)
FAULTS: dict[str, tuple[float, str]] = {
    "swapped_caption": (0.08, "clip_score_low"),
    "boilerplate": (0.02, "caption_boilerplate"),
    "absent_caption": (0.004, "caption_missing"),
    "empty_caption": (0.004, "caption_missing"),
    "blank_caption": (0.003, "caption_missing"),
    "control_characters": (0.007, "caption_control_characters"),
    "file_name": (0.02, "caption_file_name"),
    "url": (0.015, "caption_url"),
    "repeated_characters": (0.01, "caption_repeated_characters"),
    "repeated_words": (0.01, "caption_repeated_words"),
    "too_short": (0.01, "caption_too_short"),
    "too_long": (0.005, "caption_too_long"),
    "too_few_words": (0.01, "caption_too_few_words"),
    "too_many_words": (0.004, "caption_too_many_words"),
    "too_many_pixels": (0.002, "image_too_many_pixels"),
    "tiny": (0.02, "image_too_small"),
    "extreme_aspect": (0.01, "image_aspect_ratio"),
    "animated": (0.007, "image_animated"),
    "solid_colour": (0.01, "image_solid_colour"),
    "low_entropy": (0.007, "image_low_information"),
    "same_bytes": (0.025, "image_duplicate"),
    "same_pixels_exif": (0.009, "image_duplicate"),
    "same_pixels_lossless": (0.006, "image_duplicate"),
    "near": (0.02, ""),
    "wrong_extension": (0.005, ""),
    "garbage": (0.003, "PictureUndecodable"),
    "error_page": (0.002, "PictureUndecodable"),
    "truncated": (0.005, "PictureTruncated"),
    "zero_bytes": (0.003, "PictureEmpty"),
    "absent_picture": (0.003, "PictureMissing"),
    "caption_not_utf8": (0.004, "CaptionNotUtf8"),
    "caption_too_large": (0.001, "CaptionTooLarge"),
    "broken_json": (0.004, "JsonBroken"),
}
COPY_FORMATS = {
    "same_bytes": ("jpg", "png", "webp"),
    "same_pixels_exif": ("jpg",),
    "same_pixels_lossless": ("png",),
    "near": ("jpg",),
}
_BOUNDS = list(accumulate(share for share, _ in FAULTS.values()))
_KINDS = [*FAULTS, ""]
_ATTEMPTS = 2000


class Plan(NamedTuple):
    """`kind` is a fault or "" ; `source` is the scene that is drawn, another one than `number` for copies."""

    number: int
    kind: str
    source: int


def kind_at(seed: int, index: int) -> str:
    return _KINDS[bisect_right(_BOUNDS, share_of(seed, index, "fault"))]


def plan_sample(seed: int, index: int, pairs: int) -> Plan:
    """What sample `index` of a world of `pairs` is. A copy that finds no sound original becomes a sound sample."""
    kind = kind_at(seed, index)
    if kind not in COPY_FORMATS:
        return Plan(index, kind, index)
    for attempt in range(_ATTEMPTS):
        source = number_of(seed, index, "source", attempt) % pairs
        if kind_at(seed, source) == "" and format_of(seed, source) in COPY_FORMATS[kind]:
            return Plan(index, kind, source)
    return Plan(index, "", index)


def swapped_scene(seed: int, index: int, pairs: int) -> Composition:
    """Another scene of the world that plainly does not fit sample `index`."""
    own = compose(seed, index)
    for attempt in range(_ATTEMPTS):
        other = compose(seed, number_of(seed, index, "swap", attempt) % max(pairs, 1000))
        if clearly_different(own, other):
            return other
    raise RuntimeError(f"expected a scene that differs from scene {index} of seed {seed}, found none")
