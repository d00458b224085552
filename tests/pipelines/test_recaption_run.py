"""Recaptioning in whole runs, through a real HTTP server that misbehaves: no row lost, every failure on the ledger, the
same bytes however it runs, and nothing asked twice."""

import json
from collections import Counter
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from pipelines.decisions import disagreements, load_measured
from pipelines.finish import finished_manifest
from pipelines.ledger import open_ledger, run_config, samples_by_unit
from recaption.prompting import load_prompt
from tests.pipelines.damage import problems
from tests.pipelines.recaption_run import ANSWERED, ROWS, asking, write, write_pool
from tests.pipelines.whole_runs import arguments, run_here, run_killed, shards_of, standing, unfinished
from tests.recaption.server import serving
from transforms.ledger import recaption_of
from transforms.records import Sample
from transforms.shard_reader import ShardReader

pytestmark = pytest.mark.beam
SECRET = "sk-not-for-anybodys-eyes"


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return write_pool(tmp_path_factory.mktemp("harbour"))


@pytest.fixture(scope="module")
def made(pool, tmp_path_factory):
    """(output, what the server saw) of an undisturbed run of one worker, with a key."""
    output = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch, serving(write=write, seconds=0.02, key=SECRET) as served:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        patch.setenv("OPENAI_API_KEY", SECRET)
        assert run_here(pool, output, *asking(served)) == 0
    return output, served


def rows(output: Path) -> dict[str, Sample]:
    """By caption."""
    found = [sample for _, sample in samples_by_unit(str(output))]
    return {sample.pieces[1].value: sample for sample in found}


def test_no_row_is_lost_and_every_failure_is_on_the_ledger(made):
    output, served = made
    found = rows(output)
    assert len(found) == ROWS and all(sample.alive for sample in found.values())
    reasons = {caption.split()[0]: recaption_of(row).drop for caption, row in found.items()}
    failed = {word: drop for word, drop in reasons.items() if drop and drop.rule == "recaption_failed"}
    assert {word: drop.detail.partition(":")[0] for word, drop in failed.items()} == {
        "busy": "CaptionerUnavailable",
        "error": "CaptionerUnavailable",
        "half": "CaptionerTruncated",
        "malformed": "CaptionerMalformed",
        "refused": "CaptionerRefused",
    }
    assert {word: drop.value for word, drop in failed.items()} == dict.fromkeys(failed, 3) | {"refused": 1}
    turned = {word: drop.rule for word, drop in reasons.items() if drop and word not in failed}
    assert turned == {"lose": "recaption_fact_lost", "length": "recaption_truncated"}
    assert served.requests["busy2 boats in the harbour of Lagos"] == 3
    assert max(served.requests.values()) == 3


def test_the_client_asks_as_many_at_a_time_as_it_may(made):
    assert made[1].most == 4


def test_the_ledger_has_it_in_columns_and_the_manifest_in_sums(made):
    output, _ = made
    with open_ledger(str(output)) as ledger:
        query = "SELECT recaption_rule, count(*) FROM ledger GROUP BY 1 ORDER BY ALL NULLS FIRST"
        told = dict(ledger.execute(query).fetchall())
        [[lost, error]] = ledger.execute(
            "SELECT max(recaption_lost), max(recaption_error) FILTER (WHERE caption LIKE 'half%') FROM ledger"
        ).fetchall()
    assert told == {None: ROWS - 7, "recaption_failed": 5, "recaption_fact_lost": 1, "recaption_truncated": 1}
    assert (lost, error) == ("name Madeira", "CaptionerTruncated")
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    refined = counts["recaption"]
    assert refined["asked"] == ROWS and refined["accepted"] == ROWS - 7
    assert refined["turned_away"] == {name: n for name, n in told.items() if name}
    assert (refined["tokens_in"], refined["tokens_out"]) == (100 * len(ANSWERED), 20 * len(ANSWERED))
    assert refined["cost"] == pytest.approx(len(ANSWERED) * (100 * 2.0 + 20 * 10.0) / 1e6)


def test_the_card_lists_model_prompt_mix_and_cost(made):
    card = (made[0] / "README.md").read_text("utf-8")
    [part] = [part for part in card.split("\n## ") if part.startswith("Refined captions")]
    text = finished_manifest(str(made[0])).counts["recaption"]["text"]
    assert (
        f"| captioner | `stand-in`, server |\n| prompts | `{load_prompt('refine-1', 'en').version}`, `refine-1.zh"
        in part
    )
    assert f"| mix | 50% of the accepted by a hash of the key: {text} of {ROWS} texts |" in part
    assert f"{100 * len(ANSWERED):,} tokens read" in part and "recaption_failed 5" in part


