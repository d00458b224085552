"""The report's groups of pictures that are alike: the largest and the most doubtful, sizes, and the kept one framed."""

import duckdb

from pipelines.alike_queries import alike_groups, alike_sizes
from pipelines.caption_rules import MEASURES, REPORT
from pipelines.report_pages.alike import alike
from pipelines.report_pages.thumbnails import Thumbnails

NEAR = REPORT.likenesses[0]
COLUMNS = (
    '"key" VARCHAR, fate VARCHAR, rule VARCHAR, "limit" DOUBLE, detail VARCHAR, caption VARCHAR, uri VARCHAR, '
    'container VARCHAR, "start" BIGINT, "end" BIGINT, member VARCHAR, width INTEGER, height INTEGER, source VARCHAR, '
    "part INTEGER, position BIGINT, near_duplicate_of VARCHAR, near_difference DOUBLE"
)


def ledger(groups: dict[str, list[float]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(":memory:")
    connection.execute(f"CREATE TABLE ledger ({COLUMNS})")
    for kept, differences in groups.items():
        members = [(kept, "kept", 0.0), *((f"{kept}{i}", "dropped", d) for i, d in enumerate(differences))]
        for position, (key, fate, difference) in enumerate(members):
            row = [key, fate, None, None, None, "<b>text", None, None, None, None, None, None, None, "a.tar", 0]
            values = [*row, position, kept, difference]
            connection.execute(f"INSERT INTO ledger VALUES ({', '.join('?' * len(values))})", values)
    return connection


def test_the_largest_groups_and_then_the_most_doubtful_of_the_others():
    found = ledger({"a": [0.01, 0.03, 0.02], "b": [0.01, 0.02], "c": [0.04], "d": [0.05], "e": [0.001]})
    largest, doubtful = alike_groups(found, NEAR, 2, 2)
    assert [(one.key, one.copies, [row.key for row in one.others]) for one in largest] == [
        ("a", 3, ["a1", "a2"]),
        ("b", 2, ["b1", "b0"]),
    ]
    assert [(one.key, one.others[0].value) for one in doubtful] == [("d", 0.05), ("c", 0.04)]
    assert alike_sizes(found, NEAR) == [(2, 3), (3, 1), (4, 1)]


def test_the_kept_one_is_framed_and_text_is_not_trusted():
    found = ledger({"<i>": [0.0312], "b": [0.01] * 20})
    groups, sizes = alike_groups(found, NEAR, 4, 6), alike_sizes(found, NEAR)
    html = alike(NEAR, MEASURES[NEAR.apart], groups, sizes, Thumbnails(lambda *_: b""))
    assert html.count('<figure class="star"') == 2 and "<b>0.0312</b> <small>share</small>" in html
    assert "and 14 more" in html and "12 and more" in html and "2 pictures" in html
    assert "<i>" not in html and "<b>text" not in html
