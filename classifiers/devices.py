"""Which torch device a model of this process runs on. torch is passed in: nothing here imports it."""

from __future__ import annotations

from typing import Any

from classifiers.errors import ModelError


def find_device(torch: Any, asked: str, setting: str) -> Any:
    """The torch device `asked` names; for `auto` a CUDA device where there is one. ModelError naming `setting`."""
    try:
        device = torch.device(asked if asked != "auto" else "cuda" if torch.cuda.is_available() else "cpu")
    except RuntimeError as error:
        raise ModelError(f"{setting}: expected auto or a torch device, found {asked!r}") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"{setting}: expected a CUDA device for {asked!r}, found none")
    return device
