"""The child of transforms/guarded_decoding.py: decodes pictures under limits of its own until its stdin ends.

Run as `python -m transforms.decoding_child`, never imported by the parent. It sets its limits itself, because what a
parent with threads runs between fork and exec may deadlock. Imports neither Beam nor torch nor pydantic.
"""

from __future__ import annotations

import os
import resource
import sys
from typing import BinaryIO

import numpy as np

from transforms.guarded_protocol import ANSWER, MEMORY, PIXELS, READY, REFUSED, REQUEST
from transforms.picture_decoding import decode_here
from transforms.picture_headers import PictureError, read_header


def main() -> None:
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    _silence()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers.write(READY)
    answers.flush()
    while head := requests.read(REQUEST.size):
        max_pixels, seconds, memory, length = REQUEST.unpack(head)
        data = requests.read(length)
        _limit(seconds, memory)
        _answer(answers, data, max_pixels)
        answers.flush()


def _silence() -> None:
    """What a C library prints must not end up among the answers, nor in the log of a worker."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)


def _limit(seconds: int, memory: int) -> None:
    """`seconds` of CPU from now on, and `memory` bytes of address space. Not wall time: a busy machine is no fault."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime) + 1 + seconds)
    _lower(resource.RLIMIT_AS, memory)


def _lower(limit: int, value: int) -> None:
    hard = resource.getrlimit(limit)[1]
    resource.setrlimit(limit, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _answer(answers: BinaryIO, data: bytes, max_pixels: int) -> None:
    try:
        pixels = decode_here(read_header(data), data, max_pixels)
        answers.write(ANSWER.pack(PIXELS, *pixels.shape))
        answers.write(np.ascontiguousarray(pixels).data)
    except PictureError as error:
        told = f"{error.error}\n{error}".encode("utf-8", "backslashreplace")
        answers.write(ANSWER.pack(REFUSED, len(told), 0, 0) + told)
    except MemoryError:
        answers.write(ANSWER.pack(MEMORY, 0, 0, 0))


if __name__ == "__main__":
    main()
