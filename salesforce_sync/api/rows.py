"""REST's JSON pages as rows: decoded by a struct that is made from the object's schema.

The struct is what makes it fast (no dict a row); rows that do not fit it are read again cell by cell, so that one odd
value does not stop a sync. Rows are decoded some at a time, when they are asked for: a page of 2,000 takes as much
memory as its text. An empty text is null: the struct finds those, so that nobody has to look for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import chain
from operator import eq
from typing import Annotated, Any, NoReturn, TypeVar, overload

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from salesforce_sync.errors import RequestRefused, Unreachable
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema

Row = tuple[object, ...]
T = TypeVar("T")

_RECORD = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RETRIEVED = msgspec.json.Decoder(list[dict[str, msgspec.Raw] | None])

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1
"""What SQLite keeps as a whole number."""

_TYPES: dict[FieldType, Any] = {
    FieldType.BOOLEAN: bool | None,
    FieldType.INTEGER: Annotated[int, msgspec.Meta(ge=_SMALLEST, le=_LARGEST)] | None,
    FieldType.DECIMAL: Decimal | None,
}

_SOME_TEXT = Annotated[str, msgspec.Meta(min_length=1)] | None

AT_ONCE = 100
"""Rows that are decoded together."""


class Decoded(Sequence[Row]):
    """The rows of a page, decoded anew each time they are gone through; `RequestRefused` if one lacks a field."""

    def __init__(self, records: Sequence[msgspec.Raw], decode: Callable[[Sequence[msgspec.Raw]], list[Row]]) -> None:
        self._records = records
        self._decode = decode

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __iter__(self) -> Iterator[Row]:
        parts = (self._records[at : at + AT_ONCE] for at in range(0, len(self._records), AT_ONCE))
        return chain.from_iterable(map(self._decode, parts))

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        if isinstance(index, slice):
            return self._decode(self._records[index])
        return self._decode([self._records[index]])[0]


class QueryPage(Struct, frozen=True):
    """One page of a query's result. `next_path` is what the org calls nextRecordsUrl: opaque. No text is empty."""

    total: int
    done: bool
    next_path: str | None
    rows: Sequence[Row]


class Outline(Struct, frozen=True):
    """What a page says of itself; `rows` is how many are on it."""

    total: int
    rows: int
    done: bool


class PageDecoder:
    """Reads the pages of one object. Every column must be in every row: a field that is not there is not null."""

    def __init__(self, schema: ObjectSchema) -> None:
        self._schema = schema
        columns = tuple((field.name, field.type) for field in schema.columns)
        self._fast = _row_decoder(columns, _SOME_TEXT).decode
        self._with_blanks = _row_decoder(columns, str | None).decode
        self._readers = [(field, _READERS.get(field.type, read_text)) for field in schema.columns]
        self._ids = [at for at, field in enumerate(schema.columns) if field.type in (FieldType.ID, FieldType.REFERENCE)]

    def decode(self, body: bytes) -> QueryPage:
        """The page; `Unreachable` if it is no query result. What is wrong with a row is told when it is read."""
        page = self._read(body)
        return QueryPage(page.totalSize, page.done, page.nextRecordsUrl, Decoded(page.records, self._rows))

    def outline(self, body: bytes) -> Outline:
        """What the page says of itself, without a Python object for each of its values."""
        page = self._read(body)
        return Outline(page.totalSize, len(page.records), page.done)

    def _read(self, body: bytes) -> _Page:
        try:
            return _page(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise _unreadable(self._schema, bad) from bad

    def _rows(self, records: Sequence[msgspec.Raw]) -> list[Row]:
        try:
            return self._full_ids(list(map(astuple, map(self._fast, records))))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return [self._odd(each) for each in records]

    def _odd(self, record: msgspec.Raw) -> Row:
        try:
            cells = astuple(self._with_blanks(record))
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return self.record(bytes(record))
        return self._full_ids([tuple(None if cell == "" else cell for cell in cells)])[0]

    def records(self, body: bytes) -> list[Row | None]:
        """The rows of a collection that was retrieved; None where the org shows none for an id."""
        return [None if record is None else self._one(record) for record in self._bare(body, _RETRIEVED)]

    def record(self, body: bytes) -> Row:
        """The row of one record that was read by its own resource."""
        return self._one(self._bare(body, _RECORD))

    def _one(self, record: dict[str, msgspec.Raw]) -> Row:
        return self._full_ids([self._row(record)])[0]

    def _full_ids(self, rows: list[Row]) -> list[Row]:
        """The rows, with 18 characters in each id also if the org writes 15. It does so in all of them, or in none."""
        if not rows or not self._ids or rows[0][self._ids[0]] == lengthened(rows[0][self._ids[0]]):
            return rows
        ids = frozenset(self._ids)
        return [tuple(lengthened(cell) if at in ids else cell for at, cell in enumerate(row)) for row in rows]

    def _bare(self, body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
        try:
            return decoder.decode(_without_halves(body))
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise _unreadable(self._schema, bad) from bad

    def _row(self, record: dict[str, msgspec.Raw]) -> Row:
        try:
            return tuple(_cell(record[field.name], field, read) for field, read in self._readers)
        except KeyError as missing:
            raise RequestRefused(
                f"The org left {missing.args[0]} out of a row of {self._schema.name}.",
                code="MISSING_FIELD",
                hint="The field may have been hidden just now; sync again.",
            ) from missing


_ESCAPE = re.compile(
    rb"\\(?:u(?:[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<half>[dD][89a-fA-F][0-9a-fA-F]{2}))|.)",
    re.DOTALL,
)
"""An escape in JSON: two halves of one character, a half alone, or any other (so that `\\ud800` is a backslash)."""


def _without_halves(body: bytes) -> bytes:
    """The body with U+FFFD for each half of a character that stands alone, as Bulk's UTF-8 has it.

    Texts that were cut at a number of UTF-16 units end so, and JSON can carry what UTF-8 cannot.
    """
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], body)


