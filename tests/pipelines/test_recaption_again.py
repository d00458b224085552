"""A finished run with refined texts, told and decided again; and one whose captioner runs in the worker itself."""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.strict import ConfigError
from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from pipelines.what_if import what_if
from pipelines.why import why
from tests.classifiers.tiny_clip import save_tiny_clip
from tests.pipelines.damage import problems
from tests.pipelines.recaption_run import ROWS, asking, write, write_pool
from tests.pipelines.whole_runs import run_here, shards_of
from tests.recaption.server import serving
from tests.recaption.tiny_glm4v import save_tiny_glm4v
from transforms.ledger import recaption_of

pytestmark = [
    pytest.mark.beam,
    # transformers 5.23 turns a torch tensor into a numpy array by the protocol of numpy 1.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return write_pool(tmp_path_factory.mktemp("harbour"))


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> str:
    pytest.importorskip("torch")
    pytest.importorskip("open_clip")
    return save_tiny_clip(tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def output(pool, clip, tmp_path_factory) -> Path:
    """With scores, by a server."""
    folder = tmp_path_factory.mktemp("scored")
    with pytest.MonkeyPatch.context() as patch, serving(write=write) as served:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
            patch.delenv(name, raising=False)
        assert run_here(pool, folder, *asking(served, clip=clip)) == 0
    return folder


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def recaptions(output: Path | str) -> dict[str, tuple[str, str]]:
    """By key: what turned the refined text away, and which text goes out."""
    rows = [sample for _, sample in samples_by_unit(str(output))]
    drops = {row.key: recaption_of(row).drop for row in rows}
    return {row.key: (d.rule if (d := drops[row.key]) else "", str(row.measures["text_from"])) for row in rows}


def test_both_texts_were_scored_and_the_run_is_sound(output):
    rows = [sample for _, sample in samples_by_unit(str(output))]
    told = [recaption_of(row).measures for row in rows if recaption_of(row).value]
    assert all(m["clip_change"] == round(m["clip_score"] - m["clip_before"], 4) for m in told)
    assert (
        any(rule == "recaption_clip_drop" for rule, _ in recaptions(output).values())
        or min(m["clip_change"] for m in told) > -0.02
    )
    assert problems(output) == {}


def verdicts(told: str) -> dict[str, list[str]]:
    """Rows of what-if's table of refined texts: old, new, difference."""
    rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in told.splitlines() if "│" in line]
    return {row[0]: row[1:] for row in rows if len(row) == 4}


def test_what_if_tells_another_mix_and_margin(pool, clip, output, tmp_path, capsys):
    changes = ("recaption.mix.recaption_share=1.0", "recaption.guard.max_clip_drop=0.0")
    with serving(write=write) as served:
        more = tuple(part for one in changes for part in ("--set", one))
        assert run_here(pool, tmp_path, *asking(served, *more, clip=clip)) == 0
    capsys.readouterr()
    assert what_if(str(output), changes) == 0
    told = capsys.readouterr().out
    table, real = verdicts(told), recaptions(tmp_path)
    assert table["accepted"][1] == str(sum(not rule for rule, _ in real.values()))
    assert table["become the text"][1] == str(sum(role == "recaption" for _, role in real.values()))
    for rule in {rule for rule, _ in real.values()} - {""}:
        assert table[rule][1] == str(sum(found == rule for found, _ in real.values()))
    assert "recaption.mix.recaption_share: 0.5 → 1.0" in told


def test_what_if_says_which_rows_only_a_run_can_tell(output, capsys):
    assert what_if(str(output), ["recaption.enabled=false"]) == 0
    assert verdicts(capsys.readouterr().out)["accepted"][1] == "0"
    for change in ("captioner.prompt=describe-1", "captioner.model=other", "guard.max_seen_count=3", "guard.ocr=true"):
        with pytest.raises(ConfigError, match=rf"recaption\.{change.split('=')[0]} changes the measuring"):
            what_if(str(output), [f"recaption.{change}"])


def test_why_tells_the_verdict_and_both_texts(output, capsys):
    assert why(str(output), "c1") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "caption lose the boats of Madeira" in told and "recaption lose the boats of an island, seen" in told
    assert "marked recaption_fact_lost: recaption_facts_lost 1 facts, limit 0 (name Madeira)" in told
    assert "the text is the caption" in told
    assert "recaption_facts_lost 1 facts recaption_fact_lost NO: ≤ 0 by 1" in told
    assert why(str(output), "b4") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "recaption_failed: recaption_attempts 3 requests, limit 0 (CaptionerUnavailable:" in told


def test_plan_asks_whether_somebody_is_there(pool, tmp_path, capsys):
    def planned(*more: str) -> tuple[int, str]:
        command = ["plan", "caption", "--input", *pool, "--output", str(tmp_path / "out"), *more]
        return main(command), " ".join(capsys.readouterr().out.split())

    with serving() as served:
        code, told = planned(*asking(served))
        assert code == 0 and f"stand-in, {served.url}; about {ROWS} rows to ask" in told and served.bodies == []
        code, told = planned(*asking(served, "--set", "recaption.captioner.model=other"))
        assert code == 2 and "expected one of stand-in, found 'other'" in told
    code, told = planned(*asking("http://127.0.0.1:9/v1"))
    assert code == 2 and "expected somebody to listen" in told and "a run would stop: captioner" in told


def test_a_model_in_the_worker_writes_the_same_bytes_again(pool, tmp_path):
    pytest.importorskip("transformers")
    local = {
        "backend": "local", "max_tokens": "4", "local.path": save_tiny_glm4v(tmp_path / "glm4v"),
        "local.dtype": "float32", "local.device": "cpu", "local.batch_size": "4",
    }  # fmt: skip
    more = [part for name, value in local.items() for part in ("--set", f"recaption.captioner.{name}={value}")]
    for name in ("one", "two"):
        assert run_here(pool[:1], tmp_path / name, *asking("http://127.0.0.1:9/v1", *more)) == 0
    assert shards_of(tmp_path / "one") == shards_of(tmp_path / "two")
    counts = json.loads((tmp_path / "one/manifest.json").read_text())["counts"]["recaption"]
    assert counts["asked"] == 5 < ROWS and counts["tokens_out"] == 20
    assert counts["turned_away"] and "recaption_failed" not in counts["turned_away"]
