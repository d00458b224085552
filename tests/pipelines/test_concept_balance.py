"""Concept balance in whole runs: fates as the pure functions have them, however it runs and resumes; decided again."""

import json
import os
import shutil
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.caption import CaptionConfig
from pipelines.cli import main
from pipelines.concept_table import read_concepts
from pipelines.decisions import disagreements, load_measured
from pipelines.ledger import samples_by_unit
from pipelines.what_if import override
from pipelines.why import why
from tests.pipelines.damage import problems
from tests.pipelines.whole_runs import QUICK, run_here, shards_of, standing
from tests.world.raw_shards import write_world
from tests.world.samples import World
from transforms.caption_pairs import decide_again
from transforms.concept_fates import balance_in_memory, forget_concepts
from transforms.concepts import load_concepts
from transforms.fates import forget_fate
from transforms.records import Sample, texts

pytestmark = pytest.mark.beam

WORDS = ["a", "the", "with", "and", "of", "red", "blue", "green", "bar chart", "circle", "Lisbon", "Oslo", "zebra"]
WEIGHTS = {"Lisbon": 50.0, "the": 0.0}
T = 20


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    """Three tars of 60 pairs."""
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, World(3, 180, 60))
    return [str(path) for path in sorted((folder / "raw").glob("*.tar"))]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("vocabulary") / "v.tsv"
    write_entries(path, WORDS)
    return path


def write_entries(path: Path, words: list[str]) -> None:
    path.write_text("entry\tweight\n" + "".join(f"{word}\t{WEIGHTS.get(word, 1)}\n" for word in words))


def settings(vocabulary: Path, *more: str) -> tuple[str, ...]:
    values = ("concepts.enabled=true", f"concepts.vocabulary={vocabulary}", f"concepts.t={T}", *more)
    return (*QUICK, *(part for value in ("output.samples_per_shard=20", *values) for part in ("--set", value)))


