"""Config of the interleaved web pipeline: every threshold with its unit and the source of its default.

GLM-4.1V (sec. 3.1) names the steps and states no number; the defaults are those of OBELICS (arXiv 2306.16527), which
is the best documented of the public sets. How archives and pages are read: web_reading.py, web_page.py.
"""

from __future__ import annotations

from pydantic import Field

from configs.schema.caption import ImageRules, OutputRules, ReadRules
from configs.schema.strict import Strict
from configs.schema.web_page import PageRules
from configs.schema.web_reading import WebReadRules


class DecodeRules(Strict):
    """What decoding one picture may take, as for captions' pictures (configs/schema/caption.py ReadRules)."""

    max_decode_pixels: int = Field(178_956_970, ge=1)
    """Pixels a decoder may be asked for, whatever the header claims. Pillow's own decompression-bomb error limit."""
    decode_seconds: int = Field(30, ge=1)
    """CPU seconds for decoding one suspicious picture; above it the picture fails."""
    decode_bytes: int = Field(3 << 30, ge=1 << 29)
    """Bytes of address space of the process that decodes a suspicious picture; above it the picture fails."""


class WebPictureRules(ImageRules):
    """Rules on one picture of a page, as on a caption's; it leaves its document, which stays."""

    min_short_side: int = Field(150, ge=1)
    """Pixels. OBELICS, appendix A.1.4: neither side below 150."""
    min_pixel_count: int = Field(22_500, ge=1)
    """Width times height. 150 x 150, so that it binds only where min_short_side was lowered."""


class DocumentRules(Strict):
    """Rules on a document as what its pages and pictures left of it."""

    enabled: bool = True
    min_characters: int = Field(200, ge=0)
    """Characters of all texts: two sentences. Shorter ones are captions and not documents."""
    min_pictures: int = Field(1, ge=0)
    """Pictures that stay. OBELICS, appendix A.1.4: documents without a picture go."""
    max_pictures: int = Field(30, ge=1)
    """OBELICS, appendix A.1.4: documents of more than 30 pictures go."""


class WebConfig(Strict):
    """The interleaved web pipeline, in the order of its steps."""

    seed: int = 0
    """Enters every hash that stands for chance."""
    read: WebReadRules = WebReadRules()
    page: PageRules = PageRules()
    decode: DecodeRules = DecodeRules()
    picture: WebPictureRules = WebPictureRules()
    document: DocumentRules = DocumentRules()
    output: OutputRules = OutputRules(samples_per_shard=1_000)


def decoding_rules(cfg: WebConfig) -> ReadRules:
    """The limits under which a picture's bytes are taken, as transforms/pictures.py knows them."""
    return ReadRules(max_picture_bytes=cfg.read.max_picture_bytes, **cfg.decode.model_dump())
