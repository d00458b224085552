"""The decide stages as the pool grows, without a picture: the right fates, memory flat, time linear.

At 624,000 and 10,000,000 rows the pure functions run in two processes with files for a shuffle; that these are
what the verbs run is shown by the verbs, over the same rows at a smaller size.
"""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import apache_beam as beam
import msgspec
import pytest

from pipelines import caption
from pipelines.caption_rules import MEASURES
from pipelines.runners import local_runner
from tests.pipelines.decide_at_scale import CFG, ROWS_PER_UNIT, simulate
from tests.pipelines.synthetic_rows import expected_fates, samples_of, unit_of
from transforms.beam.coders import register_coders
from transforms.beam.scan import scan_fingerprint
from transforms.beam.verbs import Site
from transforms.beam.write_ledger import Tally, WriteLedger
from transforms.caption_pairs import scan_reads
from transforms.records import Unit, encode_sample
from transforms.rows import sidecar_uri
from transforms.sidecars import create_sidecar
from transforms.storage import storage_for

ROOT = Path(__file__).resolve().parents[2]
SMALL_UNITS, LARGE_UNITS = 156, 2_500
MEGABYTES = 120
"""What a process may hold at any size of the pool; measured 86."""


def simulate_apart(units: int, folder: Path) -> dict:
    command = [sys.executable, "-m", "tests.pipelines.decide_at_scale", str(units), str(folder / str(units))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=1800)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.slow
def test_ten_million_rows_cost_as_much_a_row_as_six_hundred_thousand_and_no_more_memory(tmp_path):
    # Small before and after large: other work on the machine lengthens CPU seconds too.
    before, large, after = (simulate_apart(units, tmp_path) for units in (SMALL_UNITS, LARGE_UNITS, SMALL_UNITS))
    told = expected_fates(LARGE_UNITS, ROWS_PER_UNIT, CFG.boilerplate.max_pictures)
    assert large["fates"] == told and sum(told.values()) == 10_000_000
    assert large["peak"] < 1.2 * max(before["peak"], after["peak"]) and large["peak"] < MEGABYTES << 20
    small = (sum(before["seconds"].values()) + sum(after["seconds"].values())) / 2 / SMALL_UNITS
    assert sum(large["seconds"].values()) / LARGE_UNITS / small == pytest.approx(1, abs=0.2)


@pytest.mark.beam
def test_the_verbs_decide_the_same(tmp_path):
    """Scans of the same rows lie where a run looks for them; the pipeline itself takes them over."""
    units = [unit_of(index) for index in range(5)]
    site = Site(str(tmp_path / "out"), "code", "recipe")
    for unit in units:
        write_scan(site, unit)
    tallies = tmp_path / "tallies"
    register_coders()
    options = beam.options.pipeline_options.PipelineOptions([])
    with beam.Pipeline(runner=local_runner(options, "/dev/null"), options=options) as pipeline:
        created = pipeline | beam.Create(units, reshuffle=False).with_output_types(Unit)
        rows = caption.build(created, CFG, site, 3)
        rows | "Ledger" >> WriteLedger(MEASURES) | beam.Map(_note, path=str(tallies))
    found: Counter[str] = Counter()
    for line in tallies.read_text().splitlines():
        tally = msgspec.json.decode(line, type=Tally)
        found.update({"": tally.kept, **tally.dropped, **tally.failed})
    assert found == simulate(5, str(tmp_path / "shuffle"))["fates"]


def write_scan(site: Site, unit: Unit) -> None:
    made_by = scan_fingerprint(site, scan_reads(CFG), unit)
    with create_sidecar(storage_for(site.output), sidecar_uri(site.output, "scan", unit), made_by) as sidecar:
        for sample in samples_of(unit.index, ROWS_PER_UNIT):
            sidecar.append(encode_sample(sample))
        sidecar.totals = {"wall_seconds": 0.0, "cpu_seconds": 0.0}


def _note(tally: bytes, path: str) -> None:
    with open(path, "a") as file:
        file.write(tally.decode() + "\n")
