"""`python -m train`: quick to help, strict with configs, and the papers' numbers in its YAML files."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.schema.strict import ConfigError, load_config
from configs.schema.train import TrainConfig
from train.__main__ import USAGE, main

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / "configs" / "train"


def test_help_needs_no_torch_and_no_second():
    code = "import sys, train.__main__ as m; m.make_parser().format_help(); print(*sys.modules)"
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "numpy", "apache_beam"} & set(done.stdout.split())
    assert time.monotonic() - started < 5  # 0.2 s on a quiet machine


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_config_is_valid(path):
    assert load_config(path, TrainConfig).steps > 0


@pytest.mark.parametrize(
    ("name", "context", "batch", "steps", "tp", "cp"),
    [
        ("pretrain", 8192, 1536, 120_000, 2, 1),
        ("long_context", 32_768, 1536, 10_000, 2, 4),
        ("sft", 32_768, 32, 2000, 2, 4),
    ],
)
def test_the_papers_numbers(name, context, batch, steps, tp, cp):
    cfg = load_config(CONFIGS / f"{name}.yaml", TrainConfig)
    assert (cfg.context, cfg.batch, cfg.steps, cfg.parallel.tp, cfg.parallel.cp) == (context, batch, steps, tp, cp)
    assert cfg.model.freeze == () and load_config(CONFIGS / f"{name}_tiny.yaml", TrainConfig).stage == cfg.stage


def test_a_context_that_ranks_cannot_share_is_refused():
    with pytest.raises(ConfigError, match="context: expected a multiple of 8 for cp 4"):
        load_config(CONFIGS / "long_context.yaml", TrainConfig, ["context=8190"])


def test_samples_without_a_held_out_set_are_refused():
    with pytest.raises(ConfigError, match="report.samples: expected data.held_out to take 4 of, found none"):
        load_config(CONFIGS / "pretrain_tiny.yaml", TrainConfig, ["report.samples=4"])


@pytest.mark.parametrize(
    ("stage", "settings", "message"),
    [
        ("sft", [], "expected a config of stage sft, found one of pretrain"),
        ("pretrain", ["model.tokenizer=/none"], "tokenizer '/none': expected a tokenizer.json, found none"),
        ("pretrain", ["batch=0"], "batch: Input should be greater than or equal to 1, found 0"),
    ],
)
def test_what_cannot_be_is_told_and_ends_with_2(stage, settings, message, tmp_path, capsys):
    options = [part for one in settings for part in ("--set", one)]
    config = str(CONFIGS / "pretrain_tiny.yaml")
    assert main([stage, "--config", config, "--output", str(tmp_path / "out"), *options]) == USAGE
    assert message in capsys.readouterr().err
