"""Writing a workbook of 60 columns, with all that a person needs in it, against libraries that write cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.measure import Cost, run, task
from benchmarks.table import Line, Target, cpu_line
from benchmarks.workplace import Workplace

CPU = Target(0.25)
PEAK_MB = Target(64)


def writing(place: Workplace) -> Iterator[Line]:
    """Whole processes; each runs once, because the libraries take minutes."""
    rows, folder = place.sizes.workbook_rows, place.wide()
    what = f"workbook of {rows:,} rows x 60"
    place.say(f"writing a {what}, by three programs in turn")
    ours, xlsxwriter, openpyxl = map(
        partial(_written, place),
        (
            partial(task, "write_workbook", folder),
            partial(task, "write_by_library", "xlsxwriter", folder),
            partial(task, "write_by_library", "openpyxl", folder),
        ),
    )
    yield cpu_line(what, "XlsxWriter, constant memory", ours, xlsxwriter, CPU)
    yield cpu_line(what, "openpyxl, write-only", ours, openpyxl, None)
    yield Line(f"{what}, memory", unit="MB", ours=ours.peak, target=PEAK_MB, peak=ours.peak)


def _written(place: Workplace, command: partial[list[str]]) -> Cost:
    with place.scratch() as folder:
        file: Path = folder / "book.xlsx"
        return run(command(file))
