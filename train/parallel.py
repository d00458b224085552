"""Ranks as a mesh of dp_replicate x dp_shard x cp x tp, and the model cut over it.

FSDP2 cuts parameters over dp_shard x cp, copies of that are dp_replicate (HSDP); tensor parallel ranks share heads and
columns by transformers' own plan, context parallel ones the tokens of a pack (train/attention.py). One way for every
number of ranks: a single process is a mesh of one. Gradients are sums over ranks, never means; train/loop.py divides.
Left out on purpose: expert and pipeline parallelism, which are refused; see ARCHITECTURE.md for how they would enter.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from configs.schema.train_parallel import ParallelRules
from train.attention import Shard
from train.errors import TrainError
from train.packed_forward import PackedModel

GRACE = 60.0
"""Seconds that a collective waits beyond the watch's, which names the rank and so should be first (train/watch.py)."""


class Degrees(NamedTuple):
    dp_replicate: int
    dp_shard: int
    cp: int
    tp: int


class Ranks(NamedTuple):
    """This process among the ranks of the job."""

    rank: int
    world: int
    device: torch.device
    degrees: Degrees
    mesh: DeviceMesh
    """dp_replicate x fsdp x tp, with fsdp = dp_shard x cp."""
    shard: Shard
    """Its part of each pack."""
    tp_group: Any
    """None without tensor parallelism."""

    @property
    def data_rank(self) -> int:
        """Which packs it gets: ranks that differ in cp and tp alone get the same."""
        return self.rank // (self.degrees.cp * self.degrees.tp)

    @property
    def data_world(self) -> int:
        return self.degrees.dp_replicate * self.degrees.dp_shard


