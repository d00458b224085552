"""Config of a training run, whatever its stage; values are the papers' where they state one, else marked ours."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from configs.schema.strict import Strict
from configs.schema.train_chat import ChatRules
from configs.schema.train_parallel import ParallelRules

Group = Literal["projector", "vision", "embeddings", "language", "lm_head"]


class ModelRules(Strict):
    source: str = Field("9b", min_length=1)
    """A preset (tiny, 1b, 3b, 9b) with random weights, or a folder or hub name of a GLM-4.1V."""
    tokenizer: str = Field("zai-org/GLM-4.1V-9B-Base", min_length=1)
    """A folder with tokenizer.json, that file, or a hub name."""
    freeze: tuple[Group, ...] = ()
    """Parts that are not trained. The papers train all of them."""
    checkpoint_layers: int = Field(1, ge=0)
    """Every nth layer keeps its input alone and is computed again in the backward pass; 0: none does."""
    compile: bool = False
    """Whether each layer is compiled; on GPUs in bfloat16 alone, where one kernel does all documents of a pack."""
    picture_tokens: int = Field(4096, ge=16)
    """Tokens of a picture at most; a larger one is made smaller. Ours: half of the first stage's context."""


class SourceRules(Strict):
    name: str = Field(min_length=1)
    uri: str = Field(min_length=1)
    """A finished set's folder, a wids index, or tars."""
    weight: float | None = Field(None, gt=0)
    """Share of the draws; for all sources or for none."""
    repeats: float = Field(1.0, gt=0)
    """How often each sample comes in an epoch, where there are no weights."""


class DataRules(Strict):
    sources: tuple[SourceRules, ...] = Field(min_length=1)
    held_out: tuple[SourceRules, ...] = ()
    """Sets whose loss is measured and never trained on."""
    run: int = Field(1, ge=1)
    """Neighbours drawn together: 1 on disks, some 64 where a request is dear."""
    workers: int = Field(4, ge=0)
    """Of each rank; 0 does the work beside the training's own thread."""
    worker_kind: Literal["thread", "process"] = "thread"
    """Processes copy a picture's patches twice: a seventh of the samples, where pictures are most of them."""
    window: int = Field(256, ge=1)
    """Documents that wait for a pack."""
    corrupt: Literal["skip", "stop"] = "skip"
    most_corrupt_share: float = Field(0.01, ge=0, le=1)
    check_hashes: bool = False
    """Whether the ranks hash all shards before the first step; else sizes and member indexes are held against the
    manifest alone. `beamsift verify` does the same once for all runs."""
    index_cache: str = ""
    """Folder that keeps the member indexes of sets that have none."""


class OptimiserRules(Strict):
    """AdamW. Neither paper states a value: all are ours, as usual for models of this size."""

    learning_rate: float = Field(1e-4, gt=0)
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.95, ge=0, lt=1)
    epsilon: float = Field(1e-8, gt=0)
    weight_decay: float = Field(0.1, ge=0)
    """Of matrices; norms and biases have none."""
    clip_norm: float = Field(1.0, gt=0)
    warmup_steps: int = Field(2000, ge=0)
    decay: Literal["cosine", "linear", "constant"] = "cosine"
    final_share: float = Field(0.1, ge=0, le=1)
    """Of the learning rate, at the last step."""


class SaveRules(Strict):
    every: int = Field(1000, ge=1)
    """Steps between checkpoints; the last step has one too."""
    keep: int = Field(3, ge=1)
    resume: bool = True
    """Whether a run goes on from the newest checkpoint in its output; else one that is there is refused."""


class ReportRules(Strict):
    every: int = Field(10, ge=1)
    """Steps between lines."""
    tensorboard: bool = False
    """Events in OUTPUT/tensorboard; needs the package `tensorboard`."""
    wandb_project: str = ""
    """Weights & Biases; needs the package `wandb`. Empty: none."""
    peak_tflops: float | None = Field(None, gt=0)
    """Of one device, dense, in the type computed in; known of H200, H100 and A100."""
    held_out_every: int = Field(1000, ge=1)
    held_out_packs: int = Field(8, ge=1)
    """Of each data rank; always the same ones."""
    samples: int = Field(0, ge=0, le=64)
    """Held-out captioned pictures of OUTPUT/samples.html: beside each caption what the model writes, whenever the
    held-out loss is measured. 0: no page."""
    sample_tokens: int = Field(32, ge=1, le=1024)
    """Written for each at most; every one costs a forward of all prompts."""
    profile_from: int | None = Field(None, ge=1)
    """Step at which the profiler's window opens; its trace goes to OUTPUT/profile."""
    profile_steps: int = Field(3, ge=1)


class TrainConfig(Strict):
    stage: Literal["pretrain", "sft"]
    context: int = Field(ge=16)
    """Tokens of a pack."""
    batch: int = Field(ge=1)
    """Packs of a step, over all ranks and micro-batches."""
    steps: int = Field(ge=1)
    seed: int = Field(0, ge=0)
    """Of the data's order and of random weights."""
    loss_chunk: int = Field(2048, ge=1)
    """Rows of logits at a time."""
    model: ModelRules = ModelRules()
    data: DataRules
    chat: ChatRules = ChatRules()
    parallel: ParallelRules = ParallelRules()
    optimiser: OptimiserRules = OptimiserRules()
    save: SaveRules = SaveRules()
    report: ReportRules = ReportRules()

    @model_validator(mode="after")
    def check_samples(self) -> Self:
        if self.report.samples and not self.data.held_out:
            raise ValueError(f"report.samples: expected data.held_out to take {self.report.samples} of, found none")
        return self

    @model_validator(mode="after")
    def check_context(self) -> Self:
        if self.parallel.cp > 1 and self.context % (2 * self.parallel.cp):
            raise ValueError(f"context: expected a multiple of {2 * self.parallel.cp} for cp {self.parallel.cp}")
        return self
