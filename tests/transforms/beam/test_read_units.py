"""Units by file: all of them, once, and a graph that does not grow with them."""

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam
import msgspec
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.runners import local_runner
from transforms.beam import read_units
from transforms.beam.coders import register_coders
from transforms.beam.read_units import ReadUnits, write_units
from transforms.beam.verbs import Site
from transforms.records import Unit

pytestmark = pytest.mark.beam


def units_of(count: int) -> list[Unit]:
    return [Unit(index, f"s3://bucket/pool/{index:09d}.tar", "tar", size=6 << 20) for index in range(count)]


def graph_size(uris: list[str], site: Site) -> int:
    pipeline = beam.Pipeline(options=PipelineOptions([]))
    pipeline | ReadUnits(uris, site)
    return pipeline.to_runner_api().ByteSize()


def test_every_unit_is_read_once(tmp_path, monkeypatch):
    monkeypatch.setattr(read_units, "UNITS_PER_FILE", 3)
    register_coders()
    site, log = Site(str(tmp_path), "code", "recipe"), tmp_path / "log"
    uris = write_units(units_of(7), site)
    assert len(uris) == 3
    options = PipelineOptions([])
    with beam.Pipeline(runner=local_runner(options, "/dev/null"), options=options) as pipeline:
        pipeline | ReadUnits(uris, site) | beam.Map(note, log=str(log))
    read = [msgspec.json.decode(line, type=Unit) for line in log.read_text().splitlines()]
    assert sorted(read, key=lambda unit: unit.index) == units_of(7)


def note(unit: Unit, log: str) -> None:
    with open(log, "a") as file:
        file.write(msgspec.json.encode(unit).decode() + "\n")


def test_the_graph_of_ten_million_units_is_far_below_what_a_service_takes(tmp_path):
    site = Site("gs://bucket/some/longer/folder/of/an/output", "c" * 32, "r" * 32)
    uris = [f"{site.output}/work/units/{number:05d}.msgpack" for number in range(1000)]
    assert graph_size(uris, site) < 1 << 20
