"""Noise: what stands in a web caption and is no fact of the picture, so nobody has to keep it.

File names, camera codes, addresses, hashtags, prices and shop talk, credits, camera settings, picture sizes. A price or
an address that is written in the picture is not lost by this: a refined text may have it where OCR read it.
Left out on purpose: whether a caption is nothing but noise (transforms/file_names.py, which drops it).
"""

from __future__ import annotations

import re

_EXTENSION = r"\.(?:jpe?g|png|gif|webp|bmp|tiff?|svg|avif|hei[cf]|psd|pdf|mp4|mov)"
_MONEY = r"(?:US|HK|C|A|NT|R)?[$€£¥￥₹]|USD|EUR|GBP|RMB|CNY"
# Each starts at the edge of a token and is bounded, so that a long token is not walked from each of its characters.
_PATTERNS = (
    r"(?i:https?://|www\.)[!-~]+",
    r"(?i)(?<![\w-])[a-z0-9][a-z0-9-]{0,62}\.(?:com|org|net|co\.uk|cn|de|io|shop|info)(?:/[!-~]*)?\b",
    r"(?i)(?<![a-z0-9._%+-])[a-z0-9._%+-]{1,64}@[a-z0-9-]{1,63}\.[a-z0-9.-]{1,63}",
    rf"(?i)(?<![^\s,;()])[^\s,;()]{{1,200}}{_EXTENSION}\b",
    r"(?i)\b(?:img|dsc[nf]?|photo|pict?|screenshot|mvi|pxl|gopr|cimg|hpim|dji)[-_ ]?\d{2,}(?:[-_]\w+)*\b",
    r"\b(?=\w*\d)(?=\w*[A-Za-z])\w+_\w+\b",
    r"[#＃][^\s#＃,.，。!！]+#?",
    r"(?<![\w.])@[A-Za-z0-9_.]+",
    rf"(?i)(?:{_MONEY})\s?\d[\d,.]*(?:\s?[kKmM]\b)?"
    rf"|(?<![\d,.])\d[\d,.]{{0,15}}\s?(?i:{_MONEY}|dollars?|euros?|元|块钱|円)",
    r"(?i)\b\d{1,2}\s?%\s?off\b|\bfree shipping\b|\bon sale\b|\bbuy (?:now|online)\b|\bbest price\b|\bin stock\b",
    r"包邮|促销|特价|现货|批发|厂家直销|\d(?:\.\d)?折|免费下载|高清大图|高清壁纸|点击查看",
    r"(?i)\b(?:sku|item|model|art|product|isbn|ref)\.?\s?(?:no\.?|number|code|#|:)\s?:?\s?[\w-]*\d[\w-]*",
    r"(?i)\b(?:royalty[- ]free|stock (?:photos?|images?|photography|illustrations?|vectors?))\b",
    r"(?i)\b(?:hd|4k|desktop|phone|free) wallpapers?\b",
    r"(?i)\b(?:getty ?images|shutterstock|alamy|istock(?:photo)?|dreamstime|depositphotos|pinterest|flickr)\b",
    r"视觉中国|千图网|昵图网|百度百科|图虫",
    r"(?:©|\([cC]\)\s?(?=\d)|(?i:copyright)\s(?=\d|by|[A-Z]))\s?(?:\d{4}\s?)?(?:by\s)?"
    r"(?:[A-Z][\w.'’-]*\s?){0,4}",
    r"\b(?i:photo(?:graph)?(?:ed)?|image|picture|credit)s?(?i:\s+by|\s+credits?:?|\s+courtesy of|:)\s+"
    r"(?:[A-Z][\w.'’-]*[ /]?){1,4}",
    r"(?:摄影|摄|图片来源|来源|图源)[:：]\s?\S+",
    r"(?i)\bf/\d+(?:\.\d+)?|\b1/\d{2,4}\s?s(?:ec)?\b|\biso\s?\d{2,5}\b",
    r"(?i)\b\d{3,5}\s?[x×*]\s?\d{3,5}(?:\s?(?:px|pixels))?\b|\b\d{3,5}\s?px\b|\b[48]k uhd\b",
    r"(?i)\b[0-9a-f]{16,}\b|\b\d{9,}\b",
)
_NOISE = re.compile(
    "|".join(f"(?:{_scoped})" for _scoped in (re.sub(r"^\(\?i\)(.*)$", r"(?i:\1)", p) for p in _PATTERNS))
)


def strip_noise(text: str) -> str:
    """The text with a space where noise stood."""
    return _NOISE.sub(" ", text)


def find_noise(text: str) -> list[str]:
    """The noisy pieces of a text, in order."""
    return [found.strip() for found in _NOISE.findall(text) if found.strip()]
