"""The SFT pipeline from records to shards: fates, the form of a sample, the laws, and what training makes of it."""

import json
from pathlib import Path

import pytest

pytest.importorskip("apache_beam")

from configs.schema.sft import SftConfig
from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from pipelines.sft_rules import REPORT
from pipelines.what_if import override
from tests.pipelines.damage import problems, read_samples
from tests.pipelines.sft_pool import FATES, write_sft_pool
from tests.pipelines.whole_runs import run_apart, run_killed, shards_of, standing, unfinished
from tests.stores.s3 import environment, s3_server
from transforms.records import Sample, Text
from transforms.responses_rules import decide_again
from transforms.storage import storage_for

pytestmark = pytest.mark.beam

CFG = SftConfig()
FEW = ("--set", "output.samples_per_shard=4", "--set", "output.max_failure_rate=0.5")


def line(inputs: list[str], output: Path, *more: str) -> list[str]:
    return ["run", "sft", "--input", *inputs, "--output", str(output), *FEW, *more]


@pytest.fixture(scope="module")
def pool(tmp_path_factory) -> list[str]:
    return write_sft_pool(tmp_path_factory.mktemp("conversations") / "pool")


@pytest.fixture(scope="module")
def finished(pool, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("sft")
    assert main(line(pool, output)) == 0
    assert unfinished(output) == []
    return output


@pytest.fixture(scope="module")
def rows(finished) -> dict[str, Sample]:
    return {row.sample.source_key: row.sample for row in samples_by_unit(str(finished))}


def fate(sample: Sample) -> str:
    return sample.failure.error if sample.failure else sample.drop.rule if sample.drop else ""


@pytest.mark.parametrize("key", FATES)
def test_each_row_has_its_fate(rows, key):
    assert fate(rows[key]) == FATES[key]


def test_no_row_is_lost(rows, finished):
    assert rows.keys() == FATES.keys()
    counts = json.loads((finished / "manifest.json").read_text())["counts"]
    assert counts["read"] == len(FATES)
    assert counts["kept"] == sum(not rule for rule in FATES.values())
    assert counts["pictures"]["kept"] == 10


@pytest.mark.parametrize(
    ("key", "detail"),
    [
        ("tags", "no </think>"),
        ("open", "<|begin_of_box|> without <|end_of_box|>"),
        ("wrong", "7, expected 8"),
        ("again", "form41"),
    ],
)
def test_the_detail_says_why(rows, key, detail):
    assert rows[key].drop.detail == detail


def test_what_the_record_says_beside_its_turns_stays_and_the_turns_stand_once(finished):
    samples = {name.partition(".")[0]: members for shard in shards_of(finished) for members in
               read_samples(finished / shard["name"]) for name, _ in members}  # fmt: skip
    members = dict(samples["form41"])
    assert list(members) == ["form41.jpg", "form41.json"]
    told = json.loads(members["form41.json"])
    assert told["reference"] == "3"
    assert "messages" not in told
    assert "images" not in told
    kinds = [piece.get("role", "picture") for piece in told["beamsift"]["pieces"]]
    assert kinds == ["user", "picture", "user", "assistant"]
    assert [name for name, _ in samples["video"]] == ["video.0.jpg", "video.1.jpg", "video.json"]


def test_verify_finds_nothing_and_the_old_config_reproduces_the_ledger(finished):
    assert problems(finished) == {}


def test_what_if_tells_what_another_run_would_do(finished, pool, tmp_path, capsys):
    changes = ["tags.form=glm-4.1v", "box.require=false", "difficulty.max_pass_rate=1.0", "duplicates.enabled=false"]
    sets = [part for change in changes for part in ("--set", change)]
    assert main(["what-if", str(finished), *sets]) == 0
    told = capsys.readouterr().out
    assert "response_tags" in told and "How many blue squares" in told
    assert "refined text" not in told
    assert main(line(pool, tmp_path / "again", *sets)) == 0
    before = list(samples_by_unit(str(finished)))
    cfg = override(CFG, changes)
    told = decide_again([row.sample for row in before], [row.unit for row in before], cfg)
    again = [row.sample for row in samples_by_unit(str(tmp_path / "again"))]
    assert [(one.key, fate(one)) for one in told] == [(one.key, fate(one)) for one in again]
    assert {fate(one) for one in again} >= {"response_tags", "answer_wrong", "task_too_hard"}


def test_killed_and_resumed_on_two_workers_the_bytes_are_the_same(finished, pool, tmp_path):
    command = line(pool, tmp_path / "out")
    run_killed("transforms.beam.write_ledger:make_tally", 2, command)
    assert not (tmp_path / "out" / "manifest.json").exists()
    scanned = standing(tmp_path / "out", "work/scan")
    assert scanned
    ended = run_apart([*command, "--direct_num_workers=2"])
    assert ended.returncode == 0, ended.stderr
    assert standing(tmp_path / "out", "work/scan") == scanned
    assert shards_of(tmp_path / "out") == shards_of(finished)


@pytest.mark.slow
def test_with_all_in_an_object_store_the_bytes_are_the_same(finished, pool, monkeypatch):
    pytest.importorskip("moto.server")
    with s3_server() as server:
        server.make_bucket("pool")
        for name, value in environment(server.endpoint).items():
            monkeypatch.setenv(name, value)
        for file in filter(Path.is_file, Path(pool[0]).parent.iterdir()):
            storage_for("s3://pool").write(f"s3://pool/talks/{file.name}", file.read_bytes())
        inputs = [f"s3://pool/talks/{Path(one).name}" for one in pool]
        assert main(["run", "sft", "--input", *inputs, "--output", "s3://pool/out", *FEW]) == 0
        with storage_for("s3://pool").open("s3://pool/out/manifest.json") as file:
            manifest = json.loads(file.read())
    assert manifest["shards"] == shards_of(finished)


def test_a_limit_counts_conversations(pool, tmp_path):
    assert main(line(pool[:1], tmp_path, "--limit", "3")) == 0
    assert json.loads((tmp_path / "manifest.json").read_text())["counts"]["read"] == 3


def test_the_cards_speak_of_conversations(finished):
    card = (finished / "README.md").read_text()
    assert "pictures and frames are shown by the conversations that were read" in card
    assert "A turn is the pieces from a text of its role" in card and "Markdown" not in card
    report = (finished / "report.html").read_text()
    assert "response_tags" in report
    assert '<span class="boxed"><bdi dir="auto">3</bdi></span>' in report
    assert '<code>answer_wrong</code> <bdi dir="auto">7, expected 8</bdi>' in report
    assert report.count('<article class="document talk card dropped"') == sum(
        rule in {spec.rule for spec in REPORT.rules} for rule in FATES.values()
    )


def test_why_and_plan(finished, pool, capsys):
    assert main(["why", str(finished), "wrong"]) == 0
    told = capsys.readouterr().out
    assert "answer_wrong" in told
    assert "7, expected 8" in told
    assert main(["plan", "sft", "--input", *pool, "--output", str(finished)]) == 2
    assert "plan: expected the pipeline caption or interleaved_web, found sft" in capsys.readouterr().err


def test_a_finished_set_can_be_curated_again(finished, rows, tmp_path):
    shards = [str(finished / shard["name"]) for shard in shards_of(finished)]
    assert main(line(shards, tmp_path)) == 0
    again = {row.sample.key: row.sample for row in samples_by_unit(str(tmp_path))}
    kept = {sample.key: sample for sample in rows.values() if sample.alive}
    assert again.keys() == kept.keys()
    assert all(sample.alive for sample in again.values())
    for key, sample in again.items():
        assert [p.value for p in sample.pieces if isinstance(p, Text)] == [
            p.value for p in kept[key].pieces if isinstance(p, Text)
        ]


def test_training_reads_what_was_kept(finished, rows):
    from configs.schema.train_chat import ChatRules
    from tests.train.chat_pictures import toy
    from tests.train.tokenizer import toy_tokenizer
    from train.chat.samples import Chat
    from train.chat.tokenizer import ChatTokenizer
    from train.data.records import RawSample

    class Look:
        def picture(self, data):
            assert data[:2] == b"\xff\xd8"
            return toy()

        def video(self, frames):
            return [toy() for _ in frames[::2]]

    tokenizer = ChatTokenizer(toy_tokenizer(), "glm-4.1v")
    chat, texts = Chat(tokenizer, ChatRules(), Look()), {}
    for shard in shards_of(finished):
        for members in read_samples(finished / shard["name"]):
            key = members[0][0].partition(".")[0]
            parts = {name.partition(".")[2]: data for name, data in members}
            [sample] = chat.tokenize(RawSample("sft", key, 0, parts), 4096)
            texts[key] = tokenizer.decode(sample.input_ids)
    assert texts.keys() == {sample.key for sample in rows.values() if sample.alive}
    picture = "<|begin_of_image|><|image|><|end_of_image|>"
    assert texts["plain"] == (
        f"[gMASK]<sop><|user|>\n{picture}Describe the picture in one short sentence./nothink<|assistant|>\n"
        "<think></think>\n<answer>Twelve squares of many colours, most of them red or blue.</answer><|user|>"
    )
    assert texts["form45"].endswith("<answer>There are <|begin_of_box|>4<|end_of_box|> squares.</answer><|user|>")
    assert f"<|begin_of_video|>{picture}0<|end_of_video|>" in texts["video"]
