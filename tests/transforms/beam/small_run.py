"""A small run of every verb over two tars on the in-process runner, for the tests of verbs and of resume.

Model and rules are stand-ins; each leaves a line in a log, so that tests can count who was asked.
"""

import io
import tarfile
from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import apache_beam as beam
import msgspec
import numpy as np
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image

from configs.schema.caption import DuplicateRules, ImageRules, OutputRules, ReadRules
from pipelines.runners import local_runner
from tests.transforms.pools import write_tar
from transforms.beam.coders import register_coders
from transforms.beam.match import Match
from transforms.beam.scan import Scan
from transforms.beam.verbs import Keep, Rows, Site
from transforms.beam.visit import Visit
from transforms.beam.write_ledger import WriteLedger
from transforms.beam.write_shards import WriteShards
from transforms.duplicates import ExactDuplicates, check_duplicate
from transforms.fates import mark_sample, settle_pair
from transforms.ledger import Measure
from transforms.pictures import measure_pictures
from transforms.reading import list_units
from transforms.records import Drop, Sample, Unit, with_measures
from transforms.unique_keys import UniqueKeys

MEASURES = {
    "greyness": Measure("double", "grey levels", "Mean of the picture"),
    "short_side": Measure("int64", "pixels", "Shorter side of the picture"),
}
READ = ReadRules()
POOL = {
    "a.tar": [
        ("0.png", 10),
        ("0.txt", "dark"),
        ("1.png", 200),
        ("1.txt", "bright"),
        ("2.png", 90),
        ("2.txt", "middle"),
    ],
    "b.tar": [("0.png", 90), ("0.txt", "a longer text"), ("1.png", -1), ("1.txt", "broken"), ("2.png", 150)],
}
"""Members: a picture by its grey level (below 0: not a picture), a caption by its text."""


@dataclass(frozen=True)
class Plan:
    """What a run of these tests may vary."""

    output: str
    log: str
    min_grey: float = 50.0
    code: str = "code 1"
    weights: str = "weights 1"
    missing_answers: int = 0
    missing_rows: int = 0
    samples_per_shard: int = 2
    options: tuple[str, ...] = ()
    columns: tuple[str, ...] = ("greyness",)


@dataclass
class Greyness:
    """A stand-in model: the mean of a picture."""

    plan: Plan
    name: str = "greyness"

    def load(self) -> None:
        note(self.plan.log, "load")

    def fingerprint(self) -> str:
        return self.plan.weights

    def predict(self, batch: list[np.ndarray]) -> list[float]:
        note(self.plan.log, "predict", len(batch))
        return [round(float(pixels.mean()), 4) for pixels in batch][self.plan.missing_answers :]


def note(log: str, what: str, times: int = 1) -> None:
    with open(log, "a") as file:
        file.write(f"{what}\n" * times)


def scan_step(batch, plan):
    note(plan.log, "scan", len(batch))
    return measure_pictures(batch, ImageRules(), READ)[plan.missing_rows :]


def mark_sound(sample: Sample) -> Sample:
    return mark_sample(sample, settle_pair)


def mark_unique(sample: Sample) -> Sample:
    return mark_sample(sample, partial(check_duplicate, rules=DuplicateRules()))


def mark_grey(sample: Sample, least: float) -> Sample:
    found = float(sample.measures.get("greyness", 255))
    return mark_sample(sample, lambda _: Drop("too_dark", found, least) if found < least else None)


def ask(loaded):
    return loaded.pixels[0]


def apply(sample, answer):
    return with_measures(sample, greyness=answer)


def build(units: beam.PCollection, plan: Plan, site: Site) -> Rows:
    step = partial(scan_step, plan=plan)
    rows = Rows(units | "Scan" >> Scan([step], READ, READ.model_dump(), site), site)
    rows = rows | "UniqueKeys" >> Match(UniqueKeys(), 3)
    rows = rows | "KeepSound" >> Keep(mark_sound)
    rows = rows | "Duplicates" >> Match(ExactDuplicates(DuplicateRules()), 2)
    rows = rows | "KeepUnique" >> Keep(mark_unique)
    rows = rows | "Greyness" >> Visit(Greyness(plan), ask, apply, 2, READ.max_decode_pixels)
    return rows | "KeepBright" >> Keep(partial(mark_grey, least=plan.min_grey))


def run(plan: Plan, units: list[Unit]) -> None:
    register_coders()
    site = Site(plan.output, plan.code, f"{plan.code} {plan.min_grey}")
    options = PipelineOptions(list(plan.options))
    with beam.Pipeline(runner=local_runner(options, "/dev/null"), options=options) as pipeline:
        created = pipeline | beam.Create(units, reshuffle=False).with_output_types(Unit)
        tallies = build(created, plan, site) | "Ledger" >> WriteLedger({name: MEASURES[name] for name in plan.columns})
        shards = tallies | "Shards" >> WriteShards(OutputRules(samples_per_shard=plan.samples_per_shard), 0, site)
        tallies | "SaveTallies" >> beam.Map(note_json, log=plan.log + ".tallies")
        shards | "SaveShards" >> beam.Map(note_json, log=plan.log + ".shards")


def note_json(record: bytes, log: str) -> None:
    note(log, record.decode())


def png(grey: int) -> bytes:
    if grey < 0:
        return b"not a picture"
    file = io.BytesIO()
    Image.fromarray(np.full((4, 5, 3), grey, np.uint8)).save(file, "png")
    return file.getvalue()


def write_pool(folder: Path) -> list[Unit]:
    for name, members in POOL.items():
        write_tar(folder, [(n, png(v) if isinstance(v, int) else v.encode()) for n, v in members], name)
    return list_units([f"{folder}/*.tar"], READ)


def ledger(plan: Plan) -> list[dict]:
    return [row for path in sorted(Path(plan.output, "ledger").iterdir()) for row in pq.read_table(path).to_pylist()]


def asked(plan: Plan) -> Counter:
    return Counter(Path(plan.log).read_text().splitlines())


def written(plan: Plan, folder: str) -> dict[str, tuple[bytes, int]]:
    """Content and time of every file."""
    found = sorted(path for path in Path(plan.output, folder).rglob("*") if path.is_file())
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def contents(plan: Plan, folder: str) -> dict[str, bytes]:
    return {name: data for name, (data, _) in written(plan, folder).items()}


def last_records(plan: Plan, kind: str, type_: type) -> list:
    return [msgspec.json.decode(line, type=type_) for line in Path(f"{plan.log}.{kind}").read_text().splitlines()]


def members(plan: Plan, shard: str) -> dict[str, bytes]:
    with tarfile.open(Path(plan.output, "shards", shard)) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}
