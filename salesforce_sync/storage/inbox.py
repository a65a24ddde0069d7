"""The inbox in SQLite: what waits for a person, and what a person decided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import apsw
import msgspec
from msgspec.structs import astuple, replace

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.history import Origin
from salesforce_sync.models.inbox import MERGED, Conflict, Contested, InboxItem, Resolution, Side, Verdict
from salesforce_sync.models.outbox import Change, Edit, Kind, Match, Operation, Rejected
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.signals import news_of
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.edits import check_value
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.records import adopt_id, forget_change, forget_record, row_of, set_cell, tidy
from salesforce_sync.storage.signal_log import tell
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.watch import in_outbox, unseen

_PUT = """
INSERT INTO _sync_inbox (object_name, record_id, kind, at, code, message, hint, fields, matches, replaced)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (object_name, record_id, kind) DO UPDATE SET
    at = CASE WHEN (code, message, fields) = (excluded.code, excluded.message, excluded.fields)
        THEN at ELSE excluded.at END, code = excluded.code,
    message = excluded.message, hint = excluded.hint, fields = excluded.fields, matches = excluded.matches,
    replaced = excluded.replaced
"""
_IS_THERE = "SELECT 1 FROM _sync_inbox WHERE object_name = ? AND record_id = ? AND kind = ?"
_ITEMS = """
SELECT i.number, i.object_name, i.record_id, i.kind, i.at, i.code, i.message, i.hint, i.fields, i.matches, i.replaced,
    o.operation
