"""MatchNear on a runner: the same answers as on rows at hand, whatever the buckets, the order of units and retries."""

import random

import pytest
from msgspec.structs import replace

pytest.importorskip("apache_beam")

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from configs.schema.caption import NearDuplicateRules
from pipelines.runners import local_runner
from tests.transforms.test_near_duplicates import pair, told
from transforms.beam.coders import register_coders
from transforms.beam.match_near import MatchNear
from transforms.beam.verbs import Rows, Site
from transforms.near_duplicates import NEAR_MEASURES, NearDuplicates
from transforms.records import Sample, Unit, encode_sample
from transforms.rows import RowsRef, rows_of, sidecar_uri
from transforms.sidecars import create_sidecar
from transforms.storage import storage_for

pytestmark = pytest.mark.beam

UNITS, ROWS = 6, 20


def drawn() -> list[Sample]:
    """Hashes in families a few bits wide, equal ones among them, and sizes that differ."""
    chance = random.Random(3)
    families = [chance.getrandbits(64) for _ in range(30)]
    codes = [chance.choice(families) ^ sum({1 << chance.randrange(64) for _ in range(3)}) for _ in range(90)]
    codes += [chance.choice(families) for _ in range(UNITS * ROWS - 90)]
    return [pair(f"{i:03d}", code, chance.randint(1, 9)) for i, code in enumerate(codes)]


def hold(folder: str, unit: Unit, samples: list[Sample]) -> RowsRef:
    uri = sidecar_uri(folder, "scan", unit)
    with create_sidecar(storage_for(folder), uri, "drawn") as sidecar:
        for position, sample in enumerate(samples):
            sidecar.append(encode_sample(replace(sample, position=position)))
        sidecar.totals = {"wall_seconds": 0.0, "cpu_seconds": 0.0}
    return RowsRef(unit, uri, "drawn")


@pytest.mark.parametrize(
    ("distance", "buckets", "options"),
    [
        (4, 1, []),
        (4, 12, ["--direct_runner_bundle_repeat=2"]),
        (4, 40, ["--direct_num_workers=2", "--direct_running_mode=multi_threading"]),
        (8, 31, []),
    ],
)
def test_answers_are_those_of_rows_at_hand(tmp_path, distance, buckets, options):
    samples = drawn()
    parts = [samples[start : start + ROWS] for start in range(0, len(samples), ROWS)]
    refs = [hold(str(tmp_path), Unit(index, f"{index}.tar", "tar"), part) for index, part in enumerate(parts)]
    matcher = NearDuplicates(NearDuplicateRules(enabled=True, max_distance=distance))
    register_coders()
    site, given = Site(str(tmp_path), "code", "recipe"), PipelineOptions(options)
    uri = f"{tmp_path}/answered"
    with beam.Pipeline(runner=local_runner(given, "/dev/null"), options=given) as pipeline:
        created = pipeline | beam.Create(random.Random(buckets).sample(refs, len(refs))).with_output_types(RowsRef)
        rows = Rows(created, site) | "Near" >> MatchNear(matcher, buckets)
        answered = rows.refs | beam.FlatMap(_told, rows.fold, str(tmp_path)) | beam.Map(repr)
        _ = answered | beam.io.WriteToText(uri, num_shards=1, shard_name_template="")
    expected = {row.key: row.measures for row in told(samples, max_distance=distance)}
    lines = (tmp_path / "answered").read_text().splitlines()
    assert sorted(lines) == sorted(repr((key, list(found.items()))) for key, found in expected.items())
    assert 30 < sum(len(found) == len(NEAR_MEASURES) for found in expected.values()) < len(samples) + 1


def _told(ref, fold, folder):
    for row in rows_of(ref, fold, storage_for(folder)):
        yield row.key, list(row.measures.items())
