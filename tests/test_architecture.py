"""The house rules, read from the source: who may import what, how long things are, and a README that names every file.

Each rule is a function from sources to complaints, and is itself tried on a source that breaks it.
Left out on purpose: what ruff and mypy say already.
"""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("transforms", "configs", "classifiers", "recaption", "train", "pipelines")
OURS = {*FOLDERS, "tests"}
FLOORS = (
    ("configs", 0),
    ("transforms/records.py", 0),
    ("transforms/loaded.py", 0),
    ("transforms/storage.py", 0),
    ("transforms/shards.py", 0),
    ("transforms/fingerprints.py", 0),
    ("transforms/object_store.py", 0),
    ("transforms/object_listing.py", 0),
    ("transforms/store_clients.py", 0),
    ("transforms/ranged_file.py", 0),
    ("transforms/beam", 3),
    ("transforms", 1),
    ("train/rewards", 1),
    ("classifiers", 2),
    ("recaption", 2),
    ("train", 2),
    ("pipelines", 4),
)
"""The first that fits counts. Imports go down, or stay on their floor."""
BEAM_ROOMS = ("transforms/beam", "pipelines")
TORCH = {"torch", "torchvision", "open_clip", "transformers"}
TORCH_ROOMS = ("classifiers", "recaption")
"""There inside functions only, so that a config, a plan and a report need no torch."""
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc"}
MAX_FILE, MAX_FUNCTION, USUAL_FUNCTION = 300, 60, 30
LONG_FUNCTIONS: set[str] = set()
"""`file:function` of those over 30 lines that read better in one piece."""


def python_files(*folders: str) -> dict[str, str]:
    """Source by path relative to the root."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in paths}


SOURCES = python_files(*FOLDERS)
ALL_SOURCES = SOURCES | python_files("tests") | {"setup.py": (ROOT / "setup.py").read_text(encoding="utf-8")}


def within(path: str, room: str) -> bool:
    return path == room or path.startswith(room + "/")


def floor_of(path: str) -> int:
    return next(floor for room, floor in FLOORS if within(path, room))


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that a piece of source imports, `from a import b` as `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def imported_at_load(tree: ast.Module) -> Iterator[str]:
    """As `imported`, without what only a function's call or a type checker imports."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imported(node)
        waiting += ast.iter_child_nodes(node)


def file_behind(name: str) -> str | None:
    """The file of ours that an imported name comes from; None for a library."""
    parts = name.split(".")
    if parts[0] not in OURS:
        return None
    for length in (len(parts), len(parts) - 1):
        stem = "/".join(parts[:length])
        if (ROOT / f"{stem}.py").is_file():
            return f"{stem}.py"
        if (ROOT / stem).is_dir():
            return f"{stem}/__init__.py"
    return f"{'/'.join(parts)}.py"  # not written yet, or misspelt: judged by its name


def find_upward(sources: dict[str, str]) -> list[str]:
    arrows = [(path, name, file_behind(name)) for path, text in sources.items() for name in imported(ast.parse(text))]
    return [
        f"{path} (F{floor_of(path)}) imports {name}"
        for path, name, target in arrows
        if target and (within(target, "tests") or floor_of(target) > floor_of(path))
    ]


def find_relative(sources: dict[str, str]) -> list[str]:
    return [f"{path}: {n}" for path, text in sources.items() for n in imported(ast.parse(text)) if n.startswith(".")]


def find_beam(sources: dict[str, str]) -> list[str]:
    outside = {p: text for p, text in sources.items() if not any(within(p, room) for room in BEAM_ROOMS)}
    return [p for p, text in outside.items() if "apache_beam" in {n.split(".")[0] for n in imported(ast.parse(text))}]


def find_torch(sources: dict[str, str]) -> list[str]:
    found = []
    for path, text in sources.items():
        tree = ast.parse(text)
        names = imported_at_load(tree) if any(within(path, room) for room in TORCH_ROOMS) else imported(tree)
        if TORCH & {name.split(".")[0] for name in names} and not within(path, "train"):
            found.append(path)
    return found


def find_mixed_training(sources: dict[str, str]) -> list[str]:
    """Law 8: curation imports no training but the pure verifiers, training imports no Beam and no verb."""
    found = []
    for path, text in sources.items():
        targets = {file_behind(name) or name.split(".")[0] for name in imported(ast.parse(text))}
        if within(path, "train"):
            wrong = {t for t in targets if t == "apache_beam" or within(t, "transforms/beam") or within(t, "pipelines")}
        else:
            wrong = {t for t in targets if within(t, "train") and not within(t, "train/rewards")}
        found += [f"{path} imports {target}" for target in sorted(wrong)]
    return found


def find_undescribed(sources: dict[str, str]) -> list[str]:
    """Files that do not begin by saying what they are; an empty package file says enough."""
    return [path for path, text in sources.items() if text.strip() and not re.match(r'"""\S', text)]


def find_long_files(sources: dict[str, str]) -> list[str]:
    return [path for path, text in sources.items() if len(text.splitlines()) >= MAX_FILE]


def find_long_functions(sources: dict[str, str], most: int) -> list[str]:
    return [
        f"{path}:{node.name}"
        for path, text in sources.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno - node.lineno + 1 > most
    ]


def find_vague_names(sources: dict[str, str]) -> list[str]:
    return [path for path in sources if FORBIDDEN_NAMES & set(Path(path).with_suffix("").parts)]


