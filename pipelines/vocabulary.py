"""`beamsift vocabulary build`: a vocabulary for concept balance from WordNet, Wikipedia, n-gram counts and captions.

MetaCLIP's 500,000 entries are the integers 0 to 99, all synsets of WordNet, Wikipedia's unigrams from a count of 100,
its bigrams from a PMI of 30 and its titles from 70 views, in this order until it is full. The same here, then titles
without views and what the captions themselves name. GLM-4.1V asks for a vocabulary rich in visual concepts and proper
nouns: the kinds are in the file, and a kind can be given a weight.
Left out on purpose: fetching any of these files.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from configs.schema.strict import ConfigError
from pipelines.ledger import reach
from transforms.concepts import Padding, can_match
from transforms.vocabulary import KINDS, Entry, Vocabulary, VocabularyError, make_vocabulary, write_vocabulary
from transforms.vocabulary_captions import NgramRules, caption_entries
from transforms.vocabulary_sources import (
    MIN_COUNT,
    MIN_PMI,
    MIN_VIEWS,
    SEEDS,
    Found,
    ngram_entries,
    pageview_entries,
    read_lines,
    title_entries,
    usable,
    wordnet_entries,
)

MAX_ENTRIES = 500_000
Source = tuple[str, Iterable[Found]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `beamsift vocabulary build`."""
    files: dict[str, Any] = {"action": "append", "default": [], "metavar": "FILE"}
    parser.add_argument(
        "--wordnet", help="index.noun, data.noun and the like; each may be given several times", **files
    )
    parser.add_argument("--ngrams", help="n-gram counts: `word count`, or count, word, word with tabs", **files)
    parser.add_argument("--pageviews", help="Wikimedia's pageviews-*.gz", **files)
    parser.add_argument("--titles", help="Wikimedia's *-all-titles-in-ns0.gz", **files)
    parser.add_argument("--captions", help="captions: JSONL with a field `caption`, or a text a line", **files)
    parser.add_argument("--output", required=True, metavar="FILE", help="the vocabulary: .tsv, .parquet, .txt or .json")
    parser.add_argument("--max-entries", type=int, default=MAX_ENTRIES, help=f"({MAX_ENTRIES:,})")
    parser.add_argument("--min-count", type=int, default=MIN_COUNT, help=f"of a word in --ngrams ({MIN_COUNT})")
    parser.add_argument("--min-pmi", type=float, default=MIN_PMI, help=f"of a pair in --ngrams ({MIN_PMI:g})")
    parser.add_argument("--min-views", type=int, default=MIN_VIEWS, help=f"of a title in --pageviews ({MIN_VIEWS})")
    parser.add_argument("--wiki", default="en", help="project of --pageviews (en)")
    for name, default in NgramRules()._asdict().items():
        option = f"--caption-{name.replace('_', '-')}"
        parser.add_argument(option, type=type(default), default=default, help=f"of --captions ({default:g})")
    weight = f"of a kind ({', '.join(KINDS)}): above 1 it is boosted, 0 keeps nothing; may be given several times"
    parser.add_argument("--weight", action="append", default=[], metavar="KIND=NUMBER", help=weight)
    parser.add_argument("--no-numbers", action="store_true", help="without MetaCLIP's integers 0 to 99")
    parser.add_argument(
        "--padding",
        choices=["metaclip1", "metaclip2", "spaced"],
        default="metaclip1",
        help="as concepts.padding: entries that no text can match under it are left out (metaclip1)",
    )


def run(args: argparse.Namespace) -> int:
    """Writes the file and prints what is in it; 2 and a message where arguments or files do not serve."""
    try:
        weights = parse_weights(args.weight)
        for uri in [*args.wordnet, *args.ngrams, *args.pageviews, *args.titles, *args.captions, args.output]:
            reach(uri)
        if args.max_entries < 1:
            raise ConfigError(f"--max-entries: expected 1 or more, found {args.max_entries}")
        built, left_out = build(sources_of(args), weights, max_entries=args.max_entries, padding=args.padding)
        write_vocabulary(args.output, built)
    except (ConfigError, VocabularyError, OSError) as error:
        print(f"beamsift vocabulary: {error}", file=sys.stderr)
        return 2
    print(format_summary(built, left_out))
    return 0


