"""A small pool of web archives with a page for each fate, and a picture for each way to name one."""

import base64
import gzip
import io
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from tests.transforms.archives import PNG, packed, record, redirect

SITE = "http://site.example"
TEXT = """
the harbour was quiet in early morning and boats lay side by along old stone quay nobody had lifted their nets yet
while gulls walked between baskets as if they owned place a woman opened her window looked over water then called
down to men who were still asleep under canvas it would rain before noon she said but no one answered so closed
again later fish market filled with people from villages around bay some came for price others only heard news
that winter ships might return earlier than last year which few believed because ice already covered river mouth
"""
WORDS = TEXT.split()

FEW = ("--set", "output.samples_per_shard=3", "--set", "output.max_failure_rate=0.2")


def web_arguments(inputs: list[str], output: Path | str, *more: str) -> list[str]:
    return ["run", "interleaved_web", "--input", *inputs, "--output", str(output), *more]


def jpeg(seed: int, side: int = 240) -> bytes:
    """Squares of random colours with sharp edges."""
    squares = np.random.default_rng(seed).integers(0, 256, (side // 8, side // 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(squares).resize((side + 20, side), Image.Resampling.NEAREST).save(file, "JPEG", quality=80)
    return file.getvalue()


def page(name: str, *body: str, head: str = "") -> bytes:
    html = f"<!DOCTYPE html><html><head><title>{name}</title>{head}</head><body><main>{''.join(body)}</main></body>"
    return record(f"{SITE}/{name}", html.encode(), media="text/html; charset=utf-8")


def picture(name: str, data: bytes) -> bytes:
    return record(f"{SITE}/{name}", data, media="image/jpeg")


def text(number: int) -> str:
    words = Random(number).sample(WORDS, 80)
    lines = [" ".join(words[start : start + 10]).capitalize() + "." for start in range(0, 80, 10)]
    return f"<p>{' '.join(lines)}</p>"


def write_web_pool(folder: Path) -> list[str]:
    """Three archives: pages, pictures they name, redirects; the last one ends in the middle of a record."""
    folder.mkdir(parents=True, exist_ok=True)
    inline = "data:image/jpeg;base64," + base64.b64encode(jpeg(7)).decode()
    twice = page("good.html", text(1), '<img src="one.jpg" alt="boats">', text(2))
    pages = [
        twice,
        page("moved.html", text(3), '<img src="old.jpg">', text(4)),
        page("based.html", text(5), '<img src="two.jpg">', head='<base href="/deep/">'),
        page("lazy.html", text(6), '<img src="dot.gif" data-src="one.jpg">', text(7)),
        page("inline.html", text(8), f'<img src="{inline}">'),
        page("broken.html", text(9), '<img src="broken.jpg"><img src="one.jpg">'),
        page("circle.html", text(10), '<img src="round.jpg">'),
        page("absent.html", text(11), '<img src="absent.jpg">'),
        page("small.html", text(12), '<img src="small.jpg">'),
        page("short.html", '<p>Too short.</p><img src="one.jpg">'),
        page("advert.html", text(14), '<a href="http://ad.doubleclick.net/x"><img class="ad" src="deep/two.jpg"></a>'),
        page("again.html", text(15), '<img src="one.jpg"><img src="one.jpg">'),
        page("icons.html", text(16), '<img src="one.jpg" width="16" height="16"><img src="deep/two.jpg">'),
        twice,
        page("bomb.html", text(17), '<img src="bomb.png">'),
    ]
    held = [picture("one.jpg", jpeg(1)), picture("deep/two.jpg", jpeg(2)), picture("new.jpg", jpeg(3))]
    held += [picture("small.jpg", jpeg(4, 80)), picture("broken.jpg", jpeg(5)[:300])]
    bomb = PNG.replace(b"IHDR" + (1).to_bytes(4, "big") * 2, b"IHDR" + (60_000).to_bytes(4, "big") * 2)
    held += [record(f"{SITE}/bomb.png", bomb, media="image/png")]
    leads = [redirect(f"{SITE}/old.jpg", "/older.jpg"), redirect(f"{SITE}/older.jpg", f"{SITE}/new.jpg")]
    leads += [redirect(f"{SITE}/round.jpg", "/about.jpg"), redirect(f"{SITE}/about.jpg", "/round.jpg")]
    cut = gzip.compress(page("cut.html", text(13)), mtime=0)[:-40]
    contents = {"a.warc.gz": packed(*pages), "b.warc.gz": packed(*held), "c.warc.gz": packed(*leads) + cut}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in contents]
