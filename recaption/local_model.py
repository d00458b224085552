"""Captioner in the worker's own process: a vision-language model through transformers, greedy, in batches.

Any model that AutoModelForImageTextToText knows and that has a chat template (Glm4v, Qwen-VL, LLaVA, …). The same batch
gives the same texts on the same machine; another batch pads other rows along, so the batch size is in the fingerprint.
Left out on purpose: sampling, quantisation, more than one device; a server does that (openai_server.py).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from classifiers.devices import find_device
from classifiers.errors import ModelError
from configs.schema.recaption import CaptionerRules
from recaption.captioner import Answer, Refusal, Reply, Request, answer_fingerprint, shown_picture
from recaption.chat_replies import strip_thinking
from recaption.prompting import choose_prompt, load_prompts
from transforms.fingerprints import file_digest, fingerprint
from transforms.loaded import batched

MISSING = (
    "recaption: expected torch and transformers, found no {package}; "
    "pip install 'beamsift[recaption]' or --set recaption.enabled=false"
)


@dataclass
class LocalCaptioner:
    """`load()` once per process, then `predict`. A pickled one travels without its weights."""

    rules: CaptionerRules
    name: str = "recaption"
    rows_alone: ClassVar[bool] = False
    """Another batch pads other rows along: an answer is worth something in its own batch only."""
    _network: _Network | None = field(default=None, init=False, repr=False, compare=False)
    _weights: str = field(default="", init=False, repr=False, compare=False)

    @property
    def source(self) -> str:
        return self.rules.local.path or self.rules.model

    def check_installed(self) -> None:
        for package in ("torch", "transformers"):
            if importlib.util.find_spec(package) is None:
                raise ModelError(MISSING.format(package=package))

    def load(self) -> None:
        """Loads processor and weights. Raises ModelError where one is missing; a local folder needs no network."""
        self.check_installed()
        load_prompts(self.rules.prompt)
        if self._network is None:
            self._network = _load_network(self.source, self.rules)

    def predict(self, batch: Sequence[Request]) -> list[Reply]:
        """An answer for each request, in order. What the processor declines (ValueError) is that row's
        refusal, unless it declines a whole batch; any other error stops the run."""
        if self._network is None:
            raise ModelError(f"{self.name}: expected load() before predict()")
        replies: list[Reply] = []
        for part in batched(batch, self.rules.local.batch_size):
            try:
                replies += self._network.write(part, self.rules)
            except ValueError:
                replies += self._one_by_one(part)
        return replies

    def _one_by_one(self, part: Sequence[Request]) -> list[Reply]:
        """Each row alone, after the processor declined one of them (a side 200 times the other, too long a prompt)."""
        assert self._network is not None
        replies: list[Reply] = []
        errors: list[ValueError] = []
        for request in part:
            try:
                replies += self._network.write([request], self.rules)
            except ValueError as error:
                errors.append(error)
                replies.append(
                    Refusal("CaptionerRefused", " ".join(f"expected a picture and prompt it takes, {error}".split()))
                )
        if len(part) > 1 and len(errors) == len(part):
            raise errors[0]  # then it is not the rows
        return replies

    def fingerprint(self) -> str:
        self._weights = self._weights or _fingerprint_source(self.source)
        device = self._network.device.type if self._network else self.rules.local.device
        return f"{answer_fingerprint(self.rules, load_prompts(self.rules.prompt), self._weights)}:{device}"

    def __reduce__(self) -> tuple[type[LocalCaptioner], tuple[CaptionerRules, str]]:
        return LocalCaptioner, (self.rules, self.name)


@dataclass(frozen=True)
class _Network:
    torch: Any
    model: Any
    processor: Any
    device: Any

    def write(self, requests: Sequence[Request], rules: CaptionerRules) -> list[Reply]:
        """An answer for each request, in order, from one call of generate."""
        prompts = [choose_prompt(rules.prompt, r.language, r.originals) for r in requests]
        inputs = self.tokens(requests, rules)
        with self.torch.inference_mode():
            written = self.model.generate(
                **inputs,
                max_new_tokens=rules.max_tokens,
                do_sample=False,
                num_beams=1,
                suppress_tokens=self._pictures_marks(),
            )
        width = inputs["input_ids"].shape[1]
        read = inputs["attention_mask"].sum(dim=1).tolist()
        return [
            self._answer(row[width:].tolist(), tokens, rules.model, prompt.version)
            for row, tokens, prompt in zip(written, read, prompts, strict=True)
        ]

    def tokens(self, requests: Sequence[Request], rules: CaptionerRules) -> dict[str, Any]:
        """The model's inputs: pictures, and prompts padded on the left."""
        chats = []
        for request in requests:
            prompt = choose_prompt(rules.prompt, request.language, request.originals)
            text = self._plain(prompt.fill(request.originals))
            chats.append(_chat(shown_picture(request.pixels, rules.max_side), text))
        inputs = self.processor.apply_chat_template(
            chats,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"padding": True},
        )
        inputs = inputs.to(self.device)
        return {k: v.to(self.model.dtype) if self.torch.is_floating_point(v) else v for k, v in inputs.items()}

    def _answer(self, tokens: list[int], read: int, model: str, prompt: str) -> Answer:
        ends = self._ends()
        end = next((number for number, token in enumerate(tokens) if token in ends), None)
        kept = tokens if end is None else tokens[:end]
        text = self.processor.tokenizer.decode(kept, skip_special_tokens=True)
        # A byte-level model can end in half a character; a surrogate no file of ours could hold.
        text = text.encode("utf-8", "replace").decode()
        text, finish = strip_thinking(text, "length" if end is None else "stop")
        return Answer(text, finish, int(read), len(kept) + (end is not None), model, prompt)

    def _plain(self, text: str) -> str:
        """The text without the tokenizer's own marks: a caption with an image token in it has no picture for it."""
        for mark in self.processor.tokenizer.all_special_tokens:
            text = text.replace(mark, "")
        return text

    def _pictures_marks(self) -> list[int] | None:
        """Tokens that stand for pictures and videos: a model that wrote one would be asked for its pixels."""
        names = ("image_token_id", "video_token_id")
        return [found for name in names if (found := getattr(self.model.config, name, None)) is not None] or None

    def _ends(self) -> set[int]:
        found = self.model.generation_config.eos_token_id
        return set(found) if isinstance(found, list) else {found}


