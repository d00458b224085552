"""Recaptioning with the pictures' own writing as evidence, in a whole run without CLIP."""

import pytest

pytest.importorskip("apache_beam")
pytest.importorskip("rapidocr")

from pipelines.decisions import disagreements, load_measured
from pipelines.finish import finished_manifest
from pipelines.ledger import open_ledger, run_config
from tests.pipelines.damage import problems
from tests.pipelines.recaption_run import asking
from tests.pipelines.whole_runs import run_here
from tests.recaption.server import first_caption, serving
from tests.recaption.signs import sign_jpeg
from tests.transforms.pools import write_tar

pytestmark = pytest.mark.beam
ROWS = {
    "shown": ("Two boats in the harbour of Lisbon", "HARBOUR CAFE"),
    "invented": ("Two boats in the harbour of Lagos", "FISH MARKET"),
}


def write(body: dict) -> str:
    return f'{first_caption(body["messages"][0]["content"][1]["text"])}, beside a sign that says "HARBOUR CAFE".'


def test_a_sign_in_the_picture_decides(tmp_path, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    members = []
    for number, (key, (caption, line)) in enumerate(ROWS.items()):
        members += [(f"{key}.jpg", sign_jpeg(line, seed=number)), (f"{key}.txt", caption.encode())]
    write_tar(tmp_path, members, "pool.tar")
    output = tmp_path / "out"
    with serving(write=write) as served:
        assert run_here([str(tmp_path / "pool.tar")], output, *asking(served, "--set", "recaption.guard.ocr=true")) == 0
    with open_ledger(str(output)) as ledger:
        told = ledger.execute("SELECT key, recaption_rule, recaption_written FROM ledger ORDER BY key").fetchall()
    assert told == [("invented", "recaption_fact_unsupported", "FISH MARKET"), ("shown", None, "HARBOUR CAFE")]
    assert problems(output) == {}
    config = run_config(finished_manifest(str(output)), str(output))
    assert list(disagreements(load_measured(str(output)), config)) == []
