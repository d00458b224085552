"""Knowledge density: measures of pictures become a weight and a place in the order; nothing is dropped."""

import pytest
from msgspec.structs import replace

from configs.schema.knowledge import KnowledgeRules
from transforms.knowledge import document_density, draw_order, mark_knowledge, measure_knowledge, sampling_weight
from transforms.picture_classes import class_measures
from transforms.records import Drop, Picture, Sample, Span

RULES = KnowledgeRules(classes=("chart", "map"))


def test_a_picture_measures_what_it_is_of_any_knowledge_class():
    assert measure_knowledge({"chart": 0.25, "map": 0.5, "other": 0.25}, RULES) == 0.75
    assert measure_knowledge({"chart": 0.6, "map": 0.4001, "other": 0.0}, RULES) == 1.0  # rounded parts may exceed 1


def test_a_class_that_the_head_does_not_know_is_a_wrong_config():
    with pytest.raises(ValueError, match=r"knowledge.classes: expected classes of the head \['other'\], found \['cha"):
        measure_knowledge({"other": 1.0}, RULES)


@pytest.mark.parametrize(
    ("pictures", "best", "added"),
    [
        ([], 0.0, 0.0),
        ([0.49, 0.02], 0.0, 0.0),  # below min_probability
        ([0.5], 0.5, 0.5),
        ([0.9, 0.8, 0.3], 0.9, 1.7),
        ([1.0] * 9, 1.0, 5.0),  # max_sum
    ],
)
def test_a_document_takes_its_best_picture_or_their_sum(pictures, best, added):
    assert document_density(pictures, RULES) == best
    assert document_density(pictures, RULES.model_copy(update={"combine": "sum"})) == added


def test_the_weight_is_one_without_knowledge_and_rises_with_it():
    assert [sampling_weight(density, RULES) for density in (0.0, 0.5, 1.0, 5.0)] == [1.0, 2.5, 4.0, 16.0]
    assert sampling_weight(1.0, RULES.model_copy(update={"boost": 0.0})) == 1.0


def test_the_order_is_a_function_of_seed_key_and_weight():
    assert draw_order("a", 1.0, 0) == draw_order("a", 1.0, 0) == 1.150591732
    assert draw_order("a", 2.0, 0) == pytest.approx(draw_order("a", 1.0, 0) / 2, abs=1e-9)
    assert len({draw_order("a", 1.0, 0), draw_order("b", 1.0, 0), draw_order("a", 1.0, 1)}) == 3


def test_a_document_of_weight_four_comes_first_four_times_as_often_as_one_of_weight_one():
    """Of 4,000 races of one against one, 4 in 5; six standard deviations are 0.038."""
    won = sum(draw_order(f"dense{i}", 4.0, 0) < draw_order(f"plain{i}", 1.0, 0) for i in range(4000))
    assert won / 4000 == pytest.approx(0.8, abs=0.038)


def test_a_prefix_of_the_order_holds_weights_over_their_share():
    """Every tenth of 1,000 documents has weight 4: of the first hundred 0.4 / (0.4 + 0.9) = 31 %, unweighted 10 %."""
    ranked = sorted(range(1000), key=lambda i: draw_order(f"doc{i}", 4.0 if i % 10 == 0 else 1.0, 7))
    assert 22 <= sum(i % 10 == 0 for i in ranked[:100]) <= 42


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(ValueError, match="expected a weight above 0 for 'a'"):
        draw_order("a", weight, 0)


def document(*told: tuple[Drop | None, dict[str, float]]) -> Sample:
    span = Span("a.warc", 0, 9, "warc")
    pieces = [Picture(span, measures=class_measures("knowledge", found) if found else {}, drop=d) for d, found in told]
    return Sample("d", "a.warc", 0, 0, tuple(pieces))


GONE = Drop("picture_code", 1, 0)


@pytest.mark.parametrize(
    ("told", "weight"),
    [
        ([(None, {"chart": 0.9, "map": 0.0, "other": 0.1}), (None, {"chart": 0.0, "map": 0.8, "other": 0.2})], 3.7),
        ([(None, {"chart": 0.4, "map": 0.3, "other": 0.3})], 3.1),  # both classes carry knowledge
        ([(GONE, {"chart": 1.0, "map": 0.0, "other": 0.0})], 1.0),  # a picture that went
        ([(None, {})], 1.0),  # one that no head was shown
        ([], 1.0),
    ],
)
def test_a_document_is_weighed_by_its_pictures_that_stay(told, weight):
    rules = RULES.model_copy(update={"enabled": True})
    marked = mark_knowledge(document(*told), rules, 0).measures
    assert marked == {"knowledge_density": round((weight - 1) / 3, 4), "knowledge_weight": weight}
    ordered = mark_knowledge(document(*told), rules.model_copy(update={"order": "weighted"}), 0).measures
    assert ordered == marked | {"knowledge_order": draw_order("d", weight, 0)}


def test_a_document_that_went_is_not_weighed_and_nothing_is_where_the_step_is_off():
    asked = document((None, {"chart": 1.0, "map": 0.0, "other": 0.0}))
    dropped = replace(asked, drop=Drop("document_album", 1, 10))
    assert mark_knowledge(dropped, RULES.model_copy(update={"enabled": True}), 0) is dropped
    assert mark_knowledge(asked, RULES, 0) is asked
