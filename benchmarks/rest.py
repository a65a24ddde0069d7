"""REST pages (JSON bytes) to stored rows, against what one would write with the standard library and executemany."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.measure import Cost, alternate, median, run, task
from benchmarks.table import Line, Target, cpu_line
from benchmarks.workplace import Workplace

CPU = Target(0.55)


def speed(place: Workplace) -> Iterator[Line]:
    """Whole processes; ours also makes every page durable, and builds the unique index."""
    pages = place.rest_pages()

    def stored(kind: str) -> Cost:
        with place.scratch() as folder:
            return run(task(kind, pages, folder))

    place.say("storing REST pages in turn")
    ours, theirs = map(median, alternate(place.sizes.rounds, lambda: stored("rest_store"), lambda: stored("rest_json")))
    yield cpu_line("REST pages to rows", "json + executemany", ours, theirs, CPU)
