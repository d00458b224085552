"""`beamsift calibrate`: the relevance threshold for a model, from a reference model or from wrong pairs.

GLM-4.1V keeps pairs above 0.3 and does not name its CLIP model; on another model 0.3 keeps another share of the same
pool. With a reference model the threshold moves over by the share of pairs it keeps. Without one the pool's own pairs
stand against shuffled captions, or a labelled probe tells right from wrong.
Left out on purpose: running on Beam; a few thousand pairs on one machine settle a threshold to two digits.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from classifiers.clip import ClipScorer
from classifiers.errors import ModelError
from configs.schema.caption import CaptionConfig, RelevanceRules
from configs.schema.strict import ConfigError, load_config
from pipelines.calibration_page import Calibration, Figures, as_json, format_page, format_table
from pipelines.calibration_pairs import Pair, Pairs, pick_pairs, read_probe
from pipelines.ledger import reach
from transforms.calibration import (
    CalibrationError,
    Labels,
    Rows,
    Scores,
    auc,
    bootstrap_interval,
    kept_share,
    precision_at,
    recall_at,
    shuffled_partners,
    threshold_for_kept_share,
    threshold_for_precision,
    threshold_for_share,
)
from transforms.loaded import batched
from transforms.pictures import PictureError, decode
from transforms.storage import join, storage_for

LEAST_KEPT = 30
"""Pairs above a threshold of a wanted precision, or a twentieth of all where that is less: fewer are right by luck."""


@dataclass(frozen=True)
class Goal:
    """What the threshold is to reach; exactly one of the three."""

    reference: RelevanceRules | None = None
    """A model whose `min_score` is to be moved over to the candidate."""
    precision: float | None = None
    kept_share: float | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `beamsift calibrate`."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--input", action="append", metavar="GLOB", help="shards of the pool; may be given several times"
    )
    source.add_argument("--probe", metavar="JSONL", help="labelled pairs: picture (path), caption, label (0 or 1)")
    parser.add_argument(
        "--output", required=True, metavar="OUT", help="folder for calibration.json and calibration.html"
    )
    parser.add_argument("--samples", type=int, default=2000, help="pairs of the pool, picked by hash of the key (2000)")
    parser.add_argument("--model", help="the candidate, as relevance.model; the config's where absent")
    parser.add_argument("--pretrained", help="its weights, as relevance.pretrained")
    goal = parser.add_mutually_exclusive_group(required=True)
    goal.add_argument("--reference-model", help="keep the share of pairs that this model keeps")
    goal.add_argument("--precision", type=float, help="keep the most pairs of which this share is right")
    goal.add_argument("--kept-share", type=float, help="keep this share of the pairs")
    parser.add_argument("--reference-pretrained", default="", help="weights of the reference model")
    parser.add_argument("--reference-threshold", type=float, default=0.3, help="its threshold (0.3, GLM-4.1V sec. 3.1)")
    parser.add_argument("--config", help="YAML of the caption pipeline: seed, read.*, relevance.*")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `beamsift run`")


def run(args: argparse.Namespace) -> int:
    """Prints the table and writes both files; 2 and a message where arguments, a model or the pairs do not serve."""
    try:
        cfg = load_config(args.config, CaptionConfig, args.set)
        for uri in [*(args.input or []), args.output]:
            reach(uri)
        candidate, goal = _candidate(args, cfg.relevance), _goal(args, cfg.relevance)
        if args.samples < 2:
            raise ConfigError(f"--samples: expected 2 or more, found {args.samples}")
        # Loaded before minutes of reading, so that a missing model is told at once.
        scorers = [ClipScorer(rules) for rules in (candidate, goal.reference) if rules is not None]
        for scorer in scorers:
            scorer.load()
        pairs = (
            read_probe(args.probe, cfg.read) if args.probe else pick_pairs(args.input, args.samples, cfg.seed, cfg.read)
        )
        found = calibrate(pairs, scorers, goal, cfg)
        write(found, args.output)
    except (ConfigError, ModelError, CalibrationError, OSError) as error:
        print(f"beamsift calibrate: {error}", file=sys.stderr)
        return 2
    print(format_table(found))
    return 0


def calibrate(pairs: Pairs, scorers: Sequence[ClipScorer], goal: Goal, cfg: CaptionConfig) -> Calibration:
    """The candidate's threshold for `goal`.

    `scorers` are loaded: the candidate's, then the reference's where the goal has one.
    Raises CalibrationError where the pairs cannot give it.
    """
    labelled = pairs.found[0].label is not None
    scores, labels, left_out = _score(pairs, scorers, cfg)
    pool = np.ones_like(labels) if labelled else labels
    find = _finder(scores, labels, pool, goal)
    everything = np.arange(labels.size)
    thresholds = [find(everything), *([goal.reference.min_score] if goal.reference else [])]
    figures = [
        _figures(scorer, (found, labels, pool), threshold)
        for scorer, found, threshold in zip(scorers, scores, thresholds, strict=True)
    ]
    interval = bootstrap_interval(find, labels.size, seed=cfg.seed)
    reference = figures[1] if goal.reference else None
    settings = {"seed": cfg.seed, "pairs read": pairs.seen, "batch_size": scorers[0].rules.batch_size}
    return Calibration(_basis(goal), figures[0], reference, interval, labelled, left_out, settings)


def write(found: Calibration, output: str) -> None:
    """OUT/calibration.json and OUT/calibration.html, each whole or not at all."""
    plain = json.dumps(as_json(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    for name, text in (("calibration.html", format_page(found)), ("calibration.json", plain)):
        uri = join(output, name)
        storage_for(uri).write(uri, text.encode())


def _candidate(args: argparse.Namespace, rules: RelevanceRules) -> RelevanceRules:
    if args.model is None and args.pretrained is None:
        return rules
    # Another architecture never inherits the config's weights tag.
    pretrained = args.pretrained if args.pretrained is not None else ""
    return rules.model_copy(update={"model": args.model or rules.model, "pretrained": pretrained})


def _goal(args: argparse.Namespace, rules: RelevanceRules) -> Goal:
    for name, value in (("--precision", args.precision), ("--kept-share", args.kept_share)):
        if value is not None and not 0 < value <= 1:
            raise ConfigError(f"{name}: expected a share above 0 and up to 1, found {value:g}")
    if args.reference_model is None:
        return Goal(None, args.precision, args.kept_share)
    if not -1 <= args.reference_threshold <= 1:
        raise ConfigError(f"--reference-threshold: expected a cosine, found {args.reference_threshold:g}")
    named = {"model": args.reference_model, "pretrained": args.reference_pretrained}
    return Goal(rules.model_copy(update={**named, "min_score": args.reference_threshold}))


def _basis(goal: Goal) -> str:
    if goal.reference is not None:
        return f"kept share of {_name(goal.reference)} at {goal.reference.min_score:g}"
    return f"precision {goal.precision:g}" if goal.precision is not None else f"kept share {goal.kept_share:g}"


def _finder(scores: list[Scores], labels: Labels, pool: Labels, goal: Goal) -> Callable[[Rows], float]:
    """The candidate's threshold as a function of the rows it is found on."""
    precision, share = goal.precision, goal.kept_share
    if precision is not None:
        least = max(1, min(LEAST_KEPT, labels.size // 20))
        return lambda rows: threshold_for_precision(scores[0][rows], labels[rows], precision, least_kept=least)
    if share is not None:
        return lambda rows: threshold_for_share(scores[0][rows[pool[rows]]], share)
    assert goal.reference is not None
    at = goal.reference.min_score
    return lambda rows: threshold_for_kept_share(scores[1][rows[pool[rows]]], scores[0][rows[pool[rows]]], at)


def _figures(scorer: ClipScorer, seen: tuple[Scores, Labels, Labels], threshold: float) -> Figures:
    scores, labels, pool = seen
    kept = [
        kept_share(scores[pool], threshold),
        precision_at(scores, labels, threshold),
        recall_at(scores, labels, threshold),
    ]
    share, precision, recall = (None if value is None else round(value, 4) for value in kept)
    area = round(auc(scores, labels), 4) if labels.any() and not labels.all() else None
    assert share is not None
    made_by = (_name(scorer.rules), scorer.fingerprint(), scorer.precision)
    return Figures(*made_by, threshold, share, precision, recall, area, scores, labels)


def _name(rules: RelevanceRules) -> str:
    return f"{rules.model} {rules.pretrained}".strip()


def _score(
    pairs: Pairs, scorers: Sequence[ClipScorer], cfg: CaptionConfig
) -> tuple[list[Scores], Labels, dict[str, int]]:
    """Each scorer's scores of all pairs that decode, their labels, and the count of what was left out."""
    asked = _asked(pairs.found, cfg.seed)
    left_out = dict(pairs.left_out)
    scores: list[list[float]] = [[] for _ in scorers]
    labels: list[bool] = []
    for part in batched(asked, cfg.relevance.batch_size):
        batch = []
        for pair, captions, right in part:
            try:
                batch.append((decode(pair.data, cfg.read.max_decode_pixels), captions))
            except PictureError as error:
                left_out[error.error] = left_out.get(error.error, 0) + 1
                continue
            labels.extend(right)
        for own, scorer in zip(scores, scorers, strict=True):
            own.extend(score for found in scorer.predict(batch) for score in found.scores)
    return [np.array(own, dtype=np.float64) for own in scores], np.array(labels, dtype=np.bool_), left_out


def _asked(pairs: list[Pair], seed: int) -> list[tuple[Pair, tuple[str, ...], tuple[bool, ...]]]:
    """Each pair with the captions its picture is scored with, and whether each is right."""
    if pairs[0].label is not None:
        return [(pair, (pair.caption,), (bool(pair.label),)) for pair in pairs]
    partners = shuffled_partners([pair.caption for pair in pairs], seed)
    return [
        (pair, (pair.caption,), (True,))
        if other is None
        else (pair, (pair.caption, pairs[other].caption), (True, False))
        for pair, other in zip(pairs, partners, strict=True)
    ]
