"""What it costs to keep a replica equal to its org, and to prove it: API calls, bytes, memory, and CPU of a merge."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measure import Cost, alternate, run, task
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

FEW = 10_000
"""Contacts of the small org, whose memory is compared with the large one's."""

CALLS = {"quiet": Target(1), "one in a hundred": None, "verify": Target(10)}
WORDS = {"quiet": "quiet cycle", "one in a hundred": "1 % change", "verify": "verify"}
GROWTH = Target(1.1)
MERGE_MICROSECONDS = Target(40)
MERGE_BARE = Target(1.29)
"""The same, where the bare statement takes 31 µs: machines differ by three times."""


def costs(place: Workplace) -> Iterator[Line]:
    """Calls and bytes of the largest org, and its memory against that of a small one."""
    many = place.sizes.call_rows[-1]
    small, large = (_keep_and_prove(place, records) for records in (FEW, many))
    for what, target in CALLS.items():
        calls, sent = large.facts[what]
        yield Line(f"{WORDS[what]}, {many:,} contacts", "", "API calls", float(calls), None, target)
        yield Line(f"{WORDS[what]}, {many:,} contacts", "", "kB", sent / 1000)
    yield Line("sync and verify, memory", f"at {FEW:,} rows", "MB", large.peak, small.peak, GROWTH, peak=large.peak)


def _keep_and_prove(place: Workplace, records: int) -> Cost:
    org = place.org(records)
    place.say(f"keeping up with {records:,} contacts, and proving them")
    with place.scratch() as folder:
        return run(task("proving", org.url, org.client_id, org.client_secret, folder))


def merge(place: Workplace) -> Iterator[Line]:
    """A delta of a tenth of the rows: changed, new, deleted and contested ones; with the bookkeeping of a sync.

    The yardstick is the bare sorted statement, without anything that a sync has to know of the rows.
    """
    for scattered in (False, True):
        database, delta = place.database(scattered=scattered), place.delta(scattered=scattered)
        place.say("merging a delta in turn")
        ours, bare = alternate(
            place.sizes.rounds,
            partial(_merge, place, database, delta, "whole"),
            partial(_merge, place, database, delta, "bare"),
        )
        peak, order = max(each.peak for each in ours), "in no order" if scattered else "in order"
        what = f"merge of a 10 % delta, ids {order}"
        yield Line(what, "", "µs a row", _micros(ours), None, MERGE_MICROSECONDS, peak=peak)
        yield Line(what, "bare INSERT", "µs a row", _micros(ours), _micros(bare), MERGE_BARE)


def _merge(place: Workplace, database: Path, delta: Path, way: str) -> Cost:
    with place.scratch() as folder:
        shutil.copy(delta / "delta.csv", folder)  # the store removes what it has staged
        return run(task("merge", database, folder, way))


def _micros(costs: Sequence[Cost]) -> float:
    return statistics.median(float(each.facts["merge"]) / int(each.facts["rows"]) for each in costs) * 1e6
