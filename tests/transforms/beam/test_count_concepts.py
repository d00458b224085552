"""Concept balance under Beam: the rows, counts and files of a run, the same over runners, and what a resume does."""

import io
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam
import msgspec
import pyarrow.parquet as pq
from apache_beam.options.pipeline_options import PipelineOptions

from pipelines.runners import local_runner
from tests.transforms.beam.small_run import MEASURES, READ, png
from tests.transforms.pools import write_tar
from transforms.beam.coders import register_coders
from transforms.beam.count_concepts import BalanceConcepts, VocabularyFile
from transforms.beam.scan import Scan
from transforms.beam.tally_concepts import TallyConcepts
from transforms.beam.verbs import Keep, Rows, Site
from transforms.beam.write_ledger import WriteLedger
from transforms.concept_counts import parse_table, table_uri, unpack_counts
from transforms.concept_fates import balance_in_memory, mark_unbalanced
from transforms.concepts import load_concepts
from transforms.fates import mark_sample, settle_pair
from transforms.ledger import parse_row
from transforms.reading import list_units
from transforms.records import Sample, Unit, texts
from transforms.vocabulary import VocabularyError

pytestmark = pytest.mark.beam

ENTRIES = "entry\tweight\ndog\t1\ncat\t1\nNew York\t1\nYork\t1\nRome\t100\nnever\t0\n"
CAPTIONS = ["a dog", "a dog in New York", "a cat, a dog", "nothing known", "never", "Rome: a dog", "a dog again", ""]


@dataclass(frozen=True)
class Plan:
    output: str
    vocabulary: str
    t: float | None = 3
    target: int = 0
    seed: int = 11
    options: tuple[str, ...] = ()


def keep_loaded(batch):
    return batch


def mark_sound(sample: Sample) -> Sample:
    return mark_sample(sample, settle_pair)


def run(plan: Plan, units: list[Unit]) -> None:
    register_coders()
    site, options = Site(plan.output, "code", f"{plan}"), PipelineOptions(list(plan.options))
    vocabulary = VocabularyFile(plan.vocabulary, "metaclip1")
    with beam.Pipeline(runner=local_runner(options, "/dev/null"), options=options) as pipeline:
        created = pipeline | beam.Create(units, reshuffle=False).with_output_types(Unit)
        rows = Rows(created | "Scan" >> Scan([keep_loaded], READ, READ.model_dump(), site), site)
        rows = rows | "KeepSound" >> Keep(mark_sound)
        rows = rows | "Concepts" >> BalanceConcepts(vocabulary, plan.seed, plan.target)
        rows = rows | "KeepBalanced" >> Keep(partial(mark_unbalanced, t=plan.t))
        rows | "Tally" >> TallyConcepts(vocabulary, plan.t)
        rows | "Ledger" >> WriteLedger({"greyness": MEASURES["greyness"]})


@pytest.fixture
def units(tmp_path) -> list[Unit]:
    for name in ("a.tar", "b.tar", "c.tar"):
        captions = CAPTIONS if name != "c.tar" else CAPTIONS[:2]
        pairs = [[(f"{name[0]}{i}.png", png(9)), (f"{name[0]}{i}.txt", c.encode())] for i, c in enumerate(captions)]
        write_tar(tmp_path, [member for pair in pairs for member in pair], name)
    return list_units([f"{tmp_path}/*.tar"], READ)


@pytest.fixture
def plan(tmp_path) -> Plan:
    (tmp_path / "v.tsv").write_text(ENTRIES)
    return Plan(f"{tmp_path}/out", f"{tmp_path}/v.tsv")


def rows(plan: Plan) -> list[Sample]:
    paths = sorted(Path(plan.output, "ledger").iterdir())
    return [parse_row(row) for path in paths for row in pq.read_table(path).to_pylist()]


