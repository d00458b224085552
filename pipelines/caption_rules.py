"""What the caption pipeline tells people of itself: its rules in the order they apply, its measures, their units."""

from __future__ import annotations

from pipelines.recaption_rules import CHARTED, RECAPTION_MEASURES, RECAPTION_RULES
from pipelines.report_spec import Likeness, ReportSpec, RuleSpec
from transforms.ledger import Measure

MEASURES: dict[str, Measure] = {
    "short_side": Measure("int64", "pixels", "Shorter side of the picture"),
    "aspect_ratio": Measure("double", "ratio", "Longer side over shorter side"),
    "pixel_count": Measure("int64", "pixels", "Width times height"),
    "frames": Measure("int64", "frames", "Frames of the file; more than one is an animation"),
    "bytes": Measure("int64", "bytes", "Size of the picture file"),
    "grey_std": Measure("double", "grey levels", "Standard deviation of the grey picture"),
    "entropy": Measure("double", "bits", "Entropy of the grey histogram"),
    "characters": Measure("int64", "characters", "Length of the caption without surrounding space"),
    "words": Measure("int64", "words", "Words, by dictionary where the script has no spaces"),
    "file_name_share": Measure("double", "share", "Share of the caption shaped like a file name"),
    "url_share": Measure("double", "share", "Share of the caption inside URLs, domains and e-mail addresses"),
    "repeated_characters": Measure("int64", "characters", "Longest run of one character"),
    "repeated_words": Measure("double", "share", "Share of words that repeat an earlier one"),
    "control_characters": Measure("int64", "characters", "Control characters other than tab and line breaks"),
    "language": Measure("string", "ISO 639-1", "Most probable language of the caption"),
    "language_confidence": Measure("double", "probability", "Probability of that language"),
    "caption_pictures": Measure("int64", "pictures", "Different pictures of the pool under this caption"),
    "known_run": Measure("string", "URI", "Finished run that keeps this picture already"),
    "known_as": Measure("string", "key", "Key of the picture in that run"),
    "known_distance": Measure("int64", "bits", "Bits of the perceptual hash that differ from the known picture's"),
    "known_difference": Measure("double", "share", "Share of strong frequencies that differ from the known picture's"),
    "copies": Measure("int64", "copies", "Copies of the picture among rows that pass the earlier rules"),
    "duplicate_of": Measure("string", "key", "Key of the copy that was kept"),
    "near_copies": Measure("int64", "copies", "Rows around the picture that stays, exact copies aside"),
    "near_duplicate_of": Measure("string", "key", "Key of the like picture that was kept"),
    "near_distance": Measure("int64", "bits", "Bits of the perceptual hash that differ from the kept one's"),
    "near_difference": Measure("double", "share", "Share of strong frequencies that differ from the kept one's"),
    "clip_score": Measure("double", "cosine", "Cosine of picture and caption"),
    "semantic_copies": Measure("int64", "copies", "Rows around the picture of one meaning that stays"),
    "semantic_duplicate_of": Measure("string", "key", "Key of the picture of one meaning that was kept"),
    "semantic_cosine": Measure("double", "cosine", "Cosine of the picture's embedding and the kept one's"),
    "clip_truncated": Measure("int64", "0 or 1", "Whether the caption is longer than the model reads"),
    "concepts": Measure("int64", "entries", "Entries of the vocabulary that the caption names"),
    "concept_t": Measure("double", "t", "The t above which one of these entries lets the caption stay"),
    "concept": Measure("string", "entry", "That entry"),
    "concept_limit": Measure("double", "t", "The t that was solved for the wanted number of samples"),
    **RECAPTION_MEASURES,
}

