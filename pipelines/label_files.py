"""Files that carry labels: the template of `label-next`, filled by people, and what a head was fitted to.

CSV with a header, or JSON lines; read are the columns `sha256` and `class`, the others are for people. A row without a
class is one nobody has judged yet. Two rows that disagree about a picture are an error, whoever is right.
Left out on purpose: names of classes that are close to each other; the page of the next fit shows them as classes.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence

from configs.schema.strict import ConfigError
from pipelines.plain_text import LINE, plain
from transforms.storage import storage_for

COLUMNS = ("number", "sha256", "picture", "guess", "probability", "class")
LONGEST_CLASS = 100
"""Characters of a class's name."""
_SHA256 = re.compile(r"[0-9a-f]{64}")
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA = ("=", "+", "-", "@")


class NoLabel(ValueError):
    """A sample has no class where one is expected."""


def parse_class(text: str) -> str:
    """The name of a class, without space around it. Raises NoLabel."""
    name = text.strip()
    if not name or len(name) > LONGEST_CLASS or not name.isprintable():
        raise NoLabel(f"expected a class of 1 to {LONGEST_CLASS} printable characters, found {name[:40]!r}")
    return name


def read_labels(paths: Sequence[str]) -> dict[str, str]:
    """sha256 in hex -> class, of all files. Raises ConfigError naming the line that is wrong or disagrees."""
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        for line, row in _rows(path):
            sha256, name = str(row.get("sha256") or "").strip().lower(), str(row.get("class") or "").strip()
            if not _SHA256.fullmatch(sha256):
                raise ConfigError(f"--labels {path}:{line}: expected a sha256 of 64 hex digits, found {sha256[:80]!r}")
            if not name:
                continue
            try:
                name = parse_class(name)
            except NoLabel as error:
                raise ConfigError(f"--labels {path}:{line}: {error}") from error
            before, place = found.setdefault(sha256, (name, f"{path}:{line}"))
            if before != name:
                raise ConfigError(
                    f"--labels {path}:{line}: expected class {before!r} as at {place}, the same picture, found {name!r}"
                )
    return {sha256: name for sha256, (name, _) in found.items()}


def format_labels(rows: Sequence[Mapping[str, object]], kind: str) -> str:
    """`rows` as `csv` or `jsonl`; columns as those of the first row. Nothing of a cell acts in a spreadsheet."""
    if kind == "jsonl":
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _cell(value: object) -> object:
    if not isinstance(value, str):
        return value
    shown = plain(value, LINE)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def _rows(path: str) -> Iterator[tuple[int, dict[str, object]]]:
    try:
        with storage_for(path).open(path) as file:
            text = file.read().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--labels {path}: expected a CSV or JSONL file in UTF-8: {error}") from error
    if path.lower().endswith(".jsonl"):
        yield from _json_rows(path, text)
        return
    head = text.partition("\n")[0]
    rows = csv.DictReader(io.StringIO(text, newline=""), delimiter=";" if head.count(";") > head.count(",") else ",")
    if not {"sha256", "class"} <= set(rows.fieldnames or ()):
        raise ConfigError(f"--labels {path}: expected columns sha256 and class, found {head[:200]!r}")
    for row in rows:
        yield rows.line_num, dict(row)


def _json_rows(path: str, text: str) -> Iterator[tuple[int, dict[str, object]]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"--labels {path}:{number}: expected a JSON object: {error}") from error
        if not isinstance(row, dict):
            raise ConfigError(f"--labels {path}:{number}: expected a JSON object, found {type(row).__name__}")
        yield number, row
