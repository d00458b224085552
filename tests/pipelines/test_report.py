"""Tests of the report over a run made by hand: that it adds up, escapes, stays small, and is the same each time."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import msgspec
import pytest

from pipelines.chart_scales import Cut, bin_counts
from pipelines.report import ReportOptions, build_report
from pipelines.report_pages.frame import POLICY
from pipelines.report_queries import measure_bins, measure_spreads, nearest_dropped, nearest_kept, open_ledger
from pipelines.report_spec import ReportSpec, RuleSpec, is_enabled, limit_of
from tests.pipelines.dom import Dom
from tests.pipelines.made_run import HOSTILE, MEASURES, RULES, SPEC, fetch_span, make_run
from transforms.shards import Manifest, format_manifest
from transforms.storage import LocalStorage

BUILT = datetime(2026, 11, 21, 1, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Manifest]:
    out = tmp_path_factory.mktemp("run [1]*")  # A folder whose name would be a pattern to the ledger's engine.
    return out, make_run(out, 300)


@pytest.fixture(scope="module")
def html(run: tuple[Path, Manifest]) -> str:
    out, manifest = run
    build_report(str(out), manifest, SPEC, fetch=fetch_span, built=BUILT)
    return (out / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html: str) -> Dom:
    return Dom(html)


def test_same_run_same_bytes(run: tuple[Path, Manifest], html: str) -> None:
    out, manifest = run
    (out / "manifest.json").write_bytes(format_manifest(manifest))
    build_report(str(out), None, SPEC, fetch=fetch_span, built=BUILT)
    assert (out / "report.html").read_text(encoding="utf-8") == html


def test_no_tag_that_could_run_or_load_anything(page: Dom) -> None:
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "audio", "video"}
    assert all(attrs["src"].startswith("data:image/webp;base64,") for tag, attrs in page.tags if tag == "img")  # type: ignore[union-attr]
    assert all(attrs["href"].startswith("#") for tag, attrs in page.tags if tag == "a")  # type: ignore[union-attr]
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]


def test_the_policy_forbids_network_and_script(page: Dom) -> None:
    policies = [a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY]
    assert "default-src 'none'" in POLICY
    assert "script" not in POLICY


def test_hostile_captions_are_shown_as_text(page: Dom) -> None:
    for caption in HOSTILE[:3]:
        assert caption in page.text


def test_control_characters_are_visible_and_none_is_raw(html: str) -> None:
    assert "a NUL \u2400, a bell \u2407 and a C1 \ufffd" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", html)


def test_every_foreign_text_has_its_direction_isolated(html: str) -> None:
    for line in re.findall(r'class="caption">(.{0,40})', html):
        assert line.startswith(('<bdi dir="auto">', "<summary")), line
    assert '<bdi dir="auto">invoice \u202egpj.exe\u2066 stays on its line</bdi>' in html


def test_a_long_caption_is_cut_and_says_so(page: Dom) -> None:
    assert "first 1,000 of 60,000 characters" in page.text


def test_anchors_lead_somewhere_and_are_unique(page: Dom) -> None:
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    assert {attrs["href"][1:] for tag, attrs in page.tags if tag == "a"} <= set(ids)  # type: ignore[index]


def test_funnel_ends_at_what_was_kept(run: tuple[Path, Manifest], html: str) -> None:
    kept = run[1].counts["kept"]
    rows = re.findall(r'<tr class="[a-z]+"><th scope="row"><code>(\w+)</code>.*?class="num left">([\d,]+)', html)
    names = [name for name, _ in rows]
    assert names == ["failed", *(rule.rule for rule in RULES), "kept"]
    assert rows[-2][1] == rows[-1][1] == f"{kept:,}"


def test_a_rule_the_spec_does_not_know_still_counts(run: tuple[Path, Manifest], tmp_path: Path) -> None:
    out, manifest = run
    few = ReportSpec("Few", RULES[:2], MEASURES)
    build_report(str(out), manifest, few, fetch=fetch_span, built=BUILT)
    text = (out / "report.html").read_text(encoding="utf-8")
    left = re.findall(r'class="num left">([\d,]+)', text)
    assert left[-1] == left[-2]
    assert "Duplicates" not in text


def test_a_measure_no_row_has_is_named(page: Dom) -> None:
    assert "No row has: never_measured." in page.text


def test_thumbnails_that_cannot_be_had_say_why(page: Dom) -> None:
    assert "cannot be fetched: FileNotFoundError" in page.text
    assert "cannot be decoded: PictureUndecodable" in page.text


def test_a_full_page_leaves_pictures_out_and_says_so(run: tuple[Path, Manifest]) -> None:
    out, manifest = run
    options = ReportOptions(samples_per_side=2, picture_bytes=20_000)
    build_report(str(out), manifest, SPEC, fetch=fetch_span, built=BUILT, options=options)
    assert "left out: page is full" in (out / "report.html").read_text(encoding="utf-8")
    assert (out / "report.html").stat().st_size < 200_000


def test_a_run_without_a_ledger_is_refused(tmp_path: Path, run: tuple[Path, Manifest]) -> None:
    with pytest.raises(ValueError, match="expected Parquet files, found none"):
        build_report(str(tmp_path), run[1], SPEC, fetch=fetch_span)


def test_a_rule_over_an_unknown_measure_is_refused(run: tuple[Path, Manifest]) -> None:
    spec = ReportSpec("Wrong", [RuleSpec("sound_too_loud", "loudness", "Sound")], MEASURES)
    with pytest.raises(ValueError, match="found \\['loudness'\\]"):
        build_report(str(run[0]), run[1], spec, fetch=fetch_span)


def test_an_empty_run_makes_a_page(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    from transforms.ledger import ledger_table

    manifest = make_run(tmp_path / "other", 10)
    nothing = {"read": 0, "kept": 0, "dropped": {}, "failed": {}}
    empty = msgspec.structs.replace(manifest, counts=nothing, shards=[], inputs=[], stages={})
    (tmp_path / "ledger").mkdir()
    pq.write_table(ledger_table([], MEASURES), tmp_path / "ledger/000000.parquet")
    build_report(str(tmp_path), empty, SPEC, fetch=fetch_span)
    assert "None: every row could be read" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_nearest_rows_lie_next_to_the_limit(run: tuple[Path, Manifest]) -> None:
    with open_ledger(str(run[0]), LocalStorage()) as ledger:
        dropped = [row.value for row in nearest_dropped(ledger, "clip_score_low", 4)]
        kept = [row.value for row in nearest_kept(ledger, "clip_score", "double", 0.3, 4)]
        query = "SELECT {} FROM ledger WHERE {} ORDER BY 1 {} LIMIT 4"
        below = ledger.execute(query.format("value", "rule = 'clip_score_low'", "DESC")).fetchall()
        above = ledger.execute(query.format("clip_score", "fate = 'kept'", "ASC")).fetchall()
    assert dropped == [value for (value,) in below]
    assert kept == [value for (value,) in above]


@pytest.mark.parametrize(
    ("name", "cut"),
    [("clip_score", Cut(0.3, "", "min", "clip_score_low")), ("aspect_ratio", Cut(3, "", "max", "image_aspect_ratio"))],
)
def test_bins_of_sql_are_bins_of_python(run: tuple[Path, Manifest], name: str, cut: Cut) -> None:
    with open_ledger(str(run[0]), LocalStorage()) as ledger:
        bins = measure_bins(ledger, measure_spreads(ledger, [name]), MEASURES, {name: [cut]})[name]
        values = ledger.execute(f"SELECT {name}, fate, rule FROM ledger WHERE {name} IS NOT NULL").fetchall()
    right = cut.side == "max"
    assert bins.kept == bin_counts([v for v, fate, _ in values if fate == "kept"], bins.edges, right_closed=right)
    assert bins.here == bin_counts([v for v, _, rule in values if rule == cut.rule], bins.edges, right_closed=right)
    assert sum(bins.kept + bins.here + bins.elsewhere) == len(values)


def test_values_on_a_limit_are_counted_on_the_side_that_stays() -> None:
    with duckdb.connect(":memory:") as ledger:
        ledger.execute(
            "CREATE VIEW ledger AS SELECT unnest([0.0, 0.3, 1.0]) AS clip_score, 'kept' AS fate, NULL AS rule"
        )
        spreads = measure_spreads(ledger, ["clip_score"])
        low = measure_bins(ledger, spreads, MEASURES, {"clip_score": [Cut(0.3, "", "min")]})["clip_score"]
        high = measure_bins(ledger, spreads, MEASURES, {"clip_score": [Cut(0.3, "", "max")]})["clip_score"]
    assert low.kept[low.edges.index(0.3)] == 1
    assert high.kept[high.edges.index(0.3) - 1] == 1


def test_limits_come_from_the_config() -> None:
    config = {"image": {"enabled": False, "min_short_side": 200}}
    rule = RuleSpec("image_too_small", "short_side", "Picture", "image.min_short_side", "min")
    assert limit_of(rule, config) == 200.0
    assert not is_enabled(rule, config)
    assert limit_of(RuleSpec("image_animated", "frames", "Picture", "image.allow_animated", limit=1), config) == 1
    assert limit_of(RuleSpec("caption_language", "language", "Caption"), config) is None
    assert limit_of(RuleSpec("other", "x", "Caption", "no.such.key"), config) is None
