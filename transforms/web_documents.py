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

from configs.schema.web import CLIP_STEPS, MODEL_KEYS, WebConfig, asks_clip, decoding_rules, image_rules
from transforms.adverts import check_advert
from transforms.fates import forget_fate, mark_pictures, mark_sample
from transforms.image_quality import check_image
from transforms.knowledge import DENSITY, ORDER, WEIGHT, mark_knowledge
from transforms.known_documents import check_known_document
from transforms.matching import match_in_memory
from transforms.passages import is_unscored
from transforms.picture_classes import CLASS, KNOWLEDGE, check_class, is_unjudged
from transforms.picture_passages import check_passage
from transforms.picture_signs import PageSigns, measure_pixels
from transforms.pictures import measure_alone
from transforms.qr_codes import check_codes
from transforms.records import Drop, Picture, Sample, pictures, with_measures
from transforms.repeated_pictures import check_shared_picture, mark_repeated
from transforms.text_duplicates import TextDuplicates, check_text_duplicate
from transforms.web_pictures import check_web_picture
from transforms.web_resources import check_resolved
from transforms.web_texts import check_album, check_safety, check_text, mark_words_per_picture

TOLD = frozenset(
    {"pictures_kept", "words_per_picture", "text_copies", "text_duplicate_of", "text_similarity", "unscored"}
    | {DENSITY, WEIGHT, ORDER}
)
"""Measures of a document that follow from its decisions."""
LOOK_KEYS = {
    "decode": frozenset({"max_decode_pixels", "decode_seconds", "decode_bytes"}),
    "content": frozenset({"enabled", "max_pixel_count"}),
    "codes": frozenset({"enabled", "max_pixels"}),
    "picture": frozenset({"decoration_words", "tracker_words"}),
    "passages": frozenset({"enabled", "window", "one_picture", *MODEL_KEYS}),
    "against": frozenset({"runs"}),
    "classifier": frozenset({"enabled", "head"}),
    "knowledge": frozenset({"enabled", "head"}),
    "adverts": frozenset({"lists", "advert_words", "banner_words", "size_tolerance"}),
}
"""Keys of the config, by section, that what is measured on an opened picture, or by a model, depends on."""
LATER = frozenset({*CLIP_STEPS, "against"})
"""Sections of LOOK_KEYS whose measures are made after the look, by a model or from other runs."""


def scan_reads(cfg: WebConfig) -> dict[str, Any]:
    """What of the config a scan depends on: a change of any other value leaves its sidecars good."""
    words = {"text": {"max_characters": cfg.text.max_characters}, "safety": {"words": cfg.safety.words}}
    return {"read": cfg.read.model_dump(), "page": cfg.page.model_dump()} | words


def look_reads(cfg: WebConfig) -> dict[str, Any]:
    """What of the config the second look at a picture depends on."""
    values = cfg.model_dump()
    sections = {name: keys for name, keys in LOOK_KEYS.items() if name not in LATER}
    return {section: {key: values[section][key] for key in sorted(keys)} for section, keys in sections.items()}


def measures_pictures(cfg: WebConfig) -> partial[Picture]:
    """What is measured on a picture and its bytes."""
    more = partial(measure_pixels, codes=cfg.codes)
    return partial(measure_alone, image=image_rules(cfg.content), read=decoding_rules(cfg), more=more)


def page_signs(cfg: WebConfig) -> PageSigns:
    """What is measured on an opened picture as its page shows it."""
    return PageSigns(cfg.picture, cfg.adverts)


