"""How much of a caption is a file name or an address: what page builders leave where a caption should stand.

Every pattern is anchored to one token between spaces or to the whole caption, and no two neighbouring repeats can match
the same character: time is linear in the caption.
Left out on purpose: asking whether a slug means something ("kafka-before"); nobody wrote it for a reader.
"""

from __future__ import annotations

import re

_EXTENSION = r"\.(?:jpe?g|jfif|png|gif|webp|bmp|tiff?|svg|avif|hei[cf]|ico|psd|raw|cr2|nef|dng|pdf|mp4|mov|avi)"

# Anywhere in a caption: shapes that no prose contains.
_TOKEN = re.compile(
    rf"""(?xi)
    [^.]*(?:\.[^.]+)*?{_EXTENSION}                                        # eureka-server-homepage.png
  | [^\W_]+(?:[-.]?_+[^\W_]+)+                                           # screenshot_2020, Internet_dog
  | (?:img|image|dsc[nf]?|photo|pict?|picture|screenshot|scan|untitled|unnamed|mvi|pxl|vid|gopr|cimg|hpim|dji)
    [-_(]*\d+\)?(?:[-_][^\W_]+)*                                         # DSC00012, photo1, IMG-20180503-WA0012
  | p\d{{7}}                                                               # P1010023
  | [0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}                        # UUID
  | (?=[^\d]*\d)[0-9a-f]{{16,}}                                            # a hash
    """
)
# Only where it is the whole caption: inside a sentence these are words.
_WHOLE = re.compile(
    r"""(?x)
    (?![a-z]-[a-z]+$)[a-z0-9]+(?:-[a-z0-9]+)+                            # kafka-before, 2018-05-03-foo-bar; not t-shirt
  | [A-Za-z0-9]+(?:-[A-Za-z0-9]+){3,}                                    # Slow-Start-Preheating-Mode
  | (?:[A-Z][a-z]+){3,}\d*                                               # PreferFunctionalStaffOrganization
  | \d{5,}                                                               # 1234567
  | (?i:img|image|images|photo|pic|picture|untitled|unnamed|screenshot|thumbnail|thumb|file)
    """
)
# Camera and screenshot names that hold spaces.
_SPACED = re.compile(
    r"(?i)(?:img|dsc|image|photo|pic|picture|scan|capture|screen ?shots?)(?=\D*\d)"
    rf"(?:\d|\bat\b|\b[ap]m\b|[ _.:()#-])+(?:{_EXTENSION})?"
)
_SUSPECT = re.compile(r"[\d_]|\.[a-zA-Z]")
_QUOTES = "\"'“”‘’«»()[]<>`*,;:"

_URL = re.compile(r"(?i)(?:https?|ftp)://[!-~]+|\bwww\.[!-~]+")
_LABELS = r"[a-z0-9](?:[a-z0-9-]*\.)+"
# Top-level domains that are frequent on the web; not those that are file extensions or words (md, py, sh, in, to, no).
_TOP_LEVEL = (
    "com|org|net|edu|gov|mil|info|biz|io|co|ai|app|dev|tv|me|eu|us|uk|ca|au|nz|ie|za|de|fr|es|pt|nl|be|ch|at|it|dk|se|"
    "fi|pl|cz|gr|hu|ro|ru|ua|tr|il|ir|cn|jp|kr|tw|hk|sg|my|th|vn|id|ph|br|mx|ar|cl|shop|store|online|site|xyz|blog"
)
_DOMAIN = re.compile(rf"(?i)(?=[a-z0-9-]{{2}}){_LABELS}(?:{_TOP_LEVEL})(?::\d+)?(?:[/?#].*)?")
_EMAIL = re.compile(r"(?i)(?:mailto:)?[a-z0-9._%+-]+@[a-z0-9-]+(?:\.[a-z0-9-]+)+")


def measure_file_names(text: str) -> float:
    """Share (0..1) of the characters other than spaces that stand in tokens shaped like file names."""
    tokens = text.split()
    if len(tokens) > 1 and not _SUSPECT.search(text):
        return 0.0
    tokens = [token.strip(_QUOTES) for token in tokens]
    if _is_whole_name(tokens):
        return 1.0
    named = sum(len(token) for token in tokens if _SUSPECT.search(token) and _TOKEN.fullmatch(token))
    return named / max(1, sum(map(len, tokens)))


def _is_whole_name(tokens: list[str]) -> bool:
    if len(tokens) == 1:
        return _WHOLE.fullmatch(tokens[0]) is not None
    # "Screen Shot 2016-04-01 at 10.20.30 AM.png" has six tokens.
    return len(tokens) <= 8 and _SPACED.fullmatch(" ".join(tokens)) is not None


def measure_urls(text: str) -> float:
    """Share (0..1) of the characters other than spaces that stand in URLs, e-mail addresses and domain names.

    A bare domain or address counts only where half of the tokens are such: "The homepage of example.gov" is prose.
    """
    if "." not in text and "://" not in text:
        return 0.0
    tokens = text.split()
    suspects = [token for token in tokens if "." in token or "://" in token]
    urls = sum(len(url) for token in suspects for url in _URL.findall(token))
    bare = [length for token in suspects if (length := _bare_length(token))]
    return (urls + (sum(bare) if 2 * len(bare) >= len(tokens) else 0)) / max(1, sum(map(len, tokens)))


def _bare_length(token: str) -> int:
    if _URL.search(token):
        return 0
    bare = token.strip(_QUOTES).rstrip(".!?")
    return len(bare) if _DOMAIN.fullmatch(bare) or _EMAIL.fullmatch(bare) else 0
