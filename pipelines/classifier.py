"""`beamsift classifier fit | evaluate | label-next`: heads on CLIP embeddings, from labels to the next labels.

GLM-4.1V trains a page-image classifier and, in rounds, one for knowledge density. A round is: fit to what is labelled,
look at the page, label what `label-next` picks, fit again. Which classes there are, the labels say.
Left out on purpose: Beam. Some ten thousand pictures are embedded on one machine, and each only once.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import replace as changed
from pathlib import Path

import numpy as np
from msgspec.structs import replace

from classifiers.clip import ClipScorer
from classifiers.clip_source import LOCAL, fingerprint_source, parse_source
from classifiers.errors import ModelError
from classifiers.head_training import Labelled, TrainingError, count_classes, fit_head
from classifiers.heads import Clip, Head, format_card, format_head, load_head
from configs.schema.caption import RelevanceRules
from configs.schema.classifier import ClassifierConfig
from configs.schema.strict import ConfigError, load_config
from pipelines.classifier_figures import Judged, as_json, format_table, summarise
from pipelines.label_files import format_labels, read_labels
from pipelines.labelled_pictures import (
    CLS,
    Pictures,
    check_label_field,
    different,
    read_labelled,
    read_unlabelled,
    unite,
)
from pipelines.picture_embeddings import EmbeddingCache, Embeddings, embed_pictures, tell_left_out
from transforms.class_scores import balanced_weights
from transforms.labelling import measure_uncertainty, most_uncertain, pick_next
from transforms.storage import folder_of, join, storage_for

HEAD, CARD, LABELS, PAGE = "head.safetensors", "card.json", "labels.jsonl", "page.html"
PRECISION = 0.95
"""What the thresholds on the page reach, where nothing else is asked."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `beamsift classifier`."""
    verbs = parser.add_subparsers(required=True, metavar="COMMAND", dest="verb")
    fit = verbs.add_parser("fit", help="train and calibrate a head on labelled pictures", allow_abbrev=False)
    evaluate = verbs.add_parser("evaluate", help="a head against other labelled pictures", allow_abbrev=False)
    label = verbs.add_parser("label-next", help="the pictures whose labels would teach most", allow_abbrev=False)
    for one in (fit, evaluate):
        one.add_argument("--input", nargs="+", default=[], metavar="IN", help="DIR/class/*.jpg, or shards with labels")
        one.add_argument("--label", default=CLS, help="where shards have the class: cls (member), json.PATH; cls")
        one.add_argument("--precision", type=float, default=PRECISION, help="what the page's thresholds reach (0.95)")
    for one in (evaluate, label):
        one.add_argument("--head", required=True, metavar="FILE", help=f"the {HEAD} of a fit")
    for one in (fit, evaluate, label):
        one.add_argument("--pool", nargs="+", default=[], metavar="IN", help="pictures without labels: folders, shards")
        one.add_argument("--labels", nargs="+", default=[], metavar="FILE", help="filled CSV or JSONL of label-next")
        one.add_argument("--output", required=True, metavar="OUT", help="folder for the results")
        one.add_argument("--cache", metavar="DIR", help="remembered embeddings; `embeddings` beside the head")
        one.add_argument("--config", help="YAML: seed, read.*, relevance.* (the CLIP model), head.*, labelling.*")
        one.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as of `beamsift run`")
    label.add_argument("--count", type=int, default=50, help="pictures to label (50)")
    label.add_argument("--format", choices=("csv", "jsonl"), default="csv", help="of the template (csv)")


def run(args: argparse.Namespace) -> int:
    """0, or 2 and a message where arguments, labels, pictures or models do not serve."""
    try:
        verb: Callable[[argparse.Namespace, ClassifierConfig], None] = VERBS[args.verb]
        verb(args, load_config(args.config, ClassifierConfig, args.set))
    except (ConfigError, ModelError, TrainingError, OSError) as error:
        print(f"beamsift classifier {args.verb}: {error}", file=sys.stderr)
        return 2
    return 0


