"""Ten billion pairs: ARCHITECTURE.md's table of what each stage costs there, computed by the plan's own formulas.

`python -m tests.pipelines.ten_billion` prints it. The constants are measured, each with its source; what is assumed of
the pool stands beside them. Left out on purpose: an accelerator's speed, which nobody has measured here.
"""

from __future__ import annotations

from configs.schema.caption import CaptionConfig
from pipelines.plan_checks import hours_text, size_text
from pipelines.plan_costs import StageCost, Workload, memory_parts, stage_costs
from pipelines.plan_stages import Cost, Line, Packing
from pipelines.plan_trial import Stages, Trial
from transforms.records import Drop, Picture, Sample, Span, Text

ROWS, UNITS, KEPT = 10**10, 10**7, 8 * 10**9
"""Assumed: 1,000 pairs a tar; four fifths reach the model and are kept."""
PICTURE_BYTES, PAIR_BYTES = 60_355, 61_900
"""Mean JPEG of 512 x 384 at quality 90, and what a pair takes of its tar."""
# `beamsift plan`, median of four over four tars of 1,000 such pairs; 2 cores of an AMD EPYC, 21 November 2026.
STAGES = Stages(
    scan=Line(1.11e-3, 12.5e-3),
    scan_bytes=Line(551, 947),
    match=Line(26e-6),
    packing=Packing(153, 14.7, 4, 133, 0.005),
    settle=Line(26e-6, 4.3e-3),
    settle_bytes=Line(813, 19_329),
    write=Cost(600, 73.2e-3, 73.2e-3, 38_215_680),
    # RESULTS.md: ViT-B-32 in bf16 on one core, 30 pictures a second; its sidecar holds some 40 bytes a row.
    model=Cost(24, 0.8, 0.8, 24 * 40),
)
PEAK = 332 << 20
"""What the trial's process held (`beamsift plan`, without a model)."""
REQUESTS = {"scan": 3, "match": 6, "clip": 10, "settle": 6, "write": 80}
"""A task's requests, counted in the code: looks for the old file, sidecars read and written, pictures in merged reads
of 16 MB at most (transforms/ranges.py), 13 units to a shard."""


def trial() -> Trial:
    measures = {"bytes": PICTURE_BYTES, "short_side": 384, "aspect_ratio": 1.3333, "pixel_count": 196_608, "frames": 1}
    source = Span("s3://bucket/pool/000000000.tar", 0, PICTURE_BYTES, "tar", "000000000.jpg")
    picture = Picture(source, "jpeg", 512, 384, bytes(32), bytes(16), {**measures, "grey_std": 54.1, "entropy": 7.12})
    caption = Text("w " * 30, measures={"characters": 60, "words": 10, "clip_score": 0.31})
    kept = Sample("000000000", source.uri, 0, 0, (picture, caption))
    gone = Sample("000000001", source.uri, 0, 1, (picture,), drop=Drop("caption_missing", 0, 1))
    return Trial([*[kept] * 24, *[gone] * 6], 1.0, STAGES, [])


def costs() -> list[StageCost]:
    return stage_costs(trial(), workload())


def workload() -> Workload:
    return Workload(ROWS, UNITS, ROWS * PAIR_BYTES, KEPT, KEPT // CaptionConfig().output.samples_per_shard)


def memory() -> int:
    return sum(memory_parts(trial(), workload(), CaptionConfig(), PEAK).values())


def table() -> str:
    lines = ["| stage | tasks | CPU hours | read | written | shuffled | requests |", "|---|---|---|---|---|---|---|"]
    for cost in costs():
        amounts = [size_text(size) if size else "" for size in (cost.read, cost.written, cost.shuffled)]
        requests = f"{cost.tasks * REQUESTS[cost.name] / 1e6:,.0f} million"
        lines.append(f"| {' | '.join([cost.name, f'{cost.tasks:,}', hours_text(cost.cpu), *amounts, requests])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
    print(size_text(memory()), "a worker")
