"""What could stop a run before it starts: inputs, output, weights, disk, memory; each as a line of the plan.

Left out on purpose: the config itself (parsed before anything is planned) and the trial (pipelines/plan_trial.py).
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from classifiers.clip import ClipScorer
from classifiers.errors import ModelError
from configs.schema.caption import CaptionConfig, ConceptRules, RelevanceRules
from pipelines.caption import captioner_of
from pipelines.finish import read_manifest
from pipelines.kinds import Config
from pipelines.plan_costs import StageCost
from pipelines.run import make_site, run_fingerprint
from recaption.captioner import CaptionerDown
from recaption.openai_server import ServerCaptioner
from transforms.beam.scan import scan_fingerprint
from transforms.beam.verbs import Site
from transforms.fingerprints import chance
from transforms.records import Unit
from transforms.rows import sidecar_uri
from transforms.sidecars import read_totals
from transforms.storage import StoreUnavailable, join, local_path, scheme_of, storage_for
from transforms.vocabulary import read_vocabulary

OPENED = 1000
"""Input files whose first bytes are read; of more, those a hash chooses."""
NAMED = 3
"""Files that a line names."""


class Finding(NamedTuple):
    name: str
    text: str
    stops: bool = False
    """Whether a run would stop at once because of it."""


def check_inputs(units: Sequence[Unit]) -> Iterator[Finding]:
    """Counts, and files that cannot be read: each costs the run one failed row, all of them the run."""
    files = {unit.uri: unit.size for unit in units}
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in sorted(Counter(unit.kind for unit in units).items()))
    yield Finding("inputs", f"{len(files):,} files, {size_text(sum(files.values()))}; {len(units):,} units: {kinds}")
    first = {_first_file(unit): unit.size for unit in units}
    opened = sorted(first, key=lambda uri: chance(0, uri, "plan"))[:OPENED]
    broken = [problem for uri in opened if (problem := _unreadable(uri, first[uri]))]
    if broken:
        text = f"{len(broken):,} of {len(opened):,} files opened: {'; '.join(broken[:NAMED])}"
        yield Finding("unreadable inputs", text, stops=len(broken) == len(opened))


def _first_file(unit: Unit) -> str:
    """The unit's own file, of a folder of saved pages its first one."""
    return join(unit.uri, unit.pages[0]) if unit.pages else unit.uri


def _unreadable(uri: str, size: int) -> str | None:
    if not size:
        return f"{uri}: a file of zero bytes"
    try:
        storage_for(uri).read(uri, 0, min(size, 512))
    except StoreUnavailable:
        raise
    except OSError as error:
        return f"{uri}: {error}"
    return None


def check_output(output: str, of: tuple[Config, Any], units: Sequence[Unit]) -> Iterator[Finding]:
    """Free, resumable, finished by this recipe, or another's. `of` is the config, and what of it a scan is known by."""
    cfg, reads = of
    site = make_site(output, cfg)
    try:
        finished = read_manifest(output)
    except ValueError as error:
        yield Finding("output", f"{output}: {error}", stops=True)
        return
    if finished is None:
        taken = count_scanned(site, reads, units)
        text = f"resumes: {taken:,} of {len(units):,} units are scanned already" if taken else "nothing of this run yet"
        yield Finding("output", f"{output}: {text}")
    elif finished.fingerprint == run_fingerprint(site, list(units), cfg):
        yield Finding("output", f"{output}: finished by this very recipe; a run would do nothing")
    else:
        yield Finding("output", f"{output}: holds a finished run of another recipe, input or code", stops=True)


def count_scanned(site: Site, reads: Any, units: Sequence[Unit]) -> int:
    """Units whose scan a run would take over."""
    storage = storage_for(site.output)
    made_by = (scan_fingerprint(site, reads, unit) for unit in units)
    uris = (sidecar_uri(site.output, "scan", unit) for unit in units)
    return sum(read_totals(storage, uri, mark) is not None for uri, mark in zip(uris, made_by, strict=True))


