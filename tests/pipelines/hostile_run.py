"""A pool that tries to run script wherever a finished run shows text of it, and a run of that pool."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

from tests.pipelines.small_run import jpeg, small_config

MARK = "document.title='owned';document.documentElement.dataset.owned=1"


def payloads(url: str) -> list[str]:
    """Texts that would mark the page or ask `url` for something, each by a way of its own."""
    return [
        f"<script>{MARK};fetch('{url}/fetch')</script>",
        f"<script src={url}/script></script>",
        f'"><img src=x onerror="{MARK}">',
        f"'\"--></style></title></bdi></script><script src='{url}/closed'></script>",
        f'<img src="{url}/picture"><link rel=stylesheet href="{url}/style"><iframe src="{url}/frame"></iframe>',
        f"<svg/onload={MARK}><animate onbegin={MARK} attributeName=x dur=1s>",
        f'<style>*{{background:url("{url}/css")}} @import "{url}/import";</style>',
        f'" style="background:url({url}/attribute)" x="',
        f'" onmouseover="{MARK}" autofocus onfocus="{MARK}',
        f'<a href="javascript:{MARK}">click</a> [click](javascript:{MARK}) ![picture]({url}/markdown)',
        f"<object data='data:text/html,<script>{MARK}</script>'></object>",
        f'<meta http-equiv="refresh" content="0;url={url}/refresh"><base href="{url}/base/">',
        f"＜script＞{MARK}＜/script＞ \u003cscript\u003e{MARK}\u003c/script\u003e",
        f"&lt;script&gt;{MARK}&lt;/script&gt; &#x3c;script&#x3e;{MARK}&#x3c;/script&#x3e;",
        f"\u202e<script>\u2066{MARK}</script> in reverse \u200e\u00ad words",
        f"${{{MARK}}} {{{{{MARK}}}}} `{MARK}` <%= {MARK} %> ]]> <![CDATA[<script>{MARK}</script>]]>",
        f"\x1b]0;owned\x07\x1b[2J<scr\x00ipt>{MARK}</script>",
        f'<noscript><p title="</noscript><img src=x onerror={MARK}>">',
        f"+ADw-script+AD4-{MARK}+ADw-/script+AD4- <math><mtext></mtext><mglyph><svg><mtext><style><img src=x>",
    ]


def make_hostile_run(folder: Path, url: str) -> Path:
    """The output of a run over the payloads as captions, keys, member names, file names, JSON fields and pictures."""
    from pipelines.run import Request, run

    pool = folder / "pool"
    pool.mkdir()
    evil = payloads(url)
    _write_tar(pool / "<script>document.title='owned'<.tar", evil)
    _write_index(pool / '" onload="x.jsonl', evil)
    cfg = small_config()
    read = cfg.read.model_copy(update={"caption_columns": ("caption", *evil[:2])})
    boilerplate = cfg.boilerplate.model_copy(update={"max_pictures": 1})
    output = cfg.output.model_copy(update={"max_failure_rate": 1.0})
    cfg = cfg.model_copy(update={"read": read, "boilerplate": boilerplate, "output": output})
    out = folder / "out <img src=x onerror=alert(1)>"
    run(Request(cfg, [str(pool) + "/*.tar", str(pool) + "/*.jsonl"], str(out)), lambda line: None)
    return out


def _write_tar(path: Path, evil: list[str]) -> None:
    """Three samples a payload: a good pair, a copy of its picture, and a file that is no picture."""
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" onload="{MARK}"><script>{MARK}</script></svg>'.encode()
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for number, text in enumerate(evil):
            key = text.replace(".", "_").replace("\0", "")
            meta = json.dumps({"url": text, text: text}).encode()
            _add(tar, f"{number}/{key}.jpg", jpeg(number))
            _add(tar, f"{number}/{key}.txt", text.encode())
            _add(tar, f"{number}/{key}.json", meta)
            _add(tar, f"copy{number}/{key}.jpg", jpeg(number))
            _add(tar, f"copy{number}/{key}.txt", f"{text} {text}".encode())
            _add(tar, f"broken{number}/{key}.png", svg)


def _write_index(path: Path, evil: list[str]) -> None:
    (path.parent / "a.jpg").write_bytes(jpeg(99))
    lines = [{"image": "a.jpg" if n % 2 else text, "caption": text, "key": text} for n, text in enumerate(evil)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))
