"""The columns that only show the names of what lookups refer to: nothing of them is read, and their edits are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from salesforce_sync.models.schema import FieldType
from salesforce_sync.workbook.book import ObjectPart
from salesforce_sync.workbook.cells import Cell, mark_of_name, unescape
from salesforce_sync.workbook.layout import Access, Places, access, name_headers


class _Beside(Struct, frozen=True):
    """A column with names: its header and place, and those of the lookup that it stands beside."""

    header: str
    column: int
    lookup_column: int | None
    instead: str
    """Where it can be written what this column shows, as a hint; '' if nobody can."""


class ParentNames(Struct, frozen=True):
    """Those of one sheet, and which of their cells were edited: header → how many, and the first one's row."""

    beside: tuple[_Beside, ...]
    row: int
    edited: dict[str, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, part: ObjectPart, places: Places, header: Mapping[int, Cell]) -> ParentNames:
        """Find them in the sheet's header row."""
        there = {str(cell): column for column, cell in reversed([*header.items()])}
        found = []
        for each in part.fields:
            if each.type is FieldType.REFERENCE:
                lookup = part.entry.header_of[each.name]
                told = next((text for text in name_headers(each.name, lookup) if text in there), None)
                if told is not None:
                    instead = _instead(access(part.schema, each), lookup.removesuffix(" *"))
                    found.append(_Beside(told, there[told], places.fields.get(each.name), instead))
        assert places.row is not None
        return cls(tuple(found), places.row)

    def look_at(self, number: int, cells: Mapping[int, Cell]) -> None:
        """Note the cells of this row that do not show what was exported."""
        if not self.beside:
            return
        shown = [mark_of_name(cells.get(each.column)) for each in self.beside]
        mark = str(cells.get(self.row) or "")
        if f"~{''.join(shown)}|" in mark:
            return
        for each in self._edited(_marks(mark), cells):
            times, first = self.edited.get(each.header, (0, number))
            self.edited[each.header] = times + 1, first

    def _edited(self, marks: Sequence[str] | None, cells: Mapping[int, Cell]) -> Sequence[_Beside]:
        """Those whose name is not the one that was exported, as far as the row's mark tells."""
        if marks is None:
            return [each for each in self.beside if self._is_edited(each, cells)]
        if len(marks) != len(self.beside):
            return []
        return [each for each, mark in zip(self.beside, marks, strict=True) if _differs(each, cells, mark)]

    def _is_edited(self, each: _Beside, cells: Mapping[int, Cell]) -> bool:
        """Whether somebody has named a record in a row of his own there, and not where it is read."""
        empty = each.lookup_column is None or not cells.get(each.lookup_column)
        return empty and bool(cells.get(each.column))

    def said(self, sheet: str) -> Sequence[str]:
        """What is to be said of them."""
        instead = {each.header: each.instead for each in self.beside}
        said = []
        for header, (times, first) in self.edited.items():
            cells = "1 cell" if times == 1 else f"{times:,} cells"
            told = f"{sheet}: {cells} under {header!r} edited (first in row {first}): not read, that column only shows"
            said.append(f"{told} the name.{instead[header]}")
        return said


def _instead(may: Access, lookup: str) -> str:
    if may is Access.NEVER:
        return ""
    where = "In a new row write" if may is Access.CREATE else "Write"
    return f" {where} into {lookup!r}: an id, Name=…, or new:…"


def _differs(beside: _Beside, cells: Mapping[int, Cell], mark: str) -> bool:
    """Whether the name is not the one that has this mark, an escape read as the text that it looks like or not."""
    name = cells.get(beside.column)
    return mark not in (mark_of_name(name), mark_of_name(unescape(str(name or ""))))


def _marks(mark: str) -> list[str] | None:
    """What the row's mark tells of its names; None if it has no mark that does."""
    _, told, names = mark.rpartition("|")[0].rpartition("~")
    return [names[at : at + 4] for at in range(0, len(names), 4)] if told else None
