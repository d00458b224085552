"""Config of the rules on interleaved web pages: every limit with its unit and the source of its default.

GLM-4.1V (sec. 3.1) names the steps for web pages and states no number. Defaults are MMC4's (arXiv 2304.06939), NVIDIA
NeMo Curator's interleaved filters', Gopher's (arXiv 2112.11446, table A1) and FineWeb's (arXiv 2406.17557); where none
of them has one, it was chosen on the toy pages (tests/world/web_pages.py) and says so.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from configs.schema.strict import Strict


class WebPictureRules(Strict):
    """What a picture of a page must be by size, name and sharpness."""

    enabled: bool = True
    min_side: int = Field(150, ge=1)
    """Pixels of the shorter side. MMC4 and OBELICS: 150."""
    min_width_to_height: float = Field(0.5, gt=0, le=1)
    """Width over height, as `max_width_to_height`."""
    max_width_to_height: float = Field(2.0, ge=1)
    """Width over height. MMC4: 0.5 to 2."""
    min_shown_side: int = Field(50, ge=0)
    """Pixels of the shorter side as the page states it; a file shown smaller than three lines is an icon. Ours."""
    max_tracker_side: int = Field(2, ge=0)
    """Pixels of the longer side, stated or real, up to which a picture is there to be fetched and not to be seen."""
    decoration_words: tuple[str, ...] = ("logo", "button", "icon", "plugin", "widget")
    """Words, in singular or plural, that only decoration bears in its file's name or as the whole name of a folder.
    MMC4's and OBELICS's five, which look for them anywhere, also in "silicon" and "native-form-widgets"."""
    tracker_words: tuple[str, ...] = ("pixel", "beacon", "tracker", "tracking", "analytics", "counter", "1x1", "spacer")
    """Words of the path of an address that is no picture's by its extension, or a GIF's. Ours."""
    min_sharpness: float = Field(100.0, ge=0)
    """Variance of the Laplacian of the grey picture, in squared grey levels (0..255). NeMo Curator: 100, at full size
    as here. Soft grounds and line drawings with little ink measure less too."""


class RepeatedPictureRules(Strict):
    """The same picture again: inside a document, and under many documents."""

    enabled: bool = True
    max_distance: int = Field(5, ge=0, le=64)
    """Bits of the 64-bit perceptual hash in which two pictures of a document may differ and be the same. MMC4: 5."""
    max_documents: int = Field(10, ge=1)
    """Documents of the pool that may show one picture (equal pixels). MMC4: more than 10 in 60,000 documents go."""


class CodeRules(Strict):
    """QR codes and their small relatives."""

    enabled: bool = True
    drop_share: float = Field(0.05, gt=0, le=1)
    """Area of decoded codes over the picture's; at or above it the picture goes. NeMo Curator keeps below 0.05."""
    max_pixels: int = Field(4_000_000, ge=10_000)
    """Pixels searched; a larger picture is halved until it fits. A code that covers 0.05 of it keeps 25 modules of 9
    pixels; a search takes 0.2 to 2 ms for pictures of the web (measured)."""


class AdvertRules(Strict):
    """Signs of an advert, each with its weight; those a picture shows are added up."""

    enabled: bool = True
    lists: tuple[str, ...] = ()
    """Files of address rules in EasyList's format, which the user supplies; none is part of beamsift (theirs are
    GPL-3.0 or CC-BY-SA-3.0)."""
    min_score: float = Field(2.0, gt=0)
    """Sum of the weights of the signs shown; at or above it the picture goes. Two independent signs, or one that is a
    site's own word for it."""
    list_weight: float = Field(2.0, ge=0)
    """The address of the picture or of its link is on a list."""
    name_weight: float = Field(2.0, ge=0)
    """A class or id of the picture or the two elements around it has one of `advert_words`, whole."""
    label_weight: float = Field(2.0, ge=0)
    """Its alt text or title is nothing but a label for adverts ("Advertisement", "Anzeige", "广告")."""
    url_weight: float = Field(1.0, ge=0)
    """The path of its address has such a word, or its host begins with one."""
    banner_weight: float = Field(1.0, ge=0)
    """Class, id or address have one of `banner_words`, which pages use for their own headers as well."""
    size_weight: float = Field(1.0, ge=0)
    """It is as large, stated, real or by its address, as a standard banner."""
    link_weight: float = Field(1.0, ge=0)
    """It links to another site through an ad server, an affiliate network or a counter of clicks."""
    end_weight: float = Field(0.5, ge=0)
    """It stands at the end of the document. Weak, because articles end with pictures as well."""
    advert_words: tuple[str, ...] = (
        "ad", "ads", "advert", "adverts", "advertisement", "advertisements", "advertising", "adsense", "adserver",
        "adbox", "adslot", "adunit", "adsbygoogle", "dfp", "promoted", "sponsor", "sponsored", "sponsors", "taboola",
        "outbrain",
    )  # fmt: skip
    """Words that classes, ids and addresses of adverts bear, in lower case."""
    banner_words: tuple[str, ...] = ("banner", "banners", "promo", "promotion", "affiliate", "affiliates")
    """Weaker words of the same places, in lower case."""
    size_tolerance: int = Field(2, ge=0)
    """Pixels that a side may differ from a standard banner's, as a border adds them."""
    end_share: float = Field(0.9, ge=0, le=1)
    """Share of the document's characters before the picture from which on it stands at the end. GLM-4.1V notes that
    adverts and QR codes mostly stand at the end of articles."""


