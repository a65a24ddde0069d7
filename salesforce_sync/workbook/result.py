"""A copy of a workbook with a message in the `Status` cell of some of its rows, in a column that is wide enough to read
it; all else is as it was, byte by byte.

New rows that were taken in, and had no name, have one in their `Id` there: what is edited in them is an edit of their
record.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final
from xml.parsers import expat
from xml.sax.saxutils import escape as escape_xml
from xml.sax.saxutils import quoteattr

from salesforce_sync.workbook.book import ObjectPart, find_places
from salesforce_sync.workbook.cells import TEXT_UNITS, escape
from salesforce_sync.workbook.incoming import COLUMNS_AT_MOST, Columns, column_letters
from salesforce_sync.workbook.layout import ID, Places
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.package import Package
from salesforce_sync.workbook.reader import WorkbookReader
from salesforce_sync.workbook.typed import CONTENT, name_in_cell

_LEVEL: Final = 1
"""Of compression: the copy is read once, by a person."""


WIDE: Final = 60
"""Characters that the column of the messages shows of each."""

Texts = Sequence[tuple[int, str]]
"""What to write into a row: columns, A being 0, in their order, and texts."""


def result_path(path: Path) -> Path:
    """Where the copy goes: beside the workbook, and never over another copy, in which somebody may be mending rows."""
    found, number = path.with_name(f"{path.stem}.result{path.suffix}"), 2
    while found.exists():
        found = path.with_name(f"{path.stem}.result-{number}{path.suffix}")
        number += 1
    return found


def write_result(
    out: BinaryIO, reader: WorkbookReader, parts: tuple[ObjectPart, ...], ledger: Ledger, password: str | None
) -> None:
    """Write the copy; with a password if the workbook has one."""
    if password is None:
        _copy(out, reader, parts, ledger)
        return
    from salesforce_sync.workbook.sealed import seal  # 7 MB of cryptography, which nothing else here needs

    with tempfile.TemporaryFile(dir=reader.package.path.parent) as plain:  # has no name, so nobody else can open it
        _copy(plain, reader, parts, ledger)
        seal(plain, password, out)


def _copy(file: BinaryIO, reader: WorkbookReader, parts: tuple[ObjectPart, ...], ledger: Ledger) -> None:
    patches = {sheet.part.casefold(): (part, sheet) for part in parts for sheet in part.sheets}
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=_LEVEL) as copy:
        for name in reader.package.names():
            with copy.open(name, "w", force_zip64=True) as out:
                for block in _part(reader, patches.get(name.casefold()), ledger, name):
                    out.write(block)


def _part(reader: WorkbookReader, patch: Any, ledger: Ledger, name: str) -> Iterator[bytes]:
    if patch is None:
        return reader.package.read(name)
    part, sheet = patch
    places = find_places(part, sheet, next(reader.rows(sheet), None))
    return patched(reader.package, name, places.status, _texts(places, ledger.messages(sheet.name, part.called)))


def _texts(places: Places, messages: Iterator[tuple[int, str, str]]) -> Iterator[tuple[int, Texts]]:
    for row, message, name in messages:
        named = name_in_cell(name) if name.startswith(CONTENT) else ""
        texts = [(places.status, message), (places.fields[ID], named)]
        yield row, sorted((column, text) for column, text in texts if text and column is not None)


def patched(package: Package, name: str, wide: int | None, texts: Iterator[tuple[int, Texts]]) -> Iterator[bytes]:
    """The sheet with these texts in its rows, which both are in the order of; the column `wide` shows much of them."""
    patcher = _Patcher(wide, texts)
    feed = package.feed(name, patcher.parser)
    for block in package.read(name):
        patcher.take(block)
        feed(block)
        yield patcher.give()
    feed.end()
    yield patcher.rest()


class _Patcher:
    """Copies a sheet's bytes, and replaces the cells of the rows that there are texts for."""

    def __init__(self, wide: int | None, texts: Iterator[tuple[int, Texts]]) -> None:
        self.parser = expat.ParserCreate()
        self.parser.ordered_attributes = True
        self.parser.XmlDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self._wide, self._columns = wide, Columns()
        self._texts = texts
        self._next = next(texts, None)
        self._held = bytearray()
        self._offset = 0  # of the first byte that is held
        self._out: list[bytes] = []
        self._row, self._place = 0, -1
        self._left: list[tuple[int, str]] = []  # of the row's texts, those that are not written yet
        self._replacing = False
        self._prefix = ""

    def take(self, block: bytes) -> None:
        """The next bytes, before they are parsed."""
        self._held += block
        if not self._offset and self._held.startswith((b"\xff\xfe", b"\xfe\xff")):
            self._next = None  # what is written is UTF-8; such a copy is without messages

    def give(self) -> bytes:
        """What is decided of them by now. A cell that is to be replaced is held back."""
        if not self._replacing:
            self._copy_to(max(self.parser.CurrentByteIndex, self._offset))
        out, self._out = b"".join(self._out), []
        return out

    def rest(self) -> bytes:
        """All that is left."""
        self._out.append(bytes(self._held))
        return b"".join(self._out)

    def _copy_to(self, end: int) -> None:
        self._out.append(bytes(self._held[: end - self._offset]))
        self._drop_to(end)

    def _drop_to(self, end: int) -> None:
        del self._held[: end - self._offset]
        self._offset = end

    def _declared(self, _: str, encoding: str | None, __: int) -> None:
        if encoding is not None and encoding.casefold() not in ("utf-8", "us-ascii"):
            self._next = None

    def _start(self, tag: str, attributes: list[str]) -> None:
        prefix, colon, name = tag.rpartition(":")
        if name == "col" and self._next is not None and self._wide is not None:
            self._widen(tag, attributes, self._wide)
        elif name == "row":
            given = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("r")
            self._row = int(given) if given is not None else self._row + 1
            self._prefix, self._place = prefix + colon, -1
            while self._next is not None and self._next[0] < self._row:
                self._next = next(self._texts, None)
            found = self._next is not None and self._next[0] == self._row
            self._left = list(self._next[1]) if found and self._next is not None else []
        elif name == "c" and self._left:
            given = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("r")
            self._place = self._place + 1 if given is None else self._columns[given.rstrip("0123456789")]
            if self._place >= self._left[0][0]:
                self._copy_to(self.parser.CurrentByteIndex)
                self._put_before(self._place)
                self._replacing = bool(self._left) and self._left[0][0] == self._place
                if self._replacing:
                    self._put(self._style(attributes))

    def _widen(self, tag: str, attributes: list[str], column: int) -> None:
        """Make the messages' column wide; others that are described together with it stay as they are."""
        given = dict(zip(attributes[::2], attributes[1::2], strict=True))
        number = column + 1
        try:
            first, last, width = int(given["min"]), int(given["max"]), float(given.get("width", 0))
        except (KeyError, ValueError):  # of a program that writes no sound sheets: its columns stay as they are
            return
        if not first <= number <= last or width >= WIDE:
            return
        self._copy_to(self.parser.CurrentByteIndex)
        self._replacing = True
        wide = {"width": str(WIDE), "customWidth": "1"}
        for low, high, more in ((first, number - 1, {}), (number, number, wide), (number + 1, last, {})):
            if low <= high:
                told = {**given, "min": str(low), "max": str(high), **more}
                listed = "".join(f" {name}={quoteattr(value)}" for name, value in told.items())
                self._out.append(f"<{tag}{listed}/>".encode())

    def _end(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in ("c", "col") and self._replacing:
            self._drop_to(self._end_of(tag))
            self._replacing = False
        elif name == "row" and self._left:
            self._copy_to(self.parser.CurrentByteIndex)
            self._put_before(COLUMNS_AT_MOST)

    def _end_of(self, tag: str) -> int:
        """Behind the cell that has just ended. The parser stands before its end tag, or, if it has none, behind it."""
        at = self.parser.CurrentByteIndex - self._offset
        closing = f"</{tag}".encode()
        # A cell that is empty has no end tag, and what follows it may be </cols>.
        if self._held.startswith(closing, at) and self._held[at + len(closing)] in b"> \t\r\n":
            return self._offset + self._held.index(b">", at) + 1
        return self._offset + at

    def _style(self, attributes: list[str]) -> str:
        style = dict(zip(attributes[::2], attributes[1::2], strict=True)).get("s", "")
        return f' s="{style}"' if style.isdecimal() else ""

    def _put_before(self, place: int) -> None:
        """The cells that are not there, and come before this one."""
        while self._left and self._left[0][0] < place:
            self._put("")

    def _put(self, style: str) -> None:
        column, message = self._left.pop(0)
        text = escape_xml(escape(message[: TEXT_UNITS // 2]))
        tag = self._prefix
        self._out.append(
            f'<{tag}c r="{column_letters(column)}{self._row}"{style} t="inlineStr"><{tag}is>'
            f'<{tag}t xml:space="preserve">{text}</{tag}t></{tag}is></{tag}c>'.encode()
        )
