"""The scan of web archives against trafilatura alone on the same pages, and the memory of whole runs as pages grow.

The first goal of the pipeline's issue: all that is done to a page without a model is not slower than the extraction of
its text by trafilatura. CPU seconds, best of several rounds that alternate between the sides in one process. Theirs is
handed the page as text; ours begins with the archive's bytes, finds records, character sets, content, language and
repetition, indexes pictures, and in the second figure opens and measures each of them.
Memory: whole runs of made pages, archives of equal size, so that twice the pages are twice the archives.
"""

from __future__ import annotations

import gzip
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

from PIL import Image

from configs.schema.web import WebConfig
from tests.benchmarks.measured import Measured, measure_command
from tests.benchmarks.web_scan import count_found, look_at_pictures, resolve_pictures, scan_pages
from tests.transforms.archives import record
from tests.transforms.real_pages import DATA, real_pages
from tests.world.files import as_jpeg
from tests.world.web_prose import make_paragraph
from transforms.records import Sample

ROUNDS = 3
CFG = WebConfig()
ARCHIVES, PAGES, PICTURES = 10, 100, 50
"""Of one archive: a picture stands on six of its pages, fewer than may share one."""
RUN = ("-m", "pipelines.cli", "run", "interleaved_web")


def bench(folder: Path) -> list[tuple[str, str]]:
    speeds = _speeds() if DATA.is_dir() else [("web scan", "skipped: ../shared/data/web is absent")]
    return [*speeds, *_memory(folder)]


def _speeds() -> list[tuple[str, str]]:
    import trafilatura

    archive, pages = str(DATA / "pages.warc.gz"), list(real_pages().values())
    rows: list[Sample] = []

    def scan() -> None:
        rows[:] = resolve_pictures(*scan_pages(archive, CFG), CFG)

    def scan_and_look() -> None:
        scan()
        with tempfile.TemporaryDirectory() as staging:
            rows[:] = look_at_pictures(rows, CFG, staging)

    best = _best(
        {
            "scan": scan,
            "scan and pictures": scan_and_look,
            "trafilatura": lambda: [trafilatura.extract(html) for html in pages],
        }
    )
    rates = {name: len(pages) / seconds for name, seconds in best.items()}
    opened = f"{count_found(rows)} pictures of the content opened"
    return [
        (
            f"pages/s and core, {name} / trafilatura",
            f"{rates[name]:.0f} / {rates['trafilatura']:.0f} = {ratio:.2f}{more}",
        )
        for name, more in (("scan", ""), ("scan and pictures", f"; {opened}"))
        for ratio in [rates[name] / rates["trafilatura"]]
    ]


def _best(sides: dict[str, Callable[[], object]]) -> dict[str, float]:
    """CPU seconds of the quickest round; the first, which warms caches and loads models, does not count."""
    best = dict.fromkeys(sides, float("inf"))
    for number in range(ROUNDS + 1):
        for name, side in sides.items():
            started = time.process_time()
            side()
            if number:
                best[name] = min(best[name], time.process_time() - started)
    return best


def _memory(folder: Path) -> list[tuple[str, str]]:
    archives = [write_archive(folder, number) for number in range(2 * ARCHIVES)]
    half, whole = run(folder, archives[:ARCHIVES]), run(folder, archives)
    count = ARCHIVES * PAGES
    peaks = f"{whole.peak / 1e6:.0f} MB / {half.peak / 1e6:.0f} MB = {whole.peak / half.peak:.3f}"
    cost = (whole.cpu - half.cpu) / count
    return [
        (f"peak memory of a run, {2 * count:,} / {count:,} made pages", peaks),
        ("CPU of a whole run for each further page", f"{1e3 * cost:.1f} ms, {1 / cost:.0f} pages/s and core"),
    ]


def run(folder: Path, archives: list[str]) -> Measured:
    out = folder / "web_run"
    shutil.rmtree(out, ignore_errors=True)
    return measure_command([*RUN, "--input", *archives, "--output", str(out), "--direct_num_workers=1"])


def write_archive(folder: Path, number: int) -> str:
    """PAGES pages of some 500 words, each with three of the archive's pictures; kept between calls."""
    path = folder / f"made-pages-{number:03d}.warc.gz"
    if not path.exists():
        random = Random(number)
        host = f"site{number}.example"
        urls = [f"https://{host}/{one}.jpg" for one in range(PICTURES)]
        records = [record(url, _picture(random), media="image/jpeg") for url in urls]
        for page in range(PAGES):
            texts = [f"<p>{make_paragraph(random, 5)}</p>" for _ in range(6)]
            shown = [f'<img src="{urls[(page * 3 + place) % PICTURES]}" alt="{page}">' for place in range(3)]
            body = "".join(part for pair in zip(texts, [*shown, "", "", ""], strict=True) for part in pair)
            html = f"<!doctype html><title>{page}</title><nav><a href=/>Home</a></nav><main>{body}</main>"
            records.append(record(f"https://{host}/{page}.html", html.encode(), media="text/html; charset=UTF-8"))
        path.write_bytes(b"".join(gzip.compress(one, 6, mtime=0) for one in records))
    return str(path)


def _picture(random: Random) -> bytes:
    """Coloured tiles, drawn in no time; sharp, and unlike any other."""
    tiles = Image.frombytes("RGB", (16, 12), random.randbytes(16 * 12 * 3))
    return as_jpeg(tiles.resize((480, 360), Image.Resampling.NEAREST), 85)