def files(plan: Plan, folder: str = "") -> dict[str, tuple[bytes, int]]:
    found = sorted(path for path in Path(plan.output, folder).rglob("*") if path.is_file())
    return {str(path.relative_to(plan.output)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


def content(plan: Plan) -> dict[str, bytes]:
    """Everything but the seconds that stages took."""
    decided = {path.name: pq.read_table(path).to_pylist() for path in Path(plan.output, "ledger").iterdir()}
    table = Path(table_uri(plan.output)).read_bytes()
    counts = {path.name: path.read_bytes() for path in Path(plan.output, "work/concept_counts").glob("counts-*")}
    return {"decided": decided, "table": table, **counts}


def table(plan: Plan) -> dict[str, tuple[int, int]]:
    found = pq.read_table(io.BytesIO(Path(table_uri(plan.output)).read_bytes())).to_pylist()
    return {row["entry"]: (row["count"], row["kept"]) for row in found}


@pytest.mark.parametrize(("t", "target"), [(3, 0), (None, 9)])
def test_the_table_says_what_was_counted_and_how(plan, units, t, target):
    run(replace(plan, t=t, target=target), units)
    found = parse_table(Path(table_uri(plan.output)).read_bytes(), "table")
    vocabulary = load_concepts(plan.vocabulary, "metaclip1").vocabulary
    assert (found.vocabulary.sha256, found.vocabulary.rows) == (vocabulary.sha256, vocabulary.rows)
    assert {name: found.settings[name] for name in ("vocabulary", "padding")} == {
        "vocabulary": vocabulary.sha256, "padding": "metaclip1"
    }  # fmt: skip
    alive = [sample for sample in rows(plan) if sample.alive]
    assert float(found.settings["t"]) == (t or alive[0].measures["concept_limit"])
    assert [int(found.settings[name]) for name in ("captions", "unmatched", "kept")] == [18, 4, len(alive)]


@pytest.mark.parametrize(("t", "target"), [(3, 0), (None, 9)])
def test_a_run_decides_as_the_pure_functions_do(plan, units, t, target):
    run(replace(plan, t=t, target=target), units)
    found = rows(plan)
    sound = [mark_sound(forget(sample)) for sample in found]
    concepts = load_concepts(plan.vocabulary, "metaclip1")
    assert found == list(balance_in_memory(sound, concepts, plan.seed, t=t, target=target))
    rules = Counter(sample.drop.rule if sample.drop else sample.fate for sample in found)
    assert rules == {"kept": 9 if target else 10, "concept_none": 4, "concept_not_drawn": 5 if target else 4}


def forget(sample):
    pieces = tuple(msgspec.structs.replace(piece, measures={}, drop=None) for piece in sample.pieces)
    return msgspec.structs.replace(sample, drop=None, measures={}, pieces=pieces)


def test_counts_are_of_the_whole_pool(plan, units):
    run(plan, units)
    (counts,) = Path(plan.output, "work/concept_counts").glob("counts-*")
    assert unpack_counts(counts.read_bytes()).tolist() == [12, 2, 3, 3, 2, 2]
    found = table(plan)
    assert {entry: before for entry, (before, _) in found.items()} == {
        "dog": 12, "New York": 3, "York": 3, "cat": 2, "Rome": 2, "never": 2
    }  # fmt: skip
    kept = [text.value for sample in rows(plan) if sample.alive for text in texts(sample)]
    assert {entry: after for entry, (_, after) in found.items()} == {
        entry: sum(entry in caption for caption in kept) for entry in found
    }
    assert found["cat"] == (2, 2) and found["never"] == (2, 0) and 0 < found["dog"][1] < 12


def test_a_target_is_met(plan, units):
    plan = replace(plan, t=None, target=9)
    run(plan, units)
    alive = [sample for sample in rows(plan) if sample.alive]
    assert len(alive) == 9
    assert len({sample.measures["concept_limit"] for sample in alive}) == 1
    assert sum(after for _, after in table(plan).values()) > 9


@pytest.mark.parametrize(
    "options",
    [
        ("--direct_runner_bundle_repeat=1",),
        ("--direct_running_mode=multi_threading", "--direct_num_workers=2"),
    ],
    ids=lambda options: options[0],
)
@pytest.mark.parametrize("target", [0, 9])
def test_the_same_over_runners_and_bundles(plan, units, options, target):
    plan = replace(plan, t=None if target else 3, target=target)
    run(plan, units)
    other = replace(plan, output=plan.output + "2", options=options)
    run(other, units[::-1])
    assert content(plan) == content(other)


def test_a_resume_takes_everything_over(plan, units):
    run(plan, units)
    before = files(plan)
    run(plan, units)
    after = files(plan)
    assert {name for name in after if after[name] != before.get(name)} == {"work/concept_counts/counts.parquet"}
    assert {name: data for name, (data, _) in after.items()} == {name: data for name, (data, _) in before.items()}


def test_another_t_keeps_the_counts_and_the_answers(plan, units):
    run(plan, units)
    before = files(plan, "work")
    run(replace(plan, t=8), units)
    changed = {name for name, found in files(plan, "work").items() if before.get(name) != found}
    assert {name.split("/")[1] for name in changed} == {"kept", "concept_counts"}
    assert {name for name in changed if "/kept/" not in name} == {"work/concept_counts/counts.parquet"}


@pytest.mark.parametrize("change", ["weight", "entry", "seed"])
def test_another_vocabulary_or_seed_judges_again(plan, units, change):
    run(plan, units)
    before = files(plan, "work")
    if change == "seed":
        plan = replace(plan, seed=12)
    else:
        text = ENTRIES.replace("Rome\t100", "Rome\t50") if change == "weight" else ENTRIES.replace("Rome", "Paris")
        Path(plan.vocabulary).write_text(text)
    run(plan, units)
    changed = {name.split("/")[1] for name, found in files(plan, "work").items() if before.get(name) != found}
    assert changed == ({"concepts", "kept", "concept_counts"} | (set() if change == "seed" else {"concept_matches"}))


def test_another_pool_counts_again_and_matches_only_what_is_new(plan, units):
    run(plan, units[:2])
    before = files(plan, "work")
    run(plan, units)
    matches = {n for n, found in files(plan, "work").items() if before.get(n) != found and "concept_matches" in n}
    assert len(matches) == 1
    fresh = replace(plan, output=plan.output + "2")
    run(fresh, units)
    assert content(fresh)["decided"] == content(plan)["decided"]


def test_an_empty_pool_ends_well(plan):
    run(plan, [])
    assert set(table(plan).values()) == {(0, 0)}
    run(replace(plan, t=None, target=3), [])


def test_a_worker_refuses_another_vocabulary_than_the_run_began_with(plan):
    found = load_concepts(plan.vocabulary, "metaclip1").vocabulary.sha256
    assert VocabularyFile(plan.vocabulary, "metaclip1", found).load().vocabulary.sha256 == found
    Path(plan.vocabulary).write_text(ENTRIES + "more\t1\n")
    with pytest.raises(VocabularyError, match=f"expected the content {found}, with which the run began"):
        VocabularyFile(plan.vocabulary, "metaclip1", found).load()