def fit(args: argparse.Namespace, cfg: ClassifierConfig) -> None:
    """Writes OUT/head.safetensors, card.json, labels.jsonl and page.html."""
    pictures = _labelled(args, cfg)
    # Before minutes of embedding, though undecodable pictures may still make a class too small.
    count_classes([one.label for one in pictures.found], cfg.head.least_pictures)
    pictures, embeddings = _embedded(pictures, args.cache or join(args.output, "embeddings"), cfg)
    labelled = Labelled([p.sha256 for p in pictures.found], [p.label for p in pictures.found], embeddings)
    fitted = fit_head(labelled, _clip(cfg.relevance), cfg.head, cfg.seed)
    head, classes = fitted.head, fitted.head.classes
    weights = balanced_weights(fitted.truth, len(classes)) if cfg.head.class_weights == "balanced" else None
    told = (fitted.truth, fitted.held_out, fitted.before)
    judged = Judged(classes, pictures.found, *told, pictures.left_out, cfg.head.bins, weights)
    from pipelines.classifier_page import About, format_page

    about = About("Classifier", head, "each picture judged by a head of another fold", fitted.losses)
    _write(args.output, HEAD, format_head(head))
    _write(args.output, CARD, format_card(head.card))
    rows = [{"sha256": p.sha256, "picture": p.place, "class": p.label} for p in pictures.found]
    _write(args.output, LABELS, format_labels(rows, "jsonl"))
    summary = summarise(judged, args.precision)
    _write(args.output, PAGE, format_page(judged, summary, about))
    _tell(format_table(summary), pictures, join(args.output, PAGE))


