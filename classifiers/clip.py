"""CLIP scorer: the cosine of each picture with each of its captions, by open_clip.

Preprocessing is open_clip's own validation transform of the fully decoded picture. The same batch gives the same
scores on the same machine. Other pairs in the batch may move a score by rounding in the matrix products, in the 4th
decimal at fp32 and by less than 0.001 at bf16; that is why batches are cut inside a unit of work. bf16 itself lies up
to 0.003 from fp32 (ViT-B-32, random weights): a run that must agree across kinds of hardware sets the precision.
Left out on purpose: scaled JPEG decoding and other resizers, which would move scores without a trace; autocast, which
is slower than fp32 on CPUs; where weights lie (classifiers/clip_source.py); thresholds (transforms/relevance.py).
"""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
from msgspec import structs
from PIL import Image

from classifiers.clip_source import ClipSource, fingerprint_source, parse_source
from classifiers.devices import find_device
from classifiers.errors import ModelError
from configs.schema.caption import RelevanceRules
from transforms.loaded import batched
from transforms.relevance import PairScores

Pixels = np.ndarray[Any, np.dtype[np.uint8]]
Features = np.ndarray[Any, np.dtype[np.float32]]
MISSING = (
    "relevance: expected torch and open_clip_torch, found {error}; "
    "pip install 'beamsift[models]' or --set relevance.enabled=false"
)


@dataclass
class ClipScorer:
    """`load()` once per process, then `predict`. A pickled scorer travels without its weights."""

    rules: RelevanceRules
    name: str = "clip"
    keep_embeddings: bool = False
    """Whether the answers carry the embeddings of pictures and captions too."""
    _network: _Network | None = field(default=None, init=False, repr=False, compare=False)
    _weights: str = field(default="", init=False, repr=False, compare=False)
    """Fingerprint of the source, hashed once: a run asks for it with every unit of work."""

    def check_installed(self) -> None:
        """Raises ModelError where a package it needs is not there; imports none, so it is instant."""
        for package in ("torch", "open_clip"):
            if importlib.util.find_spec(package) is None:
                raise ModelError(MISSING.format(error=f"no {package}"))

    def load(self) -> None:
        """Loads the weights and fixes torch's CPU threads for the whole process.

        Raises ModelError where torch, the architecture, the tag or a file is missing or does not fit. Local weights
        are never looked for on the network.
        """
        if self._network is None:
            source = parse_source(self.rules)
            key = f"{fingerprint_source(source)}:{self.rules.model_dump_json(exclude={'min_score', 'accelerator'})}"
            self._network = _LOADED.get(key) or _load_network(source, self.rules)
            _LOADED[key] = self._network

    def predict(self, batch: Sequence[tuple[Pixels, tuple[str, ...]]]) -> list[PairScores]:
        """For each (picture, captions), in order, the cosines rounded to 4 decimals.

        Pictures are uint8 of (height, width, 3), or (…, 4) with alpha, which is laid on white. Captions are encoded
        once each; a picture without captions gets empty scores, and is looked at only where embeddings are kept.
        Raises ModelError for a score that is not finite.
        """
        if self._network is None:
            raise ModelError(f"{self.name}: expected load() before predict()")
        captions = list(dict.fromkeys(caption for _, several in batch for caption in several))
        keeps = self.keep_embeddings
        shown = [(pixels, several) for pixels, several in batch if several or keeps]
        with self._network.inference():
            pictures = self._network.encode_pictures([open_picture(p) for p, _ in shown], self.rules.batch_size)
            texts = self._network.encode_texts(captions, self.rules.batch_size)
        truncated = dict(zip(captions, self._network.truncated(captions), strict=True))
        row_of = dict(zip(captions, texts, strict=True))
        rows = iter(pictures)
        scored = [
            _pair_scores(several, next(rows), row_of, truncated) if several or keeps else PairScores()
            for _, several in batch
        ]
        if not keeps:
            return scored
        return [
            _with_embeddings(one, picture, [row_of[caption] for caption in several])
            for one, picture, (_, several) in zip(scored, pictures, batch, strict=True)
        ]

    def embed(self, pictures: Sequence[Pixels]) -> Features:
        """(n, dimensions) embeddings of unit length, in order. Raises ModelError for a value that is not finite."""
        if self._network is None:
            raise ModelError(f"{self.name}: expected load() before embed()")
        with self._network.inference():
            rows = self._network.encode_pictures([open_picture(p) for p in pictures], self.rules.batch_size)
        embeddings = np.stack(rows) if rows else np.empty((0, 0), dtype=np.float32)
        if not np.isfinite(embeddings).all():
            raise ModelError(f"{self.name}: expected finite embeddings, found one that is not")
        return embeddings

    def fingerprint(self) -> str:
        """Hex digest of all that decides a score: the weights and what they are run with, not the threshold."""
        rules = self.rules
        # Once loaded, what `auto` came to: scores of another kind of hardware are made again, never mixed.
        ran = (self._network.device.type, self._network.precision) if self._network else (rules.device, rules.precision)
        how = f"{'/'.join(ran)}/{rules.batch_size}/{rules.threads}"
        self._weights = self._weights or fingerprint_source(parse_source(rules))
        return f"{self._weights}:{how}{'/embeddings' if self.keep_embeddings else ''}"

    @property
    def precision(self) -> str:
        """What `auto` came to, once loaded: fp32 or bf16."""
        if self._network is None:
            raise ModelError(f"{self.name}: expected load() before precision")
        return self._network.precision

    def __reduce__(self) -> tuple[type[ClipScorer], tuple[RelevanceRules, str, bool]]:
        return ClipScorer, (self.rules, self.name, self.keep_embeddings)


