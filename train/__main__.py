"""`python -m train STAGE --config … --output …`, alone or under torchrun; what `beamsift train` starts.

Exit codes: 0 done, 2 wrong usage, config, data or model, 130 asked to end (the same command goes on); with --processes
that of the rank which failed first, 128 + its signal where one killed it.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from configs.schema.strict import ConfigError, load_config

DONE, USAGE, INTERRUPTED = 0, 2, 130
SAVING = 600
"""Seconds in which ranks that were asked to end may write their checkpoint; torchrun's own 30 are a small model's."""
STAGES = {"pretrain": "captions and interleaved documents", "sft": "conversations, of which responses are trained on"}


def main(arguments: Sequence[str] | None = None) -> int:
    args = make_parser().parse_args(arguments)
    if args.processes > 1 and "RANK" not in os.environ:
        return start_ranks(args.processes, list(arguments) if arguments is not None else sys.argv[1:])
    try:
        run_stage(args)
    except KeyboardInterrupt:
        say("interrupted; the same command goes on from the last checkpoint")
        return INTERRUPTED
    except Exception as error:
        if not is_expected(error):
            raise
        say(f"{type(error).__name__}: {error}")
        return INTERRUPTED if type(error).__name__ == "Interrupted" else USAGE
    return DONE


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description="Training on finished sets.")
    stages = parser.add_subparsers(required=True, metavar="STAGE", dest="stage")
    for name, about in STAGES.items():
        one = stages.add_parser(name, help=about, description=about, allow_abbrev=False)
        one.add_argument("--config", required=True, help="YAML of values, as in configs/train")
        one.add_argument("--output", required=True, type=Path, help="folder of checkpoints, metrics and the model")
        one.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="overrides the config")
        one.add_argument("--processes", type=int, default=1, metavar="N", help="ranks on this machine, by torchrun")
    return parser


def start_ranks(processes: int, arguments: list[str]) -> int:
    """Runs torchrun in this process, which starts the ranks and ends them together. Gives their exit code: torchrun's
    would be 1 whatever happened, below a trace of itself."""
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import parse_args, run

    options = ["--standalone", f"--nproc-per-node={processes}", f"--shutdown-timeout={SAVING}", "-m", "train"]
    try:
        run(parse_args([*options, *arguments]))  # type: ignore[no-untyped-call]
    except SignalException:
        return INTERRUPTED
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        say(f"rank {rank} was the first to fail, with exit code {failure.exitcode}")
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    return DONE


def run_stage(args: argparse.Namespace) -> None:
    from configs.schema.train import TrainConfig

    cfg = load_config(args.config, TrainConfig, args.set)
    if cfg.stage != args.stage:
        raise ConfigError(f"{args.config}: expected a config of stage {args.stage}, found one of {cfg.stage}")
    from train.reporting import check_writers

    check_writers(cfg.report)
    if args.stage == "pretrain":
        from train.pretrain import pretrain

        pretrain(cfg, args.output, say)
    else:
        from train.sft import sft

        sft(cfg, args.output, say)


def is_expected(error: Exception) -> bool:
    """Whether its message is written for the user; any other one is a bug and keeps its traceback."""
    from classifiers.errors import ModelError
    from train.data.errors import DataError
    from train.errors import TrainError
    from transforms.storage import StoreUnavailable

    # An OSError is the machine's: a full disk under metrics.jsonl, a folder that may not be made.
    return isinstance(error, ConfigError | DataError | ModelError | OSError | StoreUnavailable | TrainError)


def say(line: str) -> None:
    rank = os.environ.get("RANK")
    print(line if rank in (None, "0") else f"rank {rank}: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
