"""Text reader: the lines written in a picture, by the PP-OCR models that RapidOCR carries in its wheel.

One thread, the CPU, no network: the models' paths are given, so RapidOCR has nothing to fetch. The same picture gives
the same lines on the same machine, whatever was read before it.
Left out on purpose: other languages' models (these read Chinese, English and what else is in Latin letters); where the
lines stand; which lines are believed (recaption/checker.py).
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from classifiers.clip import Pixels, open_picture
from classifiers.errors import ModelError
from transforms.fingerprints import file_digest, fingerprint

MISSING = (
    "recaption.guard.ocr: expected rapidocr and onnxruntime, found no {package}; "
    "pip install 'beamsift[ocr]' or --set recaption.guard.ocr=false"
)
MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
"""Where lines are, which way up they stand, what they say: RapidOCR's names for the steps, and its 3.10's files."""
SETTINGS = {
    "Global.text_score": 0.0,
    "Global.log_level": "critical",
    "EngineConfig.onnxruntime.intra_op_num_threads": 1,
    "EngineConfig.onnxruntime.inter_op_num_threads": 1,
}
"""No line is withheld: the caller has the confidences."""
DECIDING = ("rapidocr", "onnxruntime", "opencv-python-headless")
"""Distributions whose version may move a line; the last one scales."""
OWN_WORD = "beamsift"
Line = tuple[str, float]


class PictureUnread(ValueError):
    """The reader declines this picture; the next one may be read."""


@dataclass
class TextReader:
    """`load()` once per process, then `read`. A pickled reader travels without its models."""

    name: str = "text_reader"
    _engine: Any = field(default=None, init=False, repr=False, compare=False)
    _known: str = field(default="", init=False, repr=False, compare=False)
    """The fingerprint: 32 MB are hashed once."""

    def check_installed(self) -> None:
        """Raises ModelError where a package or a model it needs is not there; imports none, so it is instant."""
        for package in ("rapidocr", "onnxruntime"):
            if importlib.util.find_spec(package) is None:
                raise ModelError(MISSING.format(package=package))
        _model_files()

    def load(self) -> None:
        """Loads the models and reads a word of its own: what fails here fails for every picture. Raises ModelError."""
        if self._engine is None:
            self.check_installed()
            self._engine = _load_engine()

    def read(self, pixels: Pixels) -> list[Line]:
        """(text, confidence 0..1) of each line, from the top, and from the left where lines stand side by side.

        The picture is uint8 of (height, width, 3), or (…, 4) with alpha, which is laid on white. Raises PictureUnread
        for one the models decline (a strip 100 times as wide as high), ModelError before load().
        """
        if self._engine is None:
            raise ModelError(f"{self.name}: expected load() before read()")
        picture = np.asarray(open_picture(pixels))
        try:
            return _lines(self._engine, picture)
        except MemoryError:
            raise
        except Exception as error:  # RapidOCR, OpenCV, Shapely and ONNX Runtime each have their own
            # Their messages hold tracebacks with the paths of this machine; a row must be the same on each.
            size, found = f"{picture.shape[1]} x {picture.shape[0]}", type(error).__name__
            raise PictureUnread(f"expected a picture that can be read, found {found} at {size} pixels") from error

    def fingerprint(self) -> str:
        """Hex digest of all that decides a line: versions, settings, the models' bytes. Raises ModelError."""
        if not self._known:
            versions = [(name, _version(name)) for name in DECIDING]
            models = [(step, file_digest(path)) for step, path in _model_files().items()]
            self._known = fingerprint(versions, models, SETTINGS)
        return self._known

    def __reduce__(self) -> tuple[type[TextReader], tuple[str]]:
        return TextReader, (self.name,)


def _model_files() -> dict[str, Path]:
    """The models inside the installed package, which is not imported."""
    found = importlib.util.find_spec("rapidocr")
    if found is None or not found.submodule_search_locations:
        raise ModelError(MISSING.format(package="rapidocr"))
    folder = Path(found.submodule_search_locations[0]) / "models"
    files = {step: folder / name for step, name in MODELS.items()}
    for path in files.values():
        if not path.is_file():
            raise ModelError(f"recaption.guard.ocr: expected RapidOCR 3.10's model {path.name}, found none in {folder}")
    return files


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""  # another build of OpenCV, say


def _load_engine() -> Any:
    """RapidOCR loads each model when it is first needed, so it reads a word at once."""
    paths = {f"{step}.model_path": str(path) for step, path in _model_files().items()}
    try:
        from rapidocr import RapidOCR

        engine = RapidOCR(params={**SETTINGS, **paths})
        lines = _lines(engine, _own_word())
    except Exception as error:  # a missing library of the system, a damaged model, each with its own
        reason = " ".join(str(error).split())[:400]
        raise ModelError(f"text_reader: expected to load RapidOCR, found {type(error).__name__}: {reason}") from error
    if [text for text, _ in lines] != [OWN_WORD]:
        raise ModelError(f"text_reader: expected to read {OWN_WORD!r}, which it has drawn, found {lines}")
    return engine


def _lines(engine: Any, picture: Pixels) -> list[Line]:
    """RapidOCR wants OpenCV's order of channels, and gives its lines in reading order."""
    found = engine(np.ascontiguousarray(picture[:, :, ::-1]))
    return [(text, round(float(score), 4)) for text, score in zip(found.txts or (), found.scores or (), strict=True)]


def _own_word() -> Pixels:
    picture = Image.new("RGB", (200, 64), "white")
    ImageDraw.Draw(picture).text((20, 12), OWN_WORD, font=ImageFont.load_default(32), fill="black")
    return np.asarray(picture)
