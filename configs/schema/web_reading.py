"""Limits on what a reader of web archives, saved pages and foreign sets takes before it refuses.

Left out on purpose: rules that judge a page or a picture; these only bound memory and time.
"""

from __future__ import annotations

from pydantic import Field

from configs.schema.strict import Strict


class WebReadRules(Strict):
    max_page_bytes: int = Field(8 << 20, ge=1)
    """Bytes of one page after Content-Encoding; above it the page is a failed row. Common Crawl cuts at 5 MiB."""
    max_picture_bytes: int = Field(64 << 20, ge=1)
    """Bytes of one picture after Content-Encoding; above it the record is a failed row. As for captions' pictures."""
    max_page_pieces: int = Field(20_000, ge=1)
    """Texts and pictures of one page; above it the page is a failed row. The longest article of Wikipedia has 4,000."""
    max_document_bytes: int = Field(16 << 20, ge=1)
    """Bytes of one document of a foreign set: of its record's JSON, of its texts and fields. Twice a page's."""
    documents_per_unit: int = Field(2_000, ge=1)
    """Documents of a JSONL file that make one unit of work: a third of a shard of MMC4."""
    pages_per_unit: int = Field(200, ge=1)
    """Saved pages that make one unit of work: with their pictures some 400 MB, as much as a tar."""
    max_header_bytes: int = Field(256 << 10, ge=256)
    """Bytes of a record's WARC header, and of its HTTP header. Chromium takes 256 KiB of HTTP header."""
    max_unpacked_ratio: int = Field(200, ge=1)
    """Unpacked over packed bytes, of a gzip or zstd member and of a Content-Encoding, beyond the first 16 MiB.
    Repetitive HTML reaches 60, gzip can do 1,032 and brotli a million."""
    max_unpacked_bytes: int = Field(64 << 30, ge=1)
    """Bytes that an archive which is one gzip stream may unpack to on the worker's disk, when its pictures are read."""
    max_url_characters: int = Field(4_096, ge=16)
    """Characters of an address; a longer one is joined with nothing. Servers commonly refuse 8 KiB."""
    max_data_uri_bytes: int = Field(8 << 20, ge=1)
    """Bytes of one picture inside its page (`data:`)."""
    max_picture_addresses: int = Field(8, ge=1, le=32)
    """Addresses tried for one picture of a page, best first. `srcset` may list hundreds of sizes."""
    max_redirects: int = Field(7, ge=0, le=63)
    """Redirects followed from a picture's address; more is a loop. Browsers stop at 20; pictures rarely need three."""
