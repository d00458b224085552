"""`beamsift convert`: every schema from ours and back with its pictures, the same bytes twice, bad records as lines."""

import hashlib
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from configs.schema.caption import ReadRules
from pipelines.cli import main
from pipelines.convert import expand, read_rows
from pipelines.lint import lint
from tests.transforms.pools import tar_bytes
from transforms.interleaved_documents import reference
from transforms.interleaved_reader import read_interleaved
from transforms.materialise import SpanReader, materialise
from transforms.reading import list_units
from transforms.records import Drop, Picture, Sample, Span, Text, Unit
from transforms.shards import ShardWriter, sample_json, sample_members


def image(colour, format="JPEG"):
    buffer = io.BytesIO()
    Image.new("RGB", (9, 7), colour).save(buffer, format)
    return buffer.getvalue()


def held(colour, format="jpeg", url=""):
    data = image(colour, format.upper())
    return Picture(Span("", 0, 0, "tar"), format, 9, 7, hashlib.sha256(data).digest(), url=url), data


DOCUMENTS = [
    [
        Text("first", "{role}"),
        held("red", url="http://x/red.jpg"),
        Text("then", "{role}"),
        held("blue", "png"),
        Text("end", "{role}"),
    ],
    [held("green"), Text("one picture", "{role}")],
    [(reference("http://x/far.jpg", None), None), held("pink"), Text("far and near", "{role}")],
    [Text("only text", "{role}")],
]


def write_set(folder: Path, role: str = "paragraph", documents=None) -> Path:
    (folder / "shards").mkdir(parents=True)
    with open(folder / "shards" / "000000.tar", "wb") as file:
        writer = ShardWriter(file, "shards/000000.tar")
        for number, items in enumerate(documents or DOCUMENTS):
            pairs = [(Text(item.value, role), None) if isinstance(item, Text) else item for item in items]
            meta = json.dumps({"url": f"http://x/{number}"})
            sample = Sample(f"doc{number}", "p.warc", 0, number, tuple(piece for piece, _ in pairs), "", meta)
            writer.add(sample_members(sample, [data for _, data in pairs], sample_json(sample), None))
        info = writer.finish()
    (folder / "manifest.json").write_text(json.dumps({"shards": [{"name": info.name, "samples": info.samples}]}))
    return folder


def read(folder, schema):
    """(pieces without their places, bytes, meta) of every document of a set."""
    files = [str(path) for name in ("shards", "records") for path in sorted((folder / name).glob("*"))]
    rows = [
        row
        for unit in list_units(files, ReadRules())
        for row in read_interleaved(unit.uri, unit, ReadRules(), str(folder), schema=schema)
    ]
    assert [row.sample.failure for row in rows] == [None] * len(rows)
    return [(*shape(row), json.loads(row.sample.meta or "{}")) for row in rows]


def shape(row):
    pieces = [(p.value, p.role) if isinstance(p, Text) else (p.format, p.width, p.sha256) for p in row.sample.pieces]
    return pieces, [None if data is None else bytes(data) for data in row.data]


def convert(*arguments):
    return main(["convert", *map(str, arguments)])


@pytest.mark.parametrize("schema", ["obelics", "omnicorpus", "mint", "mmc4", "data-juicer"])
def test_from_ours_and_back_with_every_picture(tmp_path, schema, capsys):
    role = "sentence" if schema == "mmc4" else "paragraph"
    ours = write_set(tmp_path / "ours", role)
    assert (
        convert(ours, "--from", "beamsift", "--to", schema, "--output", tmp_path / "theirs", "--rows-per-file", 2) == 0
    )
    assert convert(tmp_path / "theirs", "--from", schema, "--to", "beamsift", "--output", tmp_path / "again") == 0
    assert read(tmp_path / "again", "beamsift") == read(ours, "beamsift")
    tars = [str(path) for path in (tmp_path / "theirs").rglob("*.tar")]
    assert lint([str(tmp_path / "again"), *tars]).counts.keys() <= ({"key_in_two_shards"} if tars else set())
    counts = json.loads((tmp_path / "again" / "manifest.json").read_text())["counts"]
    assert counts["pictures"] == {"reference": 1, "with_bytes": 4} and counts["failed"] == {}
    assert counts["read"] == counts["written"] == 4


