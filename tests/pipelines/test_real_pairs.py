"""The caption pipeline without its model on real pairs: 884 of stamps, blog posts, textbooks and documentation.

The known samples were chosen by looking at pictures and captions. Left out on purpose: relevance, whose model cannot
be had without a network.
"""

import io
import json
import tarfile
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

pytest.importorskip("apache_beam")

from tests.pipelines.damage import problems
from tests.pipelines.whole_runs import QUICK, ROOT, run_here

PAIRS = ROOT.parent / "shared" / "data" / "caption_pairs"
pytestmark = [
    pytest.mark.beam,
    pytest.mark.real_data,
    pytest.mark.skipif(not PAIRS.is_dir(), reason="real pairs are not at ../shared/data/caption_pairs"),
]

KNOWN = {
    "000000000": ("kept", None),  # a bar chart, a sentence on HTTPS
    "000000003": ("kept", None),  # a drawn cake, "A birthday cake."
    "000000008": ("kept", None),  # a map, a Chinese caption
    "000000015": ("kept", None),  # a line drawing of field lines, a long caption
    "000000010": ("dropped", "image_too_small"),  # a stamp of the letter T, 110 x 102
    "000000020": ("dropped", "image_too_small"),  # a chess king, 50 x 50
    "000000043": ("dropped", "image_aspect_ratio"),  # a banner, 4.3 to 1
    "000000253": ("dropped", "image_aspect_ratio"),  # a strip whose caption is a file name too: pictures are first
    "000000230": ("dropped", "caption_missing"),
    "000000170": ("dropped", "caption_too_short"),  # "2"
    "000000042": ("dropped", "caption_file_name"),  # "mq-1"
    "000000051": ("dropped", "caption_file_name"),  # "eureka-server-renew-sequence-chart.png"
    "000000263": ("dropped", "caption_file_name"),  # "image-20191104211642271"
    "000000001": ("dropped", "caption_too_few_words"),  # "pulse homepage"
    "000010051": ("dropped", "caption_too_few_words"),  # "Cat image"
}


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("pairs") / "out"
    assert run_here([f"{PAIRS}/*.tar"], folder, *QUICK, "--set", "output.samples_per_shard=150") == 0
    return folder


@pytest.fixture(scope="module")
def ledger(output) -> dict[str, dict]:
    rows = [row for path in sorted((output / "ledger").iterdir()) for row in pq.read_table(path).to_pylist()]
    return {row["key"]: row for row in rows}


@pytest.fixture(scope="module")
def originals() -> dict[str, dict[str, bytes]]:
    """The pool's members by key and extension."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(PAIRS.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                key, extension = member.name.split(".")
                found.setdefault(key, {})[extension] = tar.extractfile(member).read()
    return found


@pytest.fixture(scope="module")
def kept(ledger) -> list[str]:
    return [key for key, row in ledger.items() if row["fate"] == "kept"]


def test_every_pair_has_one_fate(output, ledger, originals):
    counts = json.loads((output / "manifest.json").read_text())["counts"]
    assert counts["read"] == 884 == counts["kept"] + sum(counts["dropped"].values()) + sum(counts["failed"].values())
    assert counts["failed"] == {}
    assert ledger.keys() == originals.keys()
    assert Counter(row["rule"] for row in ledger.values() if row["rule"]) == counts["dropped"]


@pytest.mark.parametrize(("key", "fate"), KNOWN.items())
def test_a_pair_that_was_looked_at(ledger, key, fate):
    assert (ledger[key]["fate"], ledger[key]["rule"]) == fate


def test_verify_passes(output):
    assert problems(output) == {}


def same_as(original: dict[str, bytes], sample: dict[str, bytes]) -> bool:
    """Whether a written sample has the original's picture, byte by byte, and its caption."""
    (picture,) = (extension for extension in original if extension not in ("txt", "json"))
    return sample[picture] == original[picture] and sample["txt"].strip() == original["txt"].strip()


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_every_kept_pair(output, originals, kept):
    webdataset = pytest.importorskip("webdataset")
    shards = [str(path) for path in sorted((output / "shards").glob("*.tar"))]
    samples = {sample["__key__"]: sample for sample in webdataset.WebDataset(shards, shardshuffle=False)}
    assert list(samples) == kept
    assert [key for key in kept if not same_as(originals[key], samples[key])] == []


def test_wids_reads_every_kept_pair(output, originals, kept, tmp_path, monkeypatch):
    wids = pytest.importorskip("wids")
    monkeypatch.chdir(output)
    dataset = wids.ShardListDataset("index.json", cache_dir=str(tmp_path), keep=True, transformations=[])
    assert len(dataset) == len(kept)
    for key, sample in zip(kept, dataset, strict=True):
        members = {name.removeprefix("."): as_bytes(data) for name, data in sample.items() if name.startswith(".")}
        assert sample["__key__"] == key and same_as(originals[key], members)


def as_bytes(data: bytes | io.BytesIO) -> bytes:
    return data if isinstance(data, bytes) else data.getvalue()
