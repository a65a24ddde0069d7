"""The rows of the one table, and the head above it."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from benchmarks.ratios.processes import Cost, cpu, median, peak, wall


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run of the benchmarks was asked for. `folder` is for files and is removed at the end."""

    rows: int
    rounds: int
    seed: int
    quick: bool
    folder: Path


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured, in `unit`, and what it must not exceed; the costs are ours, not the yardstick's.

    A row without a target only tells what a yardstick itself took.
    """

    name: str
    value: float
    target: float | None
    unit: str
    cpu: float | None = None
    wall: float | None = None
    peak_mb: float | None = None

    @property
    def verdict(self) -> str:
        """Whether the target is reached: yes or NO."""
        if self.target is None:
            return "-"
        return "yes" if self.value <= self.target else "NO"

    @classmethod
    def of(cls, name: str, value: float, target: float, unit: str, ours: Sequence[Cost]) -> Row:
        """A row with the median costs of our runs."""
        return cls(name, value, target, unit, median(ours, cpu), median(ours, wall), median(ours, peak) or None)


Group = Callable[[Plan], Iterable[Row]]


def head(plan: Plan) -> Iterator[str]:
    """Machine, versions, seed and size."""
    yield f"{os.cpu_count()} cores, {_model()}, {platform.system()} {platform.machine()}"
    yield f"Python {platform.python_version()}, SQLite {apsw.sqlite_lib_version()}, apsw {apsw.apsw_version()}"
    yield f"seed {plan.seed}, {plan.rows:,} rows x 30 columns, medians of {plan.rounds}, load {os.getloadavg()[0]:.1f}"


def titles() -> str:
    """The line above the rows."""
    return f"{'name':<22}{'measured':>16}{'target':>10}  {'holds':<6}{'CPU s':>8}{'wall s':>8}{'peak MB':>9}"


def line(row: Row) -> str:
    """One row as text."""
    costs = f"{_number(row.cpu):>8}{_number(row.wall):>8}{_number(row.peak_mb, 1):>9}"
    target = "-" if row.target is None else f"<= {row.target:g}"
    measured = f"{row.value:.{2 if row.value < 100 else 0}f} {row.unit}"
    return f"{row.name:<22}{measured:>16}{target:>10}  {row.verdict:<6}{costs}"


def _number(value: float | None, digits: int = 2) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _model() -> str:
    for each in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        if each.startswith("model name"):
            return each.partition(":")[2].strip()
    return platform.processor() or "unknown CPU"
