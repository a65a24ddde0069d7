"""What a push costs: API calls of 1,000 edits, and wall time of 10,000 beside simple-salesforce on the same org."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks.measure import Cost, alternate, run, task
from benchmarks.org import Org
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

RECORDS, FEW, MANY = 20_000, 1_000, 10_000
CALLS = Target(3)
"""For updates, with being read again."""


def costs(place: Workplace) -> Iterator[Line]:
    """Updates and creates; the clients send the same values and do not look before or after."""
    org = place.org(RECORDS)
    for kind, target in (("update", CALLS), ("create", None)):
        place.say(f"{kind} of {FEW:,} contacts")
        yield Line(
            f"{kind} of {FEW:,} contacts",
            "",
            "API calls",
            float(_ours(place, org, kind, FEW).facts["calls"]),
            None,
            target,
        )
    for kind in ("update", "create"):
        place.say(f"{kind} of {MANY:,} contacts in turn")
        ours, *clients = alternate(
            place.sizes.rounds,
            partial(_ours, place, org, kind, MANY),
            *(partial(_theirs, org, way, kind) for way in ("collections", "bulk2")),
        )
        for way, theirs in zip(("collections", "Bulk 2"), clients, strict=True):
            what = f"{kind} of {MANY:,} contacts, wall"
            yield Line(what, f"simple-salesforce {way}", "s", _seconds(ours), _seconds(theirs))


def _ours(place: Workplace, org: Org, kind: str, rows: int) -> Cost:
    with place.scratch() as folder:
        return run(task("push", org.url, org.client_id, org.client_secret, folder, kind, rows))


def _theirs(org: Org, way: str, kind: str) -> Cost:
    return run(task("push_by_client", org.url, org.client_id, org.client_secret, way, kind, MANY))


def _seconds(costs: list[Cost]) -> float:
    return statistics.median(float(each.facts["seconds"]) for each in costs)