def open_picture(pixels: Pixels) -> Image.Image:
    """The RGB picture a model sees; transparency lies on white, as a web page shows it. Raises ValueError."""
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] not in (3, 4) or 0 in pixels.shape:
        raise ValueError(f"expected uint8 pixels of (height, width, 3 or 4), found {pixels.dtype} of {pixels.shape}")
    picture = Image.fromarray(pixels)
    if picture.mode == "RGB":
        return picture
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")


def choose_precision(asked: str, device: str, capabilities: Mapping[str, object]) -> str:
    """`asked`, or for `auto` bf16 where `device` (a torch device type) multiplies in it, else fp32.

    `capabilities` are flags by torch's names: avx512_bf16 and amx_bf16 of a CPU, bf16 of a GPU. Without such
    instructions a CPU emulates bf16, slower than fp32.
    """
    if asked != "auto":
        return asked
    wanted = {"cpu": ("avx512_bf16", "amx_bf16"), "cuda": ("bf16",)}.get(device, ())
    return "bf16" if any(capabilities.get(name) for name in wanted) else "fp32"


def count_tokens(tokenizer: Any, captions: Sequence[str]) -> list[int]:
    """Tokens of each caption with its marks of start and end, before any truncation. The tokenizer is open_clip's."""
    if hasattr(tokenizer, "encode"):
        return [len(tokenizer.encode(caption)) + 2 for caption in captions]
    cleaned = [tokenizer.clean_fn(caption) for caption in captions]
    return [len(tokens) for tokens in tokenizer.tokenizer(cleaned).input_ids] if cleaned else []


@dataclass(frozen=True)
class _Network:
    """A loaded model with its own transform and tokenizer. Features are float32 rows of unit length."""

    torch: Any
    model: Any
    transform: Callable[[Image.Image], Any]
    tokenizer: Any
    device: Any
    precision: str

    def inference(self) -> Any:
        return self.torch.inference_mode()

    def encode_pictures(self, pictures: Sequence[Image.Image], size: int) -> list[Features]:
        return self._encode(pictures, size, self._picture_tensor, self.model.encode_image)

    def encode_texts(self, captions: Sequence[str], size: int) -> list[Features]:
        return self._encode(captions, size, self._token_tensor, self.model.encode_text)

    def truncated(self, captions: Sequence[str]) -> list[bool]:
        return [tokens > self.tokenizer.context_length for tokens in count_tokens(self.tokenizer, captions)]

    def _encode(self, items: Sequence[Any], size: int, tensor: Any, encode: Any) -> list[Features]:
        rows: list[Features] = []
        for part in batched(items, size):
            # Unit length in fp32: a bf16 cosine would have three digits.
            features = self.torch.nn.functional.normalize(encode(tensor(part)).float(), dim=-1)
            rows.extend(features.cpu().numpy())
        return rows

    def _picture_tensor(self, pictures: Sequence[Image.Image]) -> Any:
        stacked = self.torch.stack([self.transform(picture) for picture in pictures])
        return stacked.to(self.device, self.torch.bfloat16 if self.precision == "bf16" else self.torch.float32)

    def _token_tensor(self, captions: Sequence[str]) -> Any:
        return self.tokenizer(list(captions)).to(self.device)


