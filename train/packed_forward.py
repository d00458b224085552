"""One pack through the model: pictures into their places, then the language model, document by document.

transformers would take a pack in five natural ways, of which four let documents see each other without an error. Here a
pack goes one way, and whoever calls the model in another gets a PackingError.
Left out on purpose: the loss (train/losses.py takes it in chunks, so logits of a whole row are never made).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from train.attention import PICTURES, TEXT, PackingError, gather_ranks, register_attention
from train.packed_inputs import PackedInputs

Scored = TypeVar("Scored")


class PackedModel(nn.Module):
    """A Glm4vForConditionalGeneration, kept as `glm`, that takes packs and nothing else."""

    def __init__(self, glm: Any) -> None:
        super().__init__()
        register_attention()
        self.glm = glm
        self.glm.set_attn_implementation({"text_config": TEXT, "vision_config": PICTURES})
        self._refuse_leaks = True
        for part in (glm.model, glm.model.language_model):
            part.register_forward_pre_hook(self._check_call, with_kwargs=True)

    def forward(
        self, inputs: PackedInputs, score: Callable[[Tensor, nn.Module], Scored] | None = None
    ) -> Tensor | Scored:
        """(H, hidden) states of the tokens this rank holds, or what `score(states, lm_head)` makes of them.

        A score is computed inside, where a sharded head is still whole: chunked losses, or logits of a few rows.
        """
        language = self.glm.model.language_model
        embedded = self._merge(language.get_input_embeddings()(inputs.input_ids), inputs)
        if inputs.held is not None:
            embedded = embedded[inputs.held]
        states: Tensor = language(
            inputs_embeds=embedded[None], position_ids=inputs.positions, use_cache=False, plan=inputs.plan
        ).last_hidden_state[0]
        return states if score is None else score(states, self.glm.lm_head)

    def _merge(self, embedded: Tensor, inputs: PackedInputs) -> Tensor:
        """(C, hidden) with what the vision tower sees in the places of the picture tokens."""
        seen: Tensor = self.glm.model.visual(
            inputs.patches,
            grid_thw=inputs.grids,
            position_ids=inputs.patch_positions,
            cu_seqlens=inputs.picture_borders.queries,
            max_seqlen=0,  # nobody asks: `picture_borders` has it, and the library would fetch it from the GPU
            picture_borders=inputs.picture_borders,
        ).pooler_output
        if not len(inputs.picture_tokens):
            return embedded + seen.sum() * 0
        if inputs.held is not None:
            missing = max(inputs.tokens_of_ranks) - len(seen)
            every = gather_ranks(pad(seen, (0, 0, 0, missing)), inputs.plan.shard)
            seen = torch.cat([part[:count] for part, count in zip(every, inputs.tokens_of_ranks, strict=True)])
        return embedded.index_copy(0, inputs.picture_tokens, seen.to(embedded.dtype))

    @contextmanager
    def as_library(self) -> Iterator[Any]:
        """The model with transformers' own attention, for `generate` and other unpacked calls; back again after it.
        Not for a model whose weights are shards: these are whole inside `forward` alone (train/writing.py)."""
        self._refuse_leaks = False
        self.glm.set_attn_implementation("sdpa")
        layers = [*self.glm.model.visual.blocks, *self.glm.model.language_model.layers]
        compiled = any(layer._compiled_call_impl is not None for layer in layers)
        try:
            # A cache grows with every token, and each length would be compiled anew.
            with torch.compiler.set_stance("force_eager") if compiled else nullcontext():
                yield self.glm
        finally:
            self.glm.set_attn_implementation({"text_config": TEXT, "vision_config": PICTURES})
            self._refuse_leaks = True

    def _check_call(self, module: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        if self._refuse_leaks:
            check_packed_call(named)


def check_packed_call(named: dict[str, Any]) -> None:
    """Raises PackingError for arguments of the language model with which documents of a pack would see each other."""
    if named.get("attention_mask") is not None:
        raise PackingError("packed call: expected no attention_mask, which switches the documents' own masks off")
    if named.get("use_cache") is not False or named.get("past_key_values") is not None:
        raise PackingError("packed call: expected use_cache=False; a cache switches the documents' own masks off")
    positions = named.get("position_ids")
    if positions is None or positions.ndim != 3 or positions.shape[0] != 4:
        found = None if positions is None else tuple(positions.shape)
        raise PackingError(f"packed call: expected positions of shape (4, 1, tokens), text first, found {found}")
    if named.get("plan") is None:
        raise PackingError("packed call: expected the plan of a pack; go through PackedModel, or as_library() to write")
