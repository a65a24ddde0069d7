"""A delta of a tenth of the first load's rows, in every kind that a merge has to tell apart."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

from benchmarks.columns import NAMES
from benchmarks.data import Chooser, Row, scattered_number

NEWER, OLDER = "2026-01-01T00:00:00.000Z", "2009-01-01T00:00:00.000Z"
"""All stamps of the first load are between these."""

_KINDS = 20


def write_delta(folder: Path, count: int, seed: int, *, scattered: bool) -> None:
    """Write the changes to a load of `count` rows as one Bulk CSV file.

    Of twenty rows seventeen are changed, one is new, one is deleted, and one is older than what is here: contested.
    """
    chooser = Chooser(seed + 1)
    place = scattered_number if scattered else int
    changes = (_change(chooser, place, count, number) for number in range(count // 10))
    with (folder / "delta.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n")
        writer.writerow(NAMES)
        writer.writerows(changes)


def _change(chooser: Chooser, place: Callable[[int], int], count: int, number: int) -> Row:
    kind = number % _KINDS
    row = chooser.row(place(count + number if kind == 0 else number * 10))
    changed = {"SystemModstamp": OLDER if kind == 1 else NEWER, "IsDeleted": "true" if kind == 2 else "false"}
    return tuple(changed.get(name, value) for name, value in zip(NAMES, row, strict=True))