@lru_cache(maxsize=128)
def _row_decoder(columns: tuple[tuple[str, FieldType], ...], text: Any) -> msgspec.json.Decoder[Any]:
    names = {f"f{at}": name for at, (name, _) in enumerate(columns)}
    fields = [(f"f{at}", _TYPES.get(kind, text)) for at, (_, kind) in enumerate(columns)]
    # gc=False: the rows hold no cycles, and the collector would walk them all again and again.
    return msgspec.json.Decoder(msgspec.defstruct("Row", fields, rename=names, gc=False))


class _Page(Struct):
    totalSize: int
    done: bool
    records: list[msgspec.Raw]
    nextRecordsUrl: str | None = None


_PAGE = msgspec.json.Decoder(_Page)


def _page(body: bytes) -> _Page:
    try:
        return _PAGE.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        mended = _without_halves(body)
        if mended == body:
            raise
        return _PAGE.decode(mended)


def _unreadable(schema: ObjectSchema, bad: Exception) -> Unreachable:
    return Unreachable(f"The answer to the query for {schema.name} cannot be read: {bad}.", hint="Try again later.")


def _cell(raw: msgspec.Raw, field: Field, read: Callable[[Any], object]) -> object:
    text = bytes(raw)
    if text == b"null":
        return None
    try:
        return read(text) or None if read is read_text else read(text)
    except (ValueError, ArithmeticError) as bad:
        shown = text[:60].decode("utf-8", "replace")
        raise RequestRefused(
            f"{field.name} is described as {field.salesforce_type}, but a row has {shown}.", code="UNEXPECTED_VALUE"
        ) from bad


def read_text(raw: bytes) -> str:
    """A string's text; of any other JSON value its own text, e.g. `7` or `{"a":1}`."""
    return msgspec.json.decode(raw, type=str) if raw.startswith(b'"') else raw.decode()


def read_bool(raw: bytes) -> bool:
    """true or false, quoted or not."""
    text = read_text(raw).lower()
    return text == "true" if text in ("true", "false") else _no(raw)


def read_int(raw: bytes) -> int | float:
    """A whole number, however it is written: `5`, `5.0` or `"5"`; a float beyond 64 bits, as SQLite has it."""
    number = read_decimal(raw)
    if number != number.to_integral_value():
        return _no(raw)
    return int(number) if _SMALLEST <= number <= _LARGEST else float(number)


def read_decimal(raw: bytes) -> Decimal:
    """A number with all its digits."""
    try:
        number = Decimal(read_text(raw))
    except InvalidOperation:
        return _no(raw)
    return number if number.is_finite() else _no(raw)


def _no(raw: bytes) -> NoReturn:
    raise ValueError(raw)


_READERS: dict[FieldType, Callable[[Any], object]] = {
    FieldType.BOOLEAN: read_bool,
    FieldType.INTEGER: read_int,
    FieldType.DECIMAL: read_decimal,
}
