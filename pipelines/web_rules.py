"""What the interleaved web pipeline tells people of itself: its rules in the order they apply, its measures.

Rules on pictures drop no row: they stand apart, and their measures are columns of no ledger.
"""

from __future__ import annotations

from pipelines import caption_rules
from pipelines.report_spec import ReportSpec, RuleSpec
from transforms.ledger import Measure
from transforms.picture_classes import RULE

MEASURES: dict[str, Measure] = {
    "texts": Measure("int64", "texts", "Texts of the content: headings, paragraphs, lists, tables"),
    "pictures": Measure("int64", "pictures", "Pictures that stand in the content"),
    "page_pictures": Measure("int64", "pictures", "Pictures that the whole page names"),
    "page_characters": Measure("int64", "characters", "Visible characters of the whole page"),
    "replaced_characters": Measure("int64", "characters", "Characters that the page's character set has none for"),
    "unread_characters": Measure("int64", "characters", "Characters of HTML behind the limit of what is read"),
    "text_characters": Measure("int64", "characters", "Length of the content's texts"),
    "text_words": Measure("int64", "words", "Words of the content, by dictionary where the script has no spaces"),
    "mean_word": Measure("double", "characters", "Length of a word on average"),
    "letter_words": Measure("double", "share", "Share of words with a letter"),
    "symbols": Measure("double", "ratio", "Hashes and ellipses over words"),
    "repeated_lines": Measure("double", "share", "Share of characters in lines that stood before"),
    "top_2gram": Measure("double", "share", "Share of characters in the most frequent run of 2 words"),
    "top_3gram": Measure("double", "share", "Share of characters in the most frequent run of 3 words"),
    "top_4gram": Measure("double", "share", "Share of characters in the most frequent run of 4 words"),
    "repeated_5grams": Measure("double", "share", "Share of characters in runs of 5 words that stood before"),
    "repeated_10grams": Measure("double", "share", "Share of characters in runs of 10 words that stood before"),
    "language": Measure("string", "ISO 639-1", "Most probable language of the content"),
    "language_confidence": Measure("double", "probability", "Probability of that language"),
    "unsafe_words": Measure("int64", "words", "Occurrences of words of the user's list"),
    "unsafe_share": Measure("double", "share", "The same over words"),
    "unsafe_found": Measure("string", "words", "The most frequent of them"),
    "knowledge_density": Measure("double", "density", "Knowledge in the pictures that stay: the best, or the sum"),
    "knowledge_weight": Measure("double", "times", "How many times as readily the document is drawn as one without"),
    "knowledge_order": Measure("double", "place", "Its place in the written set: lower is earlier"),
    "pictures_kept": Measure("int64", "pictures", "Pictures of the content that no rule turned away"),
    "words_per_picture": Measure("double", "words", "Words over pictures that stay"),
    "known_run": Measure("string", "URI", "Finished run that keeps this document already"),
    "known_as": Measure("string", "key", "Key of the document in that run"),
    "known_by": Measure("string", "address or text", "What is the same, or nearly"),
    "known_similarity": Measure("double", "share", "Estimated share of runs of words in common with it; 1 by address"),
    "text_copies": Measure("int64", "documents", "Documents around the one of nearly this text that stays"),
    "text_duplicate_of": Measure("string", "key", "Key of the document of nearly the same text that was kept"),
    "text_similarity": Measure("double", "share", "Estimated share of runs of words in common with the kept one"),
}


def _text(rule: str, measure: str, limit: str, side: str, meaning: str) -> RuleSpec:
    return RuleSpec(rule, measure, "Text", f"text.{limit}", "min" if side == "min" else "max", meaning)


