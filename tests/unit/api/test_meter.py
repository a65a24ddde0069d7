from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from salesforce_sync.api.meter import Meter, read_limit_info
from salesforce_sync.ports import Usage


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("api-usage=18/5000", (18, 5000)),
        ("api-usage=25/5000; per-app-api-usage=17/250(appName=sample-connected-app)", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x); api-usage=25/5000", (25, 5000)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("nonsense", None),
    ],
)
def test_the_orgs_own_count_is_read(header: str, told: tuple[int, int] | None) -> None:
    assert read_limit_info(header) == told


def test_an_answer_without_the_header_changes_nothing() -> None:
    meter = Meter()
    meter.note("api-usage=18/5000")
    meter.note(None)

    assert meter.usage == Usage(spent=0, used=18, limit=5000)


def test_calls_of_all_workers_are_counted() -> None:
    meter = Meter()
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2000):
            pool.submit(meter.spend)

    assert meter.usage.spent == 2000
