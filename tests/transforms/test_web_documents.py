"""Decisions about documents: their order, that they can be made again, and that pictures add up."""

import pytest
from msgspec.structs import replace

from configs.schema.web import WebConfig
from transforms.picture_looks import apply_looks, look_at, wanted_pictures, with_look
from transforms.records import Drop, Failure, Measures, Picture, Recipe, Sample, Span, Text, pictures
from transforms.web_documents import MARKS, decide_again, sum_pictures, tally_pictures
from transforms.web_resources import picture_reference

CFG = WebConfig(duplicates={"enabled": False})
SOUND: Measures = {"short_side": 300, "width_to_height": 1.2, "sharpness": 500.0, "grey_std": 50.0, "entropy": 5.0}
SPAN = Span("a.warc", 0, 9, "warc")


def picture(source: Span | Recipe = SPAN, **measures: float | int | str) -> Picture:
    return Picture(source, measures={**SOUND, "frames": 1, "pixel_count": 90_000, "place": 0.1, **measures})


def document(*found: Picture, **measures: float | int | str) -> Sample:
    counted: Measures = {"text_words": 100, "language": "en", "language_confidence": 0.9, **measures}
    return Sample("d", "a.warc", 0, 0, (Text("words", "paragraph"), *found), measures=counted)


def decide(sample: Sample, cfg: WebConfig = CFG) -> Sample:
    (decided,) = decide_again([sample], [0], cfg)
    return decided


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (picture(), ""),
        (picture(removed="footer", short_side=1), "picture_outside_content"),
        (picture(picture_reference(["http://e.example/a"])), "picture_unresolved"),
        (picture(picture_reference([])), "picture_without_address"),
        (picture(short_side=149, sharpness=1.0), "picture_too_small"),
        (picture(sharpness=99.9, grey_std=0.0), "picture_blurred"),
        (picture(grey_std=1.0, codes=1, code_share=0.5), "image_solid_colour"),
        (picture(frames=2), "image_animated"),
        (picture(picture_documents=11, code_share=0.9), "picture_shared"),
        (picture(code_share=0.05, advert_name="ad"), "picture_code"),
        (picture(advert_name="ad"), "picture_advert"),
        (picture(passage_score=0.01), ""),
    ],
)
def test_the_first_rule_of_a_picture_is_its_reason(found, rule):
    (decided,) = pictures(decide(document(found, picture())))[:1]
    assert (decided.drop.rule if decided.drop else "") == rule


def test_a_failed_picture_is_judged_by_no_rule():
    failed = replace(picture(short_side=1), failure=Failure("PictureTruncated", "", ""))
    assert [one.drop for one in pictures(decide(document(failed, picture())))] == [None, None]


@pytest.mark.parametrize(
    ("sample", "rule"),
    [
        (document(picture()), ""),
        (document(picture(short_side=1)), "document_without_pictures"),
        (document(picture(), text_words=49), "document_too_few_words"),
        (document(*[picture()] * 11), "document_album"),
        (document(picture(), unsafe_words=3), "document_unsafe_words"),
        (document(picture(), language_confidence=0.1), "document_language_unsure"),
    ],
)
def test_a_document_goes_by_its_text_and_what_is_left_of_its_pictures(sample, rule):
    decided = decide(sample)
    assert (decided.drop.rule if decided.drop else "") == rule
    assert decide(decided) == decided, "deciding again must change nothing"


def test_a_score_that_a_run_would_have_to_make_is_told():
    scored = WebConfig(duplicates={"enabled": False}, passages={"enabled": True})
    assert decide(document(picture()), scored).measures["unscored"] == 1
    low = decide(document(picture(passage_score=0.01), picture(passage_score=0.2)), scored)
    assert [one.drop and one.drop.rule for one in pictures(low)] == ["picture_passage_score_low", None]
    assert "unscored" not in low.measures


def test_every_mark_leaves_failed_rows_alone():
    failed = replace(document(picture(short_side=1)), failure=Failure("PageEmpty", "", ""))
    for mark in MARKS:
        assert mark(failed, CFG) == failed


def test_pictures_add_up():
    failed = replace(picture(), failure=Failure("PictureTruncated", "", ""))
    samples = [decide(document(picture(), picture(short_side=1), failed)), decide(document(picture(), text_words=1))]
    told = sum_pictures(tally_pictures(samples))
    assert told == {
        "read": 4,
        "kept": 1,
        "dropped": {"picture_too_small": 1, "with_document": 1},
        "failed": {"PictureTruncated": 1},
    }


def test_looked_at_are_found_pictures_of_the_content_whatever_the_rules():
    sample = document(
        replace(picture(), drop=Drop("picture_too_small", 1, 150)),
        picture(removed="footer"),
        picture(picture_reference(["http://e.example/a"])),
    )
    assert [index for index, _ in wanted_pictures(sample)] == [1]


class Gone:
    def read(self, span: Span) -> bytes:
        raise OSError("no such page")

    def once(self, span: Span, make: object) -> bytes:
        return self.read(span)


def test_a_picture_inside_a_page_that_cannot_be_made_fails_alone():
    inline = picture(Recipe("page_data_uri", {"digest": "00"}, (SPAN,)))
    told = look_at(inline, Gone(), lambda one, data: one)
    (found,) = pictures(apply_looks(document(inline), [(1, told)]))
    assert found.failure and found.failure.error == "PictureUndecodable" and found.failure.place == "a.warc@0-9"
    assert with_look(inline, told) == found and found.measures == inline.measures


def test_a_capture_that_is_gone_stops_the_run():
    with pytest.raises(OSError, match="no such page"):
        look_at(picture(), Gone(), lambda one, data: one)
