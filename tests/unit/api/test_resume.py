from __future__ import annotations

from datetime import UTC, datetime

import pytest

from salesforce_sync.api.resume import BulkPoint, RestPoint, SplitPoint, parse
from salesforce_sync.errors import LocatorExpired


@pytest.mark.parametrize(
    "point",
    [
        BulkPoint("750R0000000zlh9IAA"),
        BulkPoint("750R0000000zlh9IAA", 0),
        BulkPoint("750R0000000zlh9IAA", 500_000, "MDowR2FIbjAwMDAwNXMyVDRLQUk6MQ"),
        BulkPoint("750R0000000zlh9IAA", 500_000, "odd:locator:with:colons"),
        BulkPoint("750R0000000zlh9IAA", None, "null"),
        BulkPoint("750R0000000zlh9IAA", None, None, 9000),
        BulkPoint("750R0000000zlh9IAA", None, "a:b", 9000),
        RestPoint(0, "/services/data/v58.0/query/0r8Hu1lKCluUiC9IMK-2000"),
        RestPoint(2000, "https://acme.my.salesforce.com/services/data/v58.0/query/x:y"),
        RestPoint(2000, "/services/data/v58.0/query/x:y", 9000, "0123456789abcdef"),
        RestPoint(1999, None),
        SplitPoint(0),
        SplitPoint(7, datetime(1700, 1, 1, tzinfo=UTC), datetime(2024, 1, 15, 10, 0, 0, 7000, tzinfo=UTC)),
        SplitPoint(7, None, datetime(2024, 1, 15, tzinfo=UTC), ""),
        SplitPoint(7, datetime(2024, 1, 15, tzinfo=UTC), None, "003000000000001AAA"),
    ],
)
def test_a_point_survives_being_written_down(point: BulkPoint | RestPoint | SplitPoint) -> None:
    assert parse(str(point)) == point


def test_points_know_their_end() -> None:
    assert BulkPoint("750", 1, "null").finished
    assert RestPoint(1, None).finished
    assert not BulkPoint("750", 1).finished
    assert not RestPoint(1, "/x").finished


@pytest.mark.parametrize(
    "text",
    [
        "",
        "bulk",
        "bulk::",
        "bulk:::",
        "bulk:750:x:y",
        "bulk:750:~:y",
        "rest:x:/y",
        "rest:5:/x",
        "tape:1:2",
        "split:1:x::",
    ],
)
def test_a_point_that_nobody_wrote_means_to_begin_anew(text: str) -> None:
    with pytest.raises(LocatorExpired):
        parse(text)
