"""The sample page of real runs: it shows what transformers would write, on any ranks, and training is as without."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
import yaml
from safetensors.torch import load_file

from tests.pipelines.browser import CHROMIUM, open_page, tripwire
from tests.pipelines.dom import Dom
from tests.train.data.toy_set import write_indexed
from tests.train.ranks import run_ranks
from tests.train.toy_captions import caption, drawn, toy_config
from train.__main__ import DONE, main
from train.chat.tokenizer import END, load_tokenizer
from train.feed import make_chat
from train.held_out_captions import LOOKED_AT, choose_captions
from train.media import Patches
from train.model import load_model
from train.samples import in_groups, prompt_of, shares_of

MARK = "document.title='owned'"
EVIL = f"a red</p></bdi><script>{MARK}</script><img src=x onerror=\"{MARK}\"><img src='URL/picture'> circle \x1b[2J"
TALK = json.dumps({"messages": [{"role": "user", "content": "<image>Why?"}, {"role": "assistant", "content": "So."}]})
OTHERS = {
    "text": {"txt": b"no picture"},
    "talk": {"jpg": drawn(1), "json": TALK.encode()},
    "broken": {"jpg": drawn(1)[:300], "txt": b"a broken one"},
    "long": {"jpg": drawn(1), "txt": b"a red circle " * 200},
    "empty": {"jpg": drawn(1), "txt": b" "},
}


def settings(folder: Path, **report) -> dict:
    """Of a run of four steps with three captions on its page."""
    cfg = toy_config(
        folder,
        context=192,
        batch=2,
        steps=4,
        data={
            "sources": [{"name": "captions", "uri": str(folder / "set")}],
            "held_out": [{"name": "held", "uri": str(folder / "held")}],
            "workers": 0,
            "window": 8,
        },
        report={"every": 1, "held_out_every": 2, "held_out_packs": 2, "sample_tokens": 6, "samples": 8, **report},
    )
    return cfg.model_dump(mode="json")


def ran(folder: Path, name: str, *options: str, **report) -> int:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings(folder, **report)))
    return main(["pretrain", "--config", str(path), "--output", str(folder / name), *options])


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A run of the real command with the page, `on`, and one without, `off`."""
    folder = tmp_path_factory.mktemp("samples")
    shown = {f"h{n}": {"jpg": drawn(n), "txt": (caption(n) if n else EVIL).encode()} for n in range(3)}
    write_indexed(folder / "held", list({**shown, **OTHERS}.items()), per_shard=4)
    threads, chance = torch.get_num_threads(), torch.get_rng_state()
    torch.set_num_threads(1)
    assert [ran(folder, "on"), ran(folder, "off", samples=0)] == [DONE, DONE]
    assert torch.equal(torch.get_rng_state(), chance)
    torch.set_num_threads(threads)
    return folder


def history(folder: Path) -> dict:
    return json.loads((folder / "samples.json").read_text())


def test_training_is_as_without(world):
    def lines(name: str) -> list[dict]:
        told = [json.loads(line) for line in (world / name / "metrics.jsonl").read_text().splitlines()]
        kept = ("step", "loss", "gradient_norm", "held_out/held", "tokens")
        return [{key: line[key] for key in kept if key in line} for line in told]

    def state(name: str) -> dict:
        return json.loads((world / name / "checkpoints" / "step-00000004" / "state.json").read_text())["loader"]

    assert lines("on") == lines("off") and len(lines("on")) == 6
    assert state("on") == state("off")
    weights = [load_file(world / name / "hub" / "model.safetensors") for name in ("on", "off")]
    assert all(torch.equal(weights[0][name], value) for name, value in weights[1].items())
    assert not (world / "off" / "samples.html").exists()


def test_it_shows_captions_and_counts_what_is_none(world):
    page = (world / "on" / "samples.html").read_text()
    found = history(world / "on")
    assert sorted(one["key"] for one in found["shown"]) == ["h0", "h1", "h2"]
    assert [one["step"] for one in found["evaluations"]] == [2, 4]
    assert page.count("data:image/webp;base64,") == 3 and "3 of 8 captioned pictures found." in page
    told = (
        "MediaError (1), NothingToTrain (1), conversation (1), longer than the context (1), text without a picture (1)"
    )
    assert told in page


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
def test_nothing_of_a_caption_runs_in_a_browser(world, tmp_path):
    with tripwire() as wire:
        page = tmp_path / "samples.html"
        page.write_text((world / "on" / "samples.html").read_text().replace("URL", wire.url))
        dom = Dom(open_page(page, tmp_path / "profile"))
        assert wire.asked == []
    assert {"script", "link", "iframe"}.isdisjoint(tag for tag, _ in dom.tags)
    assert [attrs["src"][:23] for tag, attrs in dom.tags if tag == "img"] == ["data:image/webp;base64,"] * 3
    assert EVIL.replace("URL", wire.url).replace("\x1b", "␛") in dom.text and "on: samples" in dom.text


