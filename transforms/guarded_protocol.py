"""What parent and child of guarded decoding say to each other over two pipes.

A request is `REQUEST` and the picture's bytes; the answer is `ANSWER`, then the pixels or the reason.
"""

from __future__ import annotations

import struct

REQUEST = struct.Struct("<4Q")
"""max_pixels, seconds of CPU, bytes of memory, length of the picture that follows."""
ANSWER = struct.Struct("<4I")
"""(PIXELS, height, width, channels), (REFUSED, length of `class newline message`, 0, 0) or (MEMORY, 0, 0, 0)."""
PIXELS, REFUSED, MEMORY = range(3)
READY = b"R"
"""The first byte of a child: its imports are done."""
