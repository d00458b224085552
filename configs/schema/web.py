"""Config of the interleaved web pipeline: its sections in the order of its steps, and the limits of its decoder.

How archives and pages are read: web_reading.py, web_page.py; the rules: web_rules.py.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from configs.schema.caption import ImageRules, OutputRules, ReadRules, RelevanceRules
from configs.schema.knowledge import KnowledgeRules
from configs.schema.strict import Strict
from configs.schema.web_page import PageRules
from configs.schema.web_reading import WebReadRules
from configs.schema.web_rules import (
    AdvertRules,
    AlbumRules,
    CodeRules,
    KnownDocumentRules,
    PassageRules,
    RepeatedPictureRules,
    SafetyRules,
    TextDuplicateRules,
    WebPictureRules,
    WebTextRules,
)

MAX_SIDE = 1 << 31
"""Pixels; no ratio of two sides is above it."""


class DecodeRules(Strict):
    """What decoding one picture may take, as for captions' pictures (configs/schema/caption.py ReadRules)."""

    max_decode_pixels: int = Field(178_956_970, ge=1)
    """Pixels a decoder may be asked for, whatever the header claims. Pillow's own decompression-bomb error limit."""
    decode_seconds: int = Field(30, ge=1)
    """CPU seconds for decoding one suspicious picture; above it the picture fails."""
    decode_bytes: int = Field(3 << 30, ge=1 << 29)
    """Bytes of address space of the process that decodes a suspicious picture; above it the picture fails."""


class ContentRules(Strict):
    """What a picture must be once decoded, as for captions' pictures (configs/schema/caption.py ImageRules)."""

    enabled: bool = True
    max_pixel_count: int = Field(89_478_485, ge=1)
    """Width times height. Pillow's decompression-bomb warning limit; a picture above it is not decoded."""
    allow_animated: bool = False
    """Whether a file of several frames may stay."""
    min_grey_std: float = Field(4.0, ge=0)
    """Grey levels (0..255). Below it the picture is a solid colour: 8-bit JPEG noise alone stays under 3."""
    min_entropy: float = Field(0.05, ge=0, le=8)
    """Bits of the grey histogram. Spacers and bars lie below."""


class PictureClassRules(Strict):
    """The page-image classifier: a head on the embeddings of the CLIP model that `passages` names."""

    enabled: bool = False
    """Off by default, because it needs a trained head (`beamsift classifier fit`)."""
    head: str = ""
    """Path or URI of the head's .safetensors; it must belong to the CLIP model of the run."""
    max_probability: dict[str, Annotated[float, Field(ge=0, le=1)]] = {
        "advertisement": 0.7,
        "qr_code": 0.7,
        "decoration": 0.7,
    }
    """By class of the head, which must know it, the probability above which a picture goes; other classes may stay.
    GLM-4.1V states neither classes nor limits. 0.7, ours: of 1,185 pictures of the toy web none that is content lies
    above 0.51 and none that is not below 0.9."""


class PassageModelRules(PassageRules):
    """The model that scores each picture against the passages near it, and the score it must have.

    Model, device, batches and threads are those of all heads too: a picture is embedded once for all of them.
    """

    enabled: bool = False
    """Off until a model is named: 0.15 on one is not 0.15 on another, and no model comes with beamsift."""
    window: int = Field(4, ge=0)
    """Passages before and behind a picture that it is compared with; 0: all of the document, as in MMC4. GLM-4.1V
    asks for the article; four of each side are what is written about a picture, at a fiftieth of the cost."""
    model: str = "ViT-L-14"
    """open_clip architecture, or `local-dir:PATH`. MMC4's choice."""
    pretrained: str = "openai"
    """open_clip weights tag or the path of a checkpoint; empty for `local-dir:`."""
    device: str = "auto"
    """`auto` (cuda, else cpu), or a torch device."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 where the device computes in it, else fp32."""
    batch_size: int = Field(64, ge=1)
    """Pictures in one forward pass; batches never cross a unit of work."""
    accelerator: str = ""
    """Beam resource hint of this step, as in configs/schema/caption.py RelevanceRules."""
    threads: int = Field(1, ge=1)
    """CPU threads of one copy of the model."""


class WebConfig(Strict):
    """The interleaved web pipeline, in the order of its steps."""

    seed: int = 0
    """Enters every hash that stands for chance."""
    read: WebReadRules = WebReadRules()
    page: PageRules = PageRules()
    decode: DecodeRules = DecodeRules()
    picture: WebPictureRules = WebPictureRules()
    content: ContentRules = ContentRules()
    repeats: RepeatedPictureRules = RepeatedPictureRules()
    codes: CodeRules = CodeRules()
    adverts: AdvertRules = AdvertRules()
    classifier: PictureClassRules = PictureClassRules()
    passages: PassageModelRules = PassageModelRules()
    knowledge: KnowledgeRules = KnowledgeRules()
    text: WebTextRules = WebTextRules()
    safety: SafetyRules = SafetyRules()
    album: AlbumRules = AlbumRules()
    against: KnownDocumentRules = KnownDocumentRules()
    duplicates: TextDuplicateRules = TextDuplicateRules()
    output: OutputRules = OutputRules(samples_per_shard=1_000)


def decoding_rules(cfg: WebConfig) -> ReadRules:
    """The limits under which a picture's bytes are taken, as transforms/pictures.py knows them."""
    return ReadRules(max_picture_bytes=cfg.read.max_picture_bytes, **cfg.decode.model_dump())


def document_rules(cfg: WebConfig) -> ReadRules:
    """The limits under which documents of foreign sets are read, as transforms/interleaved_reader.py knows them."""
    return decoding_rules(cfg).model_copy(
        update={
            "max_json_bytes": cfg.read.max_document_bytes,
            "max_unpacked_bytes": cfg.read.max_unpacked_bytes,
            "rows_per_chunk": cfg.read.documents_per_unit,
        }
    )


@cache
def image_rules(rules: ContentRules) -> ImageRules:
    """The same as the rules of transforms/image_quality.py, without those on size and shape, which web_rules.py has."""
    return ImageRules(min_short_side=1, max_aspect_ratio=MAX_SIDE, min_pixel_count=1, **rules.model_dump())


CLIP_STEPS = ("passages", "classifier", "knowledge")
"""Sections whose steps ask the CLIP model of `passages`."""


def asks_clip(cfg: WebConfig) -> bool:
    """Whether any step needs the CLIP model of `passages`."""
    return cfg.passages.enabled or asks_heads(cfg)


def asks_heads(cfg: WebConfig) -> bool:
    return cfg.classifier.enabled or cfg.knowledge.enabled


def without_clip(cfg: WebConfig) -> WebConfig:
    """The same run without the steps that need the CLIP model."""
    off = {name: getattr(cfg, name).model_copy(update={"enabled": False}) for name in CLIP_STEPS}
    return cfg.model_copy(update=off)


def relevance_rules(rules: PassageModelRules) -> RelevanceRules:
    """The model as classifiers/clip.py knows it."""
    return RelevanceRules(**rules.model_dump(include=set(MODEL_KEYS)), accelerator=rules.accelerator)


MODEL_KEYS = ("model", "pretrained", "device", "precision", "batch_size", "threads")
"""Keys that move scores."""
