"""Rows as spreadsheet programs usually write them, taken apart by a pattern: a third of an XML parser's CPU."""

from __future__ import annotations

import re
from math import isfinite

from salesforce_sync.workbook.incoming import Cell, Columns, Reading, Row
from salesforce_sync.workbook.strings import unescaped, without_entities

_ROW = re.compile(r'\s*<row r="([1-9]\d{0,6})"[^<>]*(?<!/)>')
_CELL = re.compile(
    r'<c r="([A-Z]{1,3})\d+"(?: s="(\d+)")?(?: t="(\w+)")?'
    r'(?:(/)>|><v>([^<]*)</v></c>|><is><t(?: xml:space="preserve")?>([^<]*)</t></is></c>)'
)
_TAGS = {"n": 4, "": 4, "b": 4, "s": 4, "str": 4, "inlineStr": 6}


class RowPattern:
    """Takes rows apart; what is not written in the usual way is left to the parser."""

    def __init__(self, reading: Reading) -> None:
        strings = reading.strings
        self._text = strings.__getitem__
        self._special = reading.special.get
        self._columns = Columns()

    def row(self, raw: bytes) -> Row | None:
        """The row that this is, from `<row` to `</row>`; None if that is for the parser to find out.

        A row is taken only if each of its tags belongs to a cell that the pattern has matched as a whole.
        """
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return None
        head = _ROW.match(body)
        if head is None or "\r" in body:
            return None
        cells: dict[int, Cell] = {}
        tags = self._take(body, cells)
        return (int(head[1]), cells) if tags == body.count("<") else None

    def _take(self, body: str, cells: dict[int, Cell]) -> int:
        """Put the cells' values; gives the number of tags that were understood, of the row too."""
        columns, text_of, special = self._columns, self._text, self._special
        entities, escapes = "&" in body, "_x" in body
        tags = 2
        value: Cell
        for letters, style, kind, empty, number, text in _CELL.findall(body):
            if empty:
                tags += 1
                continue
            try:
                tags += _TAGS[kind]
                if kind == "s":
                    if number[0] == "-":
                        return 0
                    value = text_of(int(number))
                elif kind == "inlineStr" or kind == "str":
                    said = self._said(text or number, entities=entities, escapes=escapes)
                    if said is None:
                        return 0
                    if not said and kind == "inlineStr":
                        continue
                    value = said
                elif kind == "b":
                    value = number == "1"
                    if not value and number != "0":
                        return 0
                else:
                    make = special(style)
                    value = float(number) if make is None else make(float(number))
                    if not isfinite(value):
                        return 0
            except (ValueError, LookupError):
                return 0
            cells[columns[letters]] = value
        return tags

    def _said(self, text: str, *, entities: bool, escapes: bool) -> str | None:
        """The text that is meant; the row may have entities or escapes in it."""
        plain = without_entities(text) if entities and "&" in text else text
        return unescaped(plain) if escapes and plain is not None else plain