def build(
    sources: Iterable[Source], weights: dict[str, float], *, max_entries: int, padding: Padding
) -> tuple[Vocabulary, int]:
    """The first `max_entries` different entries of the sources in order, and how many could never match.

    An entry has the source that named it first; it is a proper noun where any source says so.
    """
    kept: dict[str, tuple[str, str]] = {}
    never: set[str] = set()
    for source, found in sources:
        for entry, kind, _ in found:
            if entry in kept:
                if kind == "proper_noun":
                    kept[entry] = (kept[entry][0], kind)
            elif not usable(entry):
                continue
            elif not can_match(entry, padding):
                never.add(entry)
            elif len(kept) < max_entries:
                kept[entry] = (source, kind)
    rows = [Entry(entry, weights.get(kind, 1.0), source, kind) for entry, (source, kind) in kept.items()]
    return make_vocabulary(rows), len(never)


def sources_of(args: argparse.Namespace) -> Iterator[Source]:
    """Each source's entries, opened when they are asked for, in MetaCLIP's order."""
    if not args.no_numbers:
        yield "numbers", (Found(number, "number") for number in SEEDS)
    for uri in args.wordnet:
        yield "wordnet", wordnet_entries(read_lines(uri), uri)
    if args.ngrams:
        lines = (line for uri in args.ngrams for line in read_lines(uri))
        yield "ngrams", ngram_entries(lines, args.min_count, args.min_pmi)
    if args.pageviews:
        yield "pageviews", pageview_entries(map(read_lines, args.pageviews), args.min_views, args.wiki)
    for uri in args.titles:
        yield "titles", title_entries(read_lines(uri))
    if args.captions:
        rules = NgramRules(**{name: getattr(args, f"caption_{name}") for name in NgramRules._fields})
        yield "captions", caption_entries(read_captions(args.captions), rules)


def read_captions(uris: Iterable[str]) -> Iterator[str]:
    """The captions of JSONL files (by name: .jsonl, .jsonl.gz, .json) and of files with a text a line."""
    for uri in uris:
        is_json = ".json" in uri.rsplit("/", 1)[-1]
        for number, line in enumerate(read_lines(uri), 1):
            if not is_json:
                yield line
            elif line.strip():
                yield _caption(line, f"{uri}: line {number}")


def parse_weights(given: Iterable[str]) -> dict[str, float]:
    """`KIND=NUMBER` each. Raises ConfigError."""
    weights = {}
    for text in given:
        kind, _, number = text.partition("=")
        try:
            weights[kind] = float(number)
        except ValueError:
            weights[kind] = -1.0
        if kind not in KINDS or not 0 <= weights[kind] < float("inf"):
            raise ConfigError(f"--weight: expected KIND=NUMBER with a kind of {', '.join(KINDS)}, found {text!r}")
    return weights


def format_summary(built: Vocabulary, left_out: int) -> str:
    lines = [f"{len(built):,} entries, sha256 {built.sha256}"]
    for column, names in (("source", [row.source for row in built.rows]), ("kind", [row.kind for row in built.rows])):
        lines.append(f"{column}: " + ", ".join(f"{name} {n:,}" for name, n in Counter(names).most_common()))
    if left_out:
        lines.append(f"left out, since no text can match them: {left_out:,}")
    return "\n".join(lines)


def _caption(line: str, place: str) -> str:
    try:
        caption = json.loads(line)["caption"]
        if isinstance(caption, str):
            return caption.encode(errors="strict").decode()
        found = type(caption).__name__
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        found = f"{type(error).__name__}: {error}"
    raise VocabularyError(f"{place}: expected an object with a text as `caption`, found {found:.200}")
