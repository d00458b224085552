"""Beam coders for our structs: msgpack, deterministic, about a microsecond a record."""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
from apache_beam.coders import Coder
from apache_beam.coders.typecoders import registry

from transforms.planning import Segment
from transforms.records import Sample, Unit
from transforms.rows import RowsRef


class StructCoder(Coder):
    """Encodes one struct type as msgpack. Subclasses name the type, so that Beam can find them by it."""

    struct: ClassVar[Any]

    def encode(self, value: Any) -> bytes:
        return msgspec.msgpack.encode(value, order="deterministic")

    def decode(self, encoded: bytes) -> Any:
        return msgspec.msgpack.decode(encoded, type=self.struct)

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> Any:
        return self.struct


class UnitCoder(StructCoder):
    struct = Unit


class RowsRefCoder(StructCoder):
    struct = RowsRef


class SegmentCoder(StructCoder):
    struct = Segment


class SampleCoder(StructCoder):
    struct = Sample


def register_coders() -> None:
    """Tells Beam the coders; every pipeline that uses a verb calls it first."""
    for coder in (UnitCoder, RowsRefCoder, SegmentCoder, SampleCoder):
        registry.register_coder(coder.struct, coder)
