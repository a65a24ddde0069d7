"""The cells of a sheet in whatever XML they are written: handlers for an expat parser."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from math import isfinite, nan
from typing import Any

from salesforce_sync.errors import NotAWorkbook, WorkbookTooLarge
from salesforce_sync.workbook.incoming import (
    COLUMNS_AT_MOST,
    ROWS_AT_MOST,
    Cell,
    CellError,
    Columns,
    Computed,
    Dated,
    Merged,
    Reading,
    Row,
    Uncounted,
)
from salesforce_sync.workbook.package import damaged
from salesforce_sync.workbook.strings import TEXT_AT_MOST, too_long, unescaped

DEEPEST = 64
_DAY_ZERO = datetime(1899, 12, 30)
MERGED_AT_MOST = 10_000
_TAGS = ("worksheet", "sheetData", "row", "c", "v", "is", "t", "f", "rPh", "mergeCell")
_CONSTANTS = {"TRUE()": True, "FALSE()": False}
"""LibreOffice writes each boolean as such a formula, and a script that saves its file again leaves out the value."""

_RANGE = re.compile(r"([A-Z]{1,3})([1-9]\d{0,6}):([A-Z]{1,3})([1-9]\d{0,6})", re.ASCII)


class SheetParser:
    """Tells the rows of a sheet as an expat parser meets them. `row` is the number of the last one."""

    def __init__(self, parser: Any, reading: Reading, tell: Callable[[Row], None]) -> None:
        self._parser, self._reading, self._tell = parser, reading, tell
        self._path = reading.package.path
        self._columns = Columns()
        self.row = 0
        self.within_data = self._in_row = self._in_cell = False
        self._cells: dict[int, Cell] = {}
        self._column = -1
        self._kind = self._style = ""
        self._heard: list[str] = []
        self._value: str | None = None
        self._runs: list[str] | None = None
        self._formula: str | None = None
        self._silent = False
        self._formulas: list[int] = []
        self._depth = self._size = 0
        self.merged: list[Merged] = []
        parser.StartElementHandler = self._root

    @property
    def between_rows(self) -> bool:
        """Whether a row may come next."""
        return self.within_data and not self._in_row

    # ── elements ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _root(self, tag: str, _: list[str]) -> None:
        prefix, colon, name = tag.rpartition(":")
        if name != "worksheet":
            raise damaged(self._path, f"a sheet begins with <{tag[:40]}>")
        # Programs that give the spreadsheet's namespace a prefix give it to every element.
        names = {each: f"{prefix}{colon}{each}" for each in _TAGS}
        self._starts = {
            names["sheetData"]: self._start_data,
            names["row"]: self._start_row,
            names["c"]: self._start_cell,
            names["v"]: self._start_text,
            names["t"]: self._start_text,
            names["is"]: self._start_inline,
            names["f"]: self._start_text,
            names["rPh"]: self._start_phonetic,
            names["mergeCell"]: self._start_merged,
        }
        self._ends = {
            names["sheetData"]: self._end_data,
            names["row"]: self._end_row,
            names["c"]: self._end_cell,
            names["v"]: self._end_value,
            names["f"]: self._end_formula,
            names["t"]: self._end_text,
            names["rPh"]: self._end_phonetic,
        }
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._chars

    def _start(self, tag: str, attributes: list[str]) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise damaged(self._path, "its elements are nested too deeply")
        handler = self._starts.get(tag)
        if handler is not None:
            handler(attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        handler = self._ends.get(tag)
        if handler is not None:
            handler()

    def _chars(self, text: str) -> None:
        if self._in_cell:
            self._size += len(text)
            if self._size > TEXT_AT_MOST:
                raise too_long(self._reading.package)
            self._heard.append(text)

    def _start_data(self, _: list[str]) -> None:
        self.within_data = True

    def _end_data(self) -> None:
        self.within_data = False

    def _start_row(self, attributes: list[str]) -> None:
        if self._in_row or not self.within_data:
            raise damaged(self._path, "a row is where none can be")
        self._in_row, self._column = True, -1
        given = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("r")
        self.row = self.row + 1 if given is None else self._number(given)
        if self.row > ROWS_AT_MOST:
            raise WorkbookTooLarge(f"{self._path.name} has a sheet of more than {ROWS_AT_MOST:,} rows.")

    def _start_merged(self, attributes: list[str]) -> None:
        found = _RANGE.fullmatch(dict(zip(attributes[::2], attributes[1::2], strict=True)).get("ref", ""))
        if found and len(self.merged) < MERGED_AT_MOST:
            left, right = self._columns[found[1]], self._columns[found[3]]
            self.merged.append(Merged(found[0], int(found[2]), int(found[4]), left, right))

    def _number(self, text: str) -> int:
        if not (text.isascii() and text.isdecimal() and len(text) < 10):
            raise damaged(self._path, f"a row has the number {text[:20]!r}")
        return int(text)

    def _end_row(self) -> None:
        self._in_row = False
        if self._cells:
            self._tell((self.row, Computed(self._cells, frozenset(self._formulas)) if self._formulas else self._cells))
            self._cells = {}
        self._formulas.clear()

    # ── cells ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _start_cell(self, attributes: list[str]) -> None:
        if self._in_cell or not self._in_row:
            raise damaged(self._path, "a cell is where none can be")
        self._in_cell, self._value, self._runs = True, None, None
        self._formula, self._kind, self._style, self._size = None, "", "", 0
        self._column += 1
        for name, value in zip(attributes[::2], attributes[1::2], strict=True):
            if name == "r":
                self._column = self._columns[value.rstrip("0123456789")]
            elif name == "s":
                self._style = value
            elif name == "t":
                self._kind = value
        if self._column >= COLUMNS_AT_MOST:
            raise WorkbookTooLarge(f"{self._path.name} has a sheet of more than {COLUMNS_AT_MOST:,} columns.")

    def _start_text(self, _: list[str]) -> None:
        self._heard.clear()

    def _start_inline(self, _: list[str]) -> None:
        self._runs = []

    def _start_phonetic(self, _: list[str]) -> None:
        self._silent = True

    def _end_phonetic(self) -> None:
        self._silent = False

    def _end_value(self) -> None:
        self._value = "".join(self._heard)

    def _end_formula(self) -> None:
        self._formula = "".join(self._heard)

    def _end_text(self) -> None:
        if self._runs is not None and not self._silent:
            self._runs += self._heard

    def _end_cell(self) -> None:
        self._in_cell = False
        value = self._valued()
        if value is not None:
            self._cells[self._column] = value
            if self._formula is not None and self._formula not in _CONSTANTS:
                self._formulas.append(self._column)

    def _valued(self) -> Cell | None:
        """The value of the cell that has just ended; None if it is empty."""
        text = self._value
        if self._kind == "inlineStr":
            return unescaped("".join(self._runs or ())) or None
        if not text and not (text == "" and self._kind == "str"):
            return None if self._formula is None else _CONSTANTS.get(self._formula, Uncounted("="))
        match self._kind:
            case "s":
                return self._shared(text)
            case "" | "n":
                return self._numeric(text)
            case "b":
                return text.strip() in ("1", "true")
            case "d":
                return self._moment(text)
            case "e":
                return CellError(text)
        return unescaped(text)

    def _shared(self, text: str) -> str:
        number = int(text) if text.isascii() and text.isdecimal() and len(text) < 12 else len(self._reading.strings)
        if number >= len(self._reading.strings):
            raise self._malformed(f"a cell refers to the text number {text[:20]!r}, which is not there")
        return self._reading.strings[number]

    def _numeric(self, text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = nan
        if not isfinite(number):
            raise self._malformed(f"a cell has {text[:20]!r} for a number")
        make = self._reading.special.get(self._style)
        return number if make is None else make(number)

    def _moment(self, text: str) -> Cell:
        """A date or time as Strict Open XML has it, in ISO's form and not as a number."""
        try:
            moment = datetime.fromisoformat(f"1899-12-30{text}" if text.startswith("T") else text).replace(tzinfo=None)
        except ValueError:
            raise self._malformed(f"a cell has {text[:20]!r} for a date") from None
        return Dated((moment - _DAY_ZERO) / timedelta(days=1))

    def _malformed(self, why: str) -> NotAWorkbook:
        return damaged(self._path, f"row {self.row}: {why}")