def check_weights(rules: RelevanceRules | None) -> tuple[ClipScorer | None, list[Finding]]:
    """The loaded scorer, and how long that took; None where no model is asked or the weights are not there."""
    if rules is None:
        return None, [Finding("weights", "none: no model is asked")]
    name = f"{rules.model} {rules.pretrained}".strip()
    scorer, started = ClipScorer(rules), time.perf_counter()
    try:
        scorer.load()
    except ModelError as error:
        return None, [Finding("weights", f"{name}: {error}", stops=True)]
    return scorer, [Finding("weights", f"{name} loaded in {time.perf_counter() - started:.1f} s, {scorer.precision}")]


def check_vocabulary(rules: ConceptRules) -> Iterator[Finding]:
    """Its size and content. Raises VocabularyError: without it nothing can be tried."""
    if rules.enabled:
        found = read_vocabulary(rules.vocabulary)
        weighted = int((found.weights != 1).sum())
        yield Finding("vocabulary", f"{len(found):,} entries, {weighted:,} weighted, sha256 {found.sha256}")


def check_captioner(cfg: CaptionConfig, rows: float) -> Iterator[Finding]:
    """Whether there is somebody to ask. Nothing is asked, so what answers cost is in no figure of the plan."""
    if not cfg.recaption.enabled:
        return
    captioner, rules = captioner_of(cfg), cfg.recaption.captioner
    where = rules.server.url if rules.backend == "server" else f"in the worker, from {rules.local.path or rules.model}"
    try:
        captioner.check_installed()
        if isinstance(captioner, ServerCaptioner):
            captioner.load()
            captioner.close()
    except (ModelError, CaptionerDown) as error:
        yield Finding("captioner", f"{rules.model}: {error}", stops=True)
        return
    yield Finding("captioner", f"{rules.model}, {where}; about {rows:,.0f} rows to ask, at a cost not in this plan")


def check_disk(output: str, costs: Sequence[StageCost]) -> Iterator[Finding]:
    shards, needed = costs[-1].written, sum(cost.written for cost in costs)
    text = f"needs about {size_text(shards)} of shards, {size_text(needed - shards)} of ledger and sidecars"
    if scheme_of(output) not in ("", "file"):
        yield Finding("disk", text)
        return
    folder = existing_folder(local_path(output))
    free = shutil.disk_usage(folder).free
    yield Finding("disk", f"{text}; {size_text(free)} free at {folder}", stops=needed > free)
    if not os.access(folder, os.W_OK | os.X_OK):
        yield Finding(
            "output folder", f"{folder}: expected a folder to write into, found one that cannot be", stops=True
        )


def existing_folder(path: str) -> str:
    """The nearest folder above `path`, or itself, that is there."""
    path = os.path.abspath(path)
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def peak_memory() -> int:
    """Bytes that this process held at most: it has just done a worker's work on a worker's batches."""
    with suppress(OSError), open("/proc/self/status") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM"))
    # What a process was before `exec` counts here: the shell's or the tool's that started us. macOS counts bytes.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << (0 if sys.platform == "darwin" else 10)


def check_memory(parts: Mapping[str, int], workers: int) -> Iterator[Finding]:
    """`parts` make up a worker's memory; `workers` run on this machine."""
    worker = sum(parts.values())
    total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    few = " (more than there is)" if workers * worker > total else ""
    text = f"{memory_text(parts)} a worker; {workers} here: {size_text(workers * worker)}{few} of {size_text(total)}"
    yield Finding("memory", f"{text}; larger pictures than those tried take more")


def memory_text(parts: Mapping[str, int]) -> str:
    """`478 MiB (code, model and batches 332 MiB, a bucket 146 MiB)`."""
    named = ", ".join(f"{name} {size_text(size)}" for name, size in parts.items())
    return f"{size_text(sum(parts.values()))} ({named})"


def size_text(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if size < 1024 or unit == "TiB":
            return f"{size:,.0f} {unit}" if unit == "B" or size >= 100 else f"{size:,.1f} {unit}"
        size /= 1024
    raise AssertionError("unreachable")


def time_text(seconds: float) -> str:
    """`0:07:41` hours, minutes, seconds."""
    minutes, second = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{second:02d}"


def hours_text(seconds: float) -> str:
    """Hours with as many digits as mean something: `1,650`, `12.3`, `0.0012`."""
    hours = seconds / 3600
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.1f}" if hours >= 1 else f"{hours:.4f}"
