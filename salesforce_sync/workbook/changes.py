"""What a person did in a workbook, as data: rows that are new, edited or gone, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from msgspec import Struct, field

from salesforce_sync.models.values import Stored


class Kind(StrEnum):
    """What became of a row."""

    NEW = "new"
    EDITED = "edited"
    DELETED = "deleted"
    """The row says so, or it is gone and its absence was to be a deletion."""
    REMOVED = "removed"
    """The row is gone from the sheet; its record stays."""
    PROBLEM = "problem"
    KNOWN = "known"
    """A new row whose record an earlier import has made."""


class CellChange(Struct, frozen=True):
    """One cell: what it showed when it was exported, and what it is to be (stored forms).

    `now` is the replica's value where that has changed since the export: then the two are merged. `formula`: the cell
    is one, and `new` what it came to when the workbook was saved. `typed`: what was written, where that was read as
    something else (a date in its country's order, a number that was rounded).
    """

    field: str
    old: Stored
    new: Stored
    now: Stored = None
    moved: bool = False
    formula: bool = False
    typed: str = ""


class CellProblem(Struct, frozen=True):
    """Why a row is not taken in; `field` is empty where it is the row as a whole."""

    message: str
    field: str = ""


class Reference(Struct, frozen=True):
    """A lookup whose cell names a record that does not have an id yet: a new row, by the name it gives itself."""

    field: str
    name: str


class RowChange(Struct, frozen=True):
    """One row. `row` is its number in the sheet, 0 for one that is gone. `name` is what a new row is called."""

    kind: Kind
    object_name: str
    record_id: str = ""
    sheet: str = ""
    row: int = 0
    title: str = ""
    name: str = ""
    cells: tuple[CellChange, ...] = ()
    problems: tuple[CellProblem, ...] = ()
    references: tuple[Reference, ...] = ()
    base: Mapping[str, Stored] = field(default_factory=dict)
    """The record as it was exported, with what this workbook has written to it since."""
    key: str = ""
    """What an edited row's values are remembered by: its Id as it was exported, or the name it once gave itself."""

    @property
    def message(self) -> str:
        """What is wrong with it, in one line."""
        return self.told(str)

    def told(self, called: Callable[[str], str]) -> str:
        """The same; `called` is how the workbook's reader knows a field."""
        each = (f"{called(each.field)}: {each.message}" if each.field else each.message for each in self.problems)
        return "; ".join(each)


class Counts(Struct, frozen=True):
    """How many rows of an object are what; `unchanged` ones show what was exported."""

    object_name: str
    unchanged: int = 0
    new: int = 0
    edited: int = 0
    deleted: int = 0
    removed: int = 0
    problems: int = 0
    known: int = 0
    cells: int = 0
    """Cells of edited rows that have another value."""

    @property
    def good(self) -> int:
        """Rows that can be taken in."""
        return self.new + self.edited + self.deleted