def _chat(picture: Any, text: str) -> list[dict[str, Any]]:
    return [{"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": text}]}]


def _load_network(source: str, rules: CaptionerRules) -> _Network:
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # the run has a progress line of its own
    device = find_device(torch, rules.local.device, "recaption.captioner.local.device")
    dtype = rules.local.dtype if rules.local.dtype == "auto" else getattr(torch, rules.local.dtype)
    local = Path(source).is_dir()
    try:
        processor = AutoProcessor.from_pretrained(source, local_files_only=local)  # type: ignore[no-untyped-call]
        model = AutoModelForImageTextToText.from_pretrained(source, dtype=dtype, local_files_only=local)
    except Exception as error:  # transformers, safetensors, torch and the hub client each have their own
        reason = " ".join(str(error).split())[:400]
        raise ModelError(
            f"recaption: expected a vision-language model at {source!r} (recaption.captioner.local.path: a folder with "
            f"config.json, weights and processor, or a hub name), found {type(error).__name__}: {reason}"
        ) from error
    if not getattr(processor, "chat_template", None):
        raise ModelError(f"recaption: expected a chat template in the processor of {source!r}, found none")
    processor.tokenizer.padding_side = "left"
    if processor.tokenizer.pad_token_id is None:
        processor.tokenizer.pad_token = processor.tokenizer.eos_token
    return _Network(torch, model.to(device).eval(), processor, device)


def _fingerprint_source(source: str) -> str:
    """Names and contents of a folder's files; a hub name as it is."""
    folder = Path(source)
    if not folder.is_dir():
        return source
    return fingerprint([(path.name, file_digest(path)) for path in sorted(folder.iterdir()) if path.is_file()])
