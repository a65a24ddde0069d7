from __future__ import annotations

from itertools import accumulate

import pytest

from salesforce_sync.api.route import (
    Probe,
    Route,
    bulk_calls,
    choose,
    first_wait,
    next_wait,
    rest_calls_left,
    result_page_rows,
)


@pytest.mark.parametrize(
    ("total", "page_rows", "route"),
    [
        (0, 0, Route.REST),
        (1, 1, Route.REST),
        (2_000, 2_000, Route.REST),
        (10_000, 2_000, Route.REST),  # 4 more pages against 4 calls of a job: a tie stays
        (10_001, 2_000, Route.BULK),
        (200_000, 2_000, Route.BULK),
        (1_000_000, 2_000, Route.BULK),
        (1_000, 200, Route.REST),  # wide rows make short pages
        (1_001, 200, Route.BULK),
        (5, 1, Route.REST),
    ],
)
def test_the_route_with_fewer_calls_is_taken(total: int, page_rows: int, route: Route) -> None:
    assert choose(Probe(total, page_rows, done=total == page_rows)) is route


def test_a_result_that_is_all_here_needs_no_more_calls() -> None:
    assert rest_calls_left(Probe(7, 7, done=True)) == 0


def test_an_empty_first_page_does_not_divide_by_zero() -> None:
    assert rest_calls_left(Probe(3, 0, done=False)) == 3


@pytest.mark.parametrize(("total", "calls"), [(0, 4), (250_000, 4), (250_001, 5), (1_000_000, 7)])
def test_the_calls_of_a_job_are_counted(total: int, calls: int) -> None:
    assert bulk_calls(total) == calls


@pytest.mark.parametrize(("rows", "most"), [(10_000, 1.0), (200_000, 8.0), (100_000_000, 20.0)])
def test_the_first_look_comes_soon(rows: int, most: float) -> None:
    assert 0 < first_wait(rows) <= most


def test_two_hours_of_waiting_cost_a_bounded_number_of_looks() -> None:
    waits = [first_wait(None)]
    while sum(waits) < 7200:
        waits.append(next_wait(waits[-1]))

    assert max(waits) == 60.0
    assert list(accumulate(waits))[4] > 20
    assert len(waits) < 130


@pytest.mark.parametrize(
    ("width", "rows"), [(2, 1_000_000), (3, 1_000_000), (4, 1_000_000), (5, 250_000), (60, 250_000)]
)
def test_a_page_of_a_listing_has_more_rows(width: int, rows: int) -> None:
    assert result_page_rows(width) == rows
