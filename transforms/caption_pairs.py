"""Caption pairs: the scan's steps and every decision about a pair, in the order of the paper's paragraph.

Pure, so that a pipeline, `what-if`, `verify` and the tests decide by the same functions (law 3); the wiring is
pipelines/caption.py. Left out on purpose: the rules themselves, one module a topic.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from configs.schema.caption import CaptionConfig
from transforms.caption_quality import check_caption, check_language, measure_captions
from transforms.concept_fates import LIMIT, balance_in_memory, forget_concepts, mark_unbalanced
from transforms.concepts import Concepts
from transforms.copy_captions import CopyCaptions, forget_copy_captions
from transforms.duplicates import ExactDuplicates, check_duplicate
from transforms.fates import forget_fate, mark_captions, mark_pictures, mark_sample, settle_pair
from transforms.image_quality import check_image
from transforms.known_pictures import check_known
from transforms.loaded import Loaded, Step
from transforms.matching import match_in_memory
from transforms.near_duplicates import NEAR_MEASURES, NearDuplicates, check_near_duplicate
from transforms.pictures import measure_pictures
from transforms.recaptions import judge_again, judge_recaption, without_recaption
from transforms.records import Drop, Sample, Text, texts, with_measures
from transforms.relevance import PairScores, captions_to_score, check_relevance, mark_scores
from transforms.semantic_duplicates import check_semantic_duplicate, is_known
from transforms.shared_captions import check_boilerplate
from transforms.vocabulary import Vocabulary, read_vocabulary

NEAR_CAPTIONS = CopyCaptions("near_duplicate_of", "image_near_duplicate")
MEANT_CAPTIONS = CopyCaptions("semantic_duplicate_of", "image_semantic_duplicate")


def scan_steps(cfg: CaptionConfig) -> list[Step]:
    """What is measured on every pair while it is loaded."""
    look = partial(measure_pictures, image=cfg.image, read=cfg.read, likeness=cfg.near_duplicates.enabled)
    return [look, partial(measure_captions, language=cfg.language)]


def scan_reads(cfg: CaptionConfig) -> dict[str, Any]:
    """What of the config a scan depends on: a change of any other value leaves its sidecars good."""
    decoding = {"max_pixel_count": cfg.image.max_pixel_count if cfg.image.enabled else None}
    return {"read": cfg.read.model_dump(), "image": decoding} | {
        "language": cfg.language.enabled,
        "near_duplicates": cfg.near_duplicates.enabled,
    }


def ask_relevance(loaded: Loaded) -> tuple[Any, tuple[str, ...]]:
    pixels = next(array for array in loaded.pixels if array is not None)
    return pixels, captions_to_score(loaded.sample)


def apply_scores(sample: Sample, answer: Any) -> Sample:
    scores, truncated, *_ = answer  # embeddings, where any were kept, stay in the sidecar
    return mark_scores(sample, PairScores(tuple(scores), tuple(truncated)))


def mark_unsound(sample: Sample, cfg: CaptionConfig) -> Sample:
    """The heuristics: picture, caption, language, boilerplate."""
    sample = mark_pictures(sample, partial(check_image, rules=cfg.image))
    sample = mark_captions(sample, partial(_check_text, cfg=cfg))
    return mark_sample(sample, settle_pair)


def _check_text(text: Text, cfg: CaptionConfig) -> Drop | None:
    return (
        check_caption(text, cfg.caption)
        or check_language(text, cfg.language)
        or check_boilerplate(text, cfg.boilerplate)
    )


def mark_known(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_sample(sample, partial(check_known, cfg=cfg))


def mark_duplicates(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_sample(sample, partial(check_duplicate, rules=cfg.duplicates))


def mark_near_duplicates(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_sample(sample, partial(check_near_duplicate, rules=cfg.near_duplicates))


def mark_irrelevant(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_sample(sample, partial(check_relevance, rules=cfg.relevance))


def mark_semantic_duplicates(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_sample(sample, partial(check_semantic_duplicate, rules=cfg.semantic_duplicates))


def mark_concepts(sample: Sample, cfg: CaptionConfig) -> Sample:
    return mark_unbalanced(sample, concept_t(cfg))


def concept_t(cfg: CaptionConfig) -> float | None:
    """The t that the config gives; None where it is solved for a target."""
    return None if cfg.concepts.target else cfg.concepts.t


def mark_recaption(sample: Sample, cfg: CaptionConfig) -> Sample:
    return judge_recaption(sample, cfg.recaption, cfg.seed)


def decide_again(
    samples: Sequence[Sample], units: Sequence[int], cfg: CaptionConfig, vocabulary: Vocabulary | None = None
) -> list[Sample]:
    """The fates of measured rows under another config, by the same rules in the same order, without a picture.

    `units[i]` is the unit of `samples[i]`; `vocabulary` is read from where the config has it if None. A row that
    reaches relevance without a score, or the comparison of meanings without having been compared, is kept and carries
    the measure `unscored`, one that would have to be recaptioned `unasked`: only a run can tell.
    """
    decided = _decide_pairs(samples, units, cfg, vocabulary)
    if not cfg.recaption.enabled:
        return decided
    return [judge_again(old, new, cfg.recaption, cfg.seed) for old, new in zip(samples, decided, strict=True)]


def _decide_pairs(
    samples: Sequence[Sample], units: Sequence[int], cfg: CaptionConfig, vocabulary: Vocabulary | None
) -> list[Sample]:
    """All but the refined texts, which no earlier rule may see."""
    sound = [mark_known(mark_unsound(_forget(sample), cfg), cfg) for sample in samples]
    unique = match_in_memory(sound, ExactDuplicates(cfg.duplicates), units)
    marked = [mark_duplicates(sample, cfg) for sample in unique]
    if cfg.near_duplicates.enabled:
        near = NearDuplicates(cfg.near_duplicates)
        marked = [mark_near_duplicates(s, cfg) for s in match_in_memory(marked, near, units, near.with_stars)]
        if cfg.near_duplicates.keep_captions:
            marked = match_in_memory(marked, NEAR_CAPTIONS, units)
    marked = [_decide_relevance(sample, cfg) for sample in marked] if cfg.relevance.enabled else marked
    if cfg.semantic_duplicates.enabled:
        marked = _decide_semantic(marked, cfg)
        marked = match_in_memory(marked, MEANT_CAPTIONS, units) if cfg.semantic_duplicates.keep_captions else marked
    return _decide_concepts(marked, cfg, vocabulary) if cfg.concepts.enabled else marked


def _decide_semantic(samples: list[Sample], cfg: CaptionConfig) -> list[Sample]:
    """By the pairs a run found: a row that was not compared, or whose kept one is not there now, is kept `unscored`."""
    rules = cfg.semantic_duplicates
    there = {sample.key for sample in samples if sample.alive}
    return [
        mark_semantic_duplicates(sample, cfg)
        if not sample.alive or is_known(sample, there, rules)
        else with_measures(sample, unscored=1)
        for sample in samples
    ]


def _forget(sample: Sample) -> Sample:
    told = {"copies", "duplicate_of", LIMIT, *NEAR_MEASURES}
    measures = {name: value for name, value in sample.measures.items() if name not in told}
    bare = replace(forget_copy_captions(forget_fate(sample)), measures=measures)
    return without_recaption(forget_concepts(bare))


def _decide_concepts(samples: list[Sample], cfg: CaptionConfig, vocabulary: Vocabulary | None) -> list[Sample]:
    """Counted again over the captions that are open now: another limit before this step moves every count."""
    rules = cfg.concepts
    concepts = Concepts(vocabulary or read_vocabulary(rules.vocabulary), rules.padding)
    return list(balance_in_memory(samples, concepts, cfg.seed, t=concept_t(cfg), target=rules.target))


def _decide_relevance(sample: Sample, cfg: CaptionConfig) -> Sample:
    if not sample.alive:
        return sample
    open_texts = [text for text in texts(sample) if text.drop is None]
    if not all("clip_score" in text.measures for text in open_texts):
        return replace(sample, measures={**sample.measures, "unscored": 1})
    scores = tuple(float(text.measures["clip_score"]) for text in open_texts)
    truncated = tuple(bool(text.measures["clip_truncated"]) for text in open_texts)
    return mark_irrelevant(mark_scores(sample, PairScores(scores, truncated)), cfg)