FROM _sync_inbox i LEFT JOIN _sync_outbox o ON o.object_name = i.object_name AND o.record_id = i.record_id
"""
_EDITS = """
SELECT field, base, value, contested, org FROM _sync_edit WHERE object_name = ? AND record_id = ? ORDER BY field
"""
_AGAIN = """
UPDATE _sync_outbox SET state = 'waiting', attempts = 0, not_before = NULL, allow_duplicates = ?, operation = ?
WHERE object_name = ? AND record_id = ?
"""
_SEEN = """
-- What is in dispute beneath a deletion that is wanted all the same: the org's value is known, and no change any more.
UPDATE _sync_edit SET base = org, contested = 0, org = NULL WHERE object_name = ? AND record_id = ? AND contested = 1
"""
_PUT_EDIT = """
INSERT INTO _sync_edit (object_name, record_id, field, base, value) VALUES (?1, ?2, ?3, ?4, ?5)
ON CONFLICT (object_name, record_id, field) DO UPDATE SET base = ?4, value = ?5, contested = 0, org = NULL
"""
_PUT_CHANGE = """
INSERT INTO _sync_outbox (object_name, record_id, operation, edited_at) VALUES (?, ?, 'update', ?)
ON CONFLICT (object_name, record_id) DO UPDATE SET edited_at = excluded.edited_at
"""


class _Item(NamedTuple):
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


class _EditRow(NamedTuple):
    field: str
    base: Stored
    value: Stored
    contested: int
    org: Stored


def put_item(
    db: apsw.Connection,
    change: Change,
    record_id: str,
    kind: Kind,
    at: datetime,
    rejected: Rejected | None = None,
    replaced: Sequence[Conflict] = (),
) -> None:
    """Put what became of a change before a person."""
    code, message, fields, matches = "", "", (), ()  # type: tuple[str, str, tuple[str, ...], tuple[Match, ...]]
    if rejected is not None:
        code, message, fields, matches = rejected.code, rejected.message, rejected.fields, rejected.matches
    if kind is Kind.REPLACED:
        message = "Somebody changed the field in the moment before it was written."
    named = [(each.object_name, each.record_id) for each in matches]
    texts = [msgspec.json.encode(each).decode() for each in (fields, named, list(map(astuple, replaced)))]
    _put(db, (change.object_name, record_id, kind), at, (code, message, advice(code, kind), *texts))


def put_record_item(db: apsw.Connection, contested: Contested, verdict: Verdict, at: datetime, code: str = "") -> None:
    """Put a contested record before a person."""
    kind = verdict.kind or Kind.CONFLICT
    fields = msgspec.json.encode([each.field for each in verdict.conflicts]).decode()
    code = MERGED if verdict.master else code or kind.name
    masters = [(contested.object_name, verdict.master)] if verdict.master else []
    what = (code, verdict.message, advice(code, kind), fields, msgspec.json.encode(masters).decode(), "[]")
    _put(db, (contested.object_name, contested.record_id, kind), at, what)


def _put(db: apsw.Connection, key: tuple[str, str, Kind], at: datetime, what: tuple[str, ...]) -> None:
    """Put it there, or renew what is there; of a new item a signal tells."""
    is_new = db.execute(_IS_THERE, key).get is None
    db.execute(_PUT, (*key, format_datetime(at), *what))
    if is_new:
        code, *_ = what
        tell(db, at, news_of(*key, code))


_UNSEEN = (Cause.HIDDEN.name, Cause.UNKNOWN.name)
"""The codes of records that are not known to be deleted."""

_ADVICE = {
    Kind.CONFLICT: "Take the org's values, the local ones, or write others.",
    Kind.DELETED_THERE: "Take the org's side to let the record go, or the local one to bring it back with its edits.",
    Kind.CHANGED_THERE: "Take the org's side to keep the record, or the local one to delete it all the same.",
    Kind.REPLACED: "Take the org's side to write the replaced value again, or the local one to leave it replaced.",
    Kind.DUPLICATE: "Link it to the matching record, send it again past the rule, or drop it.",
    Kind.UNCERTAIN: "Look at the matching record: link it if it is this one, else send it again.",
    Kind.REJECTED: "Edit the record, or send it again once the org's rule is changed; drop it to give the edit up.",
}


def advice(code: str, kind: Kind) -> str:
    """What a person can do."""
    return _BY_CODE.get(code, _ADVICE[kind])


_BY_CODE = {
    "REQUIRED_FIELD_MISSING": "Fill the field in and push again.",
    "STRING_TOO_LONG": "Shorten the text and push again.",
    "INVALID_EMAIL_ADDRESS": "Correct the address and push again.",
    "INSUFFICIENT_ACCESS_OR_READONLY": "The connected user needs edit rights on the record; then send it again.",
    "ENTITY_IS_DELETED": "A record that it refers to is deleted in the org: choose another, or clear the field.",
    "INVALID_FIELD": "The org has no such field any more: drop the edit, or take it up once the field is back.",
    "INVALID_FIELD_FOR_INSERT_UPDATE": "The connected user may not write the field: drop the edit, or have it allowed.",
    "INVALID_CROSS_REFERENCE_KEY": "The id that it refers to does not exist, or the user may not see it.",
    MERGED: "Give its edits to the record that it went into (link it, local side), or let them go (the org's side).",
    "LOCAL_REFERENCE_GONE": "It refers to a record that was made here and dropped: choose another, or clear the field.",
}


class Inbox:
    """The inbox part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schema: Callable[[str], ObjectSchema | None],
        history: HistoryWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._history = history
        self._now = now

    def items(self, after: int, most: int | None) -> tuple[InboxItem, ...]:
        with self._connections.looking() as db:
            asked = f"{_ITEMS} WHERE i.number > ? ORDER BY i.number LIMIT ?"
            rows = [_Item(*row) for row in db.execute(asked, (after, -1 if most is None else most))]
            return tuple(_item(row, _edits(db, row)) for row in rows)

    def count(self) -> int:
        with self._connections.looking() as db:
            return int(db.execute("SELECT count(*) FROM _sync_inbox").get)

    def newest(self) -> int:
        with self._connections.looking() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '_sync_inbox'").get)

    def resolve(self, number: int, resolution: Resolution) -> None:
        with self._connections.writing() as db:
            self._resolve(db, number, resolution)

    def _resolve(self, db: apsw.Connection, number: int, resolution: Resolution) -> None:
        row = db.execute(f"{_ITEMS} WHERE i.number = ?", (number,)).fetchone()
        if row is None:
            raise RecordNotFound(f"There is no item {number} in the inbox.", hint="See 'salesforce-sync inbox'.")
        item = _decided(db, _Item(*row))
        schema = self._schema(item.object_name)
        if schema is None:
            raise RecordNotFound(f"{item.object_name} is not in this replica any more.")
        checked = self._checked(db, schema, item, resolution)
        with unseen(db, {schema.name, *in_outbox(db)}):
            _Decision(db, self._schema, schema, item, self._history, self._now()).carry_out(checked)
        self._history.trim(db, schema.name)

    def _checked(self, db: apsw.Connection, schema: ObjectSchema, item: _Item, resolution: Resolution) -> Resolution:
        """The decision with its values as an edit would store them; `Misuse` if an edit would be refused."""
        if not resolution.values:
            return resolution
        values = {
            schema.field(name).name: check_value(db, schema, item.record_id, name, value)
            for name, value in resolution.values.items()
        }
        return replace(resolution, values=values)


