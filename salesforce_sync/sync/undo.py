"""A push undone: the values that it replaced become new local edits, which go the way of all edits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from salesforce_sync.errors import Misuse, SyncError
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.outbox import TOLD, Change, ChangeState, Operation, Wanted
from salesforce_sync.models.push import Push, PushedChange
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.resolve import alike, arrived, data_fields
from salesforce_sync.sync.beneath import Key, kept_by
from salesforce_sync.sync.own_doing import EDITOR, newest_beneath
from salesforce_sync.sync.rows import named_rows

CHANGED_SINCE = "It has been changed since."
GONE = "There is no such field any more."
IN_THE_INBOX = "It waits in the inbox."


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

    A field is only put back if it still holds what the push left there; a record that the push has made, or brought
    back, is only deleted if nothing that people fill in has changed in it since, and nothing of others lies beneath it.
    What an undo that was broken off has put back already is undone.
    """
    undoing = _Undoing(store, push_id)
    for change, ended in _backwards(store, push_id):
        if change.outcome == "applied":
            undoing.one(change, ended)
    undoing.delete()
    return tuple(undoing.left)


class _Undoing:
    """`left` is what is not undone; `_made` are records that the push has made, `_kept` those that stay all the same.

    `_put_back` are fields that this run has put back.
    """

    def __init__(self, store: Store, push_id: str) -> None:
        self.left: list[NotUndone] = []
        self._store = store
        self._push_id = push_id
        self._made: dict[Key, PushedChange] = {}
        self._kept: set[Key] = set()
        self._put_back: dict[Key, set[str]] = {}
        self._newest: dict[str, str] | None = None

    def one(self, change: PushedChange, ended: datetime) -> None:
        """Undo a change; where a record is to be deleted for that, only look whether it may be."""
        try:
            match change.operation:
                case Operation.UPDATE:
                    self._edit_back(change)
                case _ if _is_asked_about(self._store, change):
                    self.left.append(_left(change, "", IN_THE_INBOX))
                case operation if _is_there(self._store, change) is (operation is Operation.DELETE):
                    pass  # it is undone already
                case Operation.DELETE:
                    self._store.undelete(change.object_name, change.record_id)
                case _:
                    self._look(change, ended)
        except SyncError as error:
            self.left.append(_left(change, "", error.message))

    def delete(self) -> None:
        """Delete what may be."""
        kept = kept_by(self._store, self._made, self._kept)
        for key, change in self._made.items():
            try:
                if key in kept:
                    self.left.append(
                        _left(change, "", f"Others have worked on what belongs to it: {' '.join(kept[key])}.")
                    )
                else:
                    self._store.delete(change.object_name, change.record_id)
            except SyncError as error:
                self.left.append(_left(change, "", error.message))

    def _look(self, change: PushedChange, ended: datetime) -> None:
        key = _key(self._store, change)
        changed = _changed_since(self._store, change)
        own = {*changed, *self._put_back.get(key, ())}
        changed += [each for each in _worked_on(self._store, change, ended) if each not in own]
        if changed and self._is_own_doing(change):
            changed = []
        self.left += _changed(self._store, change, changed)
        if changed:
            self._kept.add(key)
        else:
            self._made[key] = change

    def _is_own_doing(self, change: PushedChange) -> bool:
        """Whether nobody has changed a record since the push has made others beneath it, for which the org did so.

        A trigger that counts them does that in the name of who makes them, and at their time.
        """
        if change.operation is not Operation.CREATE or _edited_here(self._store, change):
            return False
        if self._newest is None:
            self._newest = newest_beneath(self._store, self._push_id)
        schema, (_, key) = self._store.schema(change.object_name), _key(self._store, change)
        if schema is None or schema.stamp is None or key not in self._newest:
            return False
        row = _row(self._store, schema, key)
        maker, stamp = row.get("CreatedById"), row.get(schema.stamp)
        return maker is not None and maker == row.get(EDITOR) and str(stamp or "~") <= self._newest[key]

    def _edit_back(self, change: PushedChange) -> None:
        replaced = _replaced(self._store, self._push_id, change)
        since = _changed_since(self._store, change)
        before = _put_back_already(self._store, self._push_id, change, {each: replaced[each] for each in since})
        changed = [each for each in since if each not in before]
        wanted = {name: old for name, old in replaced.items() if name not in since}
        stuck = _asked_about(self._store, change, wanted)
        changed += stuck
        wanted = {name: old for name, old in wanted.items() if name not in stuck}
        left = [*_changed(self._store, change, changed), *_put_back(self._store, change, wanted)]
        # Not those of `before`: a person may have put them back, and works on the record then.
        done = wanted.keys() - {each.field for each in left}
        self._put_back.setdefault(_key(self._store, change), set()).update(done)
        self.left += left


def _key(store: Store, change: PushedChange) -> Key:
    return change.object_name, store.real_id(change.record_id)


def _backwards(store: Store, push_id: str) -> Iterator[tuple[PushedChange, datetime]]:
    """The changes, each with the time at which the push had ended."""
    before = None
    while True:
        part = store.pushed(push_id, before)
        yield from ((each, part.ended) for each in part.changes)
        if part.before is None:
            return
        before = part.before


def _replaced(store: Store, push_id: str, change: PushedChange) -> dict[str, Stored]:
    """What the org had in the edited fields before: their bases, or what was overwritten unseen."""
    history = store.history(change.object_name, change.record_id)
    found = {(each.field, each.new): each.old for each in history if each.push_id == push_id}
    return {each.field: found.get((each.field, each.value), each.base) for each in change.edits}


