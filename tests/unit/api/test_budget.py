from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from salesforce_sync.api.budget import (
    allowance,
    at,
    ceiling,
    day,
    forecast,
    full_load,
    left,
    look_again,
    may_call,
    quiet_day,
    spent,
)
from salesforce_sync.models.page import Priority
from salesforce_sync.models.usage import Forecast, Rhythm, Work

PUSH, PULL, VERIFY, REFRESH = Priority


@pytest.mark.parametrize(
    ("of_person", "of_org", "holds"),
    [(15_000, 100_000, 15_000), (15_000, 5000, 5000), (None, 5000, 5000), (15_000, None, 15_000), (None, None, None)],
)
def test_the_smaller_limit_holds(of_person: int | None, of_org: int | None, holds: int | None) -> None:
    assert ceiling(of_person, of_org) == holds


@pytest.mark.parametrize(
    ("top", "walls"),
    [
        (15_000, [15_000, 14_250, 12_000, 10_500]),
        (100_000, [100_000, 95_000, 80_000, 70_000]),
        (1001, [1001, 951, 801, 701]),
        (1000, [1000, 950, 800, 700]),
        (100, [100, 95, 80, 70]),
        (20, [20, 19, 16, 14]),
        (10, [10, 10, 8, 7]),
        (1, [1, 1, 1, 1]),
        (0, [0, 0, 0, 0]),
    ],
)
def test_each_kind_of_work_has_its_wall(top: int, walls: list[int]) -> None:
    assert [allowance(top, each) for each in (PUSH, PULL, VERIFY, REFRESH)] == walls


def test_the_reserve_of_pushes_is_at_least_fifty_calls_where_there_are_more_than_a_thousand() -> None:
    assert min(top - allowance(top, PULL) for top in range(1001, 5000)) == 50


def test_what_is_more_important_never_stops_first() -> None:
    for top in range(3000):
        walls = [allowance(top, each) for each in (PUSH, PULL, VERIFY, REFRESH)]
        assert walls == sorted(walls, reverse=True)
        assert walls[0] == top


@pytest.mark.parametrize(
    ("used", "priority", "may"),
    [
        (None, REFRESH, True),
        (0, REFRESH, True),
        (69, REFRESH, True),
        (70, REFRESH, False),
        (79, VERIFY, True),
        (80, VERIFY, False),
        (94, PULL, True),
        (95, PULL, False),
        (99, PUSH, True),
        (100, PUSH, False),
        (250, PUSH, False),
    ],
)
def test_a_call_may_go_until_its_wall(used: int | None, priority: Priority, may: bool) -> None:
    assert may_call(used, 100, priority) is may


def test_without_a_known_limit_every_call_may_go() -> None:
    assert may_call(1_000_000, None, REFRESH)


def test_words_and_times() -> None:
    moment = datetime(2026, 1, 15, 23, 30, tzinfo=UTC)

    assert look_again(moment) == moment + timedelta(hours=1)
    assert at(moment + timedelta(hours=1)).startswith("Try again at 00:30 UTC")
    assert spent(12_345, 15_000, VERIFY) == (
        "12,345 of 15,000 API calls of the last 24 hours are used; this work stops at 12,000 "
        "(the rest is kept for pulls and pushes)."
    )


@pytest.mark.parametrize(
    ("objects", "minutes", "calls"),
    [(4, 15, 96), (5, 15, 96), (6, 15, 192), (0, 15, 0), (4, 1, 1440), (4, 7, 206), (11, 60, 72), (1, 10_080, 1)],
)
def test_what_a_quiet_day_costs(objects: int, minutes: int, calls: int) -> None:
    assert quiet_day(objects, timedelta(minutes=minutes)) == calls


@pytest.mark.parametrize(
    ("rows", "page_rows", "calls"),
    [
        (0, 2000, 2),
        (1, 2000, 2),
        (2000, 2000, 2),
        (2001, 2000, 3),
        (10_000, 2000, 6),
        (10_001, 2000, 6),
        (250_000, 2000, 6),
        (1_000_000, 2000, 9),
        (1_000, 200, 6),
        (5_000, 200, 6),
    ],
)
def test_what_a_full_load_costs(rows: int, page_rows: int, calls: int) -> None:
    assert full_load(rows, page_rows) == calls


def works(*names: str, **more: Any) -> list[Work]:
    return [Work(name, 1000, polled=True, **more) for name in names]


def test_objects_that_are_polled_cost_what_they_share() -> None:
    assert forecast(works("A", "B", "C", "D")) == Forecast(1, (("A", 0), ("B", 0), ("C", 0), ("D", 0)))
    assert forecast(works(*"ABCDEF")).calls == 2


def test_small_proofs_share_a_call_and_large_ones_need_a_job_each() -> None:
    small, large = works("A", proof_is_due=True)[0], Work("B", 1_000_000, polled=True, proof_is_due=True)

    told = forecast([small, large])

    assert (told.shared, dict(told.objects)) == (2, {"A": 0, "B": full_load(1_000_000) - 2})


def test_what_reads_every_row_or_refreshes_pays_for_itself() -> None:
    told = forecast([Work("A", 10_000, reads_all=True), Work("B", 10_000, polled=True, refresh_is_due=True)])

    assert (told.shared, dict(told.objects)) == (1, {"A": 6, "B": 5})


def test_a_first_load_is_not_known_before_it_has_begun() -> None:
    told = forecast([Work("A", None), *works("B")])

    assert told.unknown == ("A",)
    assert told.calls == 1 + 2


def test_a_day_has_its_polls_proofs_and_refreshes() -> None:
    quarter, hours = timedelta(minutes=15), timedelta(hours=6)
    four = [*works("A", "B", "C"), Work("D", 1000, polled=True, refreshes=True)]

    assert day(four, Rhythm(quarter, None, None)) == quiet_day(4, quarter) == 96
    assert day(four, Rhythm(quarter, timedelta(days=1), None)) == 96 + 1
    assert day(four, Rhythm(quarter, timedelta(days=1), hours)) == 96 + 1 + 4


@pytest.mark.parametrize(("used", "top", "rest"), [(0, 100, 95), (90, 100, 5), (95, 100, 0), (200, 100, 0)])
def test_what_is_left_is_what_pulls_may_use(used: int, top: int, rest: int) -> None:
    assert left(used, top) == rest


@pytest.mark.parametrize(("objects", "calls"), [(0, 0), (1, 2), (5, 10), (6, 8), (34, 41)])
def test_many_first_loads_share_their_describes(objects: int, calls: int) -> None:
    told = forecast([Work(f"Object{number}", None) for number in range(objects)])

    assert told.calls == calls