def plan_degrees(rules: ParallelRules, world: int) -> Degrees:
    """Raises TrainError where the ranks do not come out even, or for expert and pipeline parallelism."""
    if rules.ep > 1 or rules.pp > 1:
        raise TrainError(
            f"parallel: expected ep 1 and pp 1, found ep {rules.ep} and pp {rules.pp}: train/ has neither "
            "yet. They are for the 106B mixture of experts; a dense model uses dp_shard, tp and cp"
        )
    inner = rules.dp_replicate * rules.cp * rules.tp
    shard = rules.dp_shard or max(1, world // inner)
    if inner * shard != world:
        raise TrainError(
            f"parallel: expected dp_replicate x dp_shard x cp x tp to be the number of ranks, found "
            f"{rules.dp_replicate} x {shard} x {rules.cp} x {rules.tp} for {world}"
        )
    return Degrees(rules.dp_replicate, shard, rules.cp, rules.tp)


@contextmanager
def join_ranks(rules: ParallelRules) -> Iterator[Ranks]:
    """Joins the job that torchrun describes in the environment, or makes one of this process alone."""
    device = _device()
    limit = timedelta(seconds=rules.timeout_seconds + GRACE)
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
    joined = dist.is_initialized()
    if not joined:
        _join(backend, limit)
    try:
        yield arrange(rules, device)
    finally:
        if not joined:
            dist.destroy_process_group()


def _join(backend: str, limit: timedelta) -> None:
    if "RANK" not in os.environ:
        store = dist.HashStore()  # type: ignore[attr-defined]
        dist.init_process_group(backend, timeout=limit, store=store, rank=0, world_size=1)
        return
    try:
        dist.init_process_group(backend, timeout=limit)
    except dist.DistError as error:
        rank, world, host = (os.environ.get(name) for name in ("RANK", "WORLD_SIZE", "MASTER_ADDR"))
        raise TrainError(
            f"rank {rank}: expected {world} ranks to meet at {host} within {limit.total_seconds():.0f} s, found "
            f"{str(error).splitlines()[0]}"
        ) from error


def _device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def arrange(rules: ParallelRules, device: torch.device) -> Ranks:
    """The mesh over the ranks of the default group."""
    rank, world = dist.get_rank(), dist.get_world_size()
    degrees = plan_degrees(rules, world)
    names, fsdp = ("dp_replicate", "fsdp", "tp"), degrees.dp_shard * degrees.cp
    mesh = init_device_mesh(device.type, (degrees.dp_replicate, fsdp, degrees.tp), mesh_dim_names=names)
    shard = Shard(rank // degrees.tp % degrees.cp, degrees.cp, _context_group(degrees, rank))
    tp_group = mesh["tp"].get_group() if degrees.tp > 1 else None
    return Ranks(rank, world, device, degrees, mesh, shard, tp_group)


def _context_group(degrees: Degrees, rank: int) -> Any:
    """Ranks that share a pack's tokens and differ in nothing else; every rank takes part in making every group."""
    if degrees.cp == 1:
        return None
    own, block = None, degrees.cp * degrees.tp
    for first in range(0, dist.get_world_size(), block):
        for column in range(degrees.tp):
            members = [first + column + degrees.tp * part for part in range(degrees.cp)]
            group = dist.new_group(members)
            own = group if rank in members else own
    return own


def shard_model(model: PackedModel, ranks: Ranks, rules: ParallelRules) -> PackedModel:
    """Cuts the model over the mesh, in place. All ranks come with the same weights. Raises TrainError where tensor
    parallel ranks cannot share its heads."""
    if ranks.degrees.tp > 1:
        _share_columns(model, ranks.mesh["tp"])
    compute = {"bfloat16": torch.bfloat16, "float32": torch.float32}[rules.compute]
    policy = MixedPrecisionPolicy(compute, torch.float32, cast_forward_inputs=False)
    mesh = ranks.mesh["dp_replicate", "fsdp"] if ranks.degrees.dp_replicate > 1 else ranks.mesh["fsdp"]
    cut = partial(fully_shard, mesh=mesh, mp_policy=policy)
    glm = model.glm.model
    for layer in (*glm.visual.blocks, *glm.language_model.layers):
        cut(layer, reshard_after_forward=rules.reshard)
    cut(model, reshard_after_forward=False)
    for part in model.modules():
        if isinstance(part, FSDPModule):
            part.set_gradient_divide_factor(1.0)
            part.set_force_sum_reduction_for_comms(True)
    return model


def _share_columns(model: PackedModel, mesh: DeviceMesh) -> None:
    """transformers' base_model_tp_plan in PyTorch's terms, and the head in parts of the vocabulary for the loss.

    gate_up_proj is one matrix whose halves are multiplied, so its output is gathered: the price of keeping its name.
    """
    check_shareable(model.glm.config.text_config, mesh.size())
    plan: dict[str, Any] = {"lm_head": ColwiseParallel()}
    for name in ("q_proj", "k_proj", "v_proj"):
        plan[f"model.language_model.layers.*.self_attn.{name}"] = ColwiseParallel()
    plan["model.language_model.layers.*.self_attn.o_proj"] = RowwiseParallel()
    gathered = ColwiseParallel(output_layouts=Replicate())
    plan["model.language_model.layers.*.mlp.gate_up_proj"] = gathered
    plan["model.language_model.layers.*.mlp.down_proj"] = RowwiseParallel(input_layouts=Replicate())
    parallelize_module(model.glm, mesh, plan)


def check_shareable(text: Any, tp: int) -> None:
    """Raises TrainError where a model's heads, columns or words cannot be dealt evenly to `tp` ranks."""
    counts = {
        "heads": text.num_attention_heads,
        "heads of keys and values": text.num_key_value_heads,
        "columns of the MLP": text.intermediate_size,
        "words": text.vocab_size,
    }
    odd = [f"{count} {name}" for name, count in counts.items() if count % tp]
    if odd:
        raise TrainError(f"parallel: expected counts that tp {tp} divides, found {', '.join(odd)}")


def head_of(head: nn.Module) -> Tensor:
    """The rows of the head that this rank scores with."""
    weight = head.weight
    return weight.to_local() if isinstance(weight, DTensor) else weight  # type: ignore[return-value]


def local_gradients(parameters: Iterable[nn.Parameter]) -> list[Tensor]:
    """This rank's parts of the gradients, as they lie."""
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    return [grad.to_local() if isinstance(grad, DTensor) else grad for grad in grads]


def gradient_norm(parameters: Iterable[nn.Parameter], world: int) -> Tensor:
    """() of the whole gradient, on every rank, whatever is cut over which dimensions of the mesh.

    What is not cut over some ranks is the same on all of these, so each part's square is divided by its copies.
    """
    total: Tensor | float = 0.0
    found = [parameter.grad for parameter in parameters if parameter.grad is not None]
    for parts in {parts_of(grad) for grad in found}:
        same = [grad.to_local() if isinstance(grad, DTensor) else grad for grad in found if parts_of(grad) == parts]
        squares = torch.stack(torch._foreach_norm([grad.float() for grad in same])).square().sum()
        total = squares * (parts / world) + total
    if not isinstance(total, Tensor):
        raise TrainError("expected parameters with gradients, found none: everything is frozen")
    dist.all_reduce(total)
    return total.sqrt()


def parts_of(grad: Tensor) -> int:
    """How many different parts a tensor is cut into over the job."""
    if not isinstance(grad, DTensor):
        return 1
    parts = 1
    for placement, size in zip(grad.placements, grad.device_mesh.shape, strict=True):
        parts *= size if not placement.is_replicate() else 1
    return parts
