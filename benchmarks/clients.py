"""The same contacts from the same simulated org, through ours and through simple-salesforce."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Cost, alternate, median, run, task
from benchmarks.table import Line, Target, cpu_line
from benchmarks.workplace import Workplace

TYPED = Target(0.25)
UNTYPED = Target(0.70)


def speed(place: Workplace) -> Iterator[Line]:
    """Whole processes, from login to closed database; the org's own CPU is not counted."""
    records = place.sizes.client_rows
    org = place.org(records)

    def client(kind: str) -> Cost:
        with place.scratch() as folder:
            cost = run(task(kind, org.url, org.client_id, org.client_secret, folder))
        if cost.facts["rows"] != records:
            raise ValueError(f"{kind} stored {cost.facts['rows']} rows of {records}")
        return cost

    place.say(f"fetching {records:,} contacts in turn")
    ours, typed, untyped = map(
        median,
        alternate(
            place.sizes.rounds, lambda: client("sync"), lambda: client("query_all"), lambda: client("bulk_query")
        ),
    )
    what = f"sync of {records:,} contacts"
    yield cpu_line(what, "simple-salesforce query_all", ours, typed, TYPED)
    yield cpu_line(what, "simple-salesforce Bulk 2 + csv", ours, untyped, UNTYPED)