RULES = [
    _text("document_too_few_words", "text_words", "min_words", "min", "Next to no text"),
    _text("document_too_many_words", "text_words", "max_words", "max", "A book, or a list of everything"),
    _text("document_short_words", "mean_word", "min_mean_word", "min", "No words of a language"),
    _text("document_long_words", "mean_word", "max_mean_word", "max", "No words of a language"),
    _text("document_symbols", "symbols", "max_symbols", "max", "Hashes and ellipses for words"),
    _text("document_few_letters", "letter_words", "min_letter_words", "min", "Numbers and signs for words"),
    _text("document_repeated_lines", "repeated_lines", "max_repeated_lines", "max", "The same lines over and over"),
    *(
        _text(f"document_top_{n}gram", f"top_{n}gram", f"max_top_{n}gram", "max", f"One run of {n} words over and over")
        for n in (2, 3, 4)
    ),
    *(
        _text(
            f"document_repeated_{n}grams",
            f"repeated_{n}grams",
            f"max_repeated_{n}grams",
            "max",
            f"The same runs of {n} words over and over",
        )
        for n in (5, 10)
    ),
    _text("document_language_unsure", "language_confidence", "min_language_confidence", "min", "In no language"),
    RuleSpec("document_language", "language_confidence", "Text", "", "min", "Not one of the wanted languages"),
    RuleSpec("document_unsafe_words", "unsafe_words", "Safety", "safety.max_count", "max", "Words of the user's list"),
    RuleSpec("document_unsafe_share", "unsafe_share", "Safety", "safety.max_share", "max", "Words of the user's list"),
    RuleSpec("document_without_pictures", "pictures_kept", "Document", "", "min", "No picture is left", 1),
    RuleSpec(
        "document_album",
        "words_per_picture",
        "Document",
        "album.min_words_per_picture",
        "min",
        "Dense pictures and sparse text",
    ),
    RuleSpec(
        "document_few_pictures",
        "words_per_picture",
        "Document",
        "",  # 0 is off, which no limit on a page can say
        "max",
        "Much text for its pictures",
    ),
    RuleSpec("document_known", "known_similarity", "Document", "", "max", "A finished run keeps this document already"),
    RuleSpec(
        "document_duplicate",
        "text_similarity",
        "Document",
        "duplicates.min_similarity",
        "max",
        "A better document of nearly the same text is kept",
    ),
]

CLASSES = {"content": "content", "advertisement": "an advertisement", "qr_code": "a QR code", "decoration": "a logo"}
"""Of the page-image classifier as the paper asks for one; a head may know others, whose rules have no words here."""
PICTURE_MEASURES: dict[str, Measure] = {
    "place": Measure("double", "share", "Characters of the page before the picture"),
    "removed": Measure("string", "reason", "Why the block that the picture stands in is no content"),
    **{
        name: caption_rules.MEASURES[name]
        for name in ("short_side", "aspect_ratio", "pixel_count", "frames", "bytes", "grey_std", "entropy")
    },
    "outside_folder": Measure("string", "address", "Address on a saved page that leaves the folder"),
    "matched_text_index": Measure("int64", "sentence", "Sentence that an MMC4 record gives it to"),
    "matched_sim": Measure("double", "cosine", "Similarity of the two that the record states"),
    "width_to_height": Measure("double", "ratio", "Width over height"),
    "sharpness": Measure("double", "grey levels²", "Variance of the Laplacian"),
    "shown_width": Measure("int64", "pixels", "Width as the page states it"),
    "shown_height": Measure("int64", "pixels", "Height as the page states it"),
    "decoration_word": Measure("string", "word", "Word of the address that only decoration bears"),
    "tracker_word": Measure("string", "word", "Word of the address that only trackers bear"),
    "picture_documents": Measure("int64", "documents", "Documents of the pool that show the picture"),
    "codes": Measure("int64", "codes", "QR codes decoded in the picture"),
    "code_share": Measure("double", "share", "Their area over the picture's"),
    "code_text": Measure("string", "text", "What the largest code says"),
    "passage_score": Measure("double", "cosine", "Cosine of the picture and the passage near it that is most like it"),
    "passage_best": Measure("int64", "piece", "That passage"),
    "passage_assigned": Measure("int64", "piece", "The passage that the picture is given to, as in MMC4; -1 for none"),
    "class": Measure("string", "class", "Most probable class of the page-image classifier"),
    **{f"class_{name}": Measure("double", "probability", f"That it is {what}") for name, what in CLASSES.items()},
    "knowledge": Measure("string", "class", "Most probable class of the knowledge head"),
    "advert_list": Measure("int64", "0 or 1", "On a list of the user"),
    "advert_name": Measure("string", "word", "Word of a class or id that adverts bear"),
    "advert_label": Measure("string", "text", "Alt text or title that only labels adverts"),
    "advert_url": Measure("string", "word", "Word of the address that adverts bear"),
    "advert_banner": Measure("string", "word", "Weaker word of class, id or address"),
    "advert_size": Measure("string", "pixels", "Standard banner that it is as large as"),
    "advert_link": Measure("string", "host", "Host behind which a link's clicks are counted"),
}