@pytest.fixture(scope="module")
def output(pool, vocabulary, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("balanced")
    assert run_here(pool, folder, *settings(vocabulary)) == 0
    return folder


def rows(output: Path | str) -> list[Sample]:
    return [sample for _, sample in samples_by_unit(str(output))]


def manifest(output: Path) -> dict:
    return json.loads((output / "manifest.json").read_text())


def config(output: Path) -> CaptionConfig:
    return CaptionConfig.model_validate(manifest(output)["config"])


def unbalanced(pool: list[str], output: Path) -> list[Sample]:
    """Rows as they reach the step: the run without it."""
    assert run_here(pool, output, *QUICK) == 0
    return rows(output)


@pytest.fixture(scope="module")
def before(pool, tmp_path_factory) -> list[Sample]:
    return unbalanced(pool, tmp_path_factory.mktemp("unbalanced"))


@pytest.mark.parametrize("target", [0, 40])
def test_a_run_decides_as_the_pure_functions_do(vocabulary, before, output, solved, target):
    output = solved if target else output
    concepts = load_concepts(str(vocabulary), "metaclip1")
    assert rows(output) == list(balance_in_memory(before, concepts, 0, t=None if target else T, target=target))
    dropped = manifest(output)["counts"]["dropped"]
    assert dropped["concept_none"] > 0 and dropped["concept_not_drawn"] > 20
    assert target == 0 or manifest(output)["counts"]["kept"] == target
    assert problems(output) == {}


def test_the_manifest_and_the_table_say_what_was_counted(output, vocabulary):
    told, table = manifest(output)["concepts"], read_concepts(str(output))
    found = load_concepts(str(vocabulary), "metaclip1").vocabulary
    assert told["vocabulary_sha256"] == found.sha256 == table.vocabulary.sha256
    assert (told["t"], told["entries"], told["named"], told["padding"]) == (T, 13, 12, "metaclip1")
    asked = [text for sample in rows(output) for text in texts(sample) if "concepts" in text.measures]
    kept = [text for sample in rows(output) if sample.alive for text in texts(sample) if text.drop is None]
    unmatched = sum(not text.measures["concepts"] for text in asked)
    assert [told["captions"], told["unmatched"], told["kept"]] == [len(asked), unmatched, len(kept)]
    assert [int(table.before.sum()), int(table.after.sum())] == [
        sum(text.measures["concepts"] for text in part) for part in (asked, kept)
    ]
    assert [path.name for path in (output / "work" / "concept_counts").iterdir()] == ["counts.parquet"]
    head = table.before > 2 * T
    assert head.any() and (table.after[head] < table.before[head]).all()


@pytest.fixture(scope="module")
def solved(pool, vocabulary, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("solved")
    assert run_here(pool, folder, *settings(vocabulary, "concepts.target=40")) == 0
    return folder


@pytest.mark.parametrize("more", [["--direct_runner_bundle_repeat=2"], ["--direct_num_workers=2"]])
def test_the_same_bytes_however_it_runs(pool, vocabulary, solved, tmp_path, more):
    assert run_here(pool[::-1], tmp_path, *settings(vocabulary, "concepts.target=40"), *more) == 0
    assert shards_of(tmp_path) == shards_of(solved)
    assert manifest(tmp_path)["concepts"] == manifest(solved)["concepts"]
    assert rows(tmp_path) == rows(solved)


def test_another_t_takes_over_scans_and_matches(pool, vocabulary, output, tmp_path):
    shutil.copytree(output, tmp_path / "set")
    (tmp_path / "set" / "manifest.json").unlink()
    before = standing(tmp_path / "set", "work/scan", "work/concept_matches", "work/concepts")
    sets = settings(vocabulary, "concepts.t=35")
    assert run_here(pool, tmp_path / "set", *sets) == 0
    assert standing(tmp_path / "set", "work/scan", "work/concept_matches", "work/concepts") == before and before
    assert run_here(pool, tmp_path / "fresh", *sets) == 0
    assert shards_of(tmp_path / "set") == shards_of(tmp_path / "fresh") != shards_of(output)
    assert manifest(tmp_path / "set")["concepts"] == manifest(tmp_path / "fresh")["concepts"]


def test_without_the_step_its_table_goes(pool, output, tmp_path):
    shutil.copytree(output, tmp_path / "set")
    (tmp_path / "set" / "manifest.json").unlink()
    assert run_here(pool, tmp_path / "set", *QUICK) == 0
    assert manifest(tmp_path / "set")["concepts"] == {}
    assert not (tmp_path / "set" / "concepts.parquet").exists()
    assert problems(tmp_path / "set") == {}


def test_another_content_of_the_vocabulary_is_another_recipe(pool, vocabulary, tmp_path, capsys):
    mine = shutil.copy(vocabulary, tmp_path / "v.tsv")
    assert run_here(pool, tmp_path / "set", *settings(mine)) == 0
    assert run_here(pool, tmp_path / "set", *settings(mine)) == 0
    assert "nothing to do" in capsys.readouterr().err
    write_entries(mine, [*WORDS, "more"])
    assert run_here(pool, tmp_path / "set", *settings(mine)) == 2
    assert "another recipe" in capsys.readouterr().err


SETS = [
    ["concepts.target=40"],
    ["caption.min_words=12", "concepts.t=8"],
    ["concepts.padding=spaced"],
    ["seed=5"],
]


@pytest.mark.parametrize("sets", SETS, ids=" ".join)
def test_what_if_tells_what_another_run_would_do(pool, vocabulary, output, solved, tmp_path, sets):
    measured = load_measured(str(output))
    assert list(disagreements(measured, config(output))) == []
    told = decide_again(measured.samples, measured.units, override(config(output), sets), measured.vocabulary)
    if sets == ["concepts.target=40"]:
        tmp_path = solved
    else:
        assert run_here(pool, tmp_path, *settings(vocabulary, *sets)) == 0
    assert told == load_measured(str(tmp_path)).samples


def test_what_if_and_verify_need_no_vocabulary_but_the_runs(pool, vocabulary, tmp_path, capsys):
    mine = shutil.copy(vocabulary, tmp_path / "v.tsv")
    assert run_here(pool, tmp_path / "set", *settings(mine)) == 0
    write_entries(mine, WORDS[:3])
    assert main(["verify", str(tmp_path / "set")]) == 0
    shutil.rmtree(tmp_path / "set" / "work")
    os.unlink(mine)
    assert main(["verify", str(tmp_path / "set")]) == 0
    assert main(["what-if", str(tmp_path / "set"), "--set", "concepts.t=5"]) == 0
    assert main(["report", str(tmp_path / "set")]) == 0
    capsys.readouterr()
    assert main(["what-if", str(tmp_path / "set"), "--set", "concepts.vocabulary=gone.tsv"]) == 2
    assert "VocabularyError: gone.tsv: expected a vocabulary file" in capsys.readouterr().err


def test_what_if_can_try_the_step_on_a_run_without_it(pool, vocabulary, before, output, tmp_path):
    cfg = override(CaptionConfig(), ["relevance.enabled=false", "concepts.enabled=true", f"concepts.t={T}",
                                     f"concepts.vocabulary={vocabulary}"])  # fmt: skip
    units = load_measured(str(output)).units
    assert [s.drop for s in decide_again(before, units, cfg)] == [s.drop for s in rows(output)]


def test_a_table_that_was_changed_is_found(output, tmp_path):
    shutil.copytree(output, tmp_path / "set")
    shutil.copy(output / "ledger" / "000000.parquet", tmp_path / "set" / "concepts.parquet")
    assert set(problems(tmp_path / "set")) == {"views", "ledger readable"}


def test_nothing_else_is_told_of_a_row(output, before):
    again = [forget_concepts(forget_fate(sample)) for sample in rows(output)]
    assert again == [forget_fate(sample) for sample in before]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("entry\tweight\ndog\tmany\n", "v.tsv: entry 2: expected a number as weight, found 'many'"),
        ("entry\ndog\ndog\n", "v.tsv: entry 2: expected each entry once, found 'dog' also as entry 1"),
        ("", "v.tsv: line 1: expected a header"),
        (None, "v.tsv: expected a vocabulary file, found none to read"),
    ],
)
def test_a_vocabulary_that_does_not_serve_is_told_before_anything_is_read(pool, tmp_path, capsys, content, told):
    if content is not None:
        (tmp_path / "v.tsv").write_text(content)
    assert run_here(pool, tmp_path / "set", *settings(tmp_path / "v.tsv")) == 2
    line = capsys.readouterr().err.strip()
    assert line.startswith("VocabularyError: ") and told in line and "\n" not in line
    assert not (tmp_path / "set" / "work").exists()


