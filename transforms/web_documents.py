"""Interleaved web documents: every decision about a page and its pictures, in the order of the paper's paragraph.

Pure, so that a pipeline, `what-if`, `verify` and the tests decide by the same functions (law 3); the wiring is
pipelines/interleaved_web.py. A picture that is turned away stays in its document, marked; a document goes as a whole.
Left out on purpose: the rules that other modules hold, one a topic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from configs.schema.caption import ImageRules
from configs.schema.web import DocumentRules, WebConfig, decoding_rules
from transforms.fates import forget_fate, mark_pictures, mark_sample
from transforms.image_quality import check_image
from transforms.pictures import measure_alone
from transforms.records import Drop, Picture, Sample, pictures, with_measures
from transforms.web_resources import check_resolved

TOLD = frozenset({"pictures_kept"})
"""Measures of a document that follow from its decisions."""


def scan_reads(cfg: WebConfig) -> dict[str, Any]:
    """What of the config a scan depends on: a change of any other value leaves its sidecars good."""
    return {"read": cfg.read.model_dump(), "page": cfg.page.model_dump()}


def look_reads(cfg: WebConfig) -> dict[str, Any]:
    """What of the config the second look at a picture depends on."""
    most = cfg.picture.max_pixel_count if cfg.picture.enabled else None
    return {"decode": cfg.decode.model_dump(), "picture": {"max_pixel_count": most}}


def measures_pictures(cfg: WebConfig) -> partial[Picture]:
    """What is measured on a picture and its bytes."""
    return partial(measure_alone, image=cfg.picture, read=decoding_rules(cfg))


def mark_found(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures outside the content, then those that no archive holds."""
    return mark_pictures(sample, partial(_check_found, cfg=cfg))


def _check_found(picture: Picture, cfg: WebConfig) -> Drop | None:
    if removed := picture.measures.get("removed"):
        return Drop("picture_outside_content", 1, 0, str(removed))
    return check_resolved(picture, cfg.read)


def mark_sound(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures by size, shape and content."""
    return mark_pictures(sample, partial(_check_sound, rules=cfg.picture))


def _check_sound(picture: Picture, rules: ImageRules) -> Drop | None:
    return None if picture.failure else check_image(picture, rules)


def mark_document(sample: Sample, cfg: WebConfig) -> Sample:
    """The document, by what its pictures and texts have left of it."""
    if not sample.alive:
        return sample
    sample = with_measures(sample, pictures_kept=sum(map(is_kept, pictures(sample))))
    return mark_sample(sample, partial(check_document, rules=cfg.document))


def check_document(sample: Sample, rules: DocumentRules) -> Drop | None:
    if not rules.enabled:
        return None
    characters, kept = int(sample.measures["characters"]), int(sample.measures["pictures_kept"])
    if characters < rules.min_characters:
        return Drop("document_too_short", characters, rules.min_characters)
    if kept < rules.min_pictures:
        return Drop("document_without_pictures", kept, rules.min_pictures)
    return Drop("document_too_many_pictures", kept, rules.max_pictures) if kept > rules.max_pictures else None


def is_kept(picture: Picture) -> bool:
    return picture.drop is None and picture.failure is None


def decide_again(
    samples: Sequence[Sample], units: Sequence[int], cfg: WebConfig, vocabulary: object = None
) -> list[Sample]:
    """The fates of measured rows under another config, by the same rules in the same order, without a picture."""
    return [mark_document(mark_sound(mark_found(_forget(sample), cfg), cfg), cfg) for sample in samples]


def _forget(sample: Sample) -> Sample:
    measures = {name: value for name, value in sample.measures.items() if name not in TOLD}
    return replace(forget_fate(sample), measures=measures)


def tally_pictures(samples: Iterable[Sample]) -> Counter[str]:
    """What became of every picture that pages name, by `kept`, `dropped RULE`, `failed CLASS`; one that no rule turned
    away and whose document goes is `dropped with_document`."""
    counts: Counter[str] = Counter()
    for sample in samples:
        for picture in pictures(sample):
            counts[_picture_fate(picture, sample)] += 1
    return counts


def sum_pictures(tallied: Mapping[str, int]) -> dict[str, Any]:
    """`tally_pictures` in the form of the rows' counts. Read = kept + dropped + failed, because it is their sum."""
    sums: dict[str, Any] = {"read": sum(tallied.values()), "kept": tallied.get("kept", 0)}
    for fate in ("dropped", "failed"):
        sums[fate] = {name.removeprefix(f"{fate} "): n for name, n in tallied.items() if name.startswith(f"{fate} ")}
    return sums


def _picture_fate(picture: Picture, sample: Sample) -> str:
    if picture.failure is not None:
        return f"failed {picture.failure.error}"
    if picture.drop is not None:
        return f"dropped {picture.drop.rule}"
    return "kept" if sample.alive else "dropped with_document"
