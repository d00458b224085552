"""`beamsift recaption export`: a finished run's judged refined texts as a training set for the next captioner.

GLM-4.1V trains its captioner iteratively. The set holds accepted and corrected pairs, hard cases first, as WebDataset
shards ({key}.jpg, {key}.txt the text to be learnt, {key}.json), the same lines as pairs.jsonl, and what is worth
correcting next as open_cases.jsonl; the manifest comes last. The same run and corrections give the same bytes.
Left out on purpose: what a pair is and how hard (recaption/export.py), training, and who corrects.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.errors import RunError
from pipelines.finish import finished_manifest
from pipelines.kinds import captions_only
from pipelines.ledger import reach, run_config, samples_by_unit
from recaption.export import TrainingPair, open_cases, training_pairs
from recaption.prompting import choose_prompt
from transforms.fingerprints import fingerprint
from transforms.loaded import batched
from transforms.materialise import SpanReader, materialise
from transforms.picture_headers import sniff_format
from transforms.records import Sample
from transforms.rows import staging_folder
from transforms.shards import EXTENSIONS, ShardInfo, ShardWriter
from transforms.storage import Storage, join, storage_for

FORMAT = "beamsift-recaption-1"


class Correction(msgspec.Struct, forbid_unknown_fields=True):
    """One line of a file of corrections."""

    key: str
    text: str


def export(run: str, output: str, corrections: str | None, per_shard: int, say: Callable[[str], None]) -> int:
    """Writes the set. Raises NotFinished, ConfigError for a run without recaptions, corrections that fit no row, or an
    output that holds a set, and RunError where the pool's pictures are gone."""
    reach(run)
    manifest = finished_manifest(run)
    cfg, storage = captions_only(run_config(manifest, run), "recaption export"), storage_for(output)
    _check_asked(run, output, cfg, storage)
    corrected = read_corrections(corrections) if corrections else {}
    samples = [row.sample for row in samples_by_unit(run) if row.sample.alive]
    check_known(corrected, samples)
    pairs, waiting = training_pairs(samples, corrected), open_cases(samples, corrected)
    lines = [pair_line(pair, cfg) for pair in pairs]
    shards = _write_shards(storage, output, pairs, lines, per_shard)
    storage.write(join(output, "pairs.jsonl"), _jsonl(lines))
    storage.write(join(output, "open_cases.jsonl"), _jsonl(msgspec.to_builtins(case) for case in waiting))
    counts: dict[str, int] = {**Counter(pair.kind for pair in pairs), "open": len(waiting)}
    made = {
        "format": FORMAT,
        "run": manifest.fingerprint,
        "fingerprint": fingerprint(manifest.fingerprint, sorted(corrected.items()), per_shard),
        "captioner": cfg.recaption.captioner.model,
        "prompts": sorted({line["prompt_version"] for line in lines}),
        "counts": dict(sorted(counts.items())),
    }
    _commit(storage, output, made, shards)
    say(f"training set: {output}   " + ", ".join(f"{number:,} {kind}" for kind, number in sorted(counts.items())))
    return 0


def _check_asked(run: str, output: str, cfg: CaptionConfig, storage: Storage) -> None:
    if not cfg.recaption.enabled:
        raise ConfigError(f"{run}: expected a run with recaption.enabled=true, found one without")
    if storage.exists(join(output, "manifest.json")):
        raise ConfigError(f"{output}: holds a finished set; choose another --output")


def _commit(storage: Storage, output: str, made: dict[str, Any], shards: Sequence[ShardInfo]) -> None:
    made = {**made, "shards": [msgspec.to_builtins(shard) for shard in shards]}
    storage.write(join(output, "README.md"), format_card(made).encode())
    storage.write(join(output, "manifest.json"), json.dumps(made, indent=1, ensure_ascii=False).encode() + b"\n")


