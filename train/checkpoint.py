"""Checkpoints of a run: sharded, written beside the training, whole or not there, readable by any number of ranks.

A checkpoint is a folder `step-00000100`: torch's distributed checkpoint (DCP) and `state.json` (which model, the
data's position, the config). It is written as `….part` by a thread from a copy in memory, and renamed when every file
is on the disk; then the oldest beyond the kept ones go. A killed run leaves a `.part`, which nobody reads.
Left out on purpose: object storage (a mounted folder that all ranks see), and chance: no step draws any.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemWriter
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_state_dict,
    set_state_dict,
)

from train.errors import TrainError
from train.model import export_model
from train.packed_forward import PackedModel

FORMAT = "beamsift-checkpoint-1"
PART = ".part"
STATE = "optimiser.state"
MADE = "beamsift.json"
FAULTS = (Exception, CheckpointException)
"""What DCP raises: the disk's errors, pickle's, and one of its own that is no Exception."""


class Writer(FileSystemWriter):
    """One that says what the disk said, on every rank.

    With one thread: errors of torch's further ones are lost, and a checkpoint would lack files without anybody knowing.
    """

    def __init__(self, draft: Path) -> None:
        super().__init__(draft, thread_count=1, sync_files=True)

    def write_data(self, plan: Any, planner: Any) -> Any:
        try:
            return super().write_data(plan, planner)
        except Exception as error:  # of what lies behind it only this text would reach the other ranks
            raise TrainError(f"{reason_of(error)} ({shutil.disk_usage(self.path).free / 1e9:.1f} GB free)") from error


class Trained(NamedTuple):
    """What a checkpoint holds of tensors."""

    model: PackedModel
    optimiser: torch.optim.Optimizer


class Checkpoints:
    """All ranks call each method together. `folder` is seen by all of them."""

    def __init__(self, folder: Path, keep: int, trained: Trained) -> None:
        self.folder, self._keep, self._trained = folder, keep, trained
        # Of its own, since a thread uses it while the training's groups are in use.
        self._group = dist.new_group(backend="gloo")
        self._writing: threading.Thread | None = None
        self._fault: TrainError | None = None

    def latest(self) -> Path | None:
        """The newest whole checkpoint, the same on all ranks."""
        found = [max(whole_checkpoints(self.folder), default=None)] if dist.get_rank() == 0 else [None]
        dist.broadcast_object_list(found, src=0, group=self._group)
        return found[0]

    def gather(self, mine: Any) -> list[Any]:
        """What every rank gives, in their order; on the host. Waits for the checkpoint being written, whose thread uses
        the same group, and raises its TrainError."""
        self.finish()
        found: list[Any] = [None] * dist.get_world_size()
        dist.all_gather_object(found, mine, group=self._group)
        return found

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Copies everything to memory and begins to write. `state` is the first rank's. Waits for an earlier one and
        raises its TrainError."""
        self.finish()
        draft = self.folder / f"step-{step:08d}{PART}"
        if dist.get_rank() == 0:
            shutil.rmtree(draft, ignore_errors=True)
            self._attempt(lambda: draft.mkdir(parents=True), draft)
        dist.barrier(self._group)
        writer = Writer(draft)
        model, optimiser = get_state_dict(self._trained.model, self._trained.optimiser)
        tensors = {"model": model, "optimiser": optimiser}
        future = state_dict_saver.async_save(tensors, storage_writer=writer, process_group=self._group)
        whole = {"format": FORMAT, "step": step, "model": shapes(self._trained.model), **state}
        self._writing = threading.Thread(target=self._end, args=(future, draft, whole), name="beamsift-checkpoint")
        self._writing.start()

    def _end(self, future: Any, draft: Path, state: dict[str, Any]) -> None:
        def finish() -> None:
            future.result()
            if dist.get_rank() == 0:
                publish(draft, state)
                for old in whole_checkpoints(self.folder)[: -self._keep]:
                    shutil.rmtree(old)

        try:
            self._attempt(finish, draft)
        except TrainError as error:
            self._fault = error

    def _attempt(self, work: Any, draft: Path) -> None:
        try:
            work()
        except FAULTS as error:
            shutil.rmtree(draft, ignore_errors=True)
            last = max(whole_checkpoints(self.folder), default=None)
            left = f"the last whole one is {last}" if last else "there is no earlier one"
            name = draft.name.removesuffix(PART)
            raise TrainError(
                f"checkpoint: {name} could not be written to {self.folder}: {reason_of(error)}; {left}"
            ) from error

    def check(self) -> None:
        """Raises TrainError where the one being written has failed; does not wait."""
        if self._fault is not None:
            fault, self._fault = self._fault, None
            raise fault

    def finish(self) -> None:
        """Waits until the one being written is whole; raises TrainError where it failed."""
        if self._writing is not None:
            self._writing.join()
            self._writing = None
        self.check()

    def load(self, place: Path) -> dict[str, Any]:
        """Brings model and optimiser to a checkpoint of any number of ranks; gives its state.

        Raises TrainError where it is none, of another model or of another format.
        """
        state = read_state(place)
        check_model(state["model"], shapes(self._trained.model), place)
        model, optimiser = get_state_dict(self._trained.model, self._trained.optimiser)
        tensors: dict[str, Any] = {"model": model, "optimiser": optimiser}
        try:
            state_dict_loader.load(tensors, checkpoint_id=place, process_group=self._group)
        except FAULTS as error:
            frozen = "; was more of the model frozen (model.freeze) when it was saved?" if STATE in str(error) else ""
            raise TrainError(f"checkpoint: expected to read {place}, found {reason_of(error)}{frozen}") from error
        set_state_dict(
            self._trained.model, self._trained.optimiser, model_state_dict=model, optim_state_dict=tensors["optimiser"]
        )
        return state


