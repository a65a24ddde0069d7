"""A person's decision on an item of the inbox, carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import apsw
import msgspec

from salesforce_sync.errors import Misuse
from salesforce_sync.models.history import Origin
from salesforce_sync.models.inbox import MERGED, Conflict, Resolution, Side, beyond_reach
from salesforce_sync.models.outbox import TOLD, Kind, Operation
from salesforce_sync.models.outcome import linked_over
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox_items import decoded, put_told, renew_refusal
from salesforce_sync.storage.inbox_rows import EDITS, EditRow, ItemRow, deleted_there, edits_of, item_of
from salesforce_sync.storage.outbox import row_in_outbox
from salesforce_sync.storage.records import adopt_id, forget_change, forget_record, row_of, set_cell, tidy
from salesforce_sync.storage.sql_text import quote

_AGAIN = """
UPDATE _sync_outbox SET state = 'waiting', attempts = 0, not_before = NULL, allow_duplicates = ?, operation = ?
WHERE object_name = ? AND record_id = ?
"""
SEEN = """
-- What is in dispute beneath a deletion that is wanted all the same: the org's value is known, and no change any more.
UPDATE _sync_edit SET base = org, contested = 0, org = NULL WHERE object_name = ? AND record_id = ? AND contested = 1
"""
_PUT_EDIT = """
INSERT INTO _sync_edit (object_name, record_id, field, base, value, edited_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
ON CONFLICT (object_name, record_id, field) DO UPDATE SET base = ?4, value = ?5, contested = 0, org = NULL,
    edited_at = ?6
"""
_WANT_BACK = """
INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) VALUES (?, ?, 'undelete', ?)
ON CONFLICT (object_name, record_id) DO NOTHING
"""
_PUT_CHANGE = """
INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) VALUES (?, ?, 'update', ?)
ON CONFLICT (object_name, record_id) DO UPDATE SET edited_at = excluded.edited_at
"""

_UNSEEN = (Cause.HIDDEN.name, Cause.UNKNOWN.name)
"""The codes of records that are not known to be deleted."""


class Decision:
    """A person's word on one item."""

    def __init__(
        self,
        db: apsw.Connection,
        schemas: Callable[[str], ObjectSchema | None],
        schema: ObjectSchema,
        item: ItemRow,
        history: HistoryWriter,
        now: datetime,
    ) -> None:
        self._db = db
        self._schemas = schemas
        self._schema = schema
        self._item = item
        self._record = schema.name, item.record_id
        self._history = history
        self._now = now

    def carry_out(self, resolution: Resolution) -> None:
        kind = Kind(self._item.kind)
        if resolution.link is not None:
            self._link(resolution.link, resolution.side)
        elif kind is Kind.CONFLICT:
            self._decide_fields(resolution)
        elif kind is Kind.REPLACED:
            self._decide_replaced(resolution)
        elif kind in TOLD:
            self._decide_told(kind, resolution)
        elif resolution.side is Side.ORG:
            self._give_up(kind)
        else:
            self._go_on(kind, resolution)

    # ── fields that both sides changed ───────────────────────────────────────────────────────────────────────────

    def _decide_fields(self, resolution: Resolution) -> None:
        disputed = {each.field: each for each in edits_of(self._db, self._item) if each.contested}
        chosen = self._chosen(resolution, {name: (each.value, each.org) for name, each in disputed.items()})
        for name, value in chosen.items():
            self._set(name, value, disputed[name].org, disputed[name].value)
        gone = deleted_there(self._db, self._item)
        tidy(self._db, *self._record)
        renew_refusal(self._db, *self._record)
        if gone is not None and row_in_outbox(self._db, *self._record) is None:
            self._item = gone  # no edit is left that would keep the record here
            self._let_go()

    def _decide_replaced(self, resolution: Resolution) -> None:
        told = decoded(self._item.replaced)
        chosen = self._chosen(resolution, {each.field: (each.local, each.org) for each in told})
        for each in told:
            if each.field in chosen and chosen[each.field] != each.local:
                self._set(each.field, chosen[each.field], each.local, each.local)
        left = [each for each in told if each.field not in chosen]
        if left:
            rows = [(each.field, each.base, each.local, each.org) for each in left]
            text = msgspec.json.encode(rows).decode()
            self._db.execute("UPDATE _sync_inbox SET replaced = ? WHERE number = ?", (text, self._item.number))
        else:
            self._remove()

    def _decide_told(self, kind: Kind, resolution: Resolution) -> None:
        """A deletion may be taken back; of all else there is only the word."""
        if resolution.values:
            raise Misuse(f"An item of the kind {kind} has no value to decide.", hint=self._item.hint)
        shown = row_of(self._db, self._schema, self._item.record_id)
        if kind is Kind.DELETED_OVER and resolution.side is Side.ORG:
            if shown is None or not self._schema.has("IsDeleted"):
                raise _not_in_the_bin(self._schema, self._item.record_id)
            if shown["IsDeleted"]:
                set_cell(self._db, self._schema, self._item.record_id, "IsDeleted", 0)
                self._db.execute(_WANT_BACK, (*self._record, format_datetime(self._now)))
        self._remove()

    def _chosen(self, resolution: Resolution, sides: dict[str, tuple[Stored, Stored]]) -> dict[str, Stored]:
        """The value for each field that was decided; `sides` has the local and the org's."""
        values = {self._schema.field(name).name: value for name, value in (resolution.values or {}).items()}
        strangers = values.keys() - sides.keys()
        if strangers or not (values or resolution.side):
            known = ", ".join(sides)
            said = (
                f"{', '.join(sorted(strangers))} is not among what waits"
                if strangers
                else "It is not said what to take"
            )
            raise Misuse(
                f"{said}: {known}.",
                hint="Decide for the org's side, the local one, or give a field a value.",
            )
        if resolution.side is None:
            return values
        picked = 0 if resolution.side is Side.LOCAL else 1
        return {name: pair[picked] for name, pair in sides.items()} | values

    def _set(self, field: str, value: Stored, org: Stored, before: Stored) -> None:
        """The record's value is to be `value`, where the org has `org` and the row here showed `before`."""
        if value == org:
            self._db.execute(
                "DELETE FROM _sync_edit WHERE object_name = ? AND record_id = ? AND field = ?", (*self._record, field)
            )
        else:
            now = format_datetime(self._now)
            self._db.execute(_PUT_EDIT, (*self._record, field, org, value, now))
            self._db.execute(_PUT_CHANGE, (*self._record, now))
        set_cell(self._db, self._schema, self._record[1], field, value)
        self._history.note(self._db, *self._record, Origin.DECISION, {field: (before, value)})

    # ── records that wait as a whole ─────────────────────────────────────────────────────────────────────────────

    def _give_up(self, kind: Kind) -> None:
        """The org's side: what was edited here ends."""
        record_id, operation = self._item.record_id, self._item.operation
        edits = edits_of(self._db, self._item)
        shown = row_of(self._db, self._schema, record_id) or {}
        replaced = {each.field: (each.value, each.base) for each in edits if each.value == shown.get(each.field)}
        if operation == Operation.CREATE:
            forget_record(self._db, self._schemas, self._schema.name, record_id)
            return
        self._history.note(self._db, *self._record, Origin.DECISION, replaced)
        if operation == Operation.DELETE:
            self._bring_back(edits)
        else:
            for each in edits:
                set_cell(self._db, self._schema, record_id, each.field, each.org if each.contested else each.base)
        if kind is Kind.DELETED_THERE:
            self._let_go()
        elif operation == Operation.UNDELETE:
            set_cell(self._db, self._schema, record_id, "IsDeleted", 1)
        forget_change(self._db, *self._record)

    def _bring_back(self, edits: Sequence[EditRow]) -> None:
        if self._schema.has("IsDeleted"):
            set_cell(self._db, self._schema, self._item.record_id, "IsDeleted", 0)
            for each in edits:
                org = each.org if each.contested else each.base
                set_cell(self._db, self._schema, self._item.record_id, each.field, org)
            return
        names = ["Id", *(each.field for each in edits)]
        listed, marks = ", ".join(map(quote, names)), ", ".join("?" * len(names))
        put = f"INSERT OR IGNORE INTO {quote(self._schema.name)} ({listed}) VALUES ({marks})"
        self._db.execute(put, (self._item.record_id, *(each.base for each in edits)))

    def _let_go(self) -> None:
        if self._schema.has("IsDeleted") and self._item.code not in _UNSEEN:
            set_cell(self._db, self._schema, self._item.record_id, "IsDeleted", 1)
        else:
            table = quote(self._schema.name)
            self._db.execute(f'DELETE FROM {table} WHERE "Id" = ?', (self._item.record_id,))

    def _go_on(self, kind: Kind, resolution: Resolution) -> None:
        """The local side, perhaps with other values: it is sent (again)."""
        operation = Operation(self._item.operation or Operation.UPDATE)
        edits = {each.field: each for each in edits_of(self._db, self._item)}
        for name, value in (resolution.values or {}).items():
            field = self._schema.field(name).name
            shown = row_of(self._db, self._schema, self._item.record_id) or {}
            before = edits[field].base if field in edits else shown.get(field)
            self._set(field, value, before, shown.get(field))
        if kind is Kind.DELETED_THERE and not resolution.again:
            if self._item.code == MERGED:
                raise self._is_merged()
            if beyond_reach(kind, self._item.code) or not self._schema.has("IsDeleted"):
                raise _not_in_the_bin(self._schema, self._item.record_id)
            operation = Operation.UNDELETE
        if kind is Kind.CHANGED_THERE:
            self._db.execute(SEEN, self._record)
        self._db.execute(_AGAIN, (int(resolution.allow_duplicates), operation, *self._record))
        self._remove()
        tidy(self._db, *self._record)

    def _is_merged(self) -> Misuse:
        number, name, lost = self._item.number, self._schema.name, self._item.record_id
        (master,) = item_of(self._item, ()).matches
        return Misuse(
            f"{name} {lost} was merged into {master.record_id}: it cannot be brought back.",
            hint=f"'salesforce-sync inbox link {number} {master.record_id} --local' gives its edits to that record, "
            f"'inbox take {number} org' lets them go.",
        )

    def _link(self, given: str, side: Side | None) -> None:
        """The record is this one of the org. Its values hold; with the local side, what was given here is sent."""
        link = from_org(given)
        self._check_link(link)
        if self._item.code == MERGED:
            self._link_merged(link, side)
        else:
            self._link_new(link, side)

    def _check_link(self, link: str) -> None:
        """`Misuse` for a record that neither the org has named nor this replica has: there may be none of this id."""
        name = self._schema.name
        matches = [each for each in item_of(self._item, ()).matches if each.object_name.casefold() == name.casefold()]
        if link in [from_org(each.record_id) for each in matches]:
            return
        if self._item.code == MERGED:
            raise Misuse(
                f"{link} is not the {name} that this one was merged into.", hint=f"See item {self._item.number}."
            )
        there = row_of(self._db, self._schema, link)
        if there is None or there.get("IsDeleted"):
            what = "is not in this replica" if there is None else "is deleted"
            raise Misuse(f"{name} {link} {what}, and the org has not named it.", hint="Sync it first, then link.")

    def _link_merged(self, link: str, side: Side | None) -> None:
        """The record that this one was merged into gets its edits, if the local side is wanted; it itself is gone."""
        edits = edits_of(self._db, self._item)
        master = row_of(self._db, self._schema, link)
        if side is Side.LOCAL and (master is None or master.get("IsDeleted")):
            raise Misuse(f"{self._schema.name} {link} is not in this replica.", hint="Sync it first, then link.")
        self._give_up(Kind.DELETED_THERE)
        self._record = self._schema.name, link
        if side is Side.LOCAL and master is not None:
            self._write(edits, master)

    def _link_new(self, link: str, side: Side | None) -> None:
        local_id = self._item.record_id
        if self._item.operation != Operation.CREATE:
            raise Misuse("Only a record that was made here can be linked to one of the org.")
        org = row_of(self._db, self._schema, link)
        if org is None and side is Side.LOCAL:
            raise Misuse(f"{self._schema.name} {link} is not in this replica.", hint="Sync it first, then link.")
        edits = edits_of(self._db, self._item)
        forget_change(self._db, self._schema.name, local_id)
        adopt_id(self._db, self._schemas, self._schema.name, local_id, link)
        self._record = self._schema.name, link
        if org is not None and side is Side.LOCAL:
            changeable = [each for each in edits if self._schema.field(each.field).updateable]
            self._write(changeable, org)
        elif org is not None:
            let_go = {each.field: (each.value, org.get(each.field)) for each in edits}
            self._history.note(self._db, *self._record, Origin.DECISION, let_go)

    def _write(self, edits: Sequence[EditRow], shown: Mapping[str, Stored]) -> None:
        """Let these values hold in the record, whose row shows others: edits of its own lie over the org's.

        Those that give way are told: nobody has seen them when this was decided.
        """
        own = {row[0]: EditRow(*row) for row in self._db.execute(EDITS, self._record)}
        lost = []
        for each in edits:
            mine, theirs = own.get(each.field), shown.get(each.field)
            if mine is not None:
                theirs = mine.org if mine.contested else mine.base
                if mine.value != each.value:
                    lost.append(Conflict(each.field, mine.base, each.value, mine.value))
            self._set(each.field, each.value, theirs, shown.get(each.field))
        tidy(self._db, *self._record)
        if lost:
            problem = linked_over([each.field for each in lost])
            put_told(self._db, (*self._record, Kind.REPLACED), Operation.UPDATE, self._now, problem, lost)

    def _remove(self) -> None:
        self._db.execute("DELETE FROM _sync_inbox WHERE number = ?", (self._item.number,))


def _not_in_the_bin(schema: ObjectSchema, record_id: str) -> Misuse:
    return Misuse(
        f"{schema.name} {record_id} cannot be brought back: it is not in the org's bin.",
        hint="Take the other side, and make a new record if you need one.",
    )
