"""Tars made block by block, so that a test can forge any field of a header."""

import tarfile

from transforms.tar_index import TarIndex, format_pax

FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]


def header(
    name: bytes = b"a.txt", *, kind: bytes = b"0", size: bytes = b"00000000000\0", magic: bytes = b""
) -> bytearray:
    block = bytearray(512)
    block[: len(name)] = name
    block[124:136], block[156:157], block[257 : 257 + len(magic)] = size, kind, magic
    return sealed(block)


def sealed(block: bytearray) -> bytearray:
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return block


def problems(index: TarIndex) -> list[tuple[int, str, str]]:
    return [(problem.offset, problem.name, problem.error) for problem in index.problems]


def link(name: str, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "a.jpg"
    return info


def pax_member(records: dict[bytes, bytes], block: bytes, *, kind: bytes = b"x") -> bytes:
    payload = format_pax(records)
    return bytes(header(b"pax", kind=kind, size=b"%011o\0" % len(payload))) + payload.ljust(512, b"\0") + block
