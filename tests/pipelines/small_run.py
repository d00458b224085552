"""A small pool with one row for each kind of fate, and a finished run of it."""

import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from configs.schema.caption import CaptionConfig
from transforms.storage import FileStat, LocalStorage

HOSTILE = "[red]not markup[/red] \x1b[31mnor colour\x1b[0m \u202ebackwards in words"


def jpeg(seed: int, side: int = 240) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((side + 20, side)).save(file, "JPEG", quality=80)
    return file.getvalue()


def write_pool(folder: Path) -> Path:
    """Two tars of 12 and 8 rows; the second repeats keys of the first."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "a.tar", first_rows())
    _write(
        folder / "b.tar",
        [(f"pair{i}", {"jpg": jpeg(50 + i), "txt": f"Number {i} of the second tar."}) for i in range(8)],
    )
    return folder


def first_rows() -> list[tuple[str, dict[str, bytes | str]]]:
    good = [(f"pair{i}", {"jpg": jpeg(i), "txt": f"A good caption with number {i}."}) for i in range(6)]
    several = json.dumps({"captions": ["x", "The second caption is the one to keep."]})
    return [
        *good,
        ("tiny", {"jpg": jpeg(20, 120), "txt": "A picture that is too small."}),
        ("copy", {"jpg": jpeg(0), "txt": "The same picture with a longer caption than the first."}),
        ("broken", {"jpg": b"no picture at all", "txt": "A file that is no picture."}),
        ("hostile", {"jpg": jpeg(21), "txt": HOSTILE}),
        ("terse", {"jpg": jpeg(22), "txt": "Two words"}),
        ("several", {"jpg": jpeg(23), "json": several}),
    ]


def _write(path: Path, rows: list[tuple[str, dict[str, bytes | str]]]) -> None:
    with tarfile.open(path, "w") as tar:
        for key, members in rows:
            for suffix, data in members.items():
                encoded = data.encode() if isinstance(data, str) else data
                member = tarfile.TarInfo(f"{key}.{suffix}")
                member.size = len(encoded)
                tar.addfile(member, io.BytesIO(encoded))


def small_config(**relevance: Any) -> CaptionConfig:
    values = {
        "relevance": {"enabled": False, **relevance},
        "output": {"samples_per_shard": 5, "shuffle_run": 2, "max_failure_rate": 0.5},
    }
    return CaptionConfig.model_validate(values)


def make_run(folder: Path, cfg: CaptionConfig) -> str:
    from pipelines.run import Request, run

    pool = write_pool(folder / "pool")
    run(Request(cfg, [str(pool / "*.tar")], str(folder / "out")), lambda line: None)
    return str(folder / "out")


class Remote(LocalStorage):
    """`mem:///path` for the local /path: what is not local must be opened or fetched before it is read."""

    def open(self, uri: str) -> BinaryIO:
        return super().open(uri.removeprefix("mem://"))

    def exists(self, uri: str) -> bool:
        return super().exists(uri.removeprefix("mem://"))

    def list(self, folder: str) -> list[FileStat]:
        found = super().list(folder.removeprefix("mem://"))
        return [FileStat(f"mem://{file.uri}", file.size, file.modified) for file in found]

    def fetch(self, uri: str, folder: str) -> str:
        return shutil.copy(uri.removeprefix("mem://"), folder)
