"""The sample page of a run: held-out captioned pictures, and what the model writes for them as training goes on.

Written greedily through the packed forward (train/writing.py), so also where weights are shards. The pictures are dealt
to the ranks, which all take as many forwards; ranks that share packs (CP) take pictures of their own, those of TP the
same ones. The first rank keeps samples.json, from which a resumed run goes on, and writes samples.html from it. No
weight, no chance and no position of the data is touched.
N pictures of T tokens cost R ranks at most `report.sample_tokens` + 1 forwards of N * T / R tokens each, in packs of at
most the context; fewer where the model ends all texts before.
Left out on purpose: chance in writing, and samples other than captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np
import torch
import torch.distributed as dist
from msgspec.structs import replace

from train.attention import WHOLE
from train.chat.tokenizer import END, IMAGE
from train.data.corrupt import is_samples_fault
from train.data.records import TokenSample
from train.evaluate import placed, score_pack
from train.feed import make_chat
from train.held_out_captions import Caption, Chosen, choose_captions
from train.job import Job
from train.pack import Padding, build_pack
from train.positions import document_positions
from train.sample_history import Evaluation, Shown, Written, read_history, with_evaluation
from train.sample_page import About, format_page
from train.writing import Writing, write_greedily
from transforms.storage import LocalStorage

PAGE, HISTORY = "samples.html", "samples.json"
Told = TypeVar("Told")


class SamplePage:
    """All ranks call `add` together."""

    def __init__(self, job: Job) -> None:
        self._job, self._chat = job, make_chat(job.cfg, job.tokenizer)
        self._chosen: Chosen | None = None

    def add(self, step: int) -> None:
        """What the model writes after a step, as one more line for each picture. Raises DataError."""
        if self._chosen is None:
            self._chosen = self._choose()
        written = self._write(step, self._chosen.captions)
        every = self._gather(written)
        if self._job.ranks.rank == 0:
            self._publish(step, self._chosen, {n: one for part in every for n, one in part.items()})

    def _choose(self) -> Chosen:
        """By the first rank, whose samples all get, as they lie in their shards."""
        self._job.watch.note("choosing samples")
        chosen: list[Any] = [None]
        if self._job.ranks.rank == 0:
            chosen = [choose_captions(self._job.cfg, self._job.tokenizer)]
            self._job.say(f"samples: {len(chosen[0].captions)} captioned pictures, {self._job.output / PAGE}")
        dist.broadcast_object_list(chosen, src=0)
        return chosen[0]  # type: ignore[no-any-return]

    def _gather(self, own: dict[int, Told]) -> list[dict[int, Told]]:
        """Of all ranks."""
        every: list[dict[int, Told]] = [{} for _ in range(self._job.ranks.world)]
        dist.all_gather_object(every, own)
        return every

    def _write(self, step: int, captions: Sequence[Caption]) -> dict[int, Written]:
        """By the caption's number, of this rank's share; ranks of TP have the same one."""
        tp, most = self._job.ranks.degrees.tp, self._job.cfg.report.sample_tokens
        mine, count = self._job.ranks.rank // tp, self._job.ranks.world // tp
        own = {number: self._tokens(captions[number]) for number in range(mine, len(captions), count)}
        every = self._gather({number: len(one.input_ids) + most if one else 0 for number, one in own.items()})
        groups = [in_groups(one, self._job.cfg.context) for one in shares_of(every, count)]
        written: dict[int, Written] = {}
        for turn in range(max(map(len, groups))):
            self._job.watch.note(f"step {step}: samples, pack {turn + 1}")
            group = groups[mine][turn] if turn < len(groups[mine]) else []
            samples = [one for number in group if (one := own[number]) is not None]
            written |= zip(group, self._write_group(samples), strict=True)
        return written

    def _tokens(self, caption: Caption) -> TokenSample | None:
        """None where a picture that the first rank could read takes too long here: no reason to end a run."""
        try:
            [sample] = self._chat.tokenize(caption.raw)
        except Exception as error:
            if not is_samples_fault(error):
                raise
            self._job.say(f"samples: {caption.raw.key} is left out this time: {type(error).__name__}: {error}")
            return None
        return sample

    def _any(self, own: bool) -> bool:
        """Whether it is so on any rank."""
        found = torch.tensor(int(own), device=self._job.ranks.device)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return bool(found)

    def _write_group(self, samples: Sequence[TokenSample]) -> list[Written]:
        """One for each; without any, as many forwards, for the ranks that have some."""
        job = self._job
        end = job.tokenizer.ids[END]
        prompts = [prompt_of(one) for one in samples] or [_blank(end)]
        losses = self._losses(samples or prompts)
        rules = Writing(
            job.cfg.report.sample_tokens,
            ends=(end,),
            banned=(job.tokenizer.ids[IMAGE], *range(job.tokenizer.vocabulary, job.vocabulary)),
            tp_group=job.ranks.tp_group,
            all_through=lambda through: not self._any(bool(samples) and not through),
        )
        texts = write_greedily(job.model, prompts, rules, partial(placed, job, shard=WHOLE))
        return [self._written(ids, loss) for ids, loss in zip(texts, losses, strict=True)] if samples else []

    def _written(self, ids: list[int], loss: float) -> Written:
        ended = ids[-1] == self._job.tokenizer.ids[END]
        return Written(self._job.tokenizer.decode(ids[:-1] if ended else ids), loss, ended)

    def _losses(self, samples: Sequence[TokenSample]) -> list[float]:
        """Of each, the mean over the tokens that are trained on."""
        named = [replace(one, source=str(number)) for number, one in enumerate(samples)]
        length = sum(len(one.input_ids) for one in named)
        pack = build_pack(named, Padding(length, self._job.tokenizer.ids[END]), document_positions)
        with torch.no_grad():
            scores, targets = score_pack(self._job, pack, {one.source: n for n, one in enumerate(named)}, WHOLE)
        owners, each = targets.sources.cpu().numpy(), scores.each.cpu().numpy()
        counts = np.bincount(owners, minlength=len(named)).clip(1)
        return [float(one) for one in np.bincount(owners, each, len(named)) / counts]

    def _publish(self, step: int, chosen: Chosen, written: dict[int, Written]) -> None:
        """A page that cannot be written costs a line and not the run."""
        output = self._job.output
        shown = [Shown(*map(plain, (one.raw.source, one.raw.key, one.text))) for one in chosen.captions]
        history = with_evaluation(read_history(output / HISTORY, shown, self._job.say), Evaluation(step, written))
        about = About(output.name, self._job.cfg, dict(chosen.skipped))
        page = format_page(about, [one.picture for one in chosen.captions], history)
        try:
            for name, data in ((HISTORY, msgspec.json.encode(history)), (PAGE, page.encode())):
                LocalStorage().write(str(output / name), data)
        except OSError as error:
            self._job.say(f"samples: {output / PAGE} could not be written: {error}; training goes on")


def shares_of(every: Sequence[dict[int, int]], count: int) -> list[dict[int, int]]:
    """Tokens by number for each of `count` shares, dealt in turn, from what all ranks say of theirs; without a number
    for which any rank says 0."""
    lost = {number for part in every for number, length in part.items() if not length}
    lengths = {number: length for part in every for number, length in part.items() if number not in lost}
    return [{number: lengths[number] for number in sorted(lengths) if number % count == one} for one in range(count)]


def in_groups(lengths: dict[int, int], capacity: int) -> list[list[int]]:
    """The keys in their order, as many side by side as fit; one that does not is alone."""
    groups: list[list[int]] = []
    room = 0
    for key, length in lengths.items():
        if length > room or not groups:
            groups.append([])
            room = capacity
        groups[-1].append(key)
        room -= length
    return groups


def prompt_of(sample: TokenSample) -> TokenSample:
    """The beginning of a caption's sample, up to the first token that is trained on: its picture."""
    first = int(np.flatnonzero(sample.weights > 0)[0])
    parts = {name: getattr(sample, name)[:first] for name in ("input_ids", "weights", "kinds")}
    return replace(sample, **parts)


def _blank(token: int) -> TokenSample:
    one = np.array([token], np.int32)
    return TokenSample("", "", one, np.zeros(1, np.float32), np.empty((0, 3), np.int32), (), np.zeros(1, np.int8))


def plain(text: str) -> str:
    """Without the halves of characters that JSON and tar names may hold and no file can."""
    return text.encode("utf-8", "replace").decode("utf-8")
