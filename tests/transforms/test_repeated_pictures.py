"""Tests of transforms/repeated_pictures.py."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from configs.schema.web_rules import RepeatedPictureRules
from transforms.matching import match_in_memory
from transforms.records import Drop, Failure, Picture, Sample, Span, Text, pictures
from transforms.repeated_pictures import (
    SharedPictures,
    check_shared_picture,
    find_repeated,
    mark_repeated,
)

SPAN = Span("pages.warc.gz", 0, 9, "warc")
RULES = RepeatedPictureRules()


def show(code: int, side: int = 200, **more: object) -> Picture:
    return Picture(SPAN, "png", side, side, likeness=code.to_bytes(8, "big"), **more)  # type: ignore[arg-type]


def page(*pieces: Picture | Text, position: int = 0) -> Sample:
    return Sample("k", "pages.warc.gz", 0, position, pieces)


def test_the_first_of_equal_size_stays():
    assert find_repeated(page(show(0), Text("a"), show(0b11111)), 5) == {2: (0, 5)}
    assert find_repeated(page(show(0), show(0b111111)), 5) == {}


def test_the_larger_one_stays():
    assert find_repeated(page(show(0, 100), show(1, 200)), 5) == {0: (1, 1)}


def test_a_chain_joins_no_unlike_pictures():
    chain = page(show(0), show(0b11111), show(0b1111111111))
    assert find_repeated(chain, 5) == {1: (0, 5)}


def test_dropped_failed_and_unhashed_pictures_are_not_asked():
    gone = show(0, drop=Drop("picture_too_small", 1, 150))
    broken = show(0, failure=Failure("PictureUndecodable", "", ""))
    assert find_repeated(page(gone, broken, Picture(SPAN), show(0)), 5) == {}


def test_marked_pieces_name_the_one_that_stays():
    marked = mark_repeated(page(show(0), Text("a"), show(3)), RULES)
    assert [p.drop for p in pictures(marked)] == [None, Drop("picture_repeated", 2, 5, "0")]
    assert mark_repeated(marked, RULES) == marked
    assert pictures(mark_repeated(page(show(0), show(0)), RepeatedPictureRules(enabled=False)))[1].drop is None


@given(st.lists(st.tuples(st.integers(0, 63), st.integers(1, 3)), max_size=12), st.integers(0, 4))
def test_who_stays_is_unlike_all_others_and_who_goes_is_like_one_that_stays(drawn, distance):
    sample = page(*[show(code, side) for code, side in drawn])
    found = find_repeated(sample, distance)
    stays = [i for i in range(len(drawn)) if i not in found]
    bits = [[(a ^ b).bit_count() for b, _ in drawn] for a, _ in drawn]
    assert all(bits[i][j] > distance for i in stays for j in stays if i != j)
    for one, (kept, apart) in found.items():
        assert kept in stays and apart == bits[one][kept] <= distance
        assert drawn[kept][1] >= drawn[one][1]


def documents(*shown: list[bytes]) -> list[Sample]:
    return [
        page(*[Picture(SPAN, pixels=seen.ljust(16)) for seen in seens], position=position)
        for position, seens in enumerate(shown)
    ]


def counts(rows: list[Sample]) -> list[list[int]]:
    found = match_in_memory(rows, SharedPictures(), [row.position % 3 for row in rows])
    return [[int(p.measures.get("picture_documents", 1)) for p in pictures(row)] for row in found]


def test_documents_that_show_a_picture_are_counted():
    assert counts(documents([b"a", b"b"], [b"a", b"a"], [b"c", b"a"])) == [[3, 1], [3, 3], [1, 3]]


def test_failed_documents_and_pictures_that_were_not_found_do_not_count():
    rows = documents([b"a"], [b"a"])
    rows[1] = replace(rows[1], failure=Failure("PageBroken", "", ""))
    assert counts([*rows, page(Picture(SPAN), position=2), page(Picture(SPAN), position=3)]) == [[1], [1], [1], [1]]


def test_more_documents_than_allowed():
    def judge(count):
        return check_shared_picture(Picture(SPAN, measures={"picture_documents": count}), RULES)

    assert (judge(10), judge(11)) == (None, Drop("picture_shared", 11, 10))
    assert check_shared_picture(Picture(SPAN), RULES) is None
