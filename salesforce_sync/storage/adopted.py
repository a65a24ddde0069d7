"""What the database knows of an object that was adopted: its schema, and how far it has been read."""

from __future__ import annotations

from typing import NamedTuple

import apsw
import msgspec

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage import own_sql

# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_SCHEMA = msgspec.json.Decoder(ObjectSchema)


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


def decode_schema(text: str) -> ObjectSchema:
    """A schema as _sync_object keeps it."""
    return _SCHEMA.decode(text)
