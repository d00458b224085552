"""The caption pipeline's job graph as a runner sees it, and what its stages hand to each other.

A border is where rows leave the process that made them: a shuffle, a side input, a change of environment. Read from
Beam's portable proto and from the in-process runner's buffers; how another runner packs the same elements differs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.coders.coder_impl import create_InputStream
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import execution, translations

from configs.schema.caption import CaptionConfig
from pipelines.run import build_run
from transforms.beam.verbs import Site

ACCELERATOR = "beam:resources:accelerator:v1"
SHUFFLE = common_urns.primitives.GROUP_BY_KEY.urn
SOURCE = common_urns.primitives.IMPULSE.urn
VERBS = ("Units", "Scan", "UniqueKeys", "SharedCaptions", "Duplicates", "Relevance", "ConceptsMatch", "ConceptsJudge")
VERBS += ("WriteLedger", "WriteShards")


def build_pipeline(cfg: CaptionConfig, *options: str) -> beam.Pipeline:
    pipeline = beam.Pipeline(options=PipelineOptions(list(options)))
    build_run(pipeline, [], cfg, Site("gs://a-bucket/set", "code", "recipe"))
    return pipeline


def leaves(proto: Any) -> dict[str, Any]:
    """The transforms that do something, by unique name."""
    return {t.unique_name: t for t in proto.components.transforms.values() if t.spec.urn and not t.subtransforms}


def accelerated(proto: Any) -> dict[str, str]:
    """The accelerator each transform asks for, by unique name; without those that ask for none."""
    environments = proto.components.environments
    hints = {
        name: environments[t.environment_id].resource_hints.get(ACCELERATOR, b"").decode()
        for name, t in leaves(proto).items()
        if t.environment_id
    }
    return {name: hint for name, hint in hints.items() if hint}


def verbs_in_order(proto: Any) -> list[str]:
    """The verbs as the job runs them, from its fused stages; impulses may come at any time."""
    names = [t.unique_name for stage in fuse(proto) for t in stage.transforms if t.spec.urn != SOURCE]
    verbs = [verb for name in names for verb in VERBS if name.startswith(verb)]
    return list(dict.fromkeys(verbs))


def fuse(proto: Any) -> list[translations.Stage]:
    """The stages of Beam's own optimizer, which never fuses two environments."""
    known = frozenset([SHUFFLE, SOURCE, common_urns.primitives.FLATTEN.urn])
    return translations.create_and_optimize_stages(proto, translations.standard_optimize_phases(), known)[1]


def between_shuffles(proto: Any, name: str) -> set[str]:
    """All that a runner may fuse with a transform if it takes no notice of environments, as Dataflow may."""
    found = leaves(proto)
    reached, waiting = {name}, [name]
    while waiting:
        here = found[waiting.pop()]
        touching = {*_main_inputs(here), *here.outputs.values()}
        for other, transform in found.items():
            meets = touching & {*_main_inputs(transform), *transform.outputs.values()}
            if meets and other not in reached and transform.spec.urn not in (SHUFFLE, SOURCE):
                reached.add(other)
                waiting.append(other)
    return reached


def _main_inputs(transform: Any) -> list[str]:
    if transform.spec.urn != common_urns.primitives.PAR_DO.urn:
        return list(transform.inputs.values())
    payload = beam_runner_api_pb2.ParDoPayload.FromString(transform.spec.payload)
    return [pcollection for tag, pcollection in transform.inputs.items() if tag not in payload.side_inputs]


@dataclass
class Border:
    """What crossed in elements and encoded bytes, windowing included."""

    elements: int = 0
    bytes: int = 0
    largest: int = 0


@contextmanager
def measured_borders() -> Iterator[dict[str, Border]]:
    """Borders of every run of Beam's in-process runner inside the block, by what writes to them."""
    borders: dict[str, Border] = {}
    plain = execution.BundleContextManager.get_buffer
    appends = {kind: kind.append for kind in (execution.ListBuffer, execution.GroupingBuffer)}

    def get_buffer(self: Any, buffer_id: bytes, transform_id: str) -> Any:
        buffer = plain(self, buffer_id, transform_id)
        buffer.border = borders.setdefault(_border_name(self.execution_context, buffer_id), Border())
        return buffer

    def append(self: Any, data: bytes) -> None:
        if border := getattr(self, "border", None):
            _count(border, data, self)
        appends[type(self)](self, data)

    execution.BundleContextManager.get_buffer = get_buffer
    for kind in appends:
        kind.append = append
    try:
        yield borders
    finally:
        execution.BundleContextManager.get_buffer = plain
        for kind, original in appends.items():
            kind.append = original


def _border_name(context: Any, buffer_id: bytes) -> str:
    kind, name = translations.split_buffer_id(buffer_id)
    transforms = context.pipeline_components.transforms
    if kind == "group":
        return str(transforms[name].unique_name)
    writers = [t.unique_name for t in transforms.values() if name in t.outputs.values() and not t.subtransforms]
    return f"{writers[0] if writers else name} (as it is)"


def _count(border: Border, data: bytes, buffer: Any) -> None:
    coder = getattr(buffer, "_coder_impl", None) or buffer._pre_grouped_coder.get_impl()
    stream = create_InputStream(data)
    while left := stream.size():
        coder.decode_from_stream(stream, True)
        border.elements += 1
        border.largest = max(border.largest, left - stream.size())
    border.bytes += len(data)
