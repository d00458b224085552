"""A small pool of web archives with a page for each fate, and a picture for each way to name one."""

import base64
import gzip
from pathlib import Path

from tests.pipelines.small_run import jpeg
from tests.transforms.archives import packed, record, redirect

SITE = "http://site.example"
PROSE = (
    "The harbour was quiet in the early morning, and the boats lay side by side along the old stone quay. "
    "Nobody had lifted the nets yet, and the gulls walked between the baskets as if they owned the place."
)


def page(name: str, *body: str, head: str = "") -> bytes:
    html = f"<!DOCTYPE html><html><head><title>{name}</title>{head}</head><body><main>{''.join(body)}</main></body>"
    return record(f"{SITE}/{name}", html.encode(), media="text/html; charset=utf-8")


def picture(name: str, data: bytes) -> bytes:
    return record(f"{SITE}/{name}", data, media="image/jpeg")


def text(number: int) -> str:
    return f"<p>Paragraph {number}. {PROSE}</p>"


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
        twice,
    ]
    held = [picture("one.jpg", jpeg(1)), picture("deep/two.jpg", jpeg(2)), picture("new.jpg", jpeg(3))]
    held += [picture("small.jpg", jpeg(4, 80)), picture("broken.jpg", jpeg(5)[:300])]
    leads = [redirect(f"{SITE}/old.jpg", "/older.jpg"), redirect(f"{SITE}/older.jpg", f"{SITE}/new.jpg")]
    leads += [redirect(f"{SITE}/round.jpg", "/about.jpg"), redirect(f"{SITE}/about.jpg", "/round.jpg")]
    cut = gzip.compress(page("cut.html", text(13)), mtime=0)[:-40]
    contents = {"a.warc.gz": packed(*pages), "b.warc.gz": packed(*held), "c.warc.gz": packed(*leads) + cut}
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    return [str(folder / name) for name in contents]
