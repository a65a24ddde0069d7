"""Change events: from a commit in the org to the committed row here, and how fast what was missed is caught up on."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import run, task
from benchmarks.org import running_org
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

RECORDS, SECONDS, A_SECOND, MISSED = 2_000, 15, 200, 20_000
MEDIAN, WORST, CAUGHT_UP = Target(100), Target(1_000), Target(200)
"""Milliseconds; and microseconds an event: 5,000 events a second."""


def costs(place: Workplace) -> Iterator[Line]:
    """Contacts; the org is a process of its own, and both share the machine."""
    with place.scratch() as folder, running_org(folder, RECORDS, place.sizes.seed, "--events-port", "0") as org:
        place.say(f"{A_SECOND} events a second for {SECONDS} s")
        told = run(task("follow", *org.login, org.events_url, folder, "live", SECONDS, A_SECOND))
        what = f"commit to row here, {A_SECOND} events/s"
        yield Line(f"{what}, median", "", "ms", told.facts["median"], None, MEDIAN)
        yield Line(f"{what}, 99 %", "", "ms", told.facts["worst"], None, WORST, peak=told.peak)
        place.say(f"{MISSED:,} missed events")
        told = run(task("follow", *org.login, org.events_url, folder, "missed", MISSED, 0))
        yield Line("catch-up, wall", "", "µs an event", told.facts["wall"], None, CAUGHT_UP, peak=told.peak)
        yield Line("catch-up, CPU of ours", "", "µs an event", told.facts["cpu"])