def test_texts_and_losses_are_transformers_own(world):
    """By the weights that the run handed out, one picture at a time and with a cache."""
    cfg = toy_config(world)
    tokenizer = load_tokenizer(cfg.model.tokenizer, None)
    model, chat = load_model(str(world / "on" / "hub")).eval(), make_chat(cfg, tokenizer)
    chosen = choose_captions(toy_config(world, **settings(world)), tokenizer).captions
    written = history(world / "on")["evaluations"][-1]["written"]
    assert len(written) == 3
    for number, one in enumerate(chosen):
        [sample] = chat.tokenize(one.raw)
        prompt = chat.prompt(one.raw)
        assert prompt_of(sample).input_ids.tolist() == prompt.input_ids.tolist()
        inputs = library_inputs(sample.input_ids, sample.kinds, prompt.pictures)
        start, end = len(prompt.input_ids), tokenizer.ids[END]
        banned = [model.glm.config.image_token_id, *range(tokenizer.vocabulary, 4096)]
        banned = [token for token in banned if token < model.glm.config.text_config.vocab_size]
        with model.as_library() as library, torch.no_grad():
            logits = library(**inputs).logits[0, start - 1 : -1]
            begun = {**inputs, **library_inputs(sample.input_ids[:start], sample.kinds[:start], prompt.pictures)}
            told = library.generate(
                **begun, max_new_tokens=6, do_sample=False, suppress_tokens=banned, eos_token_id=end, pad_token_id=end
            )[0, start:].tolist()
        labels = torch.from_numpy(sample.input_ids[start:]).long()
        assert written[str(number)]["loss"] == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)))
        assert written[str(number)]["text"] == tokenizer.decode(told[:-1] if told[-1] == end else told) != ""
        assert written[str(number)]["ended"] == (told[-1] == end)


def library_inputs(ids, kinds, pictures: tuple[Patches, ...]) -> dict:
    return {
        "input_ids": torch.from_numpy(ids).long()[None],
        "mm_token_type_ids": torch.from_numpy(kinds).long()[None],
        "pixel_values": torch.cat([torch.from_numpy(one.values) for one in pictures]),
        "image_grid_thw": torch.tensor([one.grid for one in pictures]),
    }


WAYS = {"fsdp": {}, "tp": {"tp": 2}, "cp": {"cp": 2}}


def write_pages(rank: int, size: int, folder: Path) -> None:
    """The finished run's model on two ranks, in each way that they may share it."""
    from configs.schema.strict import parse_config
    from configs.schema.train import TrainConfig
    from train.job import open_job
    from train.samples import SamplePage

    values = settings(folder)
    values["model"]["source"] = str(folder / "on" / "hub")
    values["context"] = 128  # of the three captions one rank has two, in two packs, and the other one
    for name, way in WAYS.items():
        cfg = parse_config({**values, "parallel": {**values["parallel"], **way}}, TrainConfig, name)
        tokenizer = load_tokenizer(cfg.model.tokenizer, None)
        with open_job(cfg, folder / name, tokenizer, print) as job:
            SamplePage(job).add(4)


def test_ranks_write_the_same_together(world):
    run_ranks(write_pages, 2, world)
    alone = history(world / "on")
    for name in WAYS:
        shared = history(world / name)
        assert [one["key"] for one in shared["shown"]] == [one["key"] for one in alone["shown"]]
        [evaluation] = shared["evaluations"]
        for number, one in alone["evaluations"][-1]["written"].items():
            assert evaluation["written"][number]["text"] == one["text"]
            assert evaluation["written"][number]["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert (world / name / "samples.html").exists()


def test_a_page_that_cannot_be_written_costs_a_line_and_a_resumed_run_goes_on_with_its_history(world, capsys):
    shutil.copytree(world / "on", world / "again")
    (world / "again" / "samples.html").unlink()
    (world / "again" / "samples.html").mkdir()
    assert ran(world, "again", "--set", "steps=5") == DONE
    assert "samples.html could not be written: [Errno 21] Is a directory" in capsys.readouterr().err
    before, behind = history(world / "on"), history(world / "again")
    assert behind["evaluations"][:2] == before["evaluations"] and behind["evaluations"][2]["step"] == 5
    assert not list((world / "again").glob(".samples*"))


def test_a_set_without_captions_is_looked_at_so_far_and_no_further(world, tmp_path):
    write_indexed(tmp_path / "texts", [(f"t{n}", {"txt": b"a"}) for n in range(LOOKED_AT + 9)], per_shard=4000)
    cfg = toy_config(world, **settings(world))
    [held] = cfg.data.held_out
    texts = held.model_copy(update={"uri": str(tmp_path / "texts")})
    cfg = cfg.model_copy(update={"data": cfg.data.model_copy(update={"held_out": (texts,)})})
    chosen = choose_captions(cfg, load_tokenizer(cfg.model.tokenizer, None))
    assert chosen.captions == () and chosen.skipped == {"text without a picture": LOOKED_AT}


def test_a_caption_that_a_weight_draws_again_is_shown_once(world):
    cfg = toy_config(world, **settings(world))
    [held] = cfg.data.held_out
    heavy = held.model_copy(update={"weight": 1.0})
    cfg = cfg.model_copy(update={"data": cfg.data.model_copy(update={"held_out": (heavy,)})})
    chosen = choose_captions(cfg, load_tokenizer(cfg.model.tokenizer, None))
    assert sorted(one.raw.key for one in chosen.captions) == ["h0", "h1", "h2"]
    assert chosen.skipped.total() == len(OTHERS)


def test_samples_lie_side_by_side_within_the_context():
    assert in_groups({0: 30, 3: 30, 6: 50, 9: 120, 12: 10}, 64) == [[0, 3], [6], [9], [12]]
    assert in_groups({}, 64) == []


def test_what_one_rank_cannot_read_is_left_out_by_all():
    every = [{0: 5, 2: 6}, {0: 5, 2: 0}, {1: 7}, {1: 7}]
    assert shares_of(every, 2) == [{0: 5}, {1: 7}]
