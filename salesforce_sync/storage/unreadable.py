"""Edits whose text is no UTF-8, written past the checks: made readable, and put before a person.

SQLite takes any bytes for text. One such value is no reason to keep the others from being read and sent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final, NamedTuple

import apsw

from salesforce_sync.models.outbox import Change, Kind, Operation
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.inbox_items import put_item
from salesforce_sync.storage.outbox import row_in_outbox
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.watch import in_outbox, unseen

NOT_TEXT: Final = "NOT_TEXT"
"""Our code for an edit that was written in bytes that are no text."""

_BEYOND_ASCII = "({0} GLOB '*[^ -~]*' OR length(CAST({0} AS BLOB)) <> length({0}))"
_IDS = f"SELECT object_name, CAST(record_id AS BLOB) FROM _sync_outbox WHERE {_BEYOND_ASCII.format('record_id')}"
_VALUES = f"""
SELECT object_name, record_id, field, CAST({{0}} AS BLOB), contested FROM _sync_edit
WHERE typeof({{0}}) = 'text' AND {_BEYOND_ASCII.format("{0}")}
"""
_PARK = "UPDATE _sync_outbox SET state = 'parked' WHERE number = ?"

Schemas = Callable[[str], ObjectSchema | None]


class Unreadable(NamedTuple):
    """A value of an edit that is no UTF-8."""

    object_name: str
    record_id: str
    field: str
    raw: bytes
    contested: int

    @property
    def text(self) -> str:
        return read_anyway(self.raw)


def read_anyway(raw: bytes) -> str:
    """The bytes as text, though they are no UTF-8: nearly always they are of a file that was saved by Windows."""
    return raw.decode("cp1252", "replace")


def make_readable(db: apsw.Connection, schemas: Schemas, now: datetime) -> bool:
    """Make what is no text in the edits into text, and park their changes; whether there was any."""
    with unseen(db, in_outbox(db)):
        found = [_rename(db, str(name), raw) for name, raw in list(db.execute(_IDS)) if not _is_text(raw)]
        refused: dict[tuple[str, str], list[str]] = defaultdict(list)
        for column in ("base", "value", "sent", "org"):
            for each in list(_unreadable(db, column)):
                found.append(_write(db, each, column))
                if column == "value" and not each.contested:
                    refused[each.object_name, each.record_id].append(each.field)
        for record, fields in refused.items():
            _park(db, *record, tuple(fields), now)
    return bool(found)


def _unreadable(db: apsw.Connection, column: str) -> Iterator[Unreadable]:
    for row in db.execute(_VALUES.format(column)):
        each = Unreadable(*row)
        if not _is_text(each.raw):
            yield each


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def _rename(db: apsw.Connection, object_name: str, raw: bytes) -> str:
    """Give a record that was made here under such an id one that can be read; who refers to it has it by its edit."""
    named = (read_anyway(raw), raw)
    db.execute(f'UPDATE {quote(object_name)} SET "Id" = ? WHERE "Id" = CAST(? AS TEXT)', named)
    for own in ("_sync_edit", "_sync_outbox", "_sync_inbox", "_sync_history"):
        renamed = f"UPDATE OR IGNORE {own} SET record_id = ? WHERE record_id = CAST(? AS TEXT) AND object_name = ?"
        db.execute(renamed, (*named, object_name))
    return named[0]


def _write(db: apsw.Connection, each: Unreadable, column: str) -> str:
    mine = each.object_name, each.record_id
    changed = f"UPDATE _sync_edit SET {column} = ? WHERE object_name = ? AND record_id = ? AND field = ?"
    db.execute(changed, (each.text, *mine, each.field))
    name = quote(each.field)
    in_row = f'UPDATE {quote(each.object_name)} SET {name} = ? WHERE "Id" = ? AND {name} = CAST(? AS TEXT)'
    db.execute(in_row, (each.text, each.record_id, each.raw))
    return each.text


def _park(db: apsw.Connection, object_name: str, record_id: str, fields: tuple[str, ...], now: datetime) -> None:
    row = row_in_outbox(db, object_name, record_id)
    if row is None or row.operation == Operation.DELETE:
        return  # nothing of it is sent
    change = Change(row.number, row.object_name, record_id, Operation(row.operation))
    message = (
        f"{', '.join(fields)}: what was written is not UTF-8 text. "
        "It was read as Windows-1252, and is kept as it reads so."
    )
    db.execute(_PARK, (row.number,))
    put_item(db, change, record_id, Kind.REJECTED, now, Rejected(change, NOT_TEXT, message, fields))