def mark_found(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures outside the content, then those that no archive holds."""
    return mark_pictures(sample, partial(_check_found, cfg=cfg))


def _check_found(picture: Picture, cfg: WebConfig) -> Drop | None:
    if removed := picture.measures.get("removed"):
        return Drop("picture_outside_content", 1, 0, str(removed))
    if outside := picture.measures.get("outside_folder"):
        return Drop("picture_outside_folder", 1, 0, str(outside))
    return check_resolved(picture, cfg.read)


def mark_sound(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures by size, shape, address, sharpness and content."""
    return mark_pictures(sample, partial(_check_sound, cfg=cfg))


def _check_sound(picture: Picture, cfg: WebConfig) -> Drop | None:
    if picture.failure:
        return None
    return check_web_picture(picture, cfg.picture) or check_image(picture, image_rules(cfg.content))


def mark_single(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures that too many documents share, then copies inside a document."""
    if not sample.alive:
        return sample
    return mark_repeated(mark_pictures(sample, partial(_check_shared, cfg=cfg)), cfg.repeats)


def _check_shared(picture: Picture, cfg: WebConfig) -> Drop | None:
    return None if picture.failure else check_shared_picture(picture, cfg.repeats)


def mark_clean(sample: Sample, cfg: WebConfig) -> Sample:
    """QR codes and advertisements."""
    return mark_pictures(sample, partial(_check_clean, cfg=cfg))


def _check_clean(picture: Picture, cfg: WebConfig) -> Drop | None:
    if picture.failure:
        return None
    return check_codes(picture, cfg.codes) or check_advert(picture, cfg.adverts)


def mark_class(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures of a class that may not stay, after the page-image classifier was asked."""
    return mark_pictures(sample, partial(check_class, rules=cfg.classifier)) if cfg.classifier.enabled else sample


def mark_near_text(sample: Sample, cfg: WebConfig) -> Sample:
    """Pictures unlike every passage near them, after the model was asked."""
    return mark_pictures(sample, partial(check_passage, rules=cfg.passages)) if cfg.passages.enabled else sample


def mark_dense(sample: Sample, cfg: WebConfig) -> Sample:
    """The document's weight, by the knowledge in the pictures that stay. No rule reads it."""
    return mark_knowledge(sample, cfg.knowledge, cfg.seed)


def mark_document(sample: Sample, cfg: WebConfig) -> Sample:
    """The document by its text, and by what is left of its pictures."""
    if not sample.alive:
        return sample
    return mark_sample(mark_words_per_picture(sample), partial(_check_document, cfg=cfg))


def _check_document(sample: Sample, cfg: WebConfig) -> Drop | None:
    return check_text(sample, cfg.text) or check_safety(sample, cfg.safety) or check_album(sample, cfg.album)


def mark_new(sample: Sample, cfg: WebConfig) -> Sample:
    """Documents that no finished run keeps, after their tables were asked."""
    return mark_sample(sample, partial(check_known_document, cfg=cfg))


def mark_unique(sample: Sample, cfg: WebConfig) -> Sample:
    """One of several documents of nearly the same text, after the pool was asked."""
    return mark_sample(sample, partial(check_text_duplicate, rules=cfg.duplicates))


MARKS = (
    mark_found,
    mark_sound,
    mark_single,
    mark_clean,
    mark_class,
    mark_near_text,
    mark_dense,
    mark_document,
    mark_new,
)
"""Every decision about a document alone, in order."""


def decide_again(
    samples: Sequence[Sample], units: Sequence[int], cfg: WebConfig, vocabulary: object = None
) -> list[Sample]:
    """The fates of measured rows under another config, by the same rules in the same order, without a picture."""
    decided = [_decide(_forget(sample), cfg) for sample in samples]
    if not cfg.duplicates.enabled:
        return decided
    matcher = TextDuplicates(cfg.duplicates)
    return [mark_unique(s, cfg) for s in match_in_memory(decided, matcher, units, matcher.with_stars)]


def _decide(sample: Sample, cfg: WebConfig) -> Sample:
    for mark in MARKS:
        sample = mark(sample, cfg)
    return with_measures(sample, unscored=1) if asks_clip(cfg) and sample.alive and _is_unseen(sample, cfg) else sample


def _is_unseen(sample: Sample, cfg: WebConfig) -> bool:
    """Whether a picture that stays was never shown to a model."""
    heads = [CLASS] * cfg.classifier.enabled + [KNOWLEDGE] * cfg.knowledge.enabled
    return is_unjudged(sample, heads) or (cfg.passages.enabled and is_unscored(sample))


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
