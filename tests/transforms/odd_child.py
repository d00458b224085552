"""A child of guarded decoding that does what the picture's bytes say: crash, hang, spin, leave, or answer."""

import os
import signal
import sys
import time

from transforms.decoding_child import _limit
from transforms.guarded_protocol import ANSWER, PIXELS, READY, REQUEST


def main() -> None:
    answers = sys.stdout.buffer
    answers.write(READY)
    answers.flush()
    while head := sys.stdin.buffer.read(REQUEST.size):
        _, seconds, memory, length = REQUEST.unpack(head)
        _limit(seconds, memory)
        _act(sys.stdin.buffer.read(length))
        answers.write(ANSWER.pack(PIXELS, 1, 1, 3) + os.getpid().to_bytes(3, "little"))
        answers.flush()


def _act(data: bytes) -> None:
    if data == b"crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if data == b"hang":
        time.sleep(600)
    if data == b"leave":
        sys.exit(3)
    while data == b"spin":
        pass


if __name__ == "__main__":
    main()
