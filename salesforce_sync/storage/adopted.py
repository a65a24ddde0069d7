"""What the database knows of an object that was adopted: its schema, and how far it has been read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import own_sql

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_SCHEMA = msgspec.json.Decoder(ObjectSchema)
_NAMES = msgspec.json.Decoder(list[str])


class Adopted(NamedTuple):
    """A row of _sync_object."""

    name: str
    schema: str
    described_at: str
    until: str | None
    merged: int
    refill: int
    read_at: str | None


def adopted(db: apsw.Connection, object_name: str) -> Adopted:
    """The object's row; it has one."""
    return Adopted(*db.execute(own_sql.ONE_OBJECT, (object_name,)).get)


def note_gained(db: apsw.Connection, schema: ObjectSchema, gained: Sequence[str]) -> None:
    """The table has these columns now, and nothing in them. Where all is to be read again, that fills them, too."""
    reads_all = adopted(db, schema.name).refill and db.execute(own_sql.UNFILLED, (schema.name,)).get is None
    if reads_all:
        return
    left = [*unfilled(db, schema), *gained]
    if left:
        names = msgspec.json.encode(list(dict.fromkeys(left))).decode()
        db.execute(own_sql.GAINED, (names, schema.name))
    elif adopted(db, schema.name).refill:
        db.execute(own_sql.FILLED, (schema.name,))  # what was to be filled is not there any more


def unfilled(db: apsw.Connection, schema: ObjectSchema) -> tuple[str, ...]:
    """Columns of the schema that are to be filled by reading them alone."""
    row = db.execute(own_sql.UNFILLED, (schema.name,)).fetchone()
    wanted = () if row is None or row[0] is None else {name.casefold() for name in _NAMES.decode(str(row[0]))}
    return tuple(field.name for field in schema.columns if field.name.casefold() in wanted)


def decode_schema(text: str) -> ObjectSchema:
    """A schema as _sync_object keeps it."""
    return _SCHEMA.decode(text)
