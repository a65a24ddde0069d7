"""A push undone: the values that it replaced become new local edits, which go the way of all edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from salesforce_sync.errors import SyncError
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.push import Push, PushedChange
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.resolve import arrived
from salesforce_sync.sync.rows import named_rows

CHANGED_SINCE = "It has been changed since."


class NotUndone(Struct, frozen=True):
    """What was left as it is, and why; without a `field` the whole record."""

    object_name: str
    record_id: str
    field: str
    reason: str


class Undone(Struct, frozen=True):
    """The push that sent the old values, and what was not undone."""

    push: Push
    left: tuple[NotUndone, ...]


def take_back(store: Store, push_id: str) -> tuple[NotUndone, ...]:
    """Edit the replica back to before this push, the last change first; gives what was left as it is.

    A field is only put back if it still holds what the push left there.
    """
    left: list[NotUndone] = []
    for change in _backwards(store, push_id):
        if change.outcome == "applied":
            try:
                left += _one(store, change)
            except SyncError as error:
                left.append(_left(change, "", error.message))
    return tuple(left)


def _backwards(store: Store, push_id: str) -> Iterator[PushedChange]:
    part = store.pushed(push_id)
    yield from part.changes
    while part.before is not None:
        part = store.pushed(push_id, part.before)
        yield from part.changes


def _one(store: Store, change: PushedChange) -> list[NotUndone]:
    name, record_id = change.object_name, change.record_id
    match change.operation:
        case Operation.DELETE:
            store.undelete(name, record_id)
        case Operation.UNDELETE:
            store.delete(name, record_id)
        case Operation.CREATE:
            changed = _changed_since(store, change)
            if changed:
                return [_left(change, each, CHANGED_SINCE) for each in changed]
            store.delete(name, record_id)
        case Operation.UPDATE:
            changed = _changed_since(store, change)
            store.update(name, record_id, {each.field: each.base for each in change.edits if each.field not in changed})
            return [_left(change, each, CHANGED_SINCE) for each in changed]
    return []


def _changed_since(store: Store, change: PushedChange) -> list[str]:
    """The fields that no longer hold what the push sent."""
    schema = store.schema(change.object_name)
    if schema is None:
        return [each.field for each in change.edits]
    row = _row(store, schema, change.record_id)
    return [
        each.field
        for each in change.edits
        if not arrived(schema, each.field, _named(store, each.value), row.get(each.field))  # type: ignore[arg-type]
    ]


def _row(store: Store, schema: ObjectSchema, record_id: str) -> Mapping[str, object]:
    _, rows = named_rows(store, schema.name, [record_id])
    return rows.get(record_id, {})


def _named(store: Store, value: str | int | float | None) -> str | int | float | None:
    return store.real_id(value) if isinstance(value, str) else value


def _left(change: PushedChange, field: str, reason: str) -> NotUndone:
    return NotUndone(change.object_name, change.record_id, field, reason)
