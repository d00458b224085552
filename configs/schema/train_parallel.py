"""Config of how a training job is spread over ranks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.strict import Strict


class ParallelRules(Strict):
    """The ranks of a job are dp_replicate x dp_shard x cp x tp; tensor parallel ones lie next to each other."""

    dp_replicate: int = Field(1, ge=1)
    """Copies of the sharded model (HSDP): one a node, or a few, where the network between nodes is slow."""
    dp_shard: int | None = Field(None, ge=1)
    """Ranks that one copy of parameters, gradients and optimiser is cut over (FSDP2); whatever is left where absent."""
    cp: int = Field(1, ge=1)
    """Ranks that share each pack's tokens. The paper: 4 at 32,768 tokens."""
    tp: int = Field(1, ge=1)
    """Ranks that share each layer's heads and columns. The paper: 2 for the 9B model, which has two heads of keys."""
    ep: int = Field(1, ge=1)
    """Expert parallelism: only 1; the paper's 8 is for the mixture of experts."""
    pp: int = Field(1, ge=1)
    """Pipeline parallelism: only 1; the paper's 4 is for the mixture of experts."""
    compute: Literal["bfloat16", "float32"] = "bfloat16"
    """What layers compute in. Sums over ranks, and of gradients over micro-batches, are in float32."""
    parameters: Literal["float32", "bfloat16"] = "float32"
    """What parameters and AdamW's two moments are kept in. A 9B model: 150 GB in float32, 75 GB in bfloat16."""
    reshard: bool = True
    """Whether a layer's gathered parameters are let go between forward and backward."""
    timeout_seconds: float = Field(600, gt=0)
    """How long all ranks may stand still before the job ends and names the rank that the others wait for."""
    lost_seconds: float = Field(30, gt=0)
    """How long a rank may give no sign of life."""