def evaluate(args: argparse.Namespace, cfg: ClassifierConfig) -> None:
    """Writes OUT/evaluation.json and page.html."""
    head = load_head(args.head, _clip(cfg.relevance).fingerprint)
    pictures = _labelled(args, cfg)
    if unknown := sorted({one.label for one in pictures.found} - set(head.classes)):
        raise ConfigError(f"expected classes of the head ({', '.join(head.classes)}), found {', '.join(unknown)}")
    pictures, embeddings = _embedded(pictures, args.cache or _beside(args.head), cfg)
    judged = _judge(head, pictures, embeddings, cfg.head.bins)
    from pipelines.classifier_page import About, format_page

    summary, about = summarise(judged, args.precision), About("Evaluation", head, "pictures with known labels", {})
    plain = as_json(summary, judged, {"head": head.fingerprint()})
    _write(args.output, "evaluation.json", json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    _write(args.output, PAGE, format_page(judged, summary, about))
    _tell(format_table(summary), pictures, join(args.output, PAGE))


def label_next(args: argparse.Namespace, cfg: ClassifierConfig) -> None:
    """Writes OUT/page.html and OUT/to_label.csv (or .jsonl), whose column `class` is for people to fill."""
    if not args.pool or args.count < 1:
        raise ConfigError(f"expected --pool and --count of 1 or more, found {len(args.pool)} inputs and {args.count}")
    head, labels = load_head(args.head, _clip(cfg.relevance).fingerprint), read_labels(args.labels)
    pool = different(read_unlabelled(args.pool, cfg.read))
    pool, embeddings = _embedded(pool, args.cache or _beside(args.head), cfg)
    rows, probabilities = choose_next(head, pool, embeddings, (labels, args.count, cfg))
    if not rows:
        raise ConfigError(f"expected pictures to label, found all {len(pool.found)} labelled or beyond doubt")
    from pipelines.labelling_page import Pick, format_page, template_rows

    picks = [Pick(pool.found[row], probabilities[row]) for row in rows]
    template = format_labels(template_rows(picks, head.classes), args.format)
    name = f"to_label.{args.format}"
    _check_unfilled(join(args.output, name), template)
    _write(args.output, name, template)
    _write(args.output, PAGE, format_page(picks, head, (len(pool.found), len(labels)), name))
    if len(picks) < args.count:
        _say(f"{args.count} asked for: the others are labelled, or the head is sure of them, or they equal one picked")
    _tell(f"{len(picks)} pictures to label: {join(args.output, name)}", pool, join(args.output, PAGE))


def choose_next(
    head: Head, pool: Pictures, embeddings: Embeddings, wanted: tuple[dict[str, str], int, ClassifierConfig]
) -> tuple[list[int], np.ndarray]:
    """Rows of the pool to label, in the order they were picked, and the probabilities of all rows."""
    labels, count, cfg = wanted
    probabilities = head.predict(embeddings)
    known = np.array([one.sha256 in labels for one in pool.found])
    doubt = np.where(known, 0.0, measure_uncertainty(probabilities, cfg.labelling.uncertainty))
    rows = most_uncertain(doubt, count * cfg.labelling.candidates)
    unit = embeddings.astype(np.float64)
    unit /= np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    picked = pick_next(doubt[rows], unit[rows], count, known=unit[known])
    return [int(rows[one]) for one in picked], probabilities


def _labelled(args: argparse.Namespace, cfg: ClassifierConfig) -> Pictures:
    if not 0 < args.precision <= 1:
        raise ConfigError(f"--precision: expected a share above 0 and up to 1, found {args.precision:g}")
    if not args.input and not args.labels:
        raise ConfigError("expected --input, or --pool with --labels, found neither")
    label = check_label_field(args.label)
    labels, none = read_labels(args.labels), Pictures()
    labelled = read_labelled(args.input, label, cfg.read) if args.input else none
    return unite(labelled, read_unlabelled(args.pool, cfg.read) if args.pool else none, labels)


def _embedded(pictures: Pictures, cache: str, cfg: ClassifierConfig) -> tuple[Pictures, Embeddings]:
    scorer = ClipScorer(cfg.relevance)
    scorer.check_installed()
    return embed_pictures(pictures, scorer, EmbeddingCache(cache, scorer.fingerprint()), cfg.read, _say)


def _judge(head: Head, pictures: Pictures, embeddings: Embeddings, bins: int) -> Judged:
    truth = np.array([head.classes.index(one.label) for one in pictures.found], dtype=np.int64)
    plain = changed(head, card=replace(head.card, temperature=1.0))
    found = (truth, head.predict(embeddings), plain.predict(embeddings))
    return Judged(head.classes, pictures.found, *found, pictures.left_out, bins)


def _clip(rules: RelevanceRules) -> Clip:
    name = Path(rules.model.removeprefix(LOCAL)).name if rules.model.startswith(LOCAL) else rules.model
    pretrained = Path(rules.pretrained).name if rules.pretrained and not rules.model.startswith(LOCAL) else ""
    return Clip(fingerprint_source(parse_source(rules)), f"{name} {pretrained}".strip())


def _beside(head: str) -> str:
    return join(folder_of(head) or ".", "embeddings")


def _check_unfilled(uri: str, template: str) -> None:
    """Refuses to write over a template that somebody may have filled."""
    storage = storage_for(uri)
    if storage.exists(uri):
        with storage.open(uri) as file:
            if file.read() != template.encode():
                raise ConfigError(f"{uri}: expected no other template, found one; --output names another folder")


def _write(output: str, name: str, content: bytes | str) -> None:
    uri = join(output, name)
    storage_for(uri).write(uri, content.encode() if isinstance(content, str) else content)


def _tell(table: str, pictures: Pictures, page: str) -> None:
    print(table)
    for line in (tell_left_out(pictures.left_out), f"page: {page}"):
        if line:
            _say(line)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


VERBS: dict[str, Callable[[argparse.Namespace, ClassifierConfig], None]] = {
    "fit": fit,
    "evaluate": evaluate,
    "label-next": label_next,
}