def test_of_a_set_only_shards_and_records_are_read(tmp_path):
    ours = write_set(tmp_path / "ours")
    (ours / "shards" / "000000.idx").write_bytes(b"x")
    assert expand(str(ours)) == [f"{ours}/shards/000000.tar"]


def test_the_same_bytes_twice(tmp_path):
    ours = write_set(tmp_path / "ours")
    for schema in ("obelics", "mint", "mmc4"):
        for name in ("a", "b"):
            assert convert(ours, "--from", "beamsift", "--to", schema, "--output", tmp_path / schema / name) == 0
        a, b = ({p.name: p.read_bytes() for p in (tmp_path / schema / n).rglob("*") if p.is_file()} for n in "ab")
        assert a == b


def test_the_manifest_says_what_the_files_are(tmp_path):
    assert convert(write_set(tmp_path / "o"), "--from", "beamsift", "--to", "obelics", "--output", tmp_path / "t") == 0
    shards = json.loads((tmp_path / "t" / "manifest.json").read_text())["shards"]
    assert [shard["name"] for shard in shards] == ["records/000000.parquet", "pictures/000000.tar"]
    for shard in shards:
        data = (tmp_path / "t" / shard["name"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (shard["bytes"], shard["sha256"])


def test_an_output_that_holds_anything_is_refused(tmp_path, capsys):
    ours = write_set(tmp_path / "o")
    (tmp_path / "t" / "records").mkdir(parents=True)
    (tmp_path / "t" / "records" / "x").write_text("mine")
    assert convert(ours, "--from", "beamsift", "--to", "mmc4", "--output", tmp_path / "t") == 2
    assert "expected an empty folder" in capsys.readouterr().err
    assert convert(tmp_path / "none*", "--from", "mmc4", "--to", "mint", "--output", tmp_path / "u") == 2


def test_a_bad_record_costs_one_line(tmp_path):
    good = {"text_list": ["a"], "image_info": [], "similarity_matrix": [], "url": "u"}
    lines = [json.dumps(good), "{", json.dumps({"text_list": 3}), '"x"', json.dumps(good)]
    (tmp_path / "x.jsonl").write_text("\n".join(lines))
    args = (tmp_path / "x.jsonl", "--from", "mmc4", "--to", "beamsift", "--output")
    assert convert(*args, tmp_path / "t", "--max-failure-rate", 0.9) == 0
    failed = [json.loads(line) for line in (tmp_path / "t" / "failed.jsonl").read_text().splitlines()]
    assert [line["error"] for line in failed] == ["JsonBroken", "RecordBroken", "JsonBroken"]
    assert all("x.jsonl@" in line["place"] and "expected" in line["message"] for line in failed)
    assert convert(*args, tmp_path / "u") == 3
    assert not (tmp_path / "u" / "manifest.json").exists()


def test_bytes_that_are_no_picture_stay_in_the_document_as_a_failure(tmp_path):
    pieces = b'{"images": ["n"], "texts": [null], "image_metadata": [{}]}'
    (tmp_path / "m.tar").write_bytes(tar_bytes({"a.json": pieces, "a.tiff": b"<html>"}))
    assert convert(tmp_path / "m.tar", "--from", "mint", "--to", "beamsift", "--output", tmp_path / "t") == 0
    assert json.loads((tmp_path / "t" / "manifest.json").read_text())["counts"]["pictures"] == {"failed": 1}
    assert read(tmp_path / "t", "beamsift")[0][1] == [None]


def test_frames_of_a_mint_tiff_are_pictures_of_their_own(tmp_path):
    frames = [Image.new("RGB", (9 + n, 7), (n, 0, 0)) for n in range(3)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "TIFF", save_all=True, append_images=frames[1:])
    record = {"images": ["p0", None, "p1", "p2"], "texts": [None, "t", None, None], "image_metadata": [{"page": 0}] * 3}
    tar = tar_bytes({"k.tiff": buffer.getvalue(), "k.json": json.dumps(record).encode()})
    (tmp_path / "m.tar").write_bytes(tar)
    assert convert(tmp_path / "m.tar", "--from", "mint", "--to", "beamsift", "--output", tmp_path / "t") == 0
    pieces, data, _ = read(tmp_path / "t", "beamsift")[0]
    assert [piece[1] for piece in pieces if len(piece) == 3] == [9, 10, 11]
    assert [Image.open(io.BytesIO(d)).convert("RGB").getpixel((0, 0)) for d in data if d] == [
        (n, 0, 0) for n in range(3)
    ]
    assert convert(tmp_path / "t", "--from", "beamsift", "--to", "mint", "--output", tmp_path / "back") == 0
    again = read(tmp_path / "back", "mint")
    assert len([d for d in again[0][1] if d]) == 3


def test_spans_of_pictures_inside_parquet_and_tiffs_read_the_same_bytes_again(tmp_path):
    cells = [[{"bytes": image("red"), "path": "r.jpg"}, None, {"bytes": None, "path": "http://x"}], []]
    kind = pa.list_(pa.struct({"bytes": pa.binary(), "path": pa.string()}))
    table = {"images": pa.array(cells, kind), "texts": pa.array([[None, "t", None], []], pa.list_(pa.string()))}
    pq.write_table(pa.table(table), tmp_path / "p.parquet")
    unit = list_units([str(tmp_path / "p.parquet")], ReadRules())[0]
    rows = list(read_interleaved(unit.uri, unit, ReadRules(), str(tmp_path), schema="obelics"))
    sources = [piece.source for piece in rows[0].sample.pieces if isinstance(piece, Picture)]
    assert sources[0].member == "images[0]" and sources[1].container == "url"
    with SpanReader(str(tmp_path)) as spans:
        assert materialise(sources[0], spans) == image("red") == bytes(rows[0].data[0])
        with pytest.raises(OSError, match="expected"):
            spans.read(Span(unit.uri, 1, 2, "parquet", "images[4]"))


def test_what_a_schema_cannot_hold_is_counted(tmp_path, capsys):
    gone = (Picture(Span("", 0, 0, "tar"), drop=Drop("qr_code", 0.5, 0.1)), None)
    ours = write_set(tmp_path / "o", "heading", [[gone, Text("title", "heading")]])
    assert convert(ours, "--from", "beamsift", "--to", "obelics", "--output", tmp_path / "t") == 0
    counts = json.loads((tmp_path / "t" / "manifest.json").read_text())["counts"]
    assert counts["lost"] == {"dropped_pictures": 1, "text_roles": 1} and counts["pictures"] == {"dropped": 1}
    assert "lost: dropped_pictures 1, text_roles 1" in capsys.readouterr().out


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to the collector
def test_webdataset_sees_a_document_with_all_its_pictures_as_one_sample(tmp_path):  # webdataset 289 and 20
    webdataset = pytest.importorskip("webdataset")
    ours = write_set(tmp_path / "o")
    found = list(webdataset.WebDataset(f"{ours}/shards/000000.tar", shardshuffle=False))
    assert [sample["__key__"] for sample in found] == ["doc0", "doc1", "doc2", "doc3"]
    assert set(found[0]) - {"__key__", "__url__", "__local_path__"} == {"0.jpg", "1.png", "json"}
    assert found[0]["1.png"] == image("blue", "PNG")


def test_a_file_that_went_away_is_one_failed_row(tmp_path):
    unit = Unit(0, str(tmp_path / "gone.jsonl"), "folder")
    (row,) = read_rows(unit, ReadRules(), str(tmp_path), "mmc4")
    assert row.sample.failure.error == "UnitUnreadable"
