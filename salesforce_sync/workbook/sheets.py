"""The rows of a sheet, one at a time: what stands in its cells, whoever wrote the file."""

from __future__ import annotations

from collections.abc import Iterator
from xml.parsers import expat

from salesforce_sync.errors import WorkbookTooLarge
from salesforce_sync.workbook.incoming import Reading, Row
from salesforce_sync.workbook.sheet_parser import SheetParser
from salesforce_sync.workbook.sheet_pattern import RowPattern

_ROW_ENDS = b"</row>"
_OPEN = len(_ROW_ENDS) - 1
_LONGEST_ROW = 4 << 20


def rows(reading: Reading, part: str) -> Iterator[Row]:
    """The rows of a sheet that have any cell with a value, hidden ones too, in the order of the file.

    Rows that are written as Excel, LibreOffice and we write them are taken apart by a pattern; an XML parser gets
    everything else: without those rows the sheet is as well-formed as with them.
    """
    reading.merged.clear()
    parser = expat.ParserCreate()
    parser.buffer_text = parser.ordered_attributes = parser.specified_attributes = True
    done: list[Row] = []
    feed, parsed, pattern = (
        reading.package.feed(part, parser),
        SheetParser(parser, reading, done.append),
        RowPattern(reading),
    )
    usual = True
    for piece in _pieces(reading.package.read(part)):
        row = pattern.row(piece) if usual and parsed.between_rows else None
        if row is not None:
            parsed.row = row[0]
            if row[1]:
                yield row
            continue
        if len(piece) > _LONGEST_ROW and piece.isspace():
            raise WorkbookTooLarge(
                f"{reading.package.path.name} has {_LONGEST_ROW:,} bytes of white space at one place."
            )
        feed(piece)
        yield from done
        done.clear()
        # What looks like a row may be within a comment from here on.
        usual = usual and not _may_hide_rows(piece)
    feed.end()
    reading.merged.extend(parsed.merged)


def _pieces(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The sheet, cut behind its rows as far as they have an end that can be seen."""
    # What was looked through is put aside: to look again with each block takes a time that grows with the square.
    aside: list[bytes] = []
    size, rest = 0, b""
    for block in blocks:
        *whole, rest = (rest + block).split(_ROW_ENDS)
        for piece in whole:
            yield b"".join((*aside, piece, _ROW_ENDS))
            aside, size = [], 0
        seen, rest = rest[:-_OPEN], rest[-_OPEN:]  # the rest may be the beginning of an end
        aside.append(seen)
        size += len(seen)
        if size > _LONGEST_ROW:
            yield b"".join(aside)
            aside, size = [], 0
    yield b"".join((*aside, rest))


def _may_hide_rows(piece: bytes) -> bool:
    body = piece.rpartition(b"sheetData")[2]
    return b"<!" in body or b"<?" in body or b"\0" in piece
