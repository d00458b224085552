"""A run's refined texts as a training set: readable by webdataset, hard cases first, corrections in, the same bytes."""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from pipelines.cli import main
from recaption.prompting import load_prompt
from tests.pipelines.recaption_run import ROWS, asking, write, write_pool
from tests.pipelines.whole_runs import run_here
from tests.recaption.server import serving
from transforms.shard_reader import ShardReader

pytestmark = pytest.mark.beam


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch, serving(write=write) as served:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
            patch.delenv(name, raising=False)
        assert run_here(write_pool(folder), folder / "out", *asking(served)) == 0
    return folder / "out"


def export(run: Path, output: Path, *more: str) -> int:
    return main(["recaption", "export", str(run), "--output", str(output), *more])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_accepted_pairs_go_out_with_their_pictures_and_prompts(run, tmp_path):
    assert export(run, tmp_path / "set", "--samples-per-shard", "4") == 0
    made = json.loads((tmp_path / "set/manifest.json").read_text())
    assert made["counts"] == {"accepted": ROWS - 7, "open": 2} and [s["samples"] for s in made["shards"]] == [4, 4, 1]
    pairs, found = lines(tmp_path / "set/pairs.jsonl"), {}
    for shard in made["shards"]:
        with ShardReader(str(tmp_path / "set" / shard["name"])) as reader:
            found |= {key: reader[number] for number, key in enumerate(reader.keys)}
    assert [pair["key"] for pair in pairs] == list(found)
    assert [pair["hardness"] for pair in pairs] == sorted((pair["hardness"] for pair in pairs), reverse=True)
    for pair in pairs:
        members = found[pair["key"]]
        assert set(members) == {"jpg", "txt", "json"} and members["jpg"][:2] == b"\xff\xd8"
        assert json.loads(members["json"]) == pair and members["txt"].decode() == pair["target"]
        assert pair["prompt"] == load_prompt("refine-1", "en").fill(pair["originals"])
    rejected = {case["mistake"].partition(":")[0] for case in lines(tmp_path / "set/open_cases.jsonl")}
    assert rejected == {"recaption_fact_lost", "recaption_truncated"}


@pytest.mark.filterwarnings("ignore")  # webdataset leaves its files to the garbage collector
def test_webdataset_reads_it(run, tmp_path):
    wds = pytest.importorskip("webdataset")
    assert export(run, tmp_path / "set") == 0
    url = str(tmp_path / "set/shards/000000.tar")
    rows = list(wds.WebDataset(url, shardshuffle=False, empty_check=False).decode("pil").to_tuple("jpg", "txt", "json"))
    assert len(rows) == ROWS - 7 and rows[0][0].size[1] == 240 and rows[0][1] == rows[0][2]["target"]


def test_corrections_lead_and_become_preference_pairs(run, tmp_path):
    fixed = {"c1": "The boats of Madeira, seen from above.", "b3": "Boats of the navy at sea.", "a0": "Two boats."}
    file = tmp_path / "fixed.jsonl"
    file.write_text("".join(json.dumps({"key": k, "text": t}) + "\n\n" for k, t in fixed.items()))
    assert export(run, tmp_path / "set", "--corrections", str(file)) == 0
    pairs = {pair["key"]: pair for pair in lines(tmp_path / "set/pairs.jsonl")}
    assert {key: (pairs[key]["target"], pairs[key]["kind"]) for key in fixed} == {
        key: (text, "corrected") for key, text in fixed.items()
    }
    assert next(iter(pairs)) == "c1" and pairs["c1"]["mistake"] == "recaption_fact_lost: name Madeira"
    assert pairs["c1"]["rejected"].startswith("lose the boats of an island")
    assert [case["key"] for case in lines(tmp_path / "set/open_cases.jsonl")] == ["c3"]
    assert export(run, tmp_path / "again", "--corrections", str(file)) == 0
    assert contents(tmp_path / "again") == contents(tmp_path / "set")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"key": "nobody", "text": "x"}', "expected keys of kept rows, found 1 others: ['nobody']"),
        ('{"key": "a0", "text": " "}', "fixed.jsonl:1: expected one text for 'a0', found an empty one"),
        ('{"key": "a0"}', "missing required field `text`"),
        ('{"key": "a0", "text": "x"}\n{"key": "a0", "text": "y"}', "fixed.jsonl:2: expected one text for 'a0'"),
        ("\xff", "fixed.jsonl:1: expected"),
    ],
)
def test_corrections_that_cannot_be_meant_are_told(run, tmp_path, capsys, text, told):
    (tmp_path / "fixed.jsonl").write_bytes(text.encode("latin-1"))
    assert export(run, tmp_path / "set", "--corrections", str(tmp_path / "fixed.jsonl")) == 2
    assert told in capsys.readouterr().err and not (tmp_path / "set").exists()


def test_what_is_no_finished_run_with_refined_texts_is_refused(run, finished, tmp_path, capsys):
    assert export(tmp_path, tmp_path / "set") == 2
    assert "expected a finished run" in capsys.readouterr().err
    assert export(finished, tmp_path / "set") == 2
    assert "expected a run with recaption.enabled=true" in capsys.readouterr().err
    assert export(run, run) == 2
    assert "choose another --output" in capsys.readouterr().err