def test_the_shards_hold_both_texts_and_which_of_them_is_the_text(made):
    output, _ = made
    found = rows(output)
    by_key = {sample.key: sample for sample in found.values()}
    seen = Counter()
    for shard in shards_of(output):
        with ShardReader(str(output / shard["name"])) as reader:
            for number, key in enumerate(reader.keys):
                members, sample = reader[number], by_key[key]
                told = json.loads(members["json"])["beamsift"]
                texts = {piece["role"]: piece for piece in told["pieces"] if "role" in piece}
                taken = told["measures"]["text_from"]
                assert members["txt"].decode() == texts[taken]["text"]
                assert texts["caption"]["text"] == sample.pieces[1].value
                if taken == "recaption":
                    assert "drop" not in texts["recaption"]
                    assert texts["recaption"]["measures"]["prompt"].startswith("refine-1.en:")
                    assert texts["recaption"]["measures"]["model"] == "stand-in"
                seen[taken] += 1
    assert seen["recaption"] == finished_manifest(str(output)).counts["recaption"]["text"] >= 2
    assert seen["caption"] >= 7


def test_the_run_is_sound_and_follows_from_its_measures(made):
    output = str(made[0])
    assert problems(made[0]) == {} and unfinished(made[0]) == []
    assert list(disagreements(load_measured(output), run_config(finished_manifest(output), output))) == []


def test_the_key_is_nowhere(made, capfd):
    output, _ = made
    assert [str(path) for path in output.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()] == []
    assert SECRET not in "".join(capfd.readouterr())


@pytest.mark.parametrize("more", [["--direct_runner_bundle_repeat=2"], ["--direct_num_workers=2"]])
def test_the_same_bytes_however_it_runs(pool, made, tmp_path, more):
    with serving(write=write) as served:
        assert run_here(pool[::-1], tmp_path, *asking(served, *more)) == 0
    assert shards_of(tmp_path) == shards_of(made[0])
    assert served.requests == made[1].requests


def test_killed_and_resumed_it_asks_for_no_answer_twice(pool, made, tmp_path):
    with serving(write=write) as served:
        run_killed("recaption.openai_server:ServerCaptioner.predict", 3, arguments(pool, tmp_path, *asking(served)))
        told = Counter(served.requests)
        assert sum(told.values()) >= 5 and not (tmp_path / "manifest.json").exists()
        assert run_here(pool, tmp_path, *asking(served)) == 0
    assert served.requests == made[1].requests
    assert shards_of(tmp_path) == shards_of(made[0])
    assert list(tmp_path.glob("work/recaption_parts/*/*")) == []


def test_a_server_that_falls_over_stops_the_run_with_one_line_and_loses_no_answer(pool, made, tmp_path, capfd):
    few = ("--set", "recaption.captioner.server.most_unanswered=2", "--set", "recaption.captioner.server.attempts=2")
    with serving(write=write) as served:
        served.dies_after = 3
        assert run_here(pool, tmp_path, *asking(served, *few)) == 2
    told = [line for line in capfd.readouterr().err.splitlines() if "CaptionerDown" in line]
    assert len(told) == 1 and "found 503 'the model is gone'" in told[0] and "the same command resumes" in told[0]
    with serving(write=write) as again:
        assert run_here(pool, tmp_path, *asking(again)) == 0
    assert served.answers == 3 and again.answers == made[1].answers - 3
    assert shards_of(tmp_path) == shards_of(made[0])


def test_nobody_listening_is_told_in_one_line(pool, tmp_path, capfd):
    assert run_here(pool[:1], tmp_path, *asking("http://127.0.0.1:9/v1")) == 2
    [line] = [line for line in capfd.readouterr().err.splitlines() if "CaptionerDown" in line]
    assert line.startswith("Stopped: CaptionerDown: http://127.0.0.1:9/v1: expected somebody to listen")
    assert standing(tmp_path, "work/scan")


def test_what_decides_an_answer_asks_again_and_nothing_else_does(pool, tmp_path, monkeypatch):
    """One output, one change after the other, always stopped before the manifest stands."""
    monkeypatch.setattr("pipelines.run.make_manifest", interrupt)
    with serving(write=write) as served:

        def run(*changes: str) -> int:
            more = [part for one in changes for part in ("--set", one)]
            assert run_here(pool, tmp_path, *asking(served, *more)) == 130
            return sum(served.requests[caption] for caption in ANSWERED)

        asked, kept = run(), standing(tmp_path, "work/recaption", "work/recaption_check")
        for change in ("mix.recaption_share=1.0", "guard.max_facts_lost=1", "captioner.server.concurrency=2"):
            assert run(f"recaption.{change}") == asked
            assert standing(tmp_path, "work/recaption", "work/recaption_check") == kept, change
        assert run("recaption.guard.max_seen_count=3") == asked, "measured again, not asked again"
        assert standing(tmp_path, "work/recaption").items() <= kept.items()
        assert run("caption.min_words=6") == asked, "rows that stay were asked about before"
        assert run() == asked, "and rows that come back"
        before = served.answers
        run("recaption.captioner.prompt=describe-1")
        assert served.answers == before + ROWS


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt
