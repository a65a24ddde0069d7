"""Rows → the XML of a sheet's cells, a batch of rows at a time and a column at a time.

Nearly every column of nearly every batch needs nothing special, and is found to by one look at all of its values: that
is what makes this several times as fast as writing cell by cell. A column that needs more is written by `_Cells`, which
asks `cells.to_cell` for every value; both give the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from msgspec import Struct

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.workbook.cells import (
    DAY_MILLISECONDS,
    EXACT_BELOW,
    TEXT_UNITS,
    canonical,
    cut,
    day_serial,
    escape,
    is_cut,
    row_mark,
    to_cell,
)

Column = Sequence[Any]
Encoder = Callable[[Column, Sequence[str]], list[str]]
"""A column's values and their rows' numbers → cells; '' where none is needed."""

_BETWEEN: Final = "\x1f"
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1e\ud800-\udfff\ufffe\uffff]")
_EDGES: Final = tuple(edge for blank in " \t\n" for edge in (blank + _BETWEEN, _BETWEEN + blank))
_KEPT: Final = 10_000
"""Entries of a memory of values that come again; it begins anew when it is full."""


class Look(Struct, frozen=True):
    """How a column's cells look: its letters, and numbers of styles. `texts`: where a text stands among numbers;
    `cut`: a text that is not whole. `fills`: an empty cell needs a style of its own too."""

    letters: str
    style: str
    texts: str
    cut: str
    fills: bool


def encoder_of(kind: FieldType, look: Look) -> Encoder:
    """What writes the cells of a column of this type."""
    slow = _Cells(kind, look)
    make = _FAST.get(kind, _texts)
    fast = make(look)

    def encode(values: Column, numbers: Sequence[str]) -> list[str]:
        try:
            cells = fast(values, numbers)
        except (KeyError, TypeError):  # a value of another form than the field's
            cells = None
        return slow(values, numbers) if cells is None else cells

    return encode


class _Cells:
    """Any value of a field, cell by cell."""

    def __init__(self, kind: FieldType, look: Look) -> None:
        self._kind = kind
        self._look = look

    def __call__(self, values: Column, numbers: Sequence[str]) -> list[str]:
        return [self._cell(value, number) for value, number in zip(values, numbers, strict=True)]

    def _cell(self, value: Any, number: str) -> str:
        cell, look = to_cell(self._kind, value), self._look
        if cell is None:
            return f'<c r="{look.letters}{number}" s="{look.style}"/>' if look.fills else ""
        if isinstance(cell, str):
            style = look.cut if is_cut(value) else look.texts
            return f'<c r="{look.letters}{number}" s="{style}" {text_body(cell)}'
        kind, shown = (' t="b"', int(cell)) if isinstance(cell, bool) else ("", cell)
        return f'<c r="{look.letters}{number}" s="{look.style}"{kind}><v>{shown!r}</v></c>'


def text_body(text: str) -> str:
    """A text cell behind its style: the text itself, in the cell, so that it can never be a formula or a link."""
    shown = _xml(escape(cut(text)))
    space = ' xml:space="preserve"' if shown[:1] in _BLANKS or shown[-1:] in _BLANKS else ""
    return f't="inlineStr"><is><t{space}>{shown}</t></is></c>'


_BLANKS: Final = (" ", "\t", "\n")


def _xml(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# ── columns without anything unusual ─────────────────────────────────────────────────────────────────────────────

_Fast = Callable[[Column, Sequence[str]], list[str] | None]
"""None if there is something unusual."""


def _start(look: Look) -> str:
    return f'<c r="{look.letters}'


def _empty(look: Look) -> str:
    return f'" s="{look.style}"/>'


def _texts(look: Look) -> _Fast:
    start, before, after = _start(look), f'" s="{look.texts}" t="inlineStr"><is><t>', "</t></is></c>"
    empty = _empty(look)

    def encode(values: Column, numbers: Sequence[str]) -> list[str] | None:
        plain = _plain_texts(values)
        if plain is None:
            return None
        pairs = zip(plain, numbers, strict=True)
        if look.fills:
            return [f"{start}{at}{before}{text}{after}" if text else f"{start}{at}{empty}" for text, at in pairs]
        return [f"{start}{at}{before}{text}{after}" if text else "" for text, at in pairs]

    return encode


def _plain_texts(values: Column) -> Sequence[str] | None:
    """The texts as XML has them; None if one needs more than XML's own escapes, or is too long for a cell."""
    texts: Sequence[str] = [value or "" for value in values] if None in values else values
    joined = _BETWEEN.join(texts)
    if len(joined) * 2 > TEXT_UNITS and max(map(len, texts)) * 2 > TEXT_UNITS:
        return None
    if "_x" in joined or _CONTROL.search(joined) or joined.count(_BETWEEN) != len(texts) - 1:
        return None
    if joined[:1] in _BLANKS or joined[-1:] in _BLANKS or any(edge in joined for edge in _EDGES):
        return None
    if "&" in joined or "<" in joined or ">" in joined:
        return _xml(joined).split(_BETWEEN)
    return texts


def _integers(look: Look) -> _Fast:
    start, before, after, empty = _start(look), f'" s="{look.style}"><v>', "</v></c>", _empty(look)

    def encode(values: Column, numbers: Sequence[str]) -> list[str] | None:
        given = [value for value in values if value is not None]
        if given and not (set(map(type, given)) == {int} and -EXACT_BELOW < min(given) <= max(given) < EXACT_BELOW):
            return None
        none = [f"{start}{at}{empty}" for at in numbers] if look.fills else [""] * len(numbers)
        return [
            other if value is None else f"{start}{at}{before}{value}{after}"
            for value, at, other in zip(values, numbers, none, strict=True)
        ]

    return encode


def _decimals(look: Look) -> _Fast:
    start, before, after, empty = _start(look), f'" s="{look.style}"><v>', "</v></c>", _empty(look)
    slow = _Cells(FieldType.DECIMAL, look)._cell

    def encode(values: Column, numbers: Sequence[str]) -> list[str]:
        # Of a float that shows as at most 15 digits and a point, a spreadsheet keeps every one.
        return [
            f"{start}{at}{before}{shown}{after}"
            if type(value) is float and len(shown := repr(value)) <= 16 and "e" not in shown
            else (slow(value, at) if value is not None else f"{start}{at}{empty}" if look.fills else "")
            for value, at in zip(values, numbers, strict=True)
        ]

    return encode


class _Tails(dict[Any, str]):
    """Values that come again → their cells behind the row's number."""

    def __init__(self, kind: FieldType, look: Look) -> None:
        super().__init__()
        self._slow = _Cells(kind, look)
        self._start = len(_start(look))

    def __missing__(self, value: Any) -> str:
        if len(self) > _KEPT:
            self.clear()
        tail = self[value] = self._slow([value], [""])[0][self._start :]
        return tail


def _repeated(kind: FieldType) -> Callable[[Look], _Fast]:
    def make(look: Look) -> _Fast:
        tails, start = _Tails(kind, look), _start(look)

        def encode(values: Column, numbers: Sequence[str]) -> list[str]:
            return [
                f"{start}{at}{tail}" if (tail := tails[value]) else ""
                for value, at in zip(values, numbers, strict=True)
            ]

        return encode

    return make


class _Days(dict[str, int]):
    """The date of a datetime → its number; KeyError where no spreadsheet has it."""

    def __missing__(self, text: str) -> int:
        serial = day_serial(text)
        if serial is None:
            raise KeyError(text)
        if len(self) > _KEPT:
            self.clear()
        self[text] = serial
        return serial


class _Seconds(dict[str, int]):
    """`:17.250Z` → milliseconds."""

    def __missing__(self, text: str) -> int:
        if not _SECONDS.fullmatch(text):
            raise KeyError(text)
        if len(self) > _KEPT:
            self.clear()
        self[text] = milliseconds = int(text[1:3]) * 1000 + int(text[4:7])
        return milliseconds


_SECONDS = re.compile(r":[0-5]\d\.\d{3}Z", re.ASCII)
_MINUTES: Final = {f"T{at // 60:02}:{at % 60:02}": at * 60_000 for at in range(24 * 60)}


def _moments(look: Look) -> _Fast:
    start, before, after, empty = _start(look), f'" s="{look.style}"><v>', "</v></c>", _empty(look)
    days, minutes, seconds, half = _Days(), _MINUTES, _Seconds(), DAY_MILLISECONDS // 2

    def encode(values: Column, numbers: Sequence[str]) -> list[str]:
        # Nine digits of a day are less than a tenth of a millisecond; whole numbers are written faster than floats.
        part = 10**9
        return [
            (f"{start}{at}{empty}" if look.fills else "")
            if value is None
            else f"{start}{at}{before}{days[value[:10]]}."
            f"{((minutes[value[10:16]] + seconds[value[16:]]) * part + half) // DAY_MILLISECONDS:09d}{after}"
            for value, at in zip(values, numbers, strict=True)
        ]

    return encode


_FAST: Final[dict[FieldType, Callable[[Look], _Fast]]] = {
    FieldType.BOOLEAN: _repeated(FieldType.BOOLEAN),
    FieldType.INTEGER: _integers,
    FieldType.DECIMAL: _decimals,
    FieldType.DATE: _repeated(FieldType.DATE),
    FieldType.DATETIME: _moments,
    FieldType.TIME: _repeated(FieldType.TIME),
}


# ── whole rows ───────────────────────────────────────────────────────────────────────────────────────────────────


class Source(Struct, frozen=True):
    """Where a sheet's column gets its values: the place in a row as `scan_named` gives it, and how they are written."""

    place: int
    encode: Encoder


class RowWriter(Struct, frozen=True):
    """Writes the rows of one sheet.

    The first of a row's values are the fields' (`kinds`), then come names. `stamp` is the place of the stamp; `mark`
    looks like the last cell, the row's mark.
    """

    kinds: tuple[FieldType, ...]
    sources: tuple[Source, ...]
    stamp: int | None
    mark: Look

    def write(self, rows: Sequence[tuple[Any, ...]], first: int) -> bytes:
        """The XML of these rows, the first of which has this number."""
        numbers = [str(at) for at in range(first, first + len(rows))]
        columns = list(zip(*rows, strict=True))
        cells = [each.encode(columns[each.place], numbers) for each in self.sources]
        heads = [f'<row r="{at}">' for at in numbers]
        lines = map("".join, zip(heads, *cells, self._marks(rows, columns, numbers), strict=True))
        return "".join(lines).encode()

    def _marks(self, rows: Sequence[tuple[Any, ...]], columns: Sequence[Column], numbers: Sequence[str]) -> list[str]:
        width = len(self.kinds)
        bent = [at for at, kind in enumerate(self.kinds) if _needs_canonical(kind, columns[at])]
        if bent:
            plain = list(columns[:width])
            for at in bent:
                plain[at] = tuple(canonical(self.kinds[at], value) for value in columns[at])
            owned: Sequence[Sequence[Stored]] = list(zip(*plain, strict=True))
        else:
            owned = rows if len(columns) == width else [row[:width] for row in rows]
        stamps = [None] * len(rows) if self.stamp is None else columns[self.stamp]
        start, before = _start(self.mark), f'" s="{self.mark.texts}" t="inlineStr"><is><t>'
        return [
            f"{start}{at}{before}{_xml(escape(row_mark(stamp, values, names)))}</t></is></c></row>"
            for at, stamp, values, names in zip(numbers, stamps, owned, [row[width:] for row in rows], strict=True)
        ]


def _needs_canonical(kind: FieldType, values: Column) -> bool:
    """Whether `canonical` may change one of these: what nobody but plain SQL can have written."""
    if kind is FieldType.DECIMAL:
        return int in set(map(type, values)) or "" in values
    return "" in cast("Sequence[object]", values)
