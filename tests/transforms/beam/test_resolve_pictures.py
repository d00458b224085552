"""ResolvePictures on a runner: the captures are those on rows at hand, whatever buckets, order of units, retries."""

import random
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from configs.schema.web import WebConfig
from pipelines.runners import local_runner
from tests.transforms.archives import PNG, packed, record, redirect
from transforms.beam.coders import register_coders
from transforms.beam.resolve_pictures import ResolvePictures
from transforms.beam.scan_archives import ScanArchives
from transforms.beam.verbs import Rows, Site
from transforms.records import Sample, Unit, pictures
from transforms.rows import rows_of
from transforms.storage import storage_for
from transforms.warc_reader import Page, Redirect, Resource, read_warc
from transforms.web_redirects import first_hop, resolve_in_memory
from transforms.web_resources import capture_entry
from transforms.web_rows import row_of

pytestmark = pytest.mark.beam

ARCHIVES, NAMES = 6, 60
SITE = "http://e.example"
CFG = WebConfig()


def write_archives(folder: Path) -> list[Unit]:
    """Pages that name pictures by addresses that lead to captures, to each other, in circles, and nowhere."""
    chance = random.Random(5)
    units = []
    for index in range(ARCHIVES):
        records = [redirect(f"{SITE}/{chance.randrange(NAMES)}", f"/{chance.randrange(NAMES)}") for _ in range(12)]
        records += [record(f"{SITE}/{chance.randrange(NAMES)}", PNG, media="image/png") for _ in range(8)]
        for number in range(10):
            named = "".join(
                f'<img src="/{chance.randrange(NAMES)}" srcset="/{chance.randrange(NAMES)}">' for _ in "abc"
            )
            page = f"<!DOCTYPE html><title>{number}</title><p>{'A long enough sentence. ' * 5}</p>{named}"
            records.append(record(f"{SITE}/page{index}-{number}", page.encode()))
        path = folder / f"{index}.warc.gz"
        path.write_bytes(packed(*records))
        units.append(Unit(index, str(path), "warc"))
    return units


def resolved_in_memory(units: list[Unit]) -> list[Sample]:
    rows, places, captures, hops = list[Sample](), list[int](), {}, {}
    for unit in units:
        found = list(read_warc(unit.uri, unit.uri, CFG.read))
        pages = [one for one in found if isinstance(one, Page)]
        rows += [row_of(page, position, unit, CFG) for position, page in enumerate(pages)]
        places += [unit.index] * len(pages)
        captures[unit.index] = [capture_entry(one) for one in found if isinstance(one, Resource)]
        hops[unit.index] = [first_hop(one, CFG.read) for one in found if isinstance(one, Redirect)]
    return resolve_in_memory((rows, places), captures, hops, CFG.read)


@pytest.mark.parametrize(("buckets", "options"), [(1, []), (7, ["--direct_runner_bundle_repeat=2"])])
def test_pictures_are_found_as_on_rows_at_hand(tmp_path, buckets, options):
    units = write_archives(tmp_path)
    register_coders()
    site, given, output = Site(str(tmp_path), "code", "recipe"), PipelineOptions(options), tmp_path / "found"
    with beam.Pipeline(runner=local_runner(given, "/dev/null"), options=given) as pipeline:
        created = pipeline | beam.Create(units[::-1]).with_output_types(Unit)
        rows = Rows(created | "Scan" >> ScanArchives(CFG, [], site), site)
        rows = rows | "Resolve" >> ResolvePictures(CFG.read, buckets)
        told = rows.refs | beam.FlatMap(_told, rows.fold, str(tmp_path))
        _ = told | beam.io.WriteToText(str(output), num_shards=1, shard_name_template="")
    expected = [repr((row.key, [p.source for p in pictures(row)])) for row in resolved_in_memory(units)]
    assert sorted(output.read_text().splitlines()) == sorted(expected)
    assert 20 < sum(one.count("Span(") for one in expected) < 180


def _told(ref, fold, output):
    for row in rows_of(ref, fold, storage_for(output)):
        yield repr((row.key, [p.source for p in pictures(row)]))
