"""Embeddings are made once: a second round asks the model about new pictures only, and bad ones are named."""

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from classifiers.errors import ModelError
from configs.schema.caption import ReadRules
from configs.schema.strict import ConfigError
from pipelines.labelled_pictures import read_unlabelled
from pipelines.picture_embeddings import EmbeddingCache, embed_pictures, read_pictures, tell_left_out
from tests.pipelines.test_labelled_pictures import png

RULES = ReadRules()


class Counting:
    """A scorer whose embedding is the colour; it counts what it is asked."""

    def __init__(self) -> None:
        self.rules, self.asked, self.loads = SimpleNamespace(batch_size=2), 0, 0

    def load(self) -> None:
        self.loads += 1

    def embed(self, pictures):
        self.asked += len(pictures)
        return np.stack([picture[0, 0].astype(np.float32) / 255 for picture in pictures])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pool").mkdir()
    for colour in ("red", "gold", "navy"):
        (tmp_path / "pool" / f"{colour}.png").write_bytes(png(colour))
    return tmp_path / "pool"


def embed(folder, scorer, fingerprint: str = "clip"):
    cache = EmbeddingCache(str(folder.parent / "cache"), fingerprint)
    return embed_pictures(read_unlabelled([str(folder)], RULES), scorer, cache, RULES, lambda line: None)


def test_a_second_round_asks_about_new_pictures_only(folder):
    first = Counting()
    pictures, made = embed(folder, first)
    assert (first.asked, made.dtype, made.shape) == (3, np.float16, (3, 3))
    again = Counting()
    remembered = embed(folder, again)
    assert (again.asked, again.loads) == (0, 0)
    assert remembered[0] == pictures and np.array_equal(remembered[1], made)
    (folder / "new.png").write_bytes(png("pink"))
    assert embed(folder, again)[1].shape == (4, 3) and again.asked == 1
    other = Counting()
    embed(folder, other, "another clip")
    assert other.asked == 4


def test_what_is_remembered_does_not_depend_on_the_order(folder, tmp_path):
    rows = {hashlib.sha256(str(i).encode()).hexdigest(): np.full(4, i, dtype=np.float16) for i in range(5)}
    for name, order in (("a", list(rows)), ("b", list(rows)[::-1])):
        EmbeddingCache(str(tmp_path / name), "x").add({key: rows[key] for key in order})
    one, other = (list((tmp_path / name).rglob("*.npz")) for name in "ab")
    assert one[0].name == other[0].name and one[0].read_bytes() == other[0].read_bytes()
    back = EmbeddingCache(str(tmp_path / "a"), "x").load()
    assert back.keys() == rows.keys() and all(np.array_equal(back[key], rows[key]) for key in rows)


def test_pictures_that_do_not_decode_are_named_and_load_no_model(folder):
    (folder / "a.png").write_bytes(png("pink")[:50])
    (folder / "b.jpg").write_bytes(b"no picture")
    pictures, made = embed(folder, Counting())
    assert len(pictures.found) == len(made) == 3
    assert [(one.place[-5:], one.error) for one in pictures.left_out] == [
        ("a.png", "PictureTruncated"),
        ("b.jpg", "PictureUndecodable"),
    ]
    assert "1 PictureTruncated, 1 PictureUndecodable (first: " in tell_left_out(pictures.left_out)
    again = Counting()
    embed(folder, again)
    assert again.loads == 0


def test_no_picture_that_decodes_stops(tmp_path):
    (tmp_path / "pool").mkdir()
    (tmp_path / "pool" / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(ConfigError, match=r"expected pictures that decode, found none; left out: 1 PictureUndecodable"):
        embed(tmp_path / "pool", Counting())


@pytest.mark.parametrize("data", [b"", b"PK\3\4", b"\x93NUMPY", b"no zip"])
def test_a_damaged_memory_is_named(folder, data):
    embed(folder, Counting())
    next((folder.parent / "cache").rglob("*.npz")).write_bytes(data)
    with pytest.raises(ModelError, match=r"\.npz: expected remembered embeddings, found .*; remove the file"):
        embed(folder, Counting())


def test_bytes_come_in_the_order_of_files(folder):
    found = read_unlabelled([str(folder)], RULES).found
    assert [one.place[-8:] for one, _ in read_pictures(found[::-1])] == ["gold.png", "navy.png", "/red.png"]