def read_corrections(uri: str) -> dict[str, str]:
    """Texts by key of a JSONL file. Raises ConfigError naming the line that is none, is empty or repeats a key."""
    found: dict[str, str] = {}
    try:
        with storage_for(uri).open(uri) as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise ConfigError(f"--corrections: expected a readable file: {error}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            one = msgspec.json.decode(line, type=Correction)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f'{uri}:{number}: expected {{"key": …, "text": …}}: {error}') from error
        if not one.text.strip() or one.key in found:
            wrong = "a second text" if one.key in found else "an empty one"
            raise ConfigError(f"{uri}:{number}: expected one text for {one.key!r}, found {wrong}")
        found[one.key] = one.text
    return found


def check_known(corrected: dict[str, str], samples: Sequence[Sample]) -> None:
    if unknown := sorted(corrected.keys() - {sample.key for sample in samples}):
        raise ConfigError(f"--corrections: expected keys of kept rows, found {len(unknown)} others: {unknown[:5]}")


def pair_line(pair: TrainingPair, cfg: CaptionConfig) -> dict[str, Any]:
    """What `{key}.json` and a line of pairs.jsonl say: what to ask, what to answer, where it comes from.

    Raises RunError where the prompt that was asked with is not in this version of beamsift.
    """
    prompt = choose_prompt(cfg.recaption.captioner.prompt, "", pair.originals)
    if pair.prompt not in ("", prompt.version):
        raise RunError(f"{pair.key}: expected prompt {pair.prompt}, found {prompt.version} under that name")
    told = {"key": pair.key, "prompt": prompt.fill(pair.originals), "prompt_version": prompt.version}
    names = ("originals", "target", "kind", "hardness", "mistake", "rejected")
    return told | {name: msgspec.to_builtins(getattr(pair, name)) for name in names}


def _write_shards(
    storage: Storage, output: str, pairs: Sequence[TrainingPair], lines: Sequence[dict[str, Any]], size: int
) -> list[ShardInfo]:
    written = []
    for number, part in enumerate(batched(list(zip(pairs, lines, strict=True)), size)):
        name = f"shards/{number:06d}.tar"
        # Opened anew for each shard: a shard's pictures lie all over the pool, and a reader plans once.
        with storage.create(join(output, name)) as file, SpanReader(staging_folder(output)) as spans:
            writer = ShardWriter(file, name)
            for pair, line in part:
                data = _picture(pair, spans)
                suffix = EXTENSIONS[sniff_format(data)]
                told = json.dumps(line, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
                members = ((suffix, data), ("txt", pair.target.encode()), ("json", told))
                writer.add((f"{pair.key}.{suffix}", content) for suffix, content in members)
            written.append(writer.finish())
    listed = {join(output, shard.name) for shard in written}
    for left in [file.uri for file in storage.list(join(output, "shards")) if file.uri not in listed]:
        storage.delete(left)  # of an attempt that never came to its manifest
    return written


def _picture(pair: TrainingPair, spans: SpanReader) -> bytes:
    try:
        data = materialise(pair.picture, spans)
    except OSError as error:
        raise RunError(f"{pair.key}: expected its picture where the run found it: {error}") from error
    if hashlib.sha256(data).digest() != pair.sha256:
        raise RunError(f"{pair.key}: expected the picture of the run at {pair.picture}, found another")
    return data


def _jsonl(lines: Iterable[Any]) -> bytes:
    return b"".join(json.dumps(line, ensure_ascii=False, sort_keys=True).encode() + b"\n" for line in lines)


def format_card(made: dict[str, Any]) -> str:
    counts = "".join(f"| {kind} | {number:,} |\n" for kind, number in made["counts"].items())
    prompts = ", ".join(f"`{name}`" for name in made["prompts"]) or "none"
    return _CARD.format(counts=counts, prompts=prompts, run=made["run"])


_CARD = """# Training pairs for a captioner

Accepted and corrected refined texts of the beamsift run `{run}`, hard cases first. Prompts: {prompts}.

| kind | rows |
|---|---:|
{counts}
- `shards/*.tar` WebDataset: the picture, `KEY.txt` the text to be learnt, `KEY.json` the rest
- `pairs.jsonl` the same without pictures: `prompt` (filled), `originals`, `target`, `kind`, `hardness` (0 to 3), and
  of a corrected pair `rejected` and `mistake`, which with `target` make a preference pair
- `open_cases.jsonl` rejected texts that nobody has corrected, the hardest first; corrections go back in with
  `beamsift recaption export RUN --output NEW --corrections FILE`, one `{{"key": …, "text": …}}` a line
"""
