"""What a cell of a sheet may hold, and what it refers to in its workbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct, field

from salesforce_sync.errors import WorkbookTooLarge
from salesforce_sync.workbook.package import Package
from salesforce_sync.workbook.strings import Strings

ROWS_AT_MOST = 1_048_576
COLUMNS_AT_MOST = 16_384


class Dated(float):
    """A number that the workbook shows as a date or a time: days since 1899-12-30, as Excel counts them."""

    __slots__ = ()


class Percent(float):
    """A number that the workbook shows as a percentage: 0.5 as 50%."""

    __slots__ = ()


class CellError(str):
    """What a formula came to when it failed: `#REF!`, `#N/A`."""

    __slots__ = ()


class Uncounted(str):
    """A formula whose value the file does not have: the program that wrote it has not worked it out.

    It is no empty text: an empty cell shows a null, and nobody would hear of the formula.
    """

    __slots__ = ()


Cell = str | float | bool
Row = tuple[int, dict[int, Cell]]
"""The row's number, as a spreadsheet shows it, and its cells by column, A being 0; empty ones are not there."""


class Computed(dict[int, Cell]):
    """The cells of a row of which some are formulas, with the values that those had: `formulas` are their columns."""

    def __init__(self, cells: Mapping[int, Cell], formulas: frozenset[int]) -> None:
        super().__init__(cells)
        self.formulas = formulas


class Merged(Struct, frozen=True):
    """Cells that were made one: only the first has a value, and what the others had is gone. Columns count from 0."""

    name: str
    top: int
    bottom: int
    left: int
    right: int

    def hides(self, row: int, column: int) -> bool:
        """Whether this cell is one of the others."""
        inside = self.top <= row <= self.bottom and self.left <= column <= self.right
        return inside and (row, column) != (self.top, self.left)


class Reading(Struct, frozen=True):
    """What a sheet's cells refer to; `special` makes of a number what its style shows, by the style's number."""

    package: Package
    strings: Strings | Sequence[str] = ()
    special: Mapping[str, Callable[[float], float]] = field(default_factory=dict)
    merged: list[Merged] = field(default_factory=list)
    """The merged cells of the sheet that was read last, once it was read to its end."""


def dated_from(days: int) -> Callable[[float], Dated]:
    """What makes dates of numbers; so many `days` are added, where they are counted from 1904 on."""

    def dated(number: float) -> Dated:
        # A part of a day is a time of any day.
        return Dated(number + days if number >= 1 else number)

    return dated


class Columns(dict[str, int]):
    """Column numbers by their letters, A being 0."""

    def __missing__(self, letters: str) -> int:
        number = 0
        if not (letters.isascii() and letters.isalpha() and len(letters) <= 3):
            raise WorkbookTooLarge(f"There is no column {letters[:20]!r} in a workbook.")
        for letter in letters.upper():
            number = number * 26 + ord(letter) - 64
        if number > COLUMNS_AT_MOST:
            raise WorkbookTooLarge(f"There is no column {letters!r}: a sheet has {COLUMNS_AT_MOST:,} columns.")
        self[letters] = number - 1
        return number - 1


def column_letters(column: int) -> str:
    """The letters of a column, A being 0."""
    letters, rest = "", column + 1
    while rest:
        rest, letter = divmod(rest - 1, 26)
        letters = chr(65 + letter) + letters
    return letters
