"""Compressed result pages over HTTP into typed SQLite: downloads overlap with loading, or come before it.

A server of its own hands out prepared bytes, so that no org's work is in the numbers. Wall seconds: overlapping saves
time and no CPU, so on a machine whose cores are busy otherwise there is little to see.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from benchmarks.measure import Cost, Failed, alternate, median, run, task
from benchmarks.org import running
from benchmarks.table import Line, Target
from benchmarks.workplace import Workplace

WALL = Target(0.60)


def speed(place: Workplace) -> Iterator[Line]:
    """Ours against curl, which inflates all pages to disk, and then the same load or Debian's `.import`."""
    rows = place.sizes.rows
    pages = place.result_pages(rows)
    count = len(json.loads((pages / "rows.json").read_text("utf-8")))

    def overlapped() -> Cost:
        with place.scratch() as folder:
            cost = run(task("pull_pages", url, rows, folder))
        if cost.facts["rows"] != rows:
            raise Failed(f"{cost.facts['rows']} rows of {rows} were stored")
        return cost

    def in_turn(how: str) -> Cost:
        with place.scratch() as folder:
            return run(task("fetch_then_load", url, count, folder, how))

    with place.scratch() as folder, running(_server(pages, folder / "ready"), folder / "ready") as url:
        place.say("downloading and loading in turn")
        ours, same, shell = map(
            median, alternate(place.sizes.rounds, overlapped, lambda: in_turn("store"), lambda: in_turn("import"))
        )
    yield _line("inflate, then load", ours, same, WALL)
    yield _line("inflate, then .import", ours, shell, None)


def _server(pages: Path, ready: Path) -> list[str]:
    return task("serve_pages", pages, ready)


def _line(against: str, ours: Cost, theirs: Cost, target: Target | None) -> Line:
    walls = ours.wall, theirs.wall
    return Line("gzip pages over HTTP", against, "wall s", *walls, target, walls, ours.peak)