_LOADED: WeakValueDictionary[str, _Network] = WeakValueDictionary()
"""What scorers of this process hold: two steps with the same weights hold them once."""


def _pair_scores(
    captions: tuple[str, ...], picture: Features, row_of: Mapping[str, Features], truncated: Mapping[str, bool]
) -> PairScores:
    scores = [round(float(np.dot(picture, row_of[caption])), 4) for caption in captions]
    for caption, score in zip(captions, scores, strict=True):
        if not math.isfinite(score):
            raise ModelError(f"clip: expected a finite score, found {score} for caption {caption[:60]!r}")
    return PairScores(tuple(scores), tuple(truncated[caption] for caption in captions))


def _with_embeddings(scored: PairScores, picture: Features, captions: Sequence[Features]) -> PairScores:
    packed = [features.astype(np.float16).tobytes() for features in (picture, *captions)]
    return structs.replace(scored, picture=packed[0], captions=tuple(packed[1:]))


def _load_network(source: ClipSource, rules: RelevanceRules) -> _Network:
    try:
        import open_clip
        import torch
    except ImportError as error:
        raise ModelError(MISSING.format(error=error)) from error
    _fix_threads(torch, rules.threads)
    device = find_device(torch, rules.device, "relevance.device")
    precision = choose_precision(rules.precision, device.type, _capabilities(torch, device))
    quick_gelu = _check_names(open_clip, source)
    try:
        model, transform = open_clip.create_model_from_pretrained(
            source.model, source.pretrained, force_quick_gelu=quick_gelu
        )
        tokenizer = open_clip.get_tokenizer(source.model)
    except Exception as error:  # open_clip, torch, safetensors, the hub client and pickle each have their own
        reason = " ".join(str(error).split())[:400]
        wanted = source.model if source.pretrained is None else f"{source.model} with {source.pretrained}"
        raise ModelError(f"clip: expected to load {wanted}, found {type(error).__name__}: {reason}") from error
    if precision == "bf16":
        # Cast after loading: open_clip's own pure_bf16 computes LayerNorm in fp32; captions take 1.6 times as long.
        model = model.to(torch.bfloat16)
    return _Network(torch, model.to(device).eval(), transform, tokenizer, device, precision)


def _fix_threads(torch: Any, threads: int) -> None:
    torch.set_num_threads(threads)
    if torch.get_num_interop_threads() != threads:
        # torch takes this once per process and before its first parallel work; it does not touch the numbers.
        with contextlib.suppress(RuntimeError):
            torch.set_num_interop_threads(threads)


def _capabilities(torch: Any, device: Any) -> Mapping[str, object]:
    if device.type == "cuda":
        return {"bf16": torch.cuda.is_bf16_supported(including_emulation=False)}
    found: Mapping[str, object] = torch.cpu.get_capabilities()
    return found


def _check_names(open_clip: Any, source: ClipSource) -> bool:
    """Whether the weights behind a tag need QuickGELU; ModelError for an unknown architecture or tag.

    Since open_clip 3 a plain architecture with a QuickGELU tag (`ViT-B-32`, `openai`) only warns and scores wrongly.
    What a checkpoint file was trained with is not in it: there the architecture (`ViT-B-32-quickgelu`) decides.
    """
    if source.kind in ("folder", "hub"):
        return False
    architecture = source.model.replace("/", "-")
    config = open_clip.get_model_config(architecture)
    if config is None:
        near = ", ".join(difflib.get_close_matches(architecture, open_clip.list_models())) or "none near"
        raise ModelError(f"relevance.model: expected an open_clip architecture, found {source.model!r} ({near})")
    if source.kind == "checkpoint":
        return False
    known = open_clip.get_pretrained_cfg(architecture, source.pretrained)
    if not known:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture)) or "none"
        raise ModelError(
            f"relevance.pretrained: expected a tag of {architecture} ({tags}) or a path, found {source.pretrained!r}"
        )
    needed = bool(known.get("quick_gelu"))
    if config.get("quick_gelu") and not needed:
        raise ModelError(
            f"relevance.model: {architecture} computes QuickGELU, tag {source.pretrained!r} was trained without"
        )
    return needed