class _Decision:
    """A person's word on one item."""

    def __init__(
        self,
        db: apsw.Connection,
        schemas: Callable[[str], ObjectSchema | None],
        schema: ObjectSchema,
        item: _Item,
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
        elif resolution.side is Side.ORG:
            self._give_up(kind)
        else:
            self._go_on(kind, resolution)

    # ── fields that both sides changed ───────────────────────────────────────────────────────────────────────────

    def _decide_fields(self, resolution: Resolution) -> None:
        disputed = {each.field: each for each in _edits(self._db, self._item) if each.contested}
        chosen = self._chosen(resolution, {name: (each.value, each.org) for name, each in disputed.items()})
        for name, value in chosen.items():
            self._set(name, value, disputed[name].org, disputed[name].value)
        tidy(self._db, *self._record)

    def _decide_replaced(self, resolution: Resolution) -> None:
        told = _replaced(self._item)
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

    def _chosen(self, resolution: Resolution, sides: dict[str, tuple[Stored, Stored]]) -> dict[str, Stored]:
        """The value for each field that was decided; `sides` has the local and the org's."""
        values = {self._schema.field(name).name: value for name, value in (resolution.values or {}).items()}
        strangers = values.keys() - sides.keys()
        if strangers or not (values or resolution.side):
            known = ", ".join(sides)
            raise Misuse(
                f"{', '.join(sorted(strangers)) or 'Nothing'} is not among what waits: {known}.",
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
            self._db.execute(_PUT_EDIT, (*self._record, field, org, value))
            self._db.execute(_PUT_CHANGE, (*self._record, format_datetime(self._now)))
        set_cell(self._db, self._schema, self._record[1], field, value)
        self._history.note(self._db, *self._record, Origin.DECISION, {field: (before, value)})

    # ── records that wait as a whole ─────────────────────────────────────────────────────────────────────────────

    def _give_up(self, kind: Kind) -> None:
        """The org's side: what was edited here ends."""
        record_id, operation = self._item.record_id, self._item.operation
        edits = _edits(self._db, self._item)
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

    def _bring_back(self, edits: Sequence[_EditRow]) -> None:
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
        edits = {each.field: each for each in _edits(self._db, self._item)}
        for name, value in (resolution.values or {}).items():
            field = self._schema.field(name).name
            shown = row_of(self._db, self._schema, self._item.record_id) or {}
            before = edits[field].base if field in edits else shown.get(field)
            self._set(field, value, before, shown.get(field))
        if kind is Kind.DELETED_THERE and not resolution.again:
            if self._item.code == MERGED:
                raise self._is_merged()
            if self._item.code in (Cause.PURGED.name, *_UNSEEN) or not self._schema.has("IsDeleted"):
                raise Misuse(
                    f"{self._schema.name} {self._item.record_id} cannot be brought back: it is not in the org's bin.",
                    hint="Take the org's side, and make a new record if you need one.",
                )
            operation = Operation.UNDELETE
        if kind is Kind.CHANGED_THERE:
            self._db.execute(_SEEN, self._record)
        self._db.execute(_AGAIN, (int(resolution.allow_duplicates), operation, *self._record))
        self._remove()
        tidy(self._db, *self._record)

    def _is_merged(self) -> Misuse:
        number, name, lost = self._item.number, self._schema.name, self._item.record_id
        (master,) = _item(self._item, ()).matches
        return Misuse(
            f"{name} {lost} was merged into {master.record_id}: it cannot be brought back.",
            hint=f"'salesforce-sync inbox link {number} {master.record_id} --local' gives its edits to that record, "
            f"'inbox take {number} org' lets them go.",
        )

    def _link(self, given: str, side: Side | None) -> None:
        """The record is this one of the org. Its values hold; with the local side, what was given here is sent."""
        link = from_org(given)
        if self._item.code == MERGED:
            self._link_merged(link, side)
        else:
            self._link_new(link, side)

    def _link_merged(self, link: str, side: Side | None) -> None:
        """The record that this one was merged into gets its edits, if the local side is wanted; it itself is gone."""
        edits = _edits(self._db, self._item)
        master = row_of(self._db, self._schema, link)
        if side is Side.LOCAL and (master is None or master.get("IsDeleted")):
            raise Misuse(f"{self._schema.name} {link} is not in this replica.", hint="Sync it first, then link.")
        self._give_up(Kind.DELETED_THERE)
        self._record = self._schema.name, link
        if side is Side.LOCAL and master is not None:
            self._write(edits, side, master)

    def _link_new(self, link: str, side: Side | None) -> None:
        local_id = self._item.record_id
        if self._item.operation != Operation.CREATE:
            raise Misuse("Only a record that was made here can be linked to one of the org.")
        org = row_of(self._db, self._schema, link)
        if org is None and side is Side.LOCAL:
            raise Misuse(f"{self._schema.name} {link} is not in this replica.", hint="Sync it first, then link.")
        edits = _edits(self._db, self._item)
        forget_change(self._db, self._schema.name, local_id)
        adopt_id(self._db, self._schemas, self._schema.name, local_id, link)
        self._record = self._schema.name, link
        if org is not None:
            self._write(edits, side, org)

    def _write(self, edits: Sequence[_EditRow], side: Side | None, shown: Mapping[str, Stored]) -> None:
        """Let this side's values hold in the record, whose row shows these: edits of its own lie over the org's."""
        bases = {row[0]: row[4] if row[3] else row[1] for row in self._db.execute(_EDITS, self._record)}
        for each in edits:
            theirs = bases.get(each.field, shown.get(each.field))
            self._set(each.field, each.value if side is Side.LOCAL else theirs, theirs, shown.get(each.field))
        tidy(self._db, *self._record)

    def _remove(self) -> None:
        self._db.execute("DELETE FROM _sync_inbox WHERE number = ?", (self._item.number,))


def _decided(db: apsw.Connection, item: _Item) -> _Item:
    """The item that a decision on this one is about.

    What was rejected, and whose record was then deleted in the org, waits twice: to give the edit up is to let the
    record go, and to want it is to bring the record back.
    """
    if Kind(item.kind) in (Kind.CONFLICT, Kind.REPLACED):
        return item
    asked = f"{_ITEMS} WHERE (i.object_name, i.record_id, i.kind) = (?, ?, ?)"
    gone = db.execute(asked, (item.object_name, item.record_id, Kind.DELETED_THERE)).fetchone()
    return item if gone is None else _Item(*gone)


def _edits(db: apsw.Connection, item: _Item) -> list[_EditRow]:
    return [_EditRow(*row) for row in db.execute(_EDITS, (item.object_name, item.record_id))]


def _replaced(item: _Item) -> list[Conflict]:
    return [
        Conflict(*each) for each in msgspec.json.decode(item.replaced, type=list[tuple[str, Stored, Stored, Stored]])
    ]


def _item(row: _Item, edits: Sequence[_EditRow]) -> InboxItem:
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
        conflicts=tuple(_replaced(row)) if kind is Kind.REPLACED else disputed if kind is Kind.CONFLICT else (),
        edits=tuple(Edit(each.field, each.base, each.value) for each in edits),
        matches=tuple(Match(*each) for each in matches),
    )
