"""API calls, as the org counts them: first syncs, and a cycle in which nothing has changed."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import run, task
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

FIRST_SYNC = {200_000: Target(5), 1_000_000: Target(10)}
QUIET_CYCLE = Target(4)


def counted(place: Workplace) -> Iterator[Line]:
    """Every call counts: describe, the first page, the job, each look at it, each result page."""
    for records in place.sizes.call_rows:
        org = place.org(records)
        place.say(f"first sync of {records:,} contacts")
        with place.scratch() as folder:
            before = org.calls()
            cost = run(task("sync", org.url, org.client_id, org.client_secret, folder))
            calls = org.calls() - before
        walls = cost.wall, None
        yield Line(
            f"first sync of {records:,} contacts", "", "API calls", calls, None, FIRST_SYNC[records], walls, cost.peak
        )
    yield _quiet(place)


def _quiet(place: Workplace) -> Line:
    org = place.org(place.sizes.call_rows[0] if place.sizes.call_rows else place.sizes.client_rows)
    place.say("a quiet cycle of the four default objects")
    with place.scratch() as folder:
        cost = run(task("quiet_cycle", org.url, org.client_id, org.client_secret, folder))
    return Line("quiet cycle, 4 objects", "", "API calls", float(cost.facts["calls"]), None, QUIET_CYCLE)
