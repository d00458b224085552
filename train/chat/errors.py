"""What can be wrong with one sample: each error names the sample, what was expected and what was found."""

from __future__ import annotations


class SampleUnfit(ValueError):
    """A sample that cannot be trained on. It costs that sample only; who reads counts it by the class's name."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"sample {key!r}: {message}")
        self.key = key

    def __reduce__(self) -> tuple[type[SampleUnfit], tuple[str, str]]:
        """From a worker process: args hold the whole message, which the constructor does not take."""
        return type(self), (self.key, str(self).removeprefix(f"sample {self.key!r}: "))


class SampleMalformed(SampleUnfit):
    """Neither a caption, a document nor a conversation, or a broken one."""


class PicturesMismatch(SampleUnfit):
    """More or fewer pictures than places for them."""


class SampleTooLong(SampleUnfit):
    """Longer than the context, and not to be cut, or nowhere to be cut."""


class NothingToTrain(SampleUnfit):
    """No token of it is trained on."""
