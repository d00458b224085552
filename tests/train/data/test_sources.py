"""Sources: our sets, wids indexes and bare tars hold the same samples, and what is damaged is told by name."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.train.data.toy_set import edit_manifest, text_of, write_manifest, write_set, write_shard
from train.data.errors import DataError
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.shard_indexes import ShardIndexes, TarDamaged
from train.data.sources import check_hashes, open_source

WIDS = '{"__kind__": "wids-shard-index-v1"}'
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/beamsift/indexes"


@pytest.fixture
def toy(tmp_path):
    return write_set(tmp_path / "set", 12)


def keys_of(uri, **options) -> list[str]:
    mixed = open_mixture([SourceSpec("s", str(uri))], 1, **options)
    return sorted(one.item for one in Loader(mixed, text_of, rules=LoaderRules(rounds=1)))


KEYS = sorted(f"k{i}" for i in range(12))


@pytest.mark.parametrize("place", ["", "manifest.json", "index.json", "shards", "shards/*.tar", "shards/000*.tar"])
def test_the_same_samples_by_manifest_wids_index_or_tars(toy, cache, place):
    assert keys_of(toy / place) == KEYS
    assert cache.exists() == (place not in ("", "manifest.json"))  # ours need none


def test_a_set_from_before_member_indexes(toy, cache):
    edit_manifest(toy, lambda values: [shard.pop("index") for shard in values["shards"]])
    for path in (toy / "shards").glob("*.idx"):
        path.unlink()
    assert keys_of(toy) == KEYS
    assert len(list(cache.iterdir())) == 3


def test_an_index_is_built_once(toy, cache):
    keys_of(toy / "shards")
    before = {path: path.stat().st_mtime_ns for path in cache.iterdir()}
    keys_of(toy / "index.json")
    assert {path: path.stat().st_mtime_ns for path in cache.iterdir()} == before


def test_another_tar_of_that_name_gets_another_index(toy):
    assert keys_of(toy / "shards") == KEYS
    write_shard(toy, "shards/000000.tar", ["other"])
    assert keys_of(toy / "shards") == sorted([*(f"k{i}" for i in range(5, 12)), "other"])


def test_a_cut_index_in_the_cache_is_built_again(toy, cache):
    keys_of(toy / "shards")
    for path in cache.iterdir():
        path.write_bytes(path.read_bytes()[:50])
    assert keys_of(toy / "shards") == KEYS


def test_a_cache_elsewhere(toy, tmp_path, cache):
    keys_of(toy / "shards", cache=str(tmp_path / "mine"))
    assert len(list((tmp_path / "mine").iterdir())) == 3 and not cache.exists()


def test_the_place_is_no_part_of_the_fingerprint(tmp_path):
    sets = [write_set(tmp_path / name, 12, prefix=prefix) for name, prefix in (("a", "k"), ("b", "k"), ("c", "x"))]
    prints = [open_source("s", str(folder), ShardIndexes()).fingerprint for folder in sets]
    assert prints[0] == prints[1] != prints[2]


def told(uri) -> str:
    with pytest.raises(DataError) as error:
        keys_of(uri)
    return str(error.value)


def test_a_manifest_of_another_format(toy):
    write_manifest(toy, {"format": "beamsift-9", "shards": []})
    assert "expected a manifest of format beamsift-1 or " in told(toy) and "found 'beamsift-9'" in told(toy)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "no json", '{"format": "beamsift-1"}', '{"format": "beamsift-1", "shards": 3}']
)
def test_a_manifest_that_is_none(toy, text):
    (toy / "manifest.json").write_text(text)
    assert told(toy).startswith("source 's': ") and "manifest.json: expected" in told(toy)


def test_no_set_at_all(tmp_path):
    assert "expected a manifest.json, an index.json or tars, found none of them" in told(tmp_path / "nothing")
    assert "expected a manifest or an index, found no file" in told(tmp_path / "manifest.json")


def test_missing_shards_are_named(toy):
    for number in (0, 2):
        (toy / f"shards/{number:06d}.tar").unlink()
    assert f"expected 6 files, found all but {toy}/shards/000000.tar, {toy}/shards/000002.tar" in told(toy)
    assert "expected 3 files, found all but" in told(toy / "index.json")


def test_many_missing_shards_are_counted(tmp_path):
    folder = write_set(tmp_path / "set", 50)
    for path in (folder / "shards").glob("*.tar"):
        path.unlink()
    assert told(folder).endswith("000002.tar and 7 more")


def test_a_shard_of_another_size(toy):
    path = toy / "shards/000001.tar"
    path.write_bytes(path.read_bytes() + b"x")
    assert "000001.tar: expected 20,480 bytes, found 20,481" in told(toy)


def test_a_shard_of_the_same_size_and_another_hash(toy):
    source = open_source("s", str(toy), ShardIndexes())
    check_hashes(source)
    path = toy / "shards/000001.tar"
    data = bytearray(path.read_bytes())
    data[600] ^= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"^source 's': .*000001\.tar: expected sha256 [0-9a-f]{64}, found "):
        check_hashes(source)


def test_an_index_of_another_shard(toy):
    (toy / "shards/000001.idx").write_bytes((toy / "shards/000000.idx").read_bytes())
    assert "000001.idx: expected the member index of the manifest, sha256 " in told(toy)


def test_a_cut_index(toy):
    path = toy / "shards/000001.idx"
    path.write_bytes(path.read_bytes()[:-3])
    assert "000001.idx: expected" in told(toy) and "bytes, found" in told(toy)
    path.unlink()
    assert "found all but" in told(toy)


def test_an_index_that_the_manifest_believes_and_the_shard_does_not(toy):
    """Both hashes are true, but it is the index of a shard of another size or number of samples."""
    info = write_shard(toy, "shards/other.tar", ["x"] * 60)

    def change(values):
        values["shards"][0]["index"] = {
            "name": "shards/other.idx",
            "bytes": info.index.bytes,
            "sha256": info.index.sha256,
        }

    edit_manifest(toy, change)
    assert "expected an index of 20,480 bytes, found one of" in told(toy)


def test_a_wids_index_that_counts_otherwise(toy):
    values = json.loads((toy / "index.json").read_text())
    values["shardlist"][0]["nsamples"] = 6
    (toy / "index.json").write_text(json.dumps(values))
    assert "expected 6 samples, found 5 by its member index" in told(toy / "index.json")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"__kind__": "x"}',
        '{"__kind__": "wids-shard-index-v1"}',
        '{"__kind__": "wids-shard-index-v1", "shardlist": [{}]}',
    ],
)
def test_a_wids_index_that_is_none(toy, text):
    (toy / "index.json").write_text(text)
    assert told(toy / "index.json").startswith("source 's': ")


def test_an_empty_source(tmp_path):
    write_manifest(tmp_path, {"format": "beamsift-1", "shards": []})
    assert "expected samples, found none in 0 shards" in told(tmp_path)
    write_shard(tmp_path, "bare/empty.tar", [])
    assert "expected samples, found none in 1 shards" in told(tmp_path / "bare")


def test_a_damaged_tar_is_refused_or_used_up_to_the_damage(toy):
    path = toy / "shards/000001.tar"
    data = bytearray(path.read_bytes())
    data[3 * 2048 + 200] ^= 0xFF  # in the header of the fourth sample's first member
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"000001\.tar@6144: expected a whole tar, found TarBroken: "):
        keys_of(toy / "shards")
    assert keys_of(toy / "shards", use_damaged=True) == sorted(set(KEYS) - {"k8", "k9"})


def test_the_samples_behind_the_damage_are_counted_where_a_list_has_them(toy):
    path = toy / "shards/000001.tar"
    data = bytearray(path.read_bytes())
    data[3 * 2048 + 200] ^= 0xFF
    path.write_bytes(data)
    mixed = open_mixture([SourceSpec("s", str(toy / "index.json"))], 1, use_damaged=True)
    loader = Loader(mixed, text_of, rules=LoaderRules(rounds=1))
    assert len(list(loader)) == 10
    assert loader.counts.sources["s"].skipped == {"TarBroken": 2}
    with pytest.raises(TarDamaged):
        list(Loader(open_mixture([SourceSpec("s", str(toy / "index.json"))], 1), text_of))


def test_a_tar_gz_cannot_be_read_at_any_place(tmp_path):
    (tmp_path / "x.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    assert "found a gzip; unpack it" in told(tmp_path)


def test_a_scheme_that_nobody_serves():
    assert "expected a local path or one of the registered schemes" in told("http://host/set")


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # webdataset leaves closing its files to the collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_bare_tars_are_read_as_webdataset_reads_them():
    webdataset = pytest.importorskip("webdataset")
    paths = sorted((ROOT.parent / "shared/data/caption_pairs").glob("*.tar"))
    if not paths:
        pytest.skip("no ../shared/data")
    theirs = {}
    for sample in webdataset.WebDataset([str(path) for path in paths], shardshuffle=False):
        key, parts = sample.pop("__key__"), {name: data for name, data in sample.items() if name[0] != "_"}
        theirs.setdefault(key, []).append(parts)
    mixed = open_mixture([SourceSpec("s", str(paths[0].parent))], 1)
    ours: dict[str, list] = {}
    for given in Loader(mixed, rules=LoaderRules(rounds=1)):
        ours.setdefault(given.item.key, []).append(given.item.parts)
    assert ours.keys() == theirs.keys()
    assert all(sorted(map(repr, ours[key])) == sorted(map(repr, theirs[key])) for key in theirs)


BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"apache_beam", "torch", "transformers", "pyarrow", "PIL"}:
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, Blocked())
from train.data.loader import Loader, LoaderRules, SourceSpec, open_mixture
from train.data.packed import PackLoader
import train.data, train.pack
found = Loader(open_mixture([SourceSpec("s", sys.argv[1])], 1), rules=LoaderRules(rounds=1))
print(sorted(one.item.key for one in found), end="")
"""


def test_neither_beam_nor_torch_is_needed(toy):
    command = [sys.executable, "-c", BLOCKED, str(toy)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == str(KEYS)
