"""Why: every fate tells its story, and the place it names is the place where the tar has it."""

import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.caption_rules import RULES
from pipelines.errors import NotFinished
from pipelines.finish import finished_manifest
from pipelines.kinds import KINDS
from pipelines.ledger import LedgerRow, open_ledger, samples_by_unit
from pipelines.rule_standing import applies, standing, standings
from pipelines.why import format_drop, locate, nearest_keys, why
from tests.pipelines.small_run import small_config
from transforms.records import Drop, Sample


def story(output: str, key: str, capsys, code: int = 0) -> str:
    assert why(output, key) == code
    return " ".join(capsys.readouterr().out.split())


def test_a_dropped_row_tells_value_and_limit(finished, capsys):
    told = story(finished, "tiny", capsys)
    assert "reason image_too_small: short_side 120 pixels, limit 200" in told
    assert "which means Resolution too low to learn from" in told
    assert "image_too_small NO: ≥ 200 by 80" in told
    assert "lies in" not in told


def test_a_failed_row_tells_class_message_and_place(finished, capsys):
    told = story(finished, "broken", capsys)
    assert "fate failed" in told and "error PictureUndecodable" in told
    assert "a.tar" in told


def test_a_copy_names_the_kept_one_and_the_others(finished, capsys):
    told = story(finished, "pair0", capsys)
    assert "image_duplicate: copies 2 copies, limit 1 (copy)" in told
    assert "2 of one picture, chosen: copy; the others: copy (kept)" in told
    assert "the others: pair0 (dropped)" in story(finished, "copy", capsys)


def test_both_rows_of_a_repeated_key_are_told(finished, capsys):
    told = story(finished, "pair1", capsys)
    assert "key pair1 fate" in told and "key pair1~2 fate" in told


def test_a_dropped_caption_of_a_kept_row_says_what_marked_it(finished, capsys):
    told = story(finished, "several", capsys)
    assert "caption x marked caption_too_short: characters 1 characters, limit 6" in told
    assert "caption 1 (chosen)" in told


def test_the_picture_is_named_by_its_bytes(finished, capsys):
    told = story(finished, "pair1", capsys)
    assert "a.tar#pair1.jpgbytes" in told.replace(" ", "")  # the table breaks a long path anywhere


def test_a_hostile_caption_is_shown_and_not_obeyed(finished, capsys):
    why(finished, "hostile")
    told = capsys.readouterr().out
    assert "\x1b" not in told and "\u202e" not in told and "[red]" in told


def test_an_unknown_key_gets_the_nearest_ones(finished, capsys):
    told = story(finished, "pair", capsys, code=1)
    assert "has no sample 'pair'; the nearest keys: pair0, pair1, pair2, pair3, pair4" in told


def test_a_key_out_of_order_is_found_by_likeness(finished):
    with open_ledger(finished) as connection:
        assert nearest_keys(connection, "brokne")[0] == "broken"


def test_a_run_that_is_not_finished_is_said_to_be(tmp_path):
    with pytest.raises(NotFinished):
        why(str(tmp_path), "pair0")


def test_every_kept_row_lies_where_it_is_said_to(finished):
    """Against the tars themselves, read by tarfile."""
    manifest = finished_manifest(finished)
    truth = {name: (shard, i, names) for shard, i, name, names in _tar_samples(Path(finished))}
    with open_ledger(finished) as connection:
        rows = [LedgerRow(*row) for row in samples_by_unit(finished) if row[1].alive]
        told = {row.sample.key: locate(row, manifest, connection) for row in rows}
    assert {key: (one.shard, one.ordinal, one.members) for key, one in told.items()} == truth
    assert sorted(one.rank for one in told.values()) == list(range(15))


def _tar_samples(output: Path) -> Iterator[tuple[str, int, str, list[str]]]:
    for path in sorted((output / "shards").glob("*.tar")):
        with tarfile.open(path) as tar:
            names = tar.getnames()
        keys = list(dict.fromkeys(name.partition(".")[0] for name in names))
        for i, key in enumerate(keys):
            yield f"shards/{path.name}", i, key, [name for name in names if name.partition(".")[0] == key]


def test_a_drop_is_told_with_its_unit_and_detail():
    assert (
        format_drop(Drop("image_duplicate", 3, 1, "the other"), KINDS["caption"])
        == "image_duplicate: copies 3 copies, limit 1 (the other)"
    )
    assert (
        format_drop(Drop("caption_not_best", 0.2, 0.31), KINDS["caption"]) == "caption_not_best: value 0.2, limit 0.31"
    )


SAMPLE = Sample("a", "a.tar", 0, 0)


def test_a_value_at_its_limit_passes_by_nothing():
    assert list(standings("short_side", 200, SAMPLE, small_config())) == [("image_too_small", "yes: ≥ 200 by 0")]


def test_two_rules_on_one_measure_are_both_told():
    assert dict(standings("words", 900, SAMPLE, small_config())) == {
        "caption_too_few_words": "yes: ≥ 3 by 897",
        "caption_too_many_words": "NO: ≤ 800 by 100",
    }


def test_rules_that_are_off_say_so():
    cfg = small_config().model_copy(update={"image": small_config().image.model_copy(update={"allow_animated": True})})
    off = [rule.rule for rule in RULES if not applies(rule, cfg)]
    assert off == [
        "image_animated",
        "caption_language",
        "image_known",
        "image_near_duplicate",
        "clip_score_low",
        "image_semantic_duplicate",
        "concept_none",
        "concept_not_drawn",
    ]
    assert standing(RULES[4], 3, SAMPLE, cfg) == "off"