def publish(draft: Path, state: dict[str, Any]) -> Path:
    """Gives a draft whose files are all written its state and its name, in one step that no crash can cut."""
    with open(draft / "state.json", "w", encoding="utf-8") as file:
        json.dump(state, file)
        file.flush()
        os.fsync(file.fileno())
    place = draft.with_name(draft.name.removesuffix(PART))
    _sync_folder(draft)
    if place.exists():
        shutil.rmtree(place)
    draft.rename(place)
    _sync_folder(place.parent)
    return place


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def whole_checkpoints(folder: Path) -> list[Path]:
    """The oldest first."""
    found = [place for place in folder.glob("step-*") if not place.name.endswith(PART)]
    return sorted(place for place in found if (place / "state.json").is_file())


def read_state(place: Path) -> dict[str, Any]:
    try:
        state: dict[str, Any] = json.loads((place / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainError(f"checkpoint: expected one at {place}, found {error}") from error
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise TrainError(f"checkpoint: expected format {FORMAT!r} at {place}, found another")
    return state


def shapes(model: nn.Module) -> dict[str, list[int]]:
    """What makes a model this one and no other."""
    return {name: list(parameter.shape) for name, parameter in model.named_parameters()}


def check_model(stated: dict[str, list[int]], found: dict[str, list[int]], place: Path) -> None:
    """Raises TrainError naming the first parameter by which two models differ."""
    for name in [*found, *stated]:
        if stated.get(name) != found.get(name):
            told = [f"of shape {one[name]}" if name in one else "absent" for one in (found, stated)]
            raise TrainError(
                f"checkpoint: {place} is of another model: expected {name} {told[0]}, found it {told[1]}; another "
                "folder begins anew"
            )


def reason_of(error: BaseException) -> str:
    """What the disk said, where torch has wrapped a rank's failure of it."""
    failures = getattr(error, "failures", None)
    if failures:
        rank, found = next(iter(failures.items()))
        return f"rank {rank}: {reason_of(found[0] if isinstance(found, tuple) else found)}"
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    told = behind or error
    return " ".join((str(told) if isinstance(told, TrainError) else f"{type(told).__name__}: {told}").split())[:400]


class StepsMade(NamedTuple):
    """Saved beside an exported model: how far it was trained."""

    steps: int

    def save_pretrained(self, folder: Path) -> None:
        (folder / MADE).write_text(json.dumps(self._asdict()), encoding="utf-8")


def exported_steps(folder: Path) -> int | None:
    """How far the model at `folder` was trained; None where there is none, or nothing says it."""
    try:
        return int(json.loads((folder / MADE).read_text(encoding="utf-8"))["steps"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def export(model: PackedModel, folder: Path, beside: tuple[Any, ...] = ()) -> None:
    """Writes the whole model in the hub's format, by the first rank, in the place of an earlier one; all ranks call it
    together. Raises TrainError where the disk refuses it."""
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    state: Any = get_model_state_dict(model, options=options)
    if dist.get_rank() == 0:
        try:
            if folder.exists():
                shutil.rmtree(folder)
            export_model(model, folder, state=state, beside=beside)
        except FAULTS as error:  # safetensors has one of its own for a full disk
            told = f"{reason_of(error)} ({shutil.disk_usage(folder.parent).free / 1e9:.1f} GB free)"
            raise TrainError(
                f"model: could not be written to {folder}: {told}; the same command tries again"
            ) from error
    dist.barrier()
