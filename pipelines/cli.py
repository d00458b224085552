"""`beamsift`: the only command line. Each command parses here and works in a module imported when it is asked for.

Exit codes: 0 done, 1 a check found something wrong, 2 wrong usage or config, 3 too many failures, 130 interrupted
(resume with the same command).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from configs.schema.strict import ConfigError, load_config

if TYPE_CHECKING:
    from pipelines.kinds import Config

DONE, WRONG, USAGE, FAILURES, INTERRUPTED = 0, 1, 2, 3, 130
PIPELINES = ("caption", "interleaved_web", "sft")
CONFIGS = Path(__file__).resolve().parent.parent / "configs" / "pipelines"

Command = Callable[[argparse.Namespace, list[str]], int]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = make_parser()
    args, rest = parser.parse_known_args(arguments)
    if rest and not args.takes_beam_options:
        parser.error(f"unrecognised arguments: {' '.join(rest)}")
    quiet_imports()
    try:
        command: Command = args.command
        return command(args, rest)
    except KeyboardInterrupt:
        say("interrupted; the same command resumes")
        return INTERRUPTED
    except tuple(expected_errors()) as error:
        say(f"{type(error).__name__}: {error}")
        return FAILURES if type(error).__name__ == "TooManyFailures" else USAGE


def expected_errors() -> list[type[Exception]]:
    """Errors whose message is written for the user; any other one is a bug and keeps its traceback."""
    from classifiers.errors import ModelError
    from pipelines.errors import RunError
    from transforms.storage import StoreUnavailable
    from transforms.vocabulary import VocabularyError

    return [ConfigError, ModelError, RunError, StoreUnavailable, VocabularyError]


def quiet_imports() -> None:
    """Beam warns on import of every Google library that is not installed; nobody asked for one."""
    logging.getLogger().addFilter(lambda record: "apitools not found" not in record.getMessage())


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="beamsift", description="Raw multimodal crawls to training shards.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, help_text, command in (
        ("run", "make a data set", run_command),
        ("plan", "check everything, try some samples, say what a run costs; writes nothing", plan_command),
    ):
        one = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        _add_run_arguments(one)
        if name == "plan":
            one.add_argument("--samples", type=_positive, help="what so many such samples cost, not this pool's")
            one.add_argument("--parallelism", type=_positive, help="workers to say the time for; those here if absent")
        one.set_defaults(command=command, takes_beam_options=True)
    _add_output_commands(commands)
    _add_calibrate(commands)
    _add_vocabulary(commands)
    _add_recaption(commands)
    _add_classifier(commands)
    _add_workers(commands)
    _add_set_commands(commands)
    _add_train(commands)
    return parser


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("pipeline", choices=PIPELINES)
    parser.add_argument("--config", help="YAML of values; the pipeline's own where absent")
    parser.add_argument(
        "--input", nargs="+", required=True, help="files, globs and URIs; of web pages also saved:FOLDER, SCHEMA:FILES"
    )
    parser.add_argument("--output", required=True, help="folder or URI of the data set")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE", help="overrides the config")
    parser.add_argument(
        "--against", nargs="+", default=[], metavar="OUT", help="finished runs whose pictures, or documents, are known"
    )
    parser.add_argument("--limit", type=_positive, help="only the first N samples of the pool")
    parser.epilog = "Any other option goes to Beam: --direct_num_workers=2, --runner=FlinkRunner, …"


def _add_output_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, help_text, command in (
        ("what-if", "kept counts under other thresholds, without touching a picture", what_if_command),
        ("why", "the whole story of one sample", why_command),
        ("report", "build the report page again", report_command),
        ("verify", "hash every shard again and check every law that can be checked", verify_command),
    ):
        one = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        one.add_argument("output", metavar="OUT", help="folder or URI of a finished run")
        one.set_defaults(command=command, takes_beam_options=False)
        if name == "what-if":
            one.add_argument("--set", action="append", required=True, default=[], metavar="SECTION.KEY=VALUE")
        if name == "verify":
            one.add_argument("--clean", action="store_true", help="first remove what a killed run left behind")
        if name == "why":
            one.add_argument("key", metavar="KEY", help="a key of the set or of the pool")


def _add_calibrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pipelines.calibrate import add_arguments

    help_text = "the threshold another CLIP model needs to do what 0.3 does for a reference"
    parser = commands.add_parser("calibrate", help=help_text, description=help_text, allow_abbrev=False)
    add_arguments(parser)
    parser.set_defaults(command=calibrate_command, takes_beam_options=False)


def _add_vocabulary(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pipelines.vocabulary import add_arguments

    help_text = "vocabularies for concept balance"
    parser = commands.add_parser("vocabulary", help=help_text, description=help_text)
    build = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("build", allow_abbrev=False)
    add_arguments(build)
    build.set_defaults(command=vocabulary_command, takes_beam_options=False)


def _add_recaption(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "training pairs for the next captioner"
    parser = commands.add_parser("recaption", help=help_text, description=help_text)
    one = parser.add_subparsers(required=True, metavar="COMMAND").add_parser("export", allow_abbrev=False)
    one.add_argument("run", metavar="OUT", help="folder or URI of a finished run with refined texts")
    one.add_argument("--output", required=True, metavar="TRAIN_SET", help="folder or URI of the training set")
    one.add_argument("--corrections", metavar="FILE", help='JSONL of {"key": …, "text": …}')
    one.add_argument("--samples-per-shard", type=_positive, default=1000)
    one.set_defaults(command=recaption_command, takes_beam_options=False)


def _add_classifier(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pipelines.classifier import add_arguments

    help_text = "classes of pictures: train, judge, and what to label next"
    parser = commands.add_parser("classifier", help=help_text, description=help_text, allow_abbrev=False)
    add_arguments(parser)
    parser.set_defaults(command=classifier_command, takes_beam_options=False)


def _add_workers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "serve Python workers to Flink or another portable runner, until terminated"
    parser = commands.add_parser("workers", help=help_text, description=help_text, allow_abbrev=False)
    parser.add_argument("--port", type=int, default=50000, help="what --environment_config=HOST:PORT names")
    parser.add_argument("--threads", type=_positive, default=1, help="threads of the maths libraries in each worker")
    parser.set_defaults(command=workers_command, takes_beam_options=False)


def _add_set_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from pipelines import convert, lint

    for name, help_text, module in (
        ("convert", "an interleaved set from one schema to another", convert),
        ("lint", "what is wrong with any WebDataset set", lint),
    ):
        one = commands.add_parser(name, help=help_text, description=help_text, allow_abbrev=False)
        module.add_arguments(one)
        one.set_defaults(command=lambda args, rest, module=module: module.run(args), takes_beam_options=False)


def _add_train(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    help_text = "train on finished sets: pretrain or sft; what `python -m train` does"
    parser = commands.add_parser("train", help=help_text, description=help_text, add_help=False)
    parser.set_defaults(command=train_command, takes_beam_options=True)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a number above 0, found {value}")
    return value


def run_config(args: argparse.Namespace) -> Config:
    from pipelines.kinds import kind_named

    config = args.config or CONFIGS / f"{args.pipeline}.yaml"
    against = [f"against.runs={json.dumps(args.against)}"] if args.against else []
    return load_config(config, kind_named(args.pipeline).config, [*args.set, *against])


def run_command(args: argparse.Namespace, rest: list[str]) -> int:
    cfg = run_config(args)
    from pipelines.run import Request, run
    from pipelines.tables import funnel_table, show

    manifest = run(Request(cfg, args.input, args.output, args.limit, rest), say)
    show(funnel_table(manifest))
    say(f"data set: {args.output}   report: {args.output.rstrip('/')}/report.html")
    return DONE


def plan_command(args: argparse.Namespace, rest: list[str]) -> int:
    cfg = run_config(args)
    from pipelines.plan import plan
    from pipelines.run import Request

    return plan(Request(cfg, args.input, args.output, args.limit, rest), args.samples, args.parallelism)


def vocabulary_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.vocabulary import run

    return run(args)


def recaption_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.recaption_export import export

    return export(args.run, args.output, args.corrections, args.samples_per_shard, say)


def classifier_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.classifier import run

    return run(args)


def workers_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.workers import serve

    return serve(args.port, args.threads, say)


def train_command(args: argparse.Namespace, rest: list[str]) -> int:
    """Becomes it: curation and training share files and no imports, and a signal to a parent would leave it alone."""
    sys.stdout.flush()
    os.execv(sys.executable, [sys.executable, "-m", "train", *rest])


def what_if_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.what_if import what_if

    return what_if(args.output, args.set)


def why_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.why import why

    return why(args.output, args.key)


def report_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.finish import finished_manifest, write_report

    write_report(args.output, finished_manifest(args.output))
    say(f"report: {args.output.rstrip('/')}/report.html")
    return DONE


def verify_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.finish import clean
    from pipelines.ledger import reach
    from pipelines.verify import verify

    reach(args.output)
    if args.clean:
        clean(args.output, say)
    return verify(args.output)


def calibrate_command(args: argparse.Namespace, rest: list[str]) -> int:
    from pipelines.calibrate import run

    return run(args)


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
