"""What classes and ids say of a block: the words that pages use for their parts.

The words are those of common templates (Bootstrap, WordPress, MediaWiki, Blogger) and consent and advert scripts,
without those that content uses as often. Left out on purpose: class names in another language than English.
"""

from __future__ import annotations

import re
from functools import lru_cache

# Words are whole: bounded by the ends, spaces, "-", "_" or a capital of camelCase, which is parted before.
_WORDS = {
    "cookie": r"cookies?|cookie(?:bar|banner|consent|notice)|gdpr|onetrust|consent|ccpa",
    "comments": r"comments?|commentlist|disqus|respond|(?:fb|post)-comments|replies",
    "share": r"share|shares|sharing|sharebar|sharedaddy|addthis|addtoany|social|socials|follow-us",
    "advert": r"ads?|adv|advert|adverts|advertisement|advertising|adsense|adbox|adslot|adunit|adsbygoogle|dfp|"
    r"sponsor|sponsored|promoted|taboola|outbrain",
    "related": r"related|recommended|recommendations|more-from|read-(?:next|more)|you-may|also-like|trending|"
    r"most-(?:read|popular)|popular-posts|recent-posts|recirc",
    "newsletter": r"newsletter|subscribe|signup|sign-up|mailing-list|subscription",
    "navigation": r"nav|navbar|navigation|menu|submenu|megamenu|breadcrumbs?|pagination|pager|docnav|toc|skip-link|"
    r"skiplink|tags|tag-list|tags-list|tabs-list|topbar|sitemap|pagenav|headerlink|mw-editsection|jump-to-nav|jumpto",
    "header": r"masthead|site-header|page-header|top-header|banner|brand|branding|logo",
    "footer": r"footer|site-footer|page-footer|colophon|copyright|site-info|legal",
    "sidebar": r"sidebar|widget|widgets|widget-area",
    "hidden": r"sr-only|visually-hidden|visuallyhidden|screen-reader-text|screenreader|d-none|pagenum|"
    r"print-only|printonly|linenos|linenodiv|lineno",
}
_NAMED = re.compile("(?:^|[ _-])(?:" + "|".join(f"(?P<{k}>{v})" for k, v in _WORDS.items()) + ")(?=$|[ _-])")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_CONTENT = re.compile(
    r"(?:^| )(?:main|content|main-content|maincontent|page-content|article|article-(?:body|content|text)|post|"
    r"post-(?:body|content)|entry|entry-content|story|story-body|mw-parser-output|mw-content-text|markdown-body)(?=$| )"
)
MAX_NAME = 300
"""Characters of a class or id that are looked at. Callers cut them, so that no cache holds a page's megabytes."""

ADVERT_LABELS = frozenset({
    "ad", "ads", "advert", "advertisement", "advertising", "sponsored", "promoted", "anzeige", "werbung",
    "publicité", "publicidad", "pubblicità", "реклама", "广告", "廣告", "推广", "広告", "광고"
})  # fmt: skip
"""What an advert must write beside itself, by law or custom."""


@lru_cache(maxsize=8192)
def named(names: str, identifier: str) -> str:
    """The reason that a block's class and id give to remove it; empty where they give none."""
    words = _CAMEL.sub("-", f"{names} {identifier}".replace("\n", " ")).lower()
    found = _NAMED.search(words)
    return found.lastgroup or "" if found else ""


@lru_cache(maxsize=8192)
def content_name(names: str, identifier: str) -> bool:
    """Whether class or id name the page's content; of compound words only the usual ones."""
    return _CONTENT.search(f"{names} {identifier}".lower()) is not None


_TITLE = re.compile(r"(?:^|[\s_-])(?:article|blog|content|entry|news|post|story)[_-]?(?:title|headline)(?=$|[\s_-])")


@lru_cache(maxsize=8192)
def title_name(names: str) -> bool:
    """Whether a class says that a heading is the title of the page's article, whatever its level."""
    return _TITLE.search(names[:MAX_NAME].lower()) is not None


_PICTURE_BOX = re.compile(
    r"(?:^|[\s_-])(?:fig|figs?|figure|figcenter|figleft|figright|wp-caption|thumb|thumbinner|thumbnail|mediaobject|image|images|"
    r"img|photo|picture|hero|cover)(?=$|[\s_-])",
    re.IGNORECASE,
)
_CAPTION = re.compile(
    r"(?:^|[\s_-])(?:caption|figcaption|wp-caption-text|thumbcaption|imgcaption|photo-credit|legend)(?=$|[\s_-])"
)


@lru_cache(maxsize=8192)
def picture_box(names: str) -> bool:
    """Whether a class says that the block is there for a picture."""
    return _PICTURE_BOX.search(names) is not None


@lru_cache(maxsize=8192)
def caption_name(names: str) -> bool:
    """Whether a class says that the block is a picture's caption."""
    return _CAPTION.search(names.lower()) is not None


_FIGURE_BOX = re.compile(
    r"(?:^| )(?:fig|figs|figure|figcenter|figleft|figright|wp-caption|thumbinner|mediaobject|imageblock|"
    r"informalfigure)(?=$| )"
)


@lru_cache(maxsize=8192)
def figure_box(names: str) -> bool:
    """Whether a class says that the block is a figure: a picture with its caption and nothing else."""
    return _FIGURE_BOX.search(names.lower()) is not None