def _changed(store: Store, change: PushedChange, fields: Sequence[str]) -> list[NotUndone]:
    """What is told of these fields, which are not as the push had left them."""
    schema, waits = store.schema(change.object_name), _in_the_inbox(store, change) if fields else frozenset()
    reasons = dict.fromkeys(fields, CHANGED_SINCE) | {each: IN_THE_INBOX for each in fields if each in waits}
    reasons |= {each: GONE for each in fields if schema is not None and not schema.has(each)}
    return [_left(change, each, reason) for each, reason in reasons.items()]


def _in_the_inbox(store: Store, change: PushedChange) -> frozenset[str]:
    """The fields of the record about which a person is asked."""
    items = [each for each in store.inbox(records=[store.real_id(change.record_id)]) if each.kind not in TOLD]
    conflicts = {each.field for item in items for each in item.conflicts}
    return frozenset(conflicts | {each.field for item in items for each in item.edits})


def _asked_about(store: Store, change: PushedChange, values: Mapping[str, Stored]) -> list[str]:
    """The fields that have these values here already, which wait in the inbox: the org did not take them."""
    waits = _in_the_inbox(store, change)
    schema = store.schema(change.object_name)
    if schema is None or not waits & values.keys():
        return []
    row = _row(store, schema, change.record_id)
    return [
        name for name in values if name in waits and alike(schema, name, row.get(name), _named(store, values[name]))
    ]


def _put_back(store: Store, change: PushedChange, values: Mapping[str, Stored]) -> list[NotUndone]:
    """Edit these fields back; one that may not be written so any more stops none of the others."""
    try:
        store.update(change.object_name, change.record_id, values)
    except Misuse as error:
        if len(values) == 1:
            return [_left(change, name, error.message) for name in values]
        return [each for name, value in values.items() for each in _put_back(store, change, {name: value})]
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
        if not schema.has(each.field) or not arrived(schema, each.field, _named(store, each.value), row.get(each.field))
    ]


def _put_back_already(store: Store, push_id: str, change: PushedChange, values: Mapping[str, Stored]) -> frozenset[str]:
    """The fields in which these values stand again because they were written here: they are sent, or on their way.

    What somebody has set back in the org is a change of his, and what waits in the inbox is not undone.
    """
    schema = store.schema(change.object_name)
    if schema is None or not values:
        return frozenset()
    row, pending = _row(store, schema, change.record_id), _pending(store, change)
    edits = {} if pending is None else pending.values
    waits = pending is not None and pending.state is ChangeState.PARKED
    written: dict[str, Replaced] = {}
    for each in store.history(change.object_name, change.record_id):  # newest first
        written.setdefault(each.field, each)

    def stands(name: str, value: Stored) -> bool:
        value = _named(store, value)
        if not schema.has(name) or not arrived(schema, name, value, row.get(name)):
            return False
        if name in edits:
            return not waits and alike(schema, name, edits[name], value)
        last = written.get(name)
        ours = last is not None and last.origin is Origin.PUSH and last.push_id != push_id
        return ours and last is not None and alike(schema, name, last.new, value)

    return frozenset(name for name, value in values.items() if stands(name, value))


def _is_there(store: Store, change: PushedChange) -> bool | None:
    """Whether the record is there, or is about to be; None where that is not known, and of one that was merged away."""
    pending = _pending(store, change)
    if pending is not None and pending.operation in (Operation.DELETE, Operation.UNDELETE):
        return pending.operation is Operation.UNDELETE
    schema = store.schema(change.object_name)
    row = {} if schema is None else _row(store, schema, change.record_id)
    return None if not row or row.get("MasterRecordId") else not row.get("IsDeleted")


def _is_asked_about(store: Store, change: PushedChange) -> bool:
    """Whether a person has to decide whether the record is deleted, or brought back."""
    pending = _pending(store, change)
    ending = pending is not None and pending.operation in (Operation.DELETE, Operation.UNDELETE)
    return ending and pending is not None and pending.state is ChangeState.PARKED


def _pending(store: Store, change: PushedChange) -> Change | None:
    """What of the record waits here."""
    found = store.changes(Wanted(records=(store.real_id(change.record_id),)))
    return next((each for each in found if each.object_name == change.object_name), None)


def _worked_on(store: Store, change: PushedChange, ended: datetime) -> list[str]:
    """The fields that people fill in, and that are not as they were when the push had ended."""
    schema = store.schema(change.object_name)
    if schema is None:
        return []
    row = _row(store, schema, change.record_id)
    # Newest first: of each field the oldest one stays.
    replaced = store.history(change.object_name, change.record_id)
    known = {each.field: each.old for each in replaced if each.at > ended}
    known |= _edited_here(store, change)
    return [
        name for name in data_fields(schema) if name in known and not arrived(schema, name, known[name], row.get(name))
    ]


def _edited_here(store: Store, change: PushedChange) -> dict[str, Stored]:
    """The bases of what is edited here, and not in the org yet."""
    found = store.changes(Wanted(records=(change.record_id,)))
    return {edit.field: edit.base for each in found if each.object_name == change.object_name for edit in each.edits}


def _row(store: Store, schema: ObjectSchema, record_id: str) -> Mapping[str, Stored]:
    _, rows = named_rows(store, schema.name, [record_id])
    return rows.get(record_id, {})


def _named(store: Store, value: Stored) -> Stored:
    return store.real_id(value) if isinstance(value, str) else value


def _left(change: PushedChange, field: str, reason: str) -> NotUndone:
    return NotUndone(change.object_name, change.record_id, field, reason)
