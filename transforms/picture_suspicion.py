"""Which pictures a process should not decode itself: a function of the bytes alone, so that every run agrees.

Few rules that ordinary pictures hardly ever meet: what is left to the own process is a JPEG, PNG or WebP of one frame
and of at most 16 megapixels, with little beside its pixels.
Left out on purpose: pixels per byte. Below 16 megapixels a bomb costs what any picture of its size costs.
"""

from __future__ import annotations

import struct

from transforms.picture_headers import Header

MANY_PIXELS = 1 << 24
"""A decoder needs up to 12 bytes a pixel at its peak: 200 MB. 12-megapixel photos of telephones stay below."""
MANY_SCANS = 100
"""Scans of a progressive JPEG. Each costs a pass over all pixels; encoders write 6 to 20 (measured)."""
MUCH_METADATA = 1 << 20
"""Bytes of a PNG outside its pixel data (text, profile), which may unpack a thousandfold. Profiles end at 600 KB."""
MANY_CHUNKS = 128
"""Chunks of a PNG outside its pixel data; Pillow spends microseconds on each, and 64 MB hold five million."""
ORDINARY = ("jpeg", "png", "webp")
"""Formats whose decoders are fast and fuzzed daily. TIFF has the worst history, Pillow reads GIF and BMP in Python."""


def suspicion(header: Header, data: bytes | memoryview) -> str:
    """Why the picture is to be decoded in a process of its own; empty for an ordinary one."""
    if header.format not in ORDINARY:
        return header.format
    if header.width * header.height > MANY_PIXELS:
        return "many pixels"
    if header.frames > 1:
        return "animation"
    return _CHECKS[header.format](data)


def _check_jpeg(data: bytes | memoryview) -> str:
    # Entropy-coded bytes never hold FF DA: a FF in them is followed by 00 or a restart marker.
    return "many scans" if bytes(data).count(b"\xff\xda") > MANY_SCANS else ""


def _check_png(data: bytes | memoryview) -> str:
    """Walks the chunks before and behind the pixels; Pillow reads both."""
    place, others, metadata = 8, 0, 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        if kind == b"IEND":
            break
        if kind != b"IDAT" or not length:
            others, metadata = others + 1, metadata + length
        if others > MANY_CHUNKS or metadata > MUCH_METADATA:
            return "many chunks" if others > MANY_CHUNKS else "much metadata"
        place += 12 + length
    return ""


def _check_webp(data: bytes | memoryview) -> str:
    return ""


_CHECKS = {"jpeg": _check_jpeg, "png": _check_png, "webp": _check_webp}
