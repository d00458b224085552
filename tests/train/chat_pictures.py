"""Pictures of a given size in patches, without any pixels: what train/chat needs of train/media.py."""

from typing import NamedTuple

import numpy as np


class Toy(NamedTuple):
    values: np.ndarray
    grid: tuple[int, int, int]


def toy(height=2, width=2, mark=0.0):
    """A picture of height * width / 4 tokens, all its values `mark`."""
    return Toy(np.full((height * width, 1176), mark, np.float32), (1, height, width))


class ToyLook:
    """A file's content is its size in patches, `b"2x4"`; a video is two frames a picture."""

    def picture(self, data):
        if not data:
            raise OSError("broken picture")
        height, width = map(int, data.split(b"x"))
        return toy(height, width)

    def video(self, frames):
        return [self.picture(frame) for frame in frames[::2]]
