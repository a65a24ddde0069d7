"""REST or Bulk: which one finishes a pull with fewer API calls. Pure."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

RESULT_PAGE_ROWS = 250_000
"""Rows asked of one Bulk result page."""

REST_PAGE_ROWS = 2_000
"""The most that a REST page holds; of wide rows it holds fewer."""

NARROW = 4
"""Columns of a listing: a million of its rows are as many bytes as a common page of wide ones."""

EXPECTED_POLLS = 2


class Route(StrEnum):
    """How the rows come."""

    REST = "rest"
    BULK = "bulk"


class Probe(Struct, frozen=True):
    """What the first REST page told: rows in all, rows on it (wide rows make pages short), and whether it is all."""

    total: int
    page_rows: int
    done: bool


def rest_calls_left(probe: Probe) -> int:
    """Calls that REST still needs after the first page, if all pages are as long as that one."""
    if probe.done:
        return 0
    return -(-max(0, probe.total - probe.page_rows) // max(1, probe.page_rows))


def bulk_calls(total: int) -> int:
    """Calls of a Bulk query job: its creation, about two looks at it, and its result pages."""
    return 1 + EXPECTED_POLLS + max(1, -(-total // RESULT_PAGE_ROWS))


def result_page_rows(width: int, page_rows: int = RESULT_PAGE_ROWS) -> int:
    """How many rows of so many columns to ask of one Bulk result page: fewer pages cost fewer calls."""
    return page_rows * 4 if width <= NARROW else page_rows


def choose(probe: Probe) -> Route:
    """The cheaper way on. A tie stays with REST: its first page is already here, and it keeps the order."""
    return Route.BULK if rest_calls_left(probe) > bulk_calls(probe.total) else Route.REST


def surely_bulk(rows: int) -> bool:
    """Whether Bulk is the cheaper way for so many rows, even if REST's pages are as long as they can be."""
    return choose(Probe(rows, min(rows, REST_PAGE_ROWS), rows <= REST_PAGE_ROWS)) is Route.BULK


def first_wait(rows: int | None) -> float:
    """Seconds before the first look at a job of so many rows (None: not known): long enough that one look may do."""
    return min(20.0, 0.5 + (30_000 if rows is None else rows) / 30_000)


def next_wait(wait: float) -> float:
    """Seconds before the next look: longer each time, as every look costs a call; never above 60."""
    return min(60.0, wait * 1.6)
