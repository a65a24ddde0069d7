"""The rows of the inbox as they are read: an item, and the edits of its record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import apsw
import msgspec

from salesforce_sync.models.inbox import Conflict, InboxItem
from salesforce_sync.models.outbox import TOLD, Edit, Kind, Operation
from salesforce_sync.models.outcome import Match
from salesforce_sync.models.values import Stored, parse_datetime
from salesforce_sync.storage.inbox_items import decoded

ITEMS = """
SELECT i.number, i.object_name, i.record_id, i.kind, i.at, i.code, i.message, i.hint, i.fields, i.matches, i.replaced,
    coalesce(i.operation, o.operation)
FROM _sync_inbox i LEFT JOIN _sync_outbox o ON o.object_name = i.object_name AND o.record_id = i.record_id
"""
EDITS = """
SELECT field, base, value, contested, org FROM _sync_edit WHERE object_name = ? AND record_id = ? ORDER BY field
"""


class ItemRow(NamedTuple):
    number: int
    object_name: str
    record_id: str
    kind: str
    at: str
    code: str
    message: str
    hint: str
    fields: str
    matches: str
    replaced: str
    operation: str | None


class EditRow(NamedTuple):
    field: str
    base: Stored
    value: Stored
    contested: int
    org: Stored


def decided_about(db: apsw.Connection, item: ItemRow) -> ItemRow:
    """The item that a decision on this one is about.

    What was rejected, and whose record was then deleted in the org, waits twice: to give the edit up is to let the
    record go, and to want it is to bring the record back.
    """
    if Kind(item.kind) in (Kind.CONFLICT, *TOLD):
        return item
    return deleted_there(db, item) or item


def deleted_there(db: apsw.Connection, item: ItemRow) -> ItemRow | None:
    """The item which says that this one's record is deleted in the org."""
    asked = f"{ITEMS} WHERE (i.object_name, i.record_id, i.kind) = (?, ?, ?)"
    gone = db.execute(asked, (item.object_name, item.record_id, Kind.DELETED_THERE)).fetchone()
    return None if gone is None else ItemRow(*gone)


def edits_of(db: apsw.Connection, item: ItemRow) -> list[EditRow]:
    return [EditRow(*row) for row in db.execute(EDITS, (item.object_name, item.record_id))]


def item_of(row: ItemRow, edits: Sequence[EditRow]) -> InboxItem:
    kind = Kind(row.kind)
    disputed = tuple(Conflict(each.field, each.base, each.value, each.org) for each in edits if each.contested)
    matches = msgspec.json.decode(row.matches, type=list[tuple[str, str]])
    return InboxItem(
        number=row.number,
        object_name=row.object_name,
        record_id=row.record_id,
        kind=kind,
        operation=Operation(row.operation or Operation.UPDATE),
        at=parse_datetime(row.at),
        code=row.code,
        message=row.message,
        hint=row.hint,
        fields=tuple(msgspec.json.decode(row.fields, type=list[str])),
        conflicts=tuple(decoded(row.replaced)) if kind in TOLD else disputed if kind is Kind.CONFLICT else (),
        edits=tuple(Edit(each.field, each.base, each.value) for each in edits),
        matches=tuple(Match(*each) for each in matches),
    )
