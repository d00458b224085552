"""Coverage-guided fuzzing with atheris: python -m tests.fuzz TARGET [--seconds 60] [--corpus FOLDER] [--again FILE]

Ends with the exit code of libFuzzer: not 0 where an input broke a promise, and then tells the file that holds it and
its bytes. `--again` runs such a file alone.
Left out on purpose: coverage of C libraries; those of the wheels are not instrumented.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["transforms", "configs", "pipelines.report_pages", "pipelines.plain_text"]):
    from tests.fuzz.targets import TARGETS

from tests.fuzz.seeds import seeds

MAX_LENGTH, SLOW_SECONDS, MEMORY_MB = 1 << 16, 20, 2048


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--corpus", help="where found inputs are kept; else a folder that is thrown away")
    parser.add_argument("--again", help="a file to run once")
    asked = parser.parse_args()
    if asked.again:
        TARGETS[asked.target](Path(asked.again).read_bytes())
        return
    folder = Path(asked.corpus or tempfile.mkdtemp(prefix="corpus-"))
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(seeds(asked.target)):
        (folder / f"seed-{number}").write_bytes(data)
    limits = [f"-max_len={MAX_LENGTH}", f"-timeout={SLOW_SECONDS}", f"-rss_limit_mb={MEMORY_MB}"]
    found = ["-print_final_stats=1", f"-artifact_prefix={tempfile.gettempdir()}/{asked.target}-"]
    atheris.Setup(
        [sys.argv[0], str(folder), f"-max_total_time={asked.seconds}", *limits, *found], TARGETS[asked.target]
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
