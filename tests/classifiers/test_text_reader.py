"""The text reader: what it reads of drawn signs, always the same, without a network, and how it says that it cannot."""

import importlib.util
import logging
import pickle
import socket

import numpy as np
import pytest

pytest.importorskip("rapidocr")

from classifiers import text_reader
from classifiers.errors import ModelError
from classifiers.text_reader import PictureUnread, TextReader
from tests.recaption.signs import sign


@pytest.fixture(scope="module")
def reader() -> TextReader:
    loaded = TextReader()
    loaded.load()
    return loaded


def words(lines):
    return [text for text, _ in lines]


def test_it_reads_a_sign_from_the_top_and_the_same_twice(reader):
    first = reader.read(sign("HARBOUR CAFE", "Open 9-17"))
    assert words(first) == ["HARBOUR CAFE", "Open 9-17"]
    assert all(0.9 < confidence <= 1 and round(confidence, 4) == confidence for _, confidence in first)
    assert words(reader.read(sign("FISH"))) == ["FISH"]
    assert reader.read(sign("HARBOUR CAFE", "Open 9-17")) == first


def test_transparency_lies_on_white(reader):
    opaque = sign("HARBOUR CAFE")
    clear = np.dstack([np.zeros_like(opaque), np.where(opaque[:, :, 1] < 128, 255, 0).astype(np.uint8)])
    assert words(reader.read(clear)) == ["HARBOUR CAFE"]


def test_a_picture_without_writing_has_no_lines(reader):
    assert reader.read(np.full((64, 64, 3), 200, np.uint8)) == []
    assert reader.read(np.zeros((1, 1, 3), np.uint8)) == []


def test_a_picture_it_declines_is_told_from_a_broken_reader(reader):
    with pytest.raises(PictureUnread, match=r"found ResizeImgError at 3000 x 5 pixels$"):
        reader.read(np.full((5, 3000, 3), 128, np.uint8))
    with pytest.raises(ModelError, match=r"expected load\(\) before read\(\)"):
        TextReader().read(sign("FISH"))


def test_it_asks_no_network_and_says_nothing(monkeypatch, capfd, caplog):
    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    alone = TextReader()
    with caplog.at_level(logging.DEBUG):
        alone.load()
        assert words(alone.read(sign("FISH"))) == ["FISH"]
    assert "".join(capfd.readouterr()) == "" and caplog.records == []


def test_it_runs_on_one_thread(reader):
    for step in ("text_det", "text_cls", "text_rec"):
        options = getattr(reader._engine, step).session.session.get_session_options()
        assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)


def test_a_pickled_reader_travels_without_its_models(reader):
    packed = pickle.dumps(reader)
    assert len(packed) < 200 and pickle.loads(packed).fingerprint() == reader.fingerprint()


def test_its_fingerprint_knows_version_settings_and_the_models_bytes(monkeypatch, tmp_path):
    known = TextReader().fingerprint()
    assert known == TextReader().fingerprint()
    with monkeypatch.context() as patch:
        patch.setattr(text_reader.metadata, "version", lambda name: "0")
        assert TextReader().fingerprint() != known
    with monkeypatch.context() as patch:
        patch.setitem(text_reader.SETTINGS, "Global.text_score", 0.5)
        assert TextReader().fingerprint() != known
    other = {step: tmp_path / step for step in text_reader.MODELS}
    for path in other.values():
        path.write_bytes(b"other")
    monkeypatch.setattr(text_reader, "_model_files", lambda: other)
    assert TextReader().fingerprint() != known


def test_what_is_missing_is_told_with_the_way_to_get_it(monkeypatch):
    TextReader().check_installed()
    with monkeypatch.context() as patch:
        patch.setitem(text_reader.MODELS, "Rec", "other.onnx")
        with pytest.raises(ModelError, match=r"expected RapidOCR 3\.10's model other\.onnx, found none in "):
            TextReader().check_installed()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"found no rapidocr; pip install 'beamsift\[ocr\]' or --set"):
        TextReader().check_installed()


def test_models_that_cannot_be_loaded_stop_the_run(monkeypatch, tmp_path):
    broken = {step: tmp_path / f"{step}.onnx" for step in text_reader.MODELS}
    for path in broken.values():
        path.write_bytes(b"no model")
    monkeypatch.setattr(text_reader, "_model_files", lambda: broken)
    with pytest.raises(ModelError, match="expected to load RapidOCR, found "):
        TextReader().load()
