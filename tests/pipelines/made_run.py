"""A finished run made by hand: a tar of drawn pictures, a ledger over it, a manifest that adds up, a caption-like spec.

No pipeline runs here, so that a fault of the report shows as one of the report.
"""

from __future__ import annotations

import io
import random
import tarfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from PIL import Image, ImageDraw

from configs.schema.caption import CaptionConfig
from pipelines.report_spec import ReportSpec, RuleSpec
from transforms.ledger import Measure, ledger_table
from transforms.records import Drop, Failure, Measures, Picture, Sample, Span, Text
from transforms.shards import Manifest, ShardInfo

HOSTILE = [
    "<script>alert('owned')</script>",
    '"><img src=x onerror=alert(1)>',
    "'--></style></bdi></script><svg onload=alert(2)>",
    "invoice \u202egpj.exe\u2066 stays on its line",
    "a NUL \x00, a bell \x07 and a C1 \x9b",
    "كلب صغير يركض في الحديقة قرب النهر",
    "一只黑色的狗在草地上奔跑，远处有一座红色的房子",
    "long " * 12_000,
]
NOUNS = ["dog", "bicycle", "lighthouse", "market stall", "teapot", "street sign", "sailing boat", "apple tree"]
PLACES = ["in the morning light", "beside a red door", "on a wooden table", "under a clear sky", "at the harbour"]

MEASURES = {
    "short_side": Measure("int64", "pixels", "Shorter side of the picture"),
    "aspect_ratio": Measure("double", "ratio", "Longer side over shorter side"),
    "frames": Measure("int64", "frames", "Frames of the file"),
    "characters": Measure("int64", "characters", "Length of the caption without surrounding space"),
    "words": Measure("int64", "words", "Words of the caption"),
    "url_share": Measure("double", "share", "Share of the caption inside URLs"),
    "language": Measure("string", "ISO 639-1", "Most probable language of the caption"),
    "language_confidence": Measure("double", "probability", "Probability of that language"),
    "caption_pictures": Measure("int64", "pictures", "Different pictures under this caption"),
    "copies": Measure("int64", "copies", "Copies of the picture"),
    "duplicate_of": Measure("string", "key", "Key of the copy that was kept"),
    "clip_score": Measure("double", "cosine", "Cosine of picture and caption"),
    "never_measured": Measure("double", "", "A measure no row has"),
}
RULES = [
    RuleSpec("image_too_small", "short_side", "Picture", "image.min_short_side", "min", "Too few pixels to learn from"),
    RuleSpec("image_aspect_ratio", "aspect_ratio", "Picture", "image.max_aspect_ratio", "max", "Banner or strip"),
    RuleSpec("image_animated", "frames", "Picture", "image.allow_animated", "max", "Not one picture", 1),
    RuleSpec("caption_too_short", "characters", "Caption", "caption.min_characters", "min", "Says nothing"),
    RuleSpec("caption_too_long", "characters", "Caption", "caption.max_characters", "max", "A page, not a caption"),
    RuleSpec("caption_language", "language_confidence", "Caption", "", "min", "Not one of the allowed languages"),
    RuleSpec("caption_boilerplate", "caption_pictures", "Caption", "boilerplate.max_pictures", "max", "Shared by many"),
    RuleSpec("image_duplicate", "copies", "Sample", "", "max", "A better copy is kept", 1),
    RuleSpec("clip_score_low", "clip_score", "Sample", "relevance.min_score", "min", "Picture and caption disagree"),
]
SPEC = ReportSpec("Image–caption pairs", RULES, MEASURES, clusters="duplicate_of", shared_text="caption_pictures")


def make_run(out: Path, rows: int = 300) -> Manifest:
    """Writes OUT/pool.tar and OUT/ledger, and gives the manifest (not written)."""
    spans = _draw_pool(out, min(rows, 120))
    chance = random.Random(7)
    samples = [_sample(i, spans, chance) for i in range(rows)]
    (out / "ledger").mkdir(parents=True)
    half = rows // 2
    for unit, part in enumerate((samples[:half], samples[half:])):
        pq.write_table(ledger_table(part, MEASURES), out / "ledger" / f"{unit:06d}.parquet")
    return _manifest(samples, half)


def fetch_span(uri: str, container: str, start: int, end: int, member: str) -> bytes:
    with open(uri, "rb") as file:
        file.seek(start)
        return file.read(end - start)


def _draw_pool(out: Path, count: int) -> list[Span]:
    out.mkdir(parents=True, exist_ok=True)
    path = out / "pool.tar"
    with tarfile.open(path, "w") as tar:
        for i in range(count):
            data = b"not a picture" if i == 5 else draw(i)
            info = tarfile.TarInfo(f"{i:04d}.jpg")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    with tarfile.open(path) as tar:
        return [Span(str(path), m.offset_data, m.offset_data + m.size, "tar", m.name) for m in tar.getmembers()]