RULES = [
    RuleSpec(
        "image_too_many_pixels", "pixel_count", "Picture", "image.max_pixel_count", "max", "Too large to decode safely"
    ),
    RuleSpec(
        "image_too_small", "short_side", "Picture", "image.min_short_side", "min", "Resolution too low to learn from"
    ),
    RuleSpec("image_aspect_ratio", "aspect_ratio", "Picture", "image.max_aspect_ratio", "max", "Banner or strip"),
    RuleSpec("image_too_few_pixels", "pixel_count", "Picture", "image.min_pixel_count", "min", "Area too small"),
    RuleSpec(
        "image_animated",
        "frames",
        "Picture",
        "",
        "max",
        "A caption of a moving picture is not one of its first frame",
        1,
    ),
    RuleSpec("image_solid_colour", "grey_std", "Picture", "image.min_grey_std", "min", "One colour, or next to it"),
    RuleSpec("image_low_information", "entropy", "Picture", "image.min_entropy", "min", "Next to no information"),
    RuleSpec("caption_missing", "characters", "Caption", "", "min", "No caption, or only spaces", 1),
    RuleSpec(
        "caption_control_characters",
        "control_characters",
        "Caption",
        "caption.max_control_characters",
        "max",
        "Broken encoding",
    ),
    RuleSpec(
        "caption_file_name",
        "file_name_share",
        "Caption",
        "caption.max_file_name_share",
        "max",
        "A file name, not a caption",
    ),
    RuleSpec("caption_url", "url_share", "Caption", "caption.max_url_share", "max", "An address, not a caption"),
    RuleSpec(
        "caption_repeated_characters",
        "repeated_characters",
        "Caption",
        "caption.max_repeated_characters",
        "max",
        "One character over and over",
    ),
    RuleSpec(
        "caption_repeated_words",
        "repeated_words",
        "Caption",
        "caption.max_repeated_words",
        "max",
        "The same words over and over",
    ),
    RuleSpec(
        "caption_too_short", "characters", "Caption", "caption.min_characters", "min", "Too short to say anything"
    ),
    RuleSpec("caption_too_long", "characters", "Caption", "caption.max_characters", "max", "A page, not a caption"),
    RuleSpec("caption_too_few_words", "words", "Caption", "caption.min_words", "min", "Too few words to say anything"),
    RuleSpec("caption_too_many_words", "words", "Caption", "caption.max_words", "max", "A page, not a caption"),
    RuleSpec("caption_language", "language_confidence", "Caption", "", "min", "Not one of the allowed languages"),
    RuleSpec(
        "caption_boilerplate",
        "caption_pictures",
        "Caption",
        "boilerplate.max_pictures",
        "max",
        "Too many pictures share it",
    ),
    RuleSpec("image_known", "known_distance", "Sample", "", "max", "A finished run keeps this picture already"),
    RuleSpec("image_duplicate", "copies", "Sample", "", "max", "A better copy of the same picture is kept", 1),
    RuleSpec(
        "image_near_duplicate", "near_copies", "Sample", "", "max", "A better picture that looks the same is kept", 1
    ),
    RuleSpec(
        "clip_score_low",
        "clip_score",
        "Sample",
        "relevance.min_score",
        "min",
        "Picture and caption do not belong together",
    ),
    RuleSpec(
        "image_semantic_duplicate",
        "semantic_cosine",
        "Sample",
        "semantic_duplicates.min_cosine",
        "max",
        "A better picture that means the same is kept",
    ),
    RuleSpec("concept_none", "concepts", "Concepts", "concepts.t", "min", "Names nothing of the vocabulary", 1),
    RuleSpec(
        "concept_not_drawn",
        "concept_t",
        "Concepts",
        "concepts.t",
        "max",
        "Names only what the pool has in plenty, and no draw was for it",
    ),
]

HIDDEN = frozenset(
    {"duplicate_of", "near_duplicate_of", "semantic_duplicate_of", "known_run", "known_as", "clip_truncated"}
    | {"concept", "concept_limit"}
    | (RECAPTION_MEASURES.keys() - CHARTED)
)

REPORT = ReportSpec(
    "Image–caption pairs",
    RULES,
    MEASURES,
    clusters="duplicate_of",
    likenesses=(
        Likeness(
            "near",
            "Near duplicates",
            "image_near_duplicate",
            "near_duplicate_of",
            "near_difference",
            "high",
            "Pictures that look the same, with the share of strong frequencies in which they differ from the kept one.",
        ),
        Likeness(
            "meanings",
            "Semantic duplicates",
            "image_semantic_duplicate",
            "semantic_duplicate_of",
            "semantic_cosine",
            "low",
            "Pictures that mean the same to the model, with the cosine of their embedding and the kept one's.",
        ),
    ),
    shared_text="caption_pictures",
    hidden=HIDDEN,
    text_rules=RECAPTION_RULES,
)
