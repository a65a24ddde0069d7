"""The first load: Bulk CSV files on disk into typed SQLite, against Debian's `sqlite3 .import` of the same files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Cost, alternate, median, run, task
from benchmarks.table import Line, Target, cpu_line
from benchmarks.workplace import Workplace

CPU = Target(0.80)
PEAK_MB = Target(64)
GROWTH = Target(1.05, least=0.95)


def speed(place: Workplace) -> Iterator[Line]:
    """Whole processes: ours also types values, keeps nulls, and has a unique index on Id in the end."""
    rows = place.sizes.rows
    for scattered in (False, True):
        segments = place.segments(rows, scattered=scattered)
        place.say("loading in turn")
        ours, theirs = map(
            median, alternate(place.sizes.rounds, partial(ours_of, place, segments), partial(_import, place, segments))
        )
        order = "ids in no order" if scattered else "ids in order"
        yield cpu_line(f"first load, {order}", "sqlite3 .import", ours, theirs, CPU)


def memory(place: Workplace) -> Iterator[Line]:
    """The peak of the same process, at a small and a large number of rows."""
    small, large = place.sizes.small_rows, place.sizes.rows
    peaks = [_peak(place, rows) for rows in (small, large)]
    yield Line(f"first load, memory at {large:,} rows", unit="MB", ours=peaks[1], target=PEAK_MB, peak=peaks[1])
    yield Line("first load, memory", f"at {small:,} rows", "MB", peaks[1], peaks[0], GROWTH, peak=peaks[1])


def _peak(place: Workplace, rows: int) -> float:
    segments = place.segments(rows, scattered=True)
    place.say(f"memory of loading {rows:,} rows")
    return max(ours_of(place, segments).peak for _ in range(place.sizes.rounds))


def ours_of(place: Workplace, segments: Path) -> Cost:
    """Load the segments into a new replica."""
    with place.scratch() as folder:
        return run(task("load", segments, folder))


def _import(place: Workplace, segments: Path) -> Cost:
    with place.scratch() as folder:
        return run(import_command(folder / "imported.db", segments))


def import_command(database: Path, segments: Path) -> list[str]:
    """Debian's shell, which makes the table from the first header and skips the others."""
    files = sorted(segments.glob("*.csv"))
    return [
        "sqlite3",
        str(database),
        *(f".import --csv {'--skip 1 ' if number else ''}{file} Contact" for number, file in enumerate(files)),
    ]