def _picture(rule: str, measure: str, limit: str, side: str, meaning: str, fixed: float | None = None) -> RuleSpec:
    return RuleSpec(rule, measure, "Picture", limit, "min" if side == "min" else "max", meaning, fixed)


PICTURE_RULES = [
    _picture("picture_outside_content", "removed", "", "max", "Stands in navigation, a footer or the like"),
    _picture("picture_outside_folder", "outside_folder", "", "max", "Its address leaves the folder of the saved pages"),
    _picture("picture_without_address", "place", "", "max", "The page gives no address for it"),
    _picture("picture_redirect_loop", "place", "", "max", "Its redirects do not end"),
    _picture("picture_unresolved", "place", "", "max", "No input of the run holds it"),
    _picture("picture_tracker", "tracker_word", "picture.max_tracker_side", "max", "There to be fetched, not seen"),
    _picture("picture_decoration", "decoration_word", "picture.min_shown_side", "min", "A logo, a button, an icon"),
    _picture("picture_too_small", "short_side", "picture.min_side", "min", "Resolution too low to learn from"),
    _picture("picture_too_narrow", "width_to_height", "picture.min_width_to_height", "min", "A strip"),
    _picture("picture_too_wide", "width_to_height", "picture.max_width_to_height", "max", "A banner or strip"),
    _picture("picture_blurred", "sharpness", "picture.min_sharpness", "min", "Blurred"),
    _picture("image_too_many_pixels", "pixel_count", "content.max_pixel_count", "max", "Too large to decode safely"),
    _picture("image_animated", "frames", "content.allow_animated", "max", "A moving picture", 1),
    _picture("image_solid_colour", "grey_std", "content.min_grey_std", "min", "One colour, or next to it"),
    _picture("image_low_information", "entropy", "content.min_entropy", "min", "Next to no information"),
    _picture("picture_shared", "picture_documents", "repeats.max_documents", "max", "Too many documents show it"),
    _picture("picture_repeated", "picture_documents", "", "max", "The document shows it already"),
    _picture("picture_code", "code_share", "codes.drop_share", "max", "A QR code"),
    _picture("picture_advert", "place", "", "max", "An advertisement by its signs"),
    *(
        _picture(
            f"{RULE}{name}",
            f"class_{name}",
            f"classifier.max_probability.{name}",
            "max",
            f"The classifier says it is {what}",
        )
        for name, what in CLASSES.items()
    ),
    _picture("picture_passage_score_low", "passage_score", "passages.min_score", "min", "Unlike every passage near it"),
]

REPORT = ReportSpec(
    "Interleaved web pages",
    RULES,
    MEASURES,
    clusters="text_duplicate_of",
    hidden=frozenset({"unread_characters", "unsafe_found", "knowledge_order"}),
    whole="documents",
    picture_rules=PICTURE_RULES,
)