def find_unnamed(readme: str, paths: list[str]) -> list[str]:
    """Paths without a line of their own in the README's tree: a name, and on the same line what it is."""
    left = Counter(re.findall(r"^[ │├└─|`*-]*([\w./-]+?)/?`?[ \t]+\S.*$", readme, re.MULTILINE))
    found = []
    for path in paths:
        name = next((n for n in (path, path.rsplit("/", 1)[-1]) if left[n]), None)
        left[name] -= 1
        found += [path] if name is None else []
    return found


def test_imports_go_down():
    assert find_upward(SOURCES) == []


def test_imports_name_the_whole_path():
    assert find_relative(SOURCES) == []


def test_beam_stays_in_its_rooms():
    assert find_beam(SOURCES) == []


def test_torch_is_loaded_by_those_who_run_a_model():
    assert find_torch(SOURCES) == []


def test_curation_and_training_meet_in_files_only():
    assert find_mixed_training(SOURCES) == []


def test_every_file_says_what_it_is():
    assert find_undescribed(ALL_SOURCES) == []


def test_files_are_short():
    assert find_long_files(ALL_SOURCES) == []


def test_functions_are_short():
    assert find_long_functions(ALL_SOURCES, MAX_FUNCTION) == []
    assert set(find_long_functions(SOURCES, USUAL_FUNCTION)) == LONG_FUNCTIONS


def test_files_are_named_for_what_they_know():
    assert find_vague_names(ALL_SOURCES) == []


def test_the_readme_names_every_folder_and_file():
    """Fails until README.md holds a tree with one line for each of them."""
    folders = sorted(path.name for path in ROOT.iterdir() if path.name in {*FOLDERS, "tests"})
    files = [
        str(path.relative_to(ROOT))
        for folder in ("transforms", "classifiers", "pipelines", "configs")
        for path in sorted((ROOT / folder).rglob("*"))
        if path.is_file() and path.name != "__init__.py" and "__pycache__" not in path.parts
    ]
    assert find_unnamed((ROOT / "README.md").read_text(encoding="utf-8"), folders + files) == []


@pytest.mark.parametrize(
    ("module", "absent"),
    [
        ("pipelines.cli", {"apache_beam", "torch", "pyarrow", "duckdb"}),
        ("transforms.records", {"apache_beam", "torch", "pyarrow", "duckdb", "numpy", "pydantic", "PIL"}),
        ("configs.schema.caption", {"apache_beam", "torch", "pyarrow", "duckdb", "numpy", "PIL"}),
        ("classifiers.clip", {"apache_beam", "torch", "open_clip", "duckdb"}),
        ("classifiers.head_training", {"apache_beam", "torch", "open_clip", "safetensors", "duckdb"}),
        ("pipelines.classifier", {"apache_beam", "torch", "open_clip", "safetensors"}),
    ],
)
def test_a_light_import_stays_light(module, absent):
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert absent & set(done.stdout.split()) == set()


@pytest.mark.parametrize(
    ("find", "path", "bad", "good"),
    [
        (find_upward, "transforms/x.py", "import pipelines.run", "from transforms.records import Sample"),
        (find_upward, "transforms/records.py", "from transforms.rows import Fold", "import msgspec"),
        (find_upward, "transforms/x.py", "from transforms.beam import scan", "from configs.schema import caption"),
        (find_upward, "transforms/x.py", "def f():\n    import classifiers.clip", "import classifiers_of_others"),
        (find_upward, "classifiers/x.py", "from pipelines import errors", "from transforms import rows"),
        (find_upward, "pipelines/x.py", "from tests.world import words", "import transforms.beam.scan"),
        (find_relative, "transforms/x.py", "from . import rows", "from transforms import rows"),
        (find_beam, "transforms/x.py", "import apache_beam as beam", "import apache_beams"),
        (find_beam, "classifiers/x.py", "def f():\n    from apache_beam.io import fileio", "x = 'apache_beam'"),
        (find_torch, "classifiers/x.py", "import torch.nn", "def load():\n    import torch"),
        (find_torch, "classifiers/x.py", "class A:\n    import open_clip", "if TYPE_CHECKING:\n    import torch"),
        (find_torch, "transforms/x.py", "def f():\n    import torch", "import numpy"),
        (find_mixed_training, "pipelines/x.py", "from train.data import read", "from train.rewards import numeric"),
        (find_mixed_training, "train/x.py", "import apache_beam", "from transforms.shards import parse_manifest"),
        (find_mixed_training, "train/x.py", "from transforms.beam.scan import Scan", "import torch"),
        (find_undescribed, "transforms/x.py", "import re", '"""Words."""'),
        (find_undescribed, "transforms/x.py", '"""\nWords."""', ""),
        (find_long_files, "transforms/x.py", "\n" * 300, "\n" * 299),
        (find_vague_names, "transforms/utils.py", "", None),
        (find_vague_names, "pipelines/common/x.py", "", None),
    ],
)
def test_each_rule_catches_what_breaks_it_and_nothing_else(find, path, bad, good):
    assert find({path: bad}) != []
    assert good is None or find({path: good}) == []


def test_a_long_function_is_caught():
    def source(lines: int) -> dict[str, str]:
        return {"x.py": "class A:\n    def f():\n" + "        pass\n" * (lines - 1)}

    assert find_long_functions(source(30), 30) == []
    assert find_long_functions(source(31), 30) == ["x.py:f"]


def test_a_file_the_readme_lacks_is_caught():
    lines = ["transforms/   rules", "  rows.py   by reference", "├── a.py  a", "│   └── b.py b", "  c.py"]
    paths = ["transforms", *(f"transforms/{name}.py" for name in ("rows", "a", "b", "c", "d", "beam/a"))]
    assert find_unnamed("\n".join(lines), paths) == ["transforms/c.py", "transforms/d.py", "transforms/beam/a.py"]
