"""REST's JSON pages as rows: decoded by a struct that is made from the object's schema.

The struct is what makes it fast (no dict a row); rows that do not fit it are read again cell by cell, so that one odd
value does not stop a sync. Rows are decoded some at a time, when they are asked for: a page of 2,000 takes as much
memory as its text. An empty text is null: the struct finds those, so that nobody has to look for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import chain
from operator import eq
from typing import Annotated, Any, TypeVar, overload

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from salesforce_sync.api.cells import LARGEST, READERS, SMALLEST, read_cell, read_text
from salesforce_sync.api.page_text import Head, Records, as_array, decode_mended, read_page
from salesforce_sync.errors import SchemaChanged, Unreachable
from salesforce_sync.models.salesforce_id import lengthened
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import from_rest, store_datetimes, store_decimals

Row = tuple[object, ...]
T = TypeVar("T")

_RECORD = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RECORDS = msgspec.json.Decoder(list[msgspec.Raw])
_RETRIEVED = msgspec.json.Decoder(list[dict[str, msgspec.Raw] | None])

_TYPES: dict[FieldType, Any] = {
    FieldType.BOOLEAN: bool | None,
    FieldType.INTEGER: Annotated[int, msgspec.Meta(ge=SMALLEST, le=LARGEST)] | None,
    FieldType.DECIMAL: Decimal | None,
}

_SOME_TEXT = Annotated[str, msgspec.Meta(min_length=1)] | None

_STORED: dict[FieldType, Callable[[Any], Sequence[object]]] = {
    FieldType.DECIMAL: store_decimals,
    FieldType.DATETIME: store_datetimes,
}
"""What brings a column into the stored form, where the decoder does not."""


class Decoded(Sequence[Row]):
    """The rows of a page, decoded anew each time they are gone through; `SchemaChanged` if one lacks a field."""

    def __init__(
        self, records: Records, decode: Callable[[bytes], list[Row]], split: Callable[[bytes], list[msgspec.Raw]]
    ) -> None:
        self._records = records
        self._decode = decode
        self._split = split

    def __len__(self) -> int:
        return len(self._records)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # as a list's

    def __iter__(self) -> Iterator[Row]:
        return chain.from_iterable(self._parts())

    def _parts(self) -> Iterator[list[Row]]:
        count = 0
        for rows in map(self._decode, self._records.arrays()):
            count += len(rows)
            yield rows
        if count != len(self):
            raise Unreachable("The answer to a query has records within records.", hint="Nobody has asked for them.")

    @overload
    def __getitem__(self, index: int) -> Row: ...

    @overload
    def __getitem__(self, index: slice) -> list[Row]: ...

    def __getitem__(self, index: int | slice) -> Row | list[Row]:
        records = [record for array in self._records.arrays() for record in self._split(array)]
        if isinstance(index, slice):
            return self._decode(as_array(wanted)) if (wanted := records[index]) else []
        return self._decode(as_array([records[index]]))[0]


class QueryPage(Struct, frozen=True):
    """One page of a query's result. `next_path` is what the org calls nextRecordsUrl: opaque. No text is empty.

    `stored` are the same rows in the stored form.
    """

    total: int
    done: bool
    next_path: str | None
    rows: Sequence[Row]
    stored: Sequence[Row]


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
        self._fast = _row_decoder(columns, _SOME_TEXT, many=True).decode
        self._with_blanks = _row_decoder(columns, str | None, many=False).decode
        self._readers = [(field, READERS.get(field.type, read_text)) for field in schema.columns]
        self._ids = [at for at, field in enumerate(schema.columns) if field.type in (FieldType.ID, FieldType.REFERENCE)]
        self._to_store = [(at, _STORED[kind]) for at, (_, kind) in enumerate(columns) if kind in _STORED]

    def decode(self, body: bytes) -> QueryPage:
        """The page; `Unreachable` if it is no query result. What is wrong with a row is told when it is read."""
        page, records = self._read(body)
        rows, stored = (Decoded(records, each, self._split) for each in (self._rows, self._stored_rows))
        return QueryPage(page.totalSize, page.done, page.nextRecordsUrl, rows, stored)

    def outline(self, body: bytes) -> Outline:
        """What the page says of itself, without a Python object for each of its values."""
        page, records = self._read(body)
        return Outline(page.totalSize, len(records), page.done)

    def _read(self, body: bytes) -> tuple[Head, Records]:
        try:
            return read_page(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise _unreadable(self._schema, bad) from bad

    def _rows(self, records: bytes) -> list[Row]:
        try:
            structs = self._fast(records)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return [self._odd(each) for each in self._split(records)]
        return self._full_ids(list(map(astuple, structs)))

    def _stored_rows(self, records: bytes) -> list[Row]:
        try:
            structs = self._fast(records)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            kinds = [field.type for field in self._schema.columns]
            return [tuple(map(from_rest, kinds, row)) for row in self._rows(records)]
        columns: list[Sequence[object]] = list(zip(*map(astuple, structs), strict=True))
        for at, store in self._to_store:
            columns[at] = store(columns[at])
        return self._full_ids(list(zip(*columns, strict=True)))

    def _split(self, records: bytes) -> list[msgspec.Raw]:
        return self._bare(records, _RECORDS)

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
            return decode_mended(decoder, body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise _unreadable(self._schema, bad) from bad

    def _row(self, record: dict[str, msgspec.Raw]) -> Row:
        try:
            return tuple(read_cell(record[field.name], field, read) for field, read in self._readers)
        except KeyError as missing:
            raise SchemaChanged(
                f"The org left {missing.args[0]} out of a row of {self._schema.name}.",
                code="MISSING_FIELD",
                hint="The field may have been hidden or renamed just now; sync again.",
            ) from missing


@lru_cache(maxsize=128)
def _row_decoder(columns: tuple[tuple[str, FieldType], ...], text: Any, *, many: bool) -> msgspec.json.Decoder[Any]:
    names = {f"f{at}": name for at, (name, _) in enumerate(columns)}
    fields = [(f"f{at}", _TYPES.get(kind, text)) for at, (_, kind) in enumerate(columns)]
    # gc=False: the rows hold no cycles, and the collector would walk them all again and again.
    row = msgspec.defstruct("Row", fields, rename=names, gc=False)
    return msgspec.json.Decoder(list[row] if many else row)  # type: ignore[valid-type]


def _unreadable(schema: ObjectSchema, bad: Exception) -> Unreachable:
    return Unreachable(f"The answer to the query for {schema.name} cannot be read: {bad}.", hint="Try again later.")