def draw(seed: int) -> bytes:
    """A JPEG of a few shapes over a gradient, 240 to 520 pixels wide."""
    chance = random.Random(seed)
    width, height = chance.randrange(240, 520), chance.randrange(200, 400)
    picture = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    pen = ImageDraw.Draw(picture)
    for _ in range(6):
        x, y, size = chance.randrange(width), chance.randrange(height), chance.randrange(30, 140)
        colour = tuple(chance.randrange(30, 240) for _ in range(3))
        shape = chance.choice([pen.ellipse, pen.rectangle])
        shape((x - size, y - size // 2, x + size, y + size // 2), fill=colour)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=80)
    return out.getvalue()


def _sample(i: int, spans: list[Span], chance: random.Random) -> Sample:
    key = f"{i:06d}"
    if i % 40 == 13:
        error = chance.choice(["PictureUndecodable", "CaptionNotUtf8"])
        failure = Failure(error, "expected a picture, found <b>HTML</b>", f"pool/00.tar#{key}<i>.jpg")
        return Sample(key, "pool/00.tar", 0, i, failure=failure)
    caption = HOSTILE[i] if i < len(HOSTILE) else f"A {chance.choice(NOUNS)} {chance.choice(PLACES)}, no. {i}"
    shared = i % 23 == 4 and i >= len(HOSTILE)
    caption = "Photo for sale, click to enlarge" if shared else caption if i % 19 != 11 else "dog"
    picture: Measures = {
        "short_side": int(chance.lognormvariate(6.2, 0.5)),
        "aspect_ratio": round(1 + chance.expovariate(1.6), 4),
        "frames": 12 if i % 97 == 50 else 1,
    }
    text: Measures = {
        "characters": len(caption.strip()),
        "words": len(caption.split()),
        "url_share": 0.0,
        "language": "zh"
        if "的" in caption
        else "ar"
        if "كلب" in caption
        else chance.choice(["en", "en", "en", "de", "fr"]),
        "language_confidence": round(1 - chance.random() ** 3 * 0.6, 4),
        "caption_pictures": 14 if shared else 1,
        "clip_score": round(chance.gauss(0.34, 0.05), 4),
    }
    copy = i % 62 in range(1, 8)  # Rows 0 to 7, the hostile ones, are the first cluster: all of it is shown.
    whole: dict[str, Any] = {"copies": 8 if i % 62 < 8 else 1}
    whole |= {"duplicate_of": f"{i - i % 62:06d}"} if copy else {}
    drop = _drop({**picture, **text, **whole}, copy)
    source = spans[i % len(spans)] if i != 3 else Span("gone.tar", 0, 10, "tar", "3.jpg")
    pieces = (Picture(source, "jpeg", 320, 240, bytes(32), bytes(16), picture), Text(caption, measures=text))
    return Sample(key, "pool/00.tar", 0, i, pieces, key, measures=whole, drop=drop)


def _drop(found: dict[str, Any], copy: bool) -> Drop | None:
    checks: list[tuple[str, Any, float, Callable[[Any, float], bool]]] = [
        ("image_too_small", found["short_side"], 200, lambda v, limit: v < limit),
        ("image_aspect_ratio", found["aspect_ratio"], 3.0, lambda v, limit: v > limit),
        ("image_animated", found["frames"], 1, lambda v, limit: v > limit),
        ("caption_too_short", found["characters"], 6, lambda v, limit: v < limit),
        ("caption_too_long", found["characters"], 4000, lambda v, limit: v > limit),
        ("caption_boilerplate", found["caption_pictures"], 10, lambda v, limit: v > limit),
        ("image_duplicate", found["copies"], 1, lambda v, limit: copy),
        ("clip_score_low", found["clip_score"], 0.3, lambda v, limit: v < limit),
    ]
    for rule, value, limit, fires in checks:
        if fires(value, limit):
            detail = found["duplicate_of"] if rule == "image_duplicate" else ""
            return Drop(rule, value, limit, detail)
    return None


def _manifest(samples: list[Sample], half: int) -> Manifest:
    kept = sum(s.fate == "kept" for s in samples)
    dropped = Counter(s.drop.rule for s in samples if s.drop)
    failed = Counter(s.failure.error for s in samples if s.failure)
    counts = {"read": len(samples), "kept": kept, "dropped": dict(dropped), "failed": dict(failed)}
    first = sum(s.fate == "kept" for s in samples[:half])
    return Manifest(
        "beamsift-1",
        "caption",
        [ShardInfo("shards/000000.tar", kept, 123_456_789, "ab" * 32)],
        counts,
        "c0ffee" * 8,
        CaptionConfig().model_dump(mode="json"),
        [
            {"uri": "pool/00.tar", "part": 0, "rows": half, "kept": first},
            {"uri": "pool/<b>01</b>.tar", "part": 0, "rows": len(samples) - half, "kept": kept - first},
        ],
        {"beamsift": "0.1.0", "python": "3.11.2", "apache-beam": "2.77.0", "pyarrow": "25.0.1"},
        {
            "scan": {"wall_seconds": 12.4, "cpu_seconds": 21.9},
            "relevance": {"wall_seconds": 61.2, "cpu_seconds": 118.0},
            "settle": {"wall_seconds": 0.42, "cpu_seconds": 0.4},
            "write": {"wall_seconds": 3.1, "cpu_seconds": 2.8},
        },
        {name: {"kind": m.kind, "unit": m.unit, "meaning": m.meaning} for name, m in MEASURES.items()},
    )
