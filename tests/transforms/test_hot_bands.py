"""A band or a text that thousands of documents share: what they cost, and that like ones among them are still found."""

import tracemalloc

import msgspec
import numpy as np
from msgspec.structs import replace

from configs.schema.web_rules import TextDuplicateRules
from tests.transforms.test_text_duplicates import document, prose, text_of
from transforms import text_duplicates
from transforms.matching import Packed, pack_unit
from transforms.minhash import read_signatures
from transforms.text_duplicates import (
    REPRESENTATIVES,
    Groups,
    Signatures,
    TextDuplicates,
    choose_stars,
    collapse_rows,
    meet_in_bucket,
    spread_bands,
)

RULES = TextDuplicateRules()


def under_one_band(count: int) -> tuple[Signatures, list[Groups]]:
    """Signatures of unlike documents that share the values of one band."""
    values = np.random.default_rng(0).integers(0, 1 << 16, (count, 256), np.uint16)
    values[:, :8] = 7
    pool = Signatures(values.astype("<u2").tobytes(), [9] * count, [1] * count, [f"k{n:06d}" for n in range(count)])
    return pool, [meet_in_bucket([data]) for _, data in spread_bands(pool, RULES, 1)]


def test_a_hot_band_costs_a_bounded_number_of_comparisons_a_document(monkeypatch):
    pool, groups = under_one_band(3_000)
    compared: list[int] = []
    monkeypatch.setattr(
        text_duplicates,
        "estimate_similarity",
        lambda one, others: compared.append(len(others)) or np.zeros(len(others)),
    )
    tracemalloc.start()
    assert list(choose_stars(groups, [pool], RULES, 8)) == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(compared) <= REPRESENTATIVES * 3_000 and max(compared) == REPRESENTATIVES
    assert peak < 3_000 * 600


def test_like_documents_under_a_hot_band_meet_in_their_other_bands():
    pool, _ = under_one_band(400)
    values = read_signatures(pool.values, 256).copy()
    values[399, 16:] = values[398, 16:]
    pool = Signatures(values.astype("<u2").tobytes(), pool.weights, pool.rows, pool.keys)
    groups = [meet_in_bucket([data]) for _, data in spread_bands(pool, RULES, 1)]
    answers = [msgspec.msgpack.decode(data, type=Packed) for _, data in choose_stars(groups, [pool], RULES, 1)]
    assert [msgspec.msgpack.decode(one.payloads) for one in answers] == [
        [[2, ["k000398", 1.0]], [2, ["k000398", 0.9688]]]
    ]


def test_a_text_of_thousands_of_documents_is_one_signature_a_unit():
    rows = [replace(document(f"k{n:04d}", text_of(prose(1))), position=n) for n in range(2_000)]
    matcher = TextDuplicates(RULES)
    packed = [pack_unit(unit, rows[unit::4], matcher, 1) for unit in range(4)]
    assert all(len(data) < 1_000 for one in packed for _, data in one.rows)
    signatures = collapse_rows([data for one in packed for _, data in one.rows], matcher)
    assert (signatures.rows, signatures.keys, len(signatures.values)) == ([2_000], ["k0000"], 512)
