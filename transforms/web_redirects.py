"""Redirects of all archives, followed to their ends, and what they make of a page's addresses.

By pointer jumping: in each round every redirect takes over where its target leads, so that n rounds follow 2**n of
them, and a chain that goes in circles shows by its length alone. A round is a match of the redirects with themselves,
which are few beside pages and pictures; only the last match, with redirects that are followed, meets the pages.
Left out on purpose: when a redirect held; of several for one address the latest counts, then the one of smallest hash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from configs.schema.web_reading import WebReadRules
from transforms.matching import Candidate, Matcher, Met, Packed, bucket_of, match_in_memory, resolve_bucket
from transforms.records import Picture, Sample
from transforms.warc_reader import Redirect
from transforms.web_resources import CapturedPictures, Entry, asked_by, pack_entries, parse_date
from transforms.web_urls import slash_mark, spelt_url, url_digest


class Hop(msgspec.Struct, frozen=True, array_like=True):
    """`hops` redirects lead from the address with `digest` to `target`."""

    digest: bytes
    seconds: int
    target: str
    first: bytes
    """The digest of where the first of them leads: what the choice among several redirects of one address rests on,
    because it stays the same while the target moves on."""
    hops: int = 1


def first_hop(redirect: Redirect, rules: WebReadRules) -> Hop | None:
    """None for what leads nowhere: no http(s) address on either side, one that is too long, or another number of
    slashes, which is where it came from."""
    digest, target = url_digest(redirect.url), spelt_url(redirect.target)
    if not digest or not target or len(target) > rules.max_url_characters:
        return None
    if digest == url_digest(target) and slash_mark(redirect.url) != slash_mark(target):
        return None
    return Hop(digest, parse_date(redirect.date), target, url_digest(target))


def hop_entry(hop: Hop) -> Entry:
    return Entry(hop.digest, [hop.seconds, hop.first, hop.target, hop.hops])


def rounds_of(rules: WebReadRules) -> int:
    """Rounds of `follow_hops` after which a chain that is longer than allowed is known to be."""
    return rules.max_redirects.bit_length()


class RedirectedPictures:
    """Gives each address of a page's pictures where its redirects lead."""

    name = "redirected_pictures"
    counts_witnesses = False

    def candidates(self, sample: Sample) -> Iterable[Candidate]:
        if sample.failure is not None:
            return
        for asked in asked_by(sample):
            if not asked.hops and (digest := url_digest(asked.url)):
                yield Candidate(digest, piece=asked.slot)

    def better(self, one: Any, other: Any) -> Any:
        return min(one, other, key=lambda hop: (-hop[0], *hop[1:]))

    def answer(self, met: Met, piece: int) -> tuple[int, str, int] | None:
        return (piece, met.best[2], met.best[3]) if met.best else None

    def apply(self, sample: Sample, answers: list[tuple[int, str, int]]) -> Sample:
        told = {slot: (target, hops) for slot, target, hops in answers}
        pieces = list(sample.pieces)
        first: dict[int, int] = {}
        for asked in asked_by(sample):
            first.setdefault(asked.piece, asked.slot)
            if asked.slot in told:
                target, hops = told[asked.slot]
                index = (asked.slot - first[asked.piece]) // 2
                pieces[asked.piece] = _redirected(pieces[asked.piece], {f"{index}>": target, f"{index}#": hops})
        return replace(sample, pieces=tuple(pieces))


def _redirected(piece: Any, arguments: Mapping[str, str | int]) -> Picture:
    source = replace(piece.source, arguments={**piece.source.arguments, **arguments})
    found: Picture = replace(piece, source=source)
    return found


def pack_hops(unit: int, hops: list[Hop], buckets: int) -> list[tuple[int, bytes]]:
    """(bucket, packed) of one round: what a unit's redirects ask, each target once, and what they have to say."""
    waiting: dict[int, list[tuple[bytes, int]]] = {}
    for target, indices in sorted(_by_target(hops).items()):
        waiting.setdefault(bucket_of(target, buckets), []).append((target, indices[0]))
    asking = []
    for bucket, found in sorted(waiting.items()):
        slots = np.array([index for _, index in found], np.int64).tobytes()
        rows = np.ones(len(found), np.uint32).tobytes()
        packed = Packed(unit, b"".join(digest for digest, _ in found), slots, rows)
        asking.append((bucket, msgspec.msgpack.encode(packed)))
    return asking + pack_entries(unit, map(hop_entry, hops), RedirectedPictures().better, buckets)


def follow_hops(hops: list[Hop], answers: Iterable[bytes]) -> list[Hop]:
    """A unit's redirects after a round; `answers` are what the buckets said to the unit."""
    followed, targets = list(hops), _by_target(hops)
    for batch in answers:
        for slot, _, _, _, best in msgspec.msgpack.decode(batch):
            for index in targets[url_digest(hops[slot].target)] if best else ():
                followed[index] = replace(hops[index], target=best[2], hops=hops[index].hops + best[3])
    return followed


def _by_target(hops: list[Hop]) -> dict[bytes, list[int]]:
    found: dict[bytes, list[int]] = {}
    for index, hop in enumerate(hops):
        found.setdefault(url_digest(hop.target), []).append(index)
    return found


def follow_in_memory(units: Mapping[int, list[Hop]], rules: WebReadRules) -> dict[int, list[Hop]]:
    """All rounds on redirects at hand."""
    followed = dict(units)
    for _ in range(rounds_of(rules)):
        batches = [batch for unit, hops in followed.items() for _, batch in pack_hops(unit, hops, 1)]
        answers: dict[int, list[bytes]] = {}
        for unit, told in resolve_bucket(batches, RedirectedPictures()):
            answers.setdefault(unit, []).append(told)
        followed = {unit: follow_hops(hops, answers.get(unit, [])) for unit, hops in followed.items()}
    return followed


def resolve_in_memory(
    rows: tuple[list[Sample], list[int]],
    captures: Mapping[int, list[Entry]],
    hops: Mapping[int, list[Hop]],
    rules: WebReadRules,
) -> list[Sample]:
    """Rows (with their units) whose pictures are found among the entries and redirects at hand, by unit."""
    samples, units = rows
    followed = {unit: [hop_entry(hop) for hop in found] for unit, found in follow_in_memory(hops, rules).items()}
    samples = _match(samples, units, RedirectedPictures(), followed)
    return _match(samples, units, CapturedPictures(rules), captures)


def _match(
    samples: list[Sample], units: list[int], matcher: Matcher, entries: Mapping[int, list[Entry]]
) -> list[Sample]:
    offered = [batch for unit, found in entries.items() for _, batch in pack_entries(unit, found, matcher.better, 1)]
    return match_in_memory(samples, matcher, units, beside=lambda packed: [*packed, *offered])
