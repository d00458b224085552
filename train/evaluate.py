"""The loss on sets that are never trained on: always the same packs, and no gradient.

Left out on purpose: what a model writes (train/samples.py).
"""

from __future__ import annotations

from itertools import chain, islice, repeat

import torch
import torch.distributed as dist
from torch import Tensor, nn

from train.attention import Shard, shard_rows
from train.chat.tokenizer import END
from train.data.records import Pack
from train.feed import Share, blank_pack, built_packs, open_packs
from train.job import Job
from train.losses import Scores, Targets, find_targets, weighted_cross_entropy
from train.packed_inputs import PackedInputs, pack_inputs, to_device
from train.parallel import head_of


def held_out_loss(job: Job) -> dict[str, float]:
    """By source, over the first packs of one epoch on each rank; a rank whose data end goes on with blank ones."""
    cfg, ranks = job.cfg, job.ranks
    names = [one.name for one in cfg.data.held_out]
    loader = open_packs(cfg, cfg.data.held_out, job.tokenizer, Share(ranks.data_rank, ranks.data_world), rounds=1)
    blank = blank_pack(cfg.context, job.tokenizer.ids[END])
    sums = torch.zeros(2, len(names), dtype=torch.float64, device=ranks.device)
    with loader.loader, torch.no_grad():
        packs = chain(built_packs(loader, job.tokenizer), repeat(blank))
        for pack in islice(packs, cfg.report.held_out_packs):
            scores, targets = score_pack(job, pack, {name: number for number, name in enumerate(names)})
            sums[0].index_add_(0, targets.sources, (scores.each * targets.weights).double())
            sums[1].index_add_(0, targets.sources, targets.weights.double())
    dist.all_reduce(sums)
    return {name: loss / weight for name, loss, weight in zip(names, *sums.tolist(), strict=True) if weight}


def score_pack(job: Job, pack: Pack, sources: dict[str, int], shard: Shard | None = None) -> tuple[Scores, Targets]:
    """The loss of one pack's part that this rank holds, and its gradient where one is taken.

    `shard`: WHOLE for a pack that ranks of CP do not share.
    """
    cfg, ranks = job.cfg, job.ranks
    shard = shard or ranks.shard
    inputs = placed(job, pack, shard)
    found = find_targets(pack, shard_rows(len(pack.input_ids), shard), sources, job.vocabulary)
    targets = Targets(*(to_device(one, ranks.device) for one in found))

    def score(states: Tensor, head: nn.Module) -> Scores:
        weight = head_of(head)
        return weighted_cross_entropy(states, weight, targets, chunk=cfg.loss_chunk, group=ranks.tp_group)

    scores: Scores = job.model(inputs, score)
    return scores, targets


def placed(job: Job, pack: Pack, shard: Shard) -> PackedInputs:
    """A pack on the rank's device, in the type the model computes in."""
    dtype = torch.bfloat16 if job.cfg.parallel.compute == "bfloat16" else torch.float32
    image = int(job.model.glm.config.image_token_id)
    return pack_inputs(pack, image, device=job.ranks.device, dtype=dtype, shard=shard)