def test_why_tells_the_entry_and_the_t(output, capsys):
    row = next(sample for sample in rows(output) if sample.drop and sample.drop.rule == "concept_not_drawn")
    assert why(str(output), row.key) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "concept_not_drawn: concept_t" in told and f"limit {T} ({row.drop.detail})" in told
    assert f"NO: ≤ {T} by" in told


@pytest.mark.parametrize("more", [[], ["concepts.target=40"]])
def test_a_plan_tries_the_step_at_the_same_p(pool, vocabulary, output, solved, tmp_path, more, capsys):
    made = solved if more else output
    line = ["plan", "caption", "--input", *pool, "--output", str(tmp_path / "set"), *settings(vocabulary, *more)]
    assert main(line) == 0
    told = capsys.readouterr().out
    assert "13 entries, 2 weighted, sha256" in told and "→ concepts → ledger" in told
    (row,) = (line.split() for line in told.splitlines() if line.startswith(" concepts"))
    written = sum(path.stat().st_size for name in MADE for path in (made / "work" / name).glob("*.arrow"))
    assert row[1] == "3" and 0.2 < float(row[5]) * 1024 / written < 3
    kept = next(line for line in told.splitlines() if "kept in" in line)
    assert abs(int(kept.split(" kept in")[0].split()[-1]) - manifest(made)["counts"]["kept"]) < 15


MADE = ("concept_matches", "concepts", "concept_limit")
