"""Makes few rows behave as many: small pages, small files, a route of choice. For the torture processes only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from salesforce_sync.api.route import Probe, Route
from salesforce_sync.api.route import choose as cheapest
from tests.torture.history import Setup

ROUTES: dict[str, Callable[[Probe], Route]] = {
    "cheapest": cheapest,
    "rest": lambda probe: Route.REST,
    "bulk": lambda probe: Route.BULK,
}


def of_the_product(setup: Setup) -> list[tuple[str, str, object]]:
    """What a client reads differently in such a world: module, name, value."""
    return [
        ("salesforce_sync.api.route", "choose", ROUTES[setup.route]),
        ("salesforce_sync.api.download", "RESULT_PAGE_ROWS", setup.result_rows),
        ("salesforce_sync.api.download", "SEGMENT_BYTES", setup.segment_bytes),
        ("salesforce_sync.sync.engine", "WORKERS", setup.workers),
        *([("salesforce_sync.storage.merging", "TAKE_OVER_ROWS", 0)] if setup.route == "bulk" else []),
        *([] if setup.way == "cheapest" else [("salesforce_sync.api.write_route", "_price", _price_of(setup.way))]),
    ]


def _price_of(way: str) -> Callable[..., int]:
    """A price list on which this way costs least."""
    return lambda offered, orders, rows=0: int(str(offered) != way)


def of_the_org(setup: Setup) -> list[tuple[str, str, object]]:
    """What a server does differently: it may give fewer rows in a page than it was asked for."""
    return [
        ("simorg.query_http", "MIN_BATCH", 1),
        ("simorg.query_http", "MAX_BATCH", setup.page_rows),
        ("simorg.query", "LONG_TEXT_BATCH", setup.page_rows),
    ]


@contextmanager
def paced(*changes: tuple[str, str, object]) -> Iterator[None]:
    """Hold these names to other values until the block ends."""
    before = [(import_module(module), name, getattr(import_module(module), name)) for module, name, _ in changes]
    try:
        for module, name, value in changes:
            setattr(import_module(module), name, value)
        yield
    finally:
        for found, name, value in before:
            setattr(found, name, value)
