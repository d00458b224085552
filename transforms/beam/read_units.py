"""ReadUnits: a run's units come from files, so that the job's graph holds a few names however many units there are.

Dataflow refuses a graph over 10 MB. Ten million units written into it are 84 MB, compressed and with regular names; a
thousand names of files of 10,000 are 4 kB (measured).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
import msgspec
from apache_beam.pvalue import PBegin, PCollection

from transforms.beam.verbs import Site, open_site
from transforms.loaded import batched
from transforms.records import Unit
from transforms.storage import join

UNITS_PER_FILE = 10_000


def write_units(units: Sequence[Unit], site: Site) -> list[str]:
    """URIs of the files below `work/units` that hold the units, in order."""
    uris: list[str] = []
    for number, part in enumerate(batched(units, UNITS_PER_FILE)):
        uris.append(join(site.output, "work", "units", f"{number:05d}.msgpack"))
        open_site(site).write(uris[-1], msgspec.msgpack.encode(part))
    return uris


@dataclass
class ReadUnits(beam.PTransform):
    """The units of the files that `write_units` left."""

    uris: Sequence[str]
    site: Site

    def expand(self, begin: PBegin) -> PCollection:
        names = begin | "Files" >> beam.Create(list(self.uris), reshuffle=False).with_output_types(str)
        read = beam.FlatMap(_read, site=self.site).with_output_types(Unit)
        return names | "Spread" >> beam.Reshuffle() | "Read" >> read


def _read(uri: str, site: Site) -> Iterator[Unit]:
    with open_site(site).open(uri) as file:
        yield from msgspec.msgpack.decode(file.read(), type=list[Unit])
