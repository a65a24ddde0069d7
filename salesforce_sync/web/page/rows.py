"""Records as the screens show them: titles in place of ids, and what of them is edited or in conflict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from msgspec import Struct

from salesforce_sync.app import SFSync
from salesforce_sync.errors import NotSynced, RecordNotFound
from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Change, Wanted
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.ports import Selection
from salesforce_sync.web.page.words import NUMBERS
from salesforce_sync.web.rows import form

LONG: Final = 350
"""Characters of a text from which on it is shown in part, and the others by moving in it."""

LINES: Final = 9
"""The same, in lines."""


class Link(Struct, frozen=True):
    """A record that a value names."""

    object_name: str
    title: str


class Slot(Struct, frozen=True):
    """One field of one record: what is here, and what the org had where that is another."""

    object_name: str
    record_id: str
    field: Field
    value: Any
    editable: bool
    edited: bool = False
    base: Any = None
    conflict: bool = False
    link: Link | None = None

    @property
    def is_number(self) -> bool:
        """Whether its digits stand below those of the other rows."""
        return self.field.type in NUMBERS

    @property
    def is_long(self) -> bool:
        """Whether it may take more lines than there is room for where all of a record is shown."""
        text = self.value if isinstance(self.value, str) else ""
        return len(text) > LONG or text.count("\n") >= LINES

    @property
    def path(self) -> str:
        """The part of an address that names it, behind the connection's."""
        return f"records/{quote(self.object_name)}/{quote(self.record_id)}/fields/{quote(self.field.name)}"


class Marks:
    """What of these records of an object waits to be sent, or to be decided."""

    def __init__(self, sync: SFSync, object_name: str, record_ids: Sequence[str]) -> None:
        waiting = sync.outbox(Wanted(records=record_ids)) if record_ids else ()
        self.changes: Mapping[str, Change] = {
            each.record_id: each for each in waiting if each.object_name == object_name
        }
        items = sync.inbox(records=record_ids) if record_ids else ()
        mine = (each for each in items if each.object_name == object_name)
        self.items: Mapping[str, InboxItem] = {each.record_id: each for each in mine}


class Rows:
    """Makes slots of stored rows; a title that was found is not looked for again."""

    def __init__(self, sync: SFSync, schema: ObjectSchema, marks: Marks, *, may_change: bool) -> None:
        self._sync = sync
        self._schema = schema
        self._marks = marks
        self._may_change = may_change
        self._links: dict[str, Link | None] = {}

    def slots(self, row: Sequence[Any], fields: Sequence[Field]) -> list[Slot]:
        """These fields of a stored row."""
        record_id = str(row[0])
        return [self._slot(record_id, field, row[self._schema.columns.index(field)]) for field in fields]

    def _slot(self, record_id: str, field: Field, stored: Any) -> Slot:
        change, item = self._marks.changes.get(record_id), self._marks.items.get(record_id)
        if stored is None and field.name_field:  # the org makes a person's name; until it has, its parts are shown
            stored = self._title(self._schema.name, record_id) or None
        edit = next((each for each in change.edits if each.field == field.name), None) if change else None
        local = change is not None and change.local
        return Slot(
            object_name=self._schema.name,
            record_id=record_id,
            field=field,
            value=form(field, stored),
            editable=self._may_change and (field.createable if local else field.updateable),
            edited=edit is not None,
            base=None if edit is None else form(field, edit.base),
            conflict=item is not None and any(each.field == field.name for each in item.conflicts),
            link=self.link(field, stored) if field.type is FieldType.REFERENCE and stored else None,
        )

    def link(self, field: Field, record_id: str) -> Link | None:
        """The record of this id, if it is here."""
        if record_id not in self._links:
            titles = ((name, self._title(name, record_id)) for name in field.reference_to)
            self._links[record_id] = next((Link(name, title) for name, title in titles if title), None)
        return self._links[record_id]

    def _title(self, object_name: str, record_id: str) -> str:
        try:
            return self._sync.objects[object_name].title(record_id)
        except NotSynced:
            return ""


def row_of(sync: SFSync, object_name: str, record_id: str) -> tuple[ObjectSchema, tuple[Any, ...]]:
    """A live record as stored; `RecordNotFound` where there is none."""
    collection = sync.objects[object_name]
    schema, rows = collection.page(Selection(most=1), Id=collection.full_id(record_id))
    if not rows:
        raise RecordNotFound(
            f"There is no live {schema.name} {record_id[:40]} here.", hint="It may have been deleted, or not synced."
        )
    return schema, rows[0]
