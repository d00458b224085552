"""What-if: refusals, the law check, counts against a real run of the other config, captions that attack a terminal."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from configs.schema.caption import CaptionConfig
from configs.schema.strict import ConfigError
from pipelines.decisions import NotReproduced, disagreements, load_measured
from pipelines.kinds import KINDS
from pipelines.ledger import samples_by_unit
from pipelines.what_if import changed_keys, check_needs_no_picture, compare, override, what_if
from tests.pipelines.damage import rewrite_ledger
from tests.pipelines.small_run import make_run, small_config
from transforms.records import Drop, Sample, Text

CFG, CAPTION = CaptionConfig(), KINDS["caption"]


def sample(key: str, drop: Drop | None = None, **measures: int) -> Sample:
    return Sample(key, "a.tar", 0, 0, (Text(f"caption of {key}"),), measures=measures, drop=drop)


def test_overrides_change_only_what_they_name():
    new = override(CFG, ["image.min_short_side=100", "language.allowed=[en, zh]"])
    assert changed_keys(CFG, new) == ["image.min_short_side", "language.allowed"]
    assert new.language.allowed == ("en", "zh")


@pytest.mark.parametrize(
    "text", ["image.min_shortside=3", "image.min_short_side=wide", "image.min_short_side", "x.y=1"]
)
def test_a_wrong_override_is_a_config_error(text):
    with pytest.raises(ConfigError):
        override(CFG, [text])


@pytest.mark.parametrize(
    "text",
    [
        "image.max_pixel_count=50000",
        "read.max_caption_bytes=5000",
        "language.enabled=false",
        "relevance.model=ViT-L-14",
        "relevance.pretrained=laion2b",
        "relevance.precision=bf16",
        "relevance.batch_size=1",
        "relevance.threads=2",
        "relevance.device=cuda",
    ],
)
def test_what_needs_pictures_is_refused_by_name(text):
    with pytest.raises(ConfigError, match=re.escape(text.partition("=")[0]) + " changes the measuring"):
        check_needs_no_picture(CFG, override(CFG, [text]))


@pytest.mark.parametrize(
    "text",
    ["image.min_short_side=9", "relevance.min_score=0.2", "relevance.enabled=false", "duplicates.of=bytes", "seed=3"],
)
def test_what_only_decides_is_allowed(text):
    check_needs_no_picture(CFG, override(CFG, [text]))


def test_another_model_is_no_matter_where_relevance_is_off():
    check_needs_no_picture(CFG, override(CFG, ["relevance.enabled=false", "relevance.model=ViT-L-14"]))


def test_rows_change_sides_in_both_directions():
    small, short = Drop("image_too_small", 90, 100), Drop("caption_too_short", 3, 6)
    before = [sample("stays"), sample("goes"), sample("comes", small), sample("moves", small), sample("out", small)]
    after = [sample("stays"), sample("goes", short), sample("comes"), sample("moves", short), sample("out", small)]
    found = compare(before, after, CAPTION)
    assert (found.gone, found.come, found.moved) == (1, 1, 1)
    assert [(change.key, change.caption, change.drop) for change in found.going] == [("goes", "caption of goes", short)]
    assert [(change.key, change.drop) for change in found.coming] == [("comes", small)]
    assert found.old == {"": 2, "image_too_small": 3}
    assert found.new == {"": 2, "caption_too_short": 2, "image_too_small": 1}


def test_ten_examples_of_many_are_told():
    found = compare(
        [sample(str(i)) for i in range(30)], [sample(str(i), Drop("caption_url", 1, 0.5)) for i in range(30)], CAPTION
    )
    assert (found.gone, [change.key for change in found.going]) == (30, [str(i) for i in range(10)])


def test_rows_without_a_score_are_counted():
    assert compare([sample("a")], [sample("a", unscored=1)], CAPTION).unscored == 1


def test_the_old_config_reproduces_the_ledger(finished, scored):
    for output, cfg in ((finished, small_config()), (scored, _config(scored))):
        assert list(disagreements(load_measured(output), cfg)) == []


def _config(output: str) -> CaptionConfig:
    return CaptionConfig.model_validate(json.loads((Path(output) / "manifest.json").read_text())["config"])


def test_the_answer_is_what_a_run_would_have_made(finished, tmp_path):
    from transforms.caption_pairs import decide_again

    sets = ["image.min_short_side=100", "caption.min_words=6", "duplicates.enabled=false"]
    cfg = override(small_config(), sets)
    measured = load_measured(finished)
    told = [(s.key, s.drop) for s in decide_again(measured.samples, measured.units, cfg)]
    assert told == [(row.sample.key, row.sample.drop) for row in samples_by_unit(make_run(tmp_path, cfg))]


def test_the_table_tells_rule_by_rule(finished, capsys):
    assert what_if(finished, ["image.min_short_side=100", "caption.min_words=7"]) == 0
    told = capsys.readouterr().out
    assert "what if image.min_short_side: 200 → 100; caption.min_words: 3 → 7" in told
    assert _row(told, "image_too_small") == ["1", "0", "-1"]
    assert _row(told, "kept")[0] == "15"


def _row(told: str, reason: str) -> list[str]:
    line = next(line for line in told.splitlines() if reason in line and "│" in line)
    return [cell.strip() for cell in line.strip("│").split("│")][2:]


def test_a_caption_is_never_markup_nor_an_escape_sequence(finished, capsys):
    assert what_if(finished, ["caption.max_control_characters=9"]) == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told
    assert "[red]not markup[/red]" in told and "\\x1b[31mnor" in told.replace(" ", "").replace("│\n", "")


def test_another_score_limit_drops_what_a_run_scored(scored, capsys):
    scores = [s.pieces[-1].measures.get("clip_score") for _, s in samples_by_unit(scored) if s.alive]
    middle = sorted(scores)[len(scores) // 2]
    assert what_if(scored, [f"relevance.min_score={middle}"]) == 0
    assert _row(capsys.readouterr().out, "clip_score_low")[1] == str(sum(score < middle for score in scores))


def test_rows_that_only_a_run_can_score_are_told(finished, scored, capsys):
    assert what_if(finished, ["relevance.enabled=true"]) == 0
    assert "never scored: 15 samples" in capsys.readouterr().out
    assert what_if(scored, ["image.min_short_side=100", "image.min_pixel_count=100"]) == 0
    assert "never scored: 1 samples" in capsys.readouterr().out


def test_a_ledger_that_does_not_follow_from_its_config_is_refused(damaged):
    rewrite_ledger(damaged, lambda s: replace(s, drop=None) if s.key == "tiny" else s)
    with pytest.raises(NotReproduced, match=r"tiny: expected kept, found dropped image_too_small \(120, limit 200\)"):
        what_if(str(damaged), ["image.min_short_side=100"])


def test_every_kind_of_fate_is_in_the_pool_of_these_tests(finished):
    rules = ["caption_control_characters", "caption_too_few_words", "image_duplicate", "image_too_small"]
    assert Counter(s.drop.rule if s.drop else s.fate for _, s in samples_by_unit(finished)) == {
        "kept": 15,
        "failed": 1,
        **dict.fromkeys(rules, 1),
    }
