"""A shard holds the bytes that were scanned, or the run stops."""

import hashlib

import pytest

pytest.importorskip("apache_beam")

from transforms.beam.write_shards import _picture_bytes
from transforms.materialise import SpanReader
from transforms.records import Drop, Picture, Span, Text


def picture_of(path, data: bytes, **changes) -> Picture:
    return Picture(Span(str(path), 0, len(data), "file"), "jpeg", sha256=hashlib.sha256(data).digest(), **changes)


def test_the_bytes_that_were_scanned_are_written(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"picture")
    with SpanReader(str(tmp_path)) as spans:
        assert _picture_bytes(picture_of(path, b"picture"), spans) == b"picture"


def test_an_input_that_changed_during_the_run_stops_it(tmp_path):
    path = tmp_path / "a.jpg"
    path.write_bytes(b"another")
    with SpanReader(str(tmp_path)) as spans, pytest.raises(OSError, match="changed during the run"):
        _picture_bytes(picture_of(path, b"picture"), spans)


def test_texts_and_dropped_pictures_have_no_bytes_in_a_shard(tmp_path):
    gone = picture_of(tmp_path / "gone.jpg", b"x", drop=Drop("image_too_small", 1, 2))
    with SpanReader(str(tmp_path)) as spans:
        assert _picture_bytes(gone, spans) is None
        assert _picture_bytes(Text("a caption"), spans) is None
