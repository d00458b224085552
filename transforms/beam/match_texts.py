"""MatchTexts: a Match whose documents also meet where their texts are nearly the same.

Each different signature goes to a bucket of each of its bands, packed; what meets there is asked for in the buckets of
the rows, and one worker chooses who stays, holding only signatures that met another. What it says of a signature goes
to the bucket where the rows of that signature meet, and from there the answers travel as those of any Match.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PCollection

from configs.schema.web_rules import SimilarityRules
from transforms.beam.match import Match, same_again
from transforms.text_duplicates import (
    Groups,
    Signatures,
    TextDuplicates,
    ask_signatures,
    choose_stars,
    collapse_rows,
    meet_in_bucket,
    spread_bands,
    wanted_signatures,
)

Keyed = tuple[int, bytes]


@dataclass(frozen=True)
class MatchTexts(Match):
    matcher: TextDuplicates

    def _offered(self, packed: PCollection, witnesses: PCollection) -> PCollection:
        """The packed rows, and beside them what the signatures that are near others are told."""
        label, rules, buckets = self.label, self.matcher.rules, self.buckets
        signatures = (
            packed
            | f"{label}Signatures" >> beam.GroupByKey()  # shuffle: the packed rows, a signature each
            | f"{label}Collapse" >> beam.Map(_collapsed, matcher=self.matcher).with_output_types(Keyed)
        )
        groups = (
            signatures
            | f"{label}Spread" >> beam.FlatMap(_spread, rules=rules, buckets=buckets).with_output_types(Keyed)
            | f"{label}Bands" >> beam.GroupByKey()  # shuffle: 24 bytes for each signature and band
            | f"{label}Meet" >> beam.FlatMap(_met).with_output_types(bytes)
        )
        asked = groups | f"{label}Ask" >> beam.FlatMap(_asked, buckets=buckets).with_output_types(Keyed)
        joined = {"signatures": signatures, "asked": asked} | f"{label}Wanted" >> beam.CoGroupByKey()  # shuffle
        wanted = joined | f"{label}Give" >> beam.FlatMap(_wanted, rules=rules).with_output_types(Keyed)
        here = groups | f"{label}Groups" >> beam.Map(_to_one_place).with_output_types(Keyed)
        stars = (
            {"groups": here, "signatures": wanted}
            | f"{label}Pool" >> beam.CoGroupByKey()  # shuffle: what met another, to one place
            | f"{label}Choose" >> beam.FlatMap(_chosen, rules=rules, buckets=buckets).with_output_types(Keyed)
        )
        return (packed | f"{label}Again" >> same_again(), stars) | f"{label}Both" >> beam.Flatten()


def _collapsed(bucket: tuple[int, Iterable[bytes]], matcher: TextDuplicates) -> Keyed:
    return bucket[0], msgspec.msgpack.encode(collapse_rows(bucket[1], matcher))


def _spread(bucket: Keyed, rules: SimilarityRules, buckets: int) -> Iterator[Keyed]:
    yield from spread_bands(_signatures(bucket[1]), rules, buckets)


def _met(bucket: tuple[int, Iterable[bytes]]) -> Iterator[bytes]:
    groups = meet_in_bucket(sorted(bucket[1]))
    if groups.sizes:
        yield msgspec.msgpack.encode(groups)


def _asked(groups: bytes, buckets: int) -> Iterator[Keyed]:
    yield from ask_signatures(_groups(groups), buckets)


def _wanted(joined: tuple[int, dict[str, Iterable[Any]]], rules: SimilarityRules) -> Iterator[Keyed]:
    asked = list(joined[1]["asked"])
    for signatures in joined[1]["signatures"] if asked else ():
        found = wanted_signatures(_signatures(signatures), asked, rules.bands * rules.rows)
        yield 0, msgspec.msgpack.encode(found)


def _to_one_place(groups: bytes) -> Keyed:
    return 0, groups


def _chosen(joined: tuple[int, dict[str, Iterable[Any]]], rules: SimilarityRules, buckets: int) -> Iterator[Keyed]:
    groups, signatures = (_let_go(sorted(joined[1][name])) for name in ("groups", "signatures"))
    yield from choose_stars(map(_groups, groups), map(_signatures, signatures), rules, buckets)


def _let_go(parts: list[bytes]) -> Iterator[bytes]:
    """Each once and then no longer held here."""
    parts.reverse()
    while parts:
        yield parts.pop()


def _signatures(packed: bytes) -> Signatures:
    return msgspec.msgpack.decode(packed, type=Signatures)


def _groups(packed: bytes) -> Groups:
    return msgspec.msgpack.decode(packed, type=Groups)
