"""What the interleaved web pipeline tells people of itself: its rules in the order they apply, its measures.

Rules on pictures drop no row: they stand apart, and their measures are columns of no ledger.
"""

from __future__ import annotations

from pipelines import caption_rules
from pipelines.report_spec import ReportSpec, RuleSpec
from transforms.ledger import Measure

MEASURES: dict[str, Measure] = {
    "characters": Measure("int64", "characters", "Length of the page's content"),
    "texts": Measure("int64", "texts", "Texts of the content: headings, paragraphs, lists, tables"),
    "pictures": Measure("int64", "pictures", "Pictures that stand in the content"),
    "pictures_kept": Measure("int64", "pictures", "Pictures of the content that no rule turned away"),
    "page_pictures": Measure("int64", "pictures", "Pictures that the whole page names"),
    "page_characters": Measure("int64", "characters", "Visible characters of the whole page"),
    "replaced_characters": Measure("int64", "characters", "Characters that the page's character set has none for"),
    "unread_characters": Measure("int64", "characters", "Characters of HTML behind the limit of what is read"),
}

RULES = [
    RuleSpec(
        "document_too_short", "characters", "Document", "document.min_characters", "min", "Next to no text is left"
    ),
    RuleSpec(
        "document_without_pictures", "pictures_kept", "Document", "document.min_pictures", "min", "No picture is left"
    ),
    RuleSpec(
        "document_too_many_pictures",
        "pictures_kept",
        "Document",
        "document.max_pictures",
        "max",
        "An album and not a document",
    ),
]

_OF_CAPTIONS = {spec.rule: spec for spec in caption_rules.RULES}
PICTURE_MEASURES: dict[str, Measure] = {
    "place": Measure("double", "share", "Characters of the page before the picture"),
    "stated_width": Measure("int64", "pixels", "Width that the page states"),
    "stated_height": Measure("int64", "pixels", "Height that the page states"),
    "removed": Measure("string", "reason", "Why the block that the picture stands in is no content"),
    **{
        name: caption_rules.MEASURES[name]
        for name in ("short_side", "aspect_ratio", "pixel_count", "frames", "bytes", "grey_std", "entropy")
    },
}


def _of_picture(rule: str) -> RuleSpec:
    spec = _OF_CAPTIONS[rule]
    limit_key = spec.limit_key.replace("image.", "picture.")
    return RuleSpec(rule, spec.measure, "Picture", limit_key, spec.side, spec.meaning, spec.limit)


PICTURE_RULES = [
    RuleSpec("picture_outside_content", "removed", "Picture", meaning="Stands in navigation, a footer or the like"),
    RuleSpec("picture_without_address", "place", "Picture", meaning="The page gives no address for it"),
    RuleSpec("picture_redirect_loop", "place", "Picture", "read.max_redirects", meaning="Its redirects do not end"),
    RuleSpec("picture_unresolved", "place", "Picture", meaning="No archive of the pool holds it"),
    *map(
        _of_picture,
        (
            "image_too_many_pixels",
            "image_too_small",
            "image_aspect_ratio",
            "image_too_few_pixels",
            "image_animated",
            "image_solid_colour",
            "image_low_information",
        ),
    ),
]

REPORT = ReportSpec(
    "Interleaved web pages",
    RULES,
    MEASURES,
    hidden=frozenset({"unread_characters"}),
)
