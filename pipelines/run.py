"""A run from inputs to manifest: everything around the Beam pipeline, which itself neither lists nor commits.

The manifest is the commit and comes last (law 5). A rerun takes over what matches and redoes the rest; a finished
output of another recipe is refused (law 6). Left out on purpose: argument parsing (pipelines/cli.py).
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import apache_beam as beam
import msgspec
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection
from apache_beam.transforms.combiners import ToList

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.concept_table import describe_concepts
from pipelines.errors import TooManyFailures, explain_stop, was_interrupted
from pipelines.finish import finish_output, read_manifest
from pipelines.kinds import Config, kind_of
from pipelines.lock import OutputLock
from pipelines.makings import MAKINGS, Making
from pipelines.progress import Progress
from pipelines.runners import is_local, pipeline_for
from pipelines.worker_processes import BEAM, MODELS
from transforms.beam.coders import register_coders
from transforms.beam.read_units import ReadUnits, write_units
from transforms.beam.storage import register
from transforms.beam.verbs import Site
from transforms.beam.write_ledger import Tally, WriteLedger
from transforms.beam.write_shards import ShardRecord, WriteShards
from transforms.fingerprints import code_fingerprint, fingerprint
from transforms.matching import bucket_count
from transforms.records import Unit
from transforms.rows import staging_folder
from transforms.shards import FORMAT, Manifest
from transforms.storage import join, storage_for

PACKAGES = ("beamsift", "apache-beam", "pyarrow", "numpy", "pillow", "simplejpeg", "open_clip_torch", "torch")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What the user asked for. `beam_arguments` go to Beam untouched."""

    cfg: Config
    inputs: Sequence[str]
    output: str
    limit: int | None = None
    beam_arguments: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What the pipeline left, complete only when it ended well."""

    tallies: list[Tally]
    shards: list[ShardRecord]


def run(request: Request, say: Say) -> Manifest:
    """Makes the data set, or finds it made. Raises ConfigError, TooManyFailures, and whatever stops a pipeline."""
    register()
    FileSystems.set_options(PipelineOptions(list(request.beam_arguments)))
    units = list_inputs(request)
    site = make_site(request.output, request.cfg)
    made_by = run_fingerprint(site, units, request.cfg)
    if finished := read_manifest(request.output):
        return _taken_over(finished, request.output, made_by, say)
    with OutputLock(request.output) as lock:
        if finished := read_manifest(request.output):  # of a run that ended between the question and the lock
            return _taken_over(finished, request.output, made_by, say)
        manifest = _make(units, request, site, made_by)
        lock.check()
        finish_output(request.output, manifest, say)
    return manifest


def _make(units: list[Unit], request: Request, site: Site, made_by: str) -> Manifest:
    if is_local(PipelineOptions(list(request.beam_arguments))):
        making_of(request.cfg).check_models(request.cfg)
    storage = storage_for(request.output)
    storage.write(join(request.output, "work", "config.json"), request.cfg.model_dump_json(indent=1).encode())
    cfg = request.cfg
    balanced = isinstance(cfg, CaptionConfig) and cfg.concepts.enabled
    making_of(cfg).prepare(request.output, cfg)
    outcome = run_pipeline(units, request, site)
    concepts = describe_concepts(request.output) if balanced else {}
    manifest = msgspec.structs.replace(make_manifest(outcome, units, cfg, made_by), concepts=concepts)
    check_failures(manifest, request.cfg.output.max_failure_rate)
    return manifest


def making_of(cfg: Config) -> Making:
    return MAKINGS[kind_of(cfg).name]


def list_inputs(request: Request) -> list[Unit]:
    making = making_of(request.cfg)
    units = making.list_units(request.inputs, request.cfg)
    if request.limit is None:
        return units
    return making.limit_units(units, request.limit, request.cfg, staging_folder(request.output))


def make_site(output: str, cfg: Config) -> Site:
    code = code_fingerprint()
    return Site(output, code, fingerprint(code, cfg.model_dump()))


def run_fingerprint(site: Site, units: list[Unit], cfg: Config) -> str:
    """What a finished output is known by: code, config, inputs, weights and vocabulary.

    Raises ModelError where local weights are missing, VocabularyError where the vocabulary does not serve, before
    anything is read.
    """
    return fingerprint(site.recipe, units, *making_of(cfg).fingerprints(cfg))


def run_pipeline(units: list[Unit], request: Request, site: Site) -> Outcome:
    stages = dict.fromkeys(making_of(request.cfg).stages(request.cfg), len(units))
    try:
        with Progress(site.output, stages):
            return run_graph(units, request.cfg, site, request.beam_arguments)
    except Exception as error:
        if was_interrupted(error):
            raise KeyboardInterrupt from error
        if stopped := explain_stop(error):
            raise stopped from error
        raise


def run_graph(units: list[Unit], cfg: Config, site: Site, beam_arguments: Sequence[str] = ()) -> Outcome:
    """The pipeline alone: no progress, no manifest, and errors as the runner has them."""
    options, outcome = PipelineOptions(list(beam_arguments)), join(site.output, "work", "outcome.json")
    worker_log = join(staging_folder(site.output), "workers.log")
    Path(worker_log).parent.mkdir(parents=True, exist_ok=True)
    modules = (*BEAM, *MODELS) if "clip" in making_of(cfg).stages(cfg) else BEAM
    with pipeline_for(options, worker_log, modules) as pipeline:
        build_run(pipeline, units, cfg, site) | "Outcome" >> beam.Map(_write_outcome, uri=outcome)
    with storage_for(outcome).open(outcome) as file:
        return msgspec.json.decode(file.read(), type=Outcome)


def build_run(pipeline: beam.Pipeline, units: list[Unit], cfg: Config, site: Site) -> PCollection:
    """The whole graph: units to one element, the encoded tallies and shard records."""
    register_coders()
    kind = kind_of(cfg)
    read = pipeline | "Units" >> ReadUnits(write_units(units, site), site)
    buckets = bucket_count(len(units))
    rows = making_of(cfg).build(read, cfg, site, buckets)
    tallies = rows | "WriteLedger" >> WriteLedger(kind.report.measures, kind.tally, kind.is_document)
    order = (kind.ordered_by(cfg), buckets)
    shards = tallies | "WriteShards" >> WriteShards(cfg.output, cfg.seed, site, kind.is_document, order)
    collected = shards | "Shards" >> ToList()
    return collected | "Totals" >> beam.Map(lambda shards, tallies: (tallies, shards), beam.pvalue.AsList(tallies))


def _write_outcome(found: tuple[list[bytes], list[bytes]], uri: str) -> None:
    tallies = sorted((msgspec.json.decode(t, type=Tally) for t in found[0]), key=lambda tally: tally.unit)
    shards = sorted((msgspec.json.decode(s, type=ShardRecord) for s in found[1]), key=lambda shard: shard.index)
    register()
    storage_for(uri).write(uri, msgspec.json.encode(Outcome(tallies, shards)))


def make_manifest(outcome: Outcome, units: list[Unit], cfg: Config, made_by: str) -> Manifest:
    tallies, kind = outcome.tallies, kind_of(cfg)
    counted = ([tally.counted for tally in tallies], [tally.records for tally in tallies])
    stages = sum_seconds([tally.stages for tally in tallies] + [{"write": shard.seconds} for shard in outcome.shards])
    return Manifest(
        format=FORMAT,
        pipeline=kind.name,
        shards=[shard.info for shard in outcome.shards],
        counts=sum_counts(tallies) | making_of(cfg).sum_counted(*counted, cfg),
        fingerprint=made_by,
        config=cfg.model_dump(mode="json"),
        inputs=[
            {"uri": t.uri, "part": t.part, "bytes": u.size, "rows": t.read, "kept": t.kept}
            for t, u in zip(tallies, units, strict=True)
        ],
        versions=versions(),
        stages=stages,
        measures={name: msgspec.to_builtins(measure) for name, measure in kind.report.measures.items()},
    )


def sum_counts(tallies: Sequence[Tally]) -> dict[str, Any]:
    """The manifest's counts. Raises ValueError where rows do not add up: then a row was lost, and nothing may stand."""
    dropped: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    for tally in tallies:
        dropped.update(tally.dropped)
        failed.update(tally.failed)
    read, kept = sum(t.read for t in tallies), sum(t.kept for t in tallies)
    if read != kept + dropped.total() + failed.total():
        raise ValueError(f"rows do not add up: read {read}, kept {kept}, dropped {dropped}, failed {failed}")
    return {
        "read": read,
        "kept": kept,
        "dropped": dict(sorted(dropped.items())),
        "failed": dict(sorted(failed.items())),
    }


def sum_seconds(parts: Iterable[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    sums: dict[str, Counter[str]] = {}
    for part in parts:
        for stage, seconds in part.items():
            sums.setdefault(stage, Counter()).update(seconds)
    return {stage: {name: round(value, 3) for name, value in seconds.items()} for stage, seconds in sums.items()}


def check_failures(manifest: Manifest, limit: float) -> None:
    read, failed = manifest.counts["read"], sum(manifest.counts["failed"].values())
    if read and failed / read > limit:
        classes = ", ".join(f"{name} {count}" for name, count in manifest.counts["failed"].items())
        raise TooManyFailures(
            f"{failed} of {read} rows failed ({failed / read:.1%}), "
            f"more than output.max_failure_rate {limit:.1%}: {classes}"
        )


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "run from its folder" if package == "beamsift" else "not installed"
    return found


def _taken_over(finished: Manifest, output: str, made_by: str, say: Say) -> Manifest:
    if finished.fingerprint != made_by:
        raise ConfigError(
            f"{output} holds the finished run {finished.fingerprint} of another recipe or input, "
            f"this one is {made_by}; choose another --output"
        )
    say(f"{output} is finished already; nothing to do")
    return finished
