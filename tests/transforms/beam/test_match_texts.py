"""MatchTexts on a runner: the answers are those on documents at hand, whatever buckets, order of units and retries."""

import random

import pytest
from msgspec.structs import replace

pytest.importorskip("apache_beam")

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from configs.schema.web_rules import TextDuplicateRules
from pipelines.runners import local_runner
from tests.transforms.beam.test_match_near import hold
from transforms.beam.coders import register_coders
from transforms.beam.match_texts import MatchTexts
from transforms.beam.verbs import Rows, Site
from transforms.matching import match_in_memory
from transforms.records import Sample, Text, Unit
from transforms.rows import RowsRef, rows_of
from transforms.storage import storage_for
from transforms.text_duplicates import TextDuplicates

pytestmark = pytest.mark.beam

UNITS, ROWS = 5, 8


def drawn() -> list[Sample]:
    """Texts of 120 words in families that differ in a few of them, and some that are equal."""
    chance = random.Random(2)
    families = [[f"w{chance.randrange(2000)}" for _ in range(120)] for _ in range(9)]
    samples = []
    for number in range(UNITS * ROWS):
        words = list(chance.choice(families))
        for _ in range(chance.choice((0, 1, 2, 12))):
            words[chance.randrange(len(words))] = f"w{chance.randrange(2000)}"
        text = Text(" ".join(words[: chance.choice((110, 120))]), "paragraph")
        samples.append(Sample(f"d{number:02d}", "a.warc", 0, number % ROWS, (text,)))
    return samples


@pytest.mark.parametrize(("buckets", "options"), [(1, []), (9, ["--direct_runner_bundle_repeat=2"])])
def test_answers_are_those_of_documents_at_hand(tmp_path, buckets, options):
    samples, matcher = drawn(), TextDuplicates(TextDuplicateRules())
    parts = [samples[start : start + ROWS] for start in range(0, len(samples), ROWS)]
    refs = [hold(str(tmp_path), Unit(index, f"{index}.warc", "warc"), part) for index, part in enumerate(parts)]
    register_coders()
    site, given, output = Site(str(tmp_path), "code", "recipe"), PipelineOptions(options), tmp_path / "found"
    with beam.Pipeline(runner=local_runner(given, "/dev/null"), options=given) as pipeline:
        created = pipeline | beam.Create(refs[::-1]).with_output_types(RowsRef)
        rows = Rows(created, site) | "Texts" >> MatchTexts(matcher, buckets)
        told = rows.refs | beam.FlatMap(_told, rows.fold, str(tmp_path))
        _ = told | beam.io.WriteToText(str(output), num_shards=1, shard_name_template="")
    units = [index // ROWS for index in range(len(samples))]
    placed = [replace(one, position=index % ROWS) for index, one in enumerate(samples)]
    expected = match_in_memory(placed, matcher, units, matcher.with_stars)
    assert sorted(output.read_text().splitlines()) == sorted(repr((one.key, one.measures)) for one in expected)
    assert 5 < sum(one.measures.get("text_duplicate_of", one.key) != one.key for one in expected) < 35


def _told(ref, fold, output):
    for row in rows_of(ref, fold, storage_for(output)):
        yield repr((row.key, row.measures))
