"""The one table: a line for each thing measured, with its target and a plain mark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.measure import Cost


@dataclass(frozen=True, slots=True)
class Target:
    """The most that a result may be, and the least where that is set too."""

    most: float
    least: float | None = None

    def holds(self, result: float) -> bool:
        return result <= self.most and (self.least is None or result >= self.least)

    def __str__(self) -> str:
        if self.least is not None:
            return f"{self.least:g} to {self.most:g}"
        return f"<= {self.most:g}"


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `result` is ours divided by the yardstick's, or ours alone where there is no yardstick.

    `ours` and `theirs` are in `unit`; the wall seconds and the peak (MB, ours) are those of whole processes.
    """

    what: str
    against: str = ""
    unit: str = "CPU s"
    ours: float | None = None
    theirs: float | None = None
    target: Target | None = None
    walls: tuple[float, float | None] | None = None
    peak: float | None = None
    trouble: str = ""

    @property
    def result(self) -> float | None:
        if self.ours is None or self.theirs is None:
            return self.ours
        return self.ours / self.theirs

    @property
    def good(self) -> bool:
        """Whether nothing went wrong and the target, if there is one, holds."""
        if self.trouble or self.result is None:
            return False
        return self.target is None or self.target.holds(self.result)

    @property
    def mark(self) -> str:
        if self.trouble:
            return "ERROR"
        if self.target is None:
            return ""
        return "yes" if self.good else "NO"


def cpu_line(what: str, against: str, ours: Cost, theirs: Cost, target: Target | None) -> Line:
    """A line that compares the CPU of two programs."""
    return Line(what, against, "CPU s", ours.cpu, theirs.cpu, target, (ours.wall, theirs.wall), ours.peak)


HEADS = ("what", "against", "unit", "ours", "theirs", "result", "target", "holds", "wall s", "peak MB")
_LEFT = (True, True, True, False, False, False, False, True, False, False)


def render(lines: Sequence[Line]) -> str:
    """The table as text, and below it what went wrong."""
    cells = [_cells(line) for line in lines]
    widths = [max(map(len, column)) for column in zip(HEADS, *cells, strict=True)]
    shown = [_join(row, widths) for row in [HEADS, tuple("-" * width for width in widths), *cells]]
    troubles = [f"ERROR in {line.what}: {line.trouble}" for line in lines if line.trouble]
    return "\n".join([*shown, *troubles])


def _join(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.ljust(width) if left else cell.rjust(width) for cell, width, left in zip(row, widths, _LEFT, strict=True)
    )
    return "  ".join(padded).rstrip()


def _cells(line: Line) -> tuple[str, ...]:
    own, other = line.walls or (None, None)
    walls = _number(own) + (f" : {_number(other)}" if other is not None else "")
    result = _number(line.result) if line.theirs is not None or line.target else ""
    target = "" if line.target is None else str(line.target)
    numbers = (_number(line.ours), _number(line.theirs), result, target, line.mark, walls, _number(line.peak))
    return (line.what, line.against, line.unit, *numbers)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:.2f}" if abs(value) < 100 else f"{value:,.0f}"
