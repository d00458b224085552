"""Saved pages and foreign sets beside the archives of web_pool.py, and what a run made of each input."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.cli import main
from pipelines.ledger import samples_by_unit
from tests.pipelines.web_pool import SITE, jpeg, text
from tests.transforms.pools import tar_bytes
from transforms.records import Picture, Sample, is_shown

SCHEMAS = ("obelics", "mmc4", "omnicorpus", "mint", "data-juicer", "beamsift")
LARGE = 65 << 20
"""Bytes of a picture, one more than may be read; a file of holes."""


def write_saved(folder: Path) -> str:
    """Pages as browsers save them, a picture for each way to name one; gives the input."""
    for name in ("harbour_files", "sub", "shared", "hafen-Dateien"):
        (folder / name).mkdir(parents=True)
    (folder.parent / "secret.jpg").write_bytes(jpeg(20))
    (folder / "harbour_files/one.jpg").write_bytes(jpeg(21))
    (folder / "harbour_files/frame.html").write_text("<p>part of a page</p>")
    (folder / "hafen-Dateien/frame.html").write_text("<p>part of a page</p>")
    (folder / "shared/two three.jpg").write_bytes(jpeg(22))
    (folder / "shared/noise.jpg").write_bytes(b"no picture")
    with (folder / "shared/large.jpg").open("wb") as file:
        file.truncate(LARGE)
    note = f"<!-- saved from url=(0030){SITE}/saved.html -->"
    sizes = f'srcset="{SITE}/nowhere.jpg 2x"'
    save(folder / "harbour.html", 30, f'<img src="./harbour_files/one.jpg" {sizes}>', note)
    away = (
        '<img src="gone.jpg"><img src="../../secret.jpg"><img src="../shared/large.jpg"><img src="../shared/noise.jpg">'
    )
    save(folder / "sub/other.htm", 31, f'<img src="../shared/two%20three.jpg" alt="boats">{away}')
    save(folder / "web.html", 32, f'<img src="{SITE}/new.jpg">')
    old = '<p>Die Häfen.</p><img src="shared/two%20three.jpg">'
    page = save(folder / "hafen.html", 33, old, '<meta charset="windows-1252">')
    (folder / "hafen.html").write_bytes(page.encode("windows-1252"))
    (folder / "empty.html").write_bytes(b"")
    return f"saved:{folder}"


def save(path: Path, number: int, body: str, head: str = "") -> str:
    html = f"<html><head>{head}<title>{path.stem}</title></head><body><main>{text(number)}{body}{text(number + 50)}"
    page = f"<!DOCTYPE html>{html}</main></body></html>"
    path.write_text(page)
    return page


def write_named(path: Path) -> str:
    """Records of MMC4 whose pictures are addresses: in an archive, behind redirects, nowhere, none."""
    addresses = (f"{SITE}/deep/two.jpg", f"{SITE}/old.jpg", f"{SITE}/absent.jpg", "")
    infos = [
        {"image_name": f"{n}.jpg", "raw_url": url, "matched_text_index": n, "matched_sim": 0.25 + n / 100}
        for n, url in enumerate(addresses)
    ]
    sentences = text(40)[3:-4].split(". ")
    record = {"text_list": sentences, "image_info": infos, "url": f"{SITE}/named.html", "similarity_matrix": None}
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record) + "\n")
    return f"mmc4:{path}"


def write_held(path: Path, cells: list[list[bytes]], texts: list[str]) -> str:
    """A Parquet file as OBELICS', whose cells hold the pictures; a document's pictures stand before its text."""
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    images = [[*({"bytes": data, "path": f"{n}.jpg"} for n, data in enumerate(cell)), None] for cell in cells]
    lines = [[None] * len(cell) + [one] for cell, one in zip(cells, texts, strict=True)]
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"images": pa.array(images, pa.list_(struct)), "texts": pa.array(lines, pa.list_(pa.string()))}
    pq.write_table(pa.table(columns), path)
    return f"obelics:{path}"


def write_tar(path: Path, numbers: list[int]) -> str:
    """A tar of MINT-1T, a picture and a text each."""
    members = {}
    for n in numbers:
        record = {"images": ["a.jpg", None], "texts": [None, text(n)], "image_metadata": [{"page": 0}]}
        members |= {f"doc{n}.0.jpg": jpeg(n), f"doc{n}.json": json.dumps(record).encode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tar_bytes(members))
    return f"mint:{path}"


def write_beside(path: Path, number: int) -> str:
    """A record of MMC4 with two pictures in the tar beside it."""
    infos = [{"image_name": f"{n}.jpg", "raw_url": f"{SITE}/{n}.jpg", "matched_text_index": 0} for n in range(2)]
    record = {"text_list": [text(number)[3:-4]], "image_info": infos, "similarity_matrix": None}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    path.with_suffix(".tar").write_bytes(tar_bytes({f"{n}.jpg": jpeg(number + n) for n in range(2)}))
    return f"mmc4:{path}"


def write_bad(folder: Path) -> list[str]:
    """Sets that are cut, empty, wrongly encoded, too large or of another shape; gives the inputs."""
    held = write_held(folder / "held.parquet", [[jpeg(60), b"no picture", bytes(60_001), b""]], [text(60)])
    write_held(folder / "cut.parquet", [[jpeg(61)]], [text(61)])
    tar, beside = write_tar(folder / "members.tar", [62, 63]), write_beside(folder / "beside.jsonl", 64)
    for name, size in (("cut.parquet", 900), ("members.tar", -12_000), ("beside.tar", -14_000)):
        (folder / name).write_bytes((folder / name).read_bytes()[:size])
    good = json.dumps({"text_list": [text(65)[3:-4]], "image_info": [], "url": f"{SITE}/twice"}).encode()
    many = json.dumps({"text_list": ["a"] * 30, "image_info": []}).encode()
    lines = [b'{"text_list": ["\xff"], "image_info": []}', b'{"x": "' + bytes(5000) + b'"}', many, b'{"text_list": 3}']
    (folder / "lines.jsonl").write_bytes(b"\n".join([*lines, good, good, good[:50]]))
    (folder / "empty.jsonl").write_bytes(b"")
    return [
        held,
        f"obelics:{folder}/cut.parquet",
        tar,
        beside,
        f"mmc4:{folder}/lines.jsonl",
        f"mmc4:{folder}/empty.jsonl",
    ]


def convert_to_all(ours: Path, folder: Path) -> list[str]:
    """Sets of every schema with what the run at `ours` kept; gives the inputs."""
    for schema in SCHEMAS[:-1]:
        assert main(["convert", str(ours), "--from", "beamsift", "--to", schema, "--output", f"{folder}/{schema}"]) == 0
    return [*(f"{schema}:{folder}/{schema}" for schema in SCHEMAS[:-1]), f"beamsift:{ours}"]


def rows_under(output: Path | str, folder: str) -> list[Sample]:
    """The rows of a run that were read from files below a folder."""
    return [row.sample for row in samples_by_unit(str(output)) if row.sample.source.startswith(str(folder))]


def shown(sample: Sample) -> list[str]:
    """Texts, and pictures that stay, in reading order."""
    return [
        piece.sha256.hex() if isinstance(piece, Picture) else piece.value
        for piece in sample.pieces
        if not isinstance(piece, Picture) or is_shown(piece)
    ]


def fates(sample: Sample) -> list[str]:
    """What became of each picture."""
    return [fate_of(piece) for piece in sample.pieces if isinstance(piece, Picture)]


def fate_of(picture: Picture) -> str:
    if picture.failure:
        return picture.failure.error
    return picture.drop.rule if picture.drop else "kept"
