"""A remote object as a seekable file: a read is one ranged request, and what was fetched is not fetched again.

Held are the end of the object (where Arrow and Parquet keep their footers; it is what tells the size) and one block.
A reader that goes on where the last block ended gets blocks twice as long, up to 16 MiB.
Left out on purpose: writing, and where the bytes come from.
"""

from __future__ import annotations

import io
from collections.abc import Callable

Get = Callable[[int, int | None], tuple[memoryview, int]]
"""Bytes `[start, end)`, clipped to the object (to its end for None; a negative start counts from it), and its size."""

TAIL_BYTES = 64 << 10
"""Fetched with the size. A sidecar's footer has some hundred bytes for each 512 rows, a ledger's about 40 KiB."""
FIRST_BYTES = 64 << 10
MOST_BYTES = 16 << 20


class RangedFile(io.RawIOBase):
    def __init__(self, get: Get) -> None:
        self._get = get
        self._position = 0
        self._size: int | None = None
        self._ahead = FIRST_BYTES
        self._expected, self._exact = 0, False
        self._blocks: dict[str, tuple[int, memoryview]] = {}

    def expect(self, count: int) -> None:
        """`count` bytes will be read from the next place on: they are fetched together (16 MiB at a time)."""
        self._expected, self._exact = count, False

    def begin_whole(self) -> None:
        """The whole will be read: its first 16 MiB come at once, and with them its size, mostly in the only request."""
        data, self._size = self._get(0, MOST_BYTES)
        self._blocks["read"] = 0, data

    def expect_exact_reads(self) -> None:
        """Reads go anywhere: nothing is fetched beyond what one asks for."""
        self._expected, self._exact = 0, True

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def size(self) -> int:
        if self._size is None:
            data, size = self._get(-TAIL_BYTES, None)
            self._size, self._blocks["tail"] = size, (size - len(data), data)
        return self._size

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position}
        place = offset + (self.size() if whence == io.SEEK_END else origin[whence])
        if place < 0:
            raise OSError(f"expected a place in the file, found {place}")
        self._position = place
        return place

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        done = 0
        target = memoryview(buffer).cast("B")
        while done < len(target) and len(part := self._part(len(target) - done)):
            target[done : done + len(part)] = part
            done += len(part)
            self._position += len(part)
        return done

    def readall(self) -> bytes:
        if self._size is None and not self._position and not self._blocks:
            data, self._size = self._get(0, None)
            self._position = len(data)
            return bytes(data)
        return bytes(self.read(max(0, self.size() - self._position)) or b"")

    def peek(self, count: int = 1) -> bytes:
        """What `readline` looks for the end of a line in."""
        return bytes(self._part(FIRST_BYTES)[:FIRST_BYTES])

    def _part(self, count: int) -> memoryview:
        """Up to `count` bytes from the position on: what is held, else what one request brings. Empty at the end."""
        if len(held := self._held(count)):
            return held
        if self._size is not None and self._position >= self._size:
            return memoryview(b"")
        self._fetch(count)
        return self._held(count)

    def _held(self, count: int) -> memoryview:
        for start, data in self._blocks.values():
            if start <= self._position < start + len(data):
                return data[self._position - start :][:count]
        return memoryview(b"")

    def _fetch(self, count: int) -> None:
        if self._size is not None and "tail" not in self._blocks and self._position >= self._size - TAIL_BYTES:
            start = max(0, self._size - TAIL_BYTES)
            self._blocks["tail"] = start, self._get(start, self._size)[0]
            return
        end = self._position + max(count, self._look_ahead())
        tail = self._blocks["tail"][0] if "tail" in self._blocks else end
        end = min(end, tail) if self._position < tail else end
        data, self._size = self._get(self._position, end)
        self._blocks["read"] = self._position, data

    def _look_ahead(self) -> int:
        """Bytes worth fetching from the position on, whatever is asked for."""
        if self._expected or self._exact:
            ahead = min(self._expected, MOST_BYTES)
            self._expected -= ahead
            return ahead
        start, data = self._blocks.get("read", (-1, memoryview(b"")))
        self._ahead = min(2 * self._ahead, MOST_BYTES) if start + len(data) == self._position else FIRST_BYTES
        return self._ahead
