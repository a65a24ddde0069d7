"""Reading the replica: one record by its id, and all of them, as typed records of 30 fields."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.measure import alternate, run, task
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

GET_US = Target(12)
ALL_US = Target(6)
GET_BARE, ALL_BARE = Target(1.2), Target(1.36)
"""The same, where bare rows take 10 and 4.4 µs: machines differ by three times."""


def speed(place: Workplace) -> Iterator[Line]:
    """Microseconds of CPU a record: ours, and rows as the two database modules give them."""
    database = place.database()
    place.say("reading in turn")
    ours, apsw, sqlite3 = (
        {name: median(cost.facts[name] for cost in costs) for name in ("get", "all")}
        for costs in alternate(
            place.sizes.rounds,
            lambda: run(task("read_records", database)),
            lambda: run(task("read_rows", "apsw", database)),
            lambda: run(task("read_rows", "sqlite3", database)),
        )
    )
    for name, target, ratio in (("get", GET_US, GET_BARE), ("all", ALL_US, ALL_BARE)):
        what = "contacts.get(id)" if name == "get" else "contacts.all(), a record"
        yield Line(what, "", "CPU µs", ours[name], None, target)
        yield Line(what, "apsw, a bare row", "CPU µs", ours[name], apsw[name], ratio)
        yield Line(what, "sqlite3, a bare row", "CPU µs", ours[name], sqlite3[name])