class WebTextRules(Strict):
    """What the text of a document must be. Defaults of Gopher (table A1) unless said otherwise."""

    enabled: bool = True
    min_words: int = Field(50, ge=0)
    """Words of all texts."""
    max_words: int = Field(100_000, ge=1)
    """Words of all texts."""
    min_mean_word: float = Field(3.0, ge=0)
    """Characters of a word on average, as `max_mean_word`."""
    max_mean_word: float = Field(10.0, ge=0)
    """Characters of a word on average. Asked of text with spaces between words only."""
    max_symbols: float = Field(0.1, ge=0)
    """Hashes and ellipses over words."""
    min_letter_words: float = Field(0.8, ge=0, le=1)
    """Share of words with a letter."""
    max_repeated_lines: float = Field(0.2, ge=0, le=1)
    """Share of characters in lines that stood before."""
    max_top_2gram: float = Field(0.20, ge=0, le=1)
    """Share of the words' characters in the most frequent run of two words, as `max_top_4gram`."""
    max_top_3gram: float = Field(0.18, ge=0, le=1)
    """The same of three words."""
    max_top_4gram: float = Field(0.16, ge=0, le=1)
    """Share of the words' characters in all places of the most frequent run of so many words, if it comes twice."""
    max_repeated_5grams: float = Field(0.15, ge=0, le=1)
    """Share of the words' characters in runs of five words that stood before, as `max_repeated_10grams`."""
    max_repeated_10grams: float = Field(0.10, ge=0, le=1)
    """Share of the words' characters in runs of so many words that stood before."""
    max_characters: int = Field(1_000_000, ge=1_000)
    """Characters of a document that are looked at; above `max_words` of English, which are 600,000."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes that may stay; empty: every language."""
    min_language_confidence: float = Field(0.5, ge=0, le=1)
    """Probability of the likeliest language; below it a document has none. FineWeb: 0.65 by fastText; ours is
    py3langid, which names pages of commands and Chinese right at 0.59 (measured)."""


class SafetyRules(Strict):
    """A list of words that the user supplies; none is part of beamsift."""

    words: str = ""
    """File of words or phrases, one a line (`#` begins a comment); empty: not asked."""
    max_count: int = Field(2, ge=0)
    """Occurrences that may stay. Two words of a list in a document are often a quotation or a name. Ours."""
    max_share: float = Field(0.005, ge=0, le=1)
    """Occurrences over words. One in two hundred. Ours."""


class AlbumRules(Strict):
    """Dense pictures and sparse text: photo albums (GLM-4.1V), and the other end."""

    enabled: bool = True
    min_words_per_picture: float = Field(10.0, ge=0)
    """Words of the document over pictures that stay; below it an album. NeMo Curator: at most 0.1 pictures a word."""
    max_words_per_picture: float = Field(0.0, ge=0)
    """0: off, because GLM-4.1V drops dense pictures only. NeMo Curator: at least 0.001 pictures a word, which is 1,000;
    a long article with one picture is above."""
    require_picture: bool = True
    """Whether a document without a picture that stays goes; it is text, which other pipelines bring."""


class SimilarityRules(Strict):
    """Texts that are nearly the same, by MinHash."""

    enabled: bool = True
    min_similarity: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity of the sets of shingles, as the signatures estimate it. Lee et al. (arXiv 2107.06499): 0.8."""
    bands: int = Field(32, ge=1)
    """Bands that a signature is cut into, as `rows`."""
    rows: int = Field(8, ge=1)
    """Values of the signature: bands times rows. Two documents meet where all rows of a band are equal: with 32 bands
    of 8, 99.7 % of the pairs of similarity 0.8 and 12 % of 0.5 (1 - (1 - s^8)^32)."""
    words: int = Field(5, ge=1)
    """Words of a shingle. FineWeb: 5."""
    characters: int = Field(5, ge=1)
    """Characters of a shingle where a script writes no spaces. Ours: two to three words of Chinese."""


class TextDuplicateRules(SimilarityRules):
    """Documents of nearly the same text, by MinHash."""

    keep: Literal["longest", "most_pictures"] = "longest"
    """Which stays: most words, then most pictures, or the other way about; then the smaller key."""


class KnownDocumentRules(Strict):
    """Finished runs whose documents are known."""

    runs: tuple[str, ...] = ()
    """Outputs of finished runs (`--against OUT …`): a page whose address one of them keeps goes, and, where
    `duplicates` is on, one whose text is nearly that of a document they keep."""


class PassageRules(Strict):
    """Which passage each picture belongs to, by a model's similarity of picture and passage."""

    min_score: float = Field(0.15, ge=-1, le=1)
    """Cosine with the best of the neighbouring passages; below it the picture goes. MMC4: 0.15 with ViT-L/14, of all
    sentences; NeMo Curator the same."""
    window: int = Field(0, ge=0)
    """Passages on either side of the picture's place that are asked; 0: all of the document, as in MMC4."""
    one_picture: bool = True
    """Whether a passage takes one picture at most. MMC4: yes."""
