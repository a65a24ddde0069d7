"""Drafts into SQLite: edits that were made elsewhere, on values that may be older than those here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

import apsw
import msgspec
from msgspec.structs import replace

from salesforce_sync.errors import NotSynced, SyncError
from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn, Wrote, written_by
from salesforce_sync.models.history import Origin
from salesforce_sync.models.outbox import Operation, is_local
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.resolve import (
    check_draft_deletion,
    check_newer_edits,
    check_pushed_edits,
    known_to_author,
    to_write,
)
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.edits import Editor, check_writable, has_record, no_record, real_id, refusals
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.own_stamps import only_ours
from salesforce_sync.storage.records import row_of

_KNOWN = "SELECT object_name, record_id, wrote FROM _sync_draft WHERE name = ?"
_REMEMBER = "INSERT OR REPLACE INTO _sync_draft (name, object_name, record_id, wrote, at) VALUES (?, ?, ?, ?, ?)"
# A create is remembered for good: its record must not be made twice.
_FORGET = "DELETE FROM _sync_draft WHERE at < ? AND at <> '' AND record_id NOT GLOB 'local-*'"
_NAMES = "SELECT name FROM _sync_draft WHERE name > ? AND name < ? || char(0x10FFFF) ORDER BY name LIMIT 1000"
_WROTE = msgspec.json.Decoder(dict[str, Wrote])
_EDITS = "SELECT field, org, base, contested FROM _sync_edit WHERE object_name = ? AND record_id = ?"


class Drafts:
    """The part of the SQLite store that takes drafts in; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schema: Callable[[str], ObjectSchema | None],
        editor: Editor,
        judge: Judge,
        history: HistoryWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._now, self._forgotten = now, False
        self._connections, self._schema = connections, schema
        self._editor, self._judge, self._history = editor, judge, history

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        with self._connections.editing() as db:
            if not self._forgotten:  # once a process is enough
                db.execute(_FORGET, (self._history.oldest,))
                self._forgotten = True
            return tuple(self._one(db, draft) for draft in drafts)

    def at_once(self, schema: ObjectSchema, draft: Draft) -> None:
        """Take in what somebody writes who has read the record; raises what `take_in` gives as `Refused`.

        Where nothing but our own pushes has changed it in the org since, there is nothing to judge.
        """
        with refusals(), self._connections.editing() as db:
            check_writable(schema, draft.values)
            record_id = real_id(db, draft.record_id)
            base, values = (
                {name: _really(db, value) for name, value in of.items()} for of in (draft.base, draft.values)
            )
            draft = replace(draft, record_id=record_id, base=base, values=values)
            here = row_of(db, schema, record_id)
            if here is None or here.get("IsDeleted"):
                raise no_record(schema, record_id)
            stamp = schema.stamp
            seen = None if stamp is None else base.get(stamp)
            known = self._judge.known(db, schema, record_id, here)
            ours = stamp is not None and only_ours(db, schema.name, record_id, seen, here[stamp])
            if not ours or self._came_within_the_second(schema, draft, known):
                taken = self._carry_out(db, schema, replace(draft, edited_at=self._now()))
                self._history.note(
                    db,
                    schema.name,
                    record_id,
                    Origin.PULL,
                    {name: (values[name], known[name]) for name in taken.given_up},
                )
                return
            check_newer_edits(draft, schema, here, known)
            if here != base:
                history = self._history.of(schema, record_id)
                check_pushed_edits(draft, schema, here, history, self._judge.time_here(seen))
            if draft.operation is Operation.DELETE:
                self._editor.delete_in(db, schema, record_id)
            else:
                self._editor.update_in(db, schema, record_id, values)

    def _came_within_the_second(self, schema: ObjectSchema, draft: Draft, org: Mapping[str, Stored]) -> bool:
        """Whether a pull has brought something else of what is written, or deleted, by a stamp that is ours.

        Stamps have whole seconds. A reference that is empty now may be one to what we have deleted.
        """
        seen = known_to_author(draft, schema)
        moved = {name: (value, org[name]) for name, value in seen.items() if org.get(name, value) != value}
        if not moved:
            return False
        history = self._history.of(schema, draft.record_id)
        return any(each.origin is Origin.PULL and moved.get(each.field) == (each.old, each.new) for each in history)

    def drafted(self, names: Sequence[str]) -> dict[str, Drafted]:
        with self._connections.looking() as db:
            return {name: found for name in names if (found := _remembered(db, name)) is not None}

    def names(self, prefix: str) -> Iterator[str]:
        last = prefix
        while True:
            with self._connections.looking() as db:
                found = [str(name) for (name,) in db.execute(_NAMES, (last, prefix))]
            yield from found
            if not found:
                return
            last = found[-1]

    def known_values(self, schema: ObjectSchema, record_id: str) -> dict[str, tuple[Stored, ...]]:
        with self._connections.looking() as db:
            here = row_of(db, schema, record_id)
            edits = list(db.execute(_EDITS, (schema.name, record_id)))
        if here is None:
            return {}
        known = {name: [value] for name, value in here.items()}
        for field, org, base, contested in edits:
            known.get(str(field), []).extend([org, base] if contested else [base])
        for each in self._history.of(schema, record_id):
            sent = [each.new] if each.origin is Origin.PUSH else []
            known.get(each.field, []).extend([*sent, each.old])
        return {name: tuple(dict.fromkeys(values)) for name, values in known.items()}

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _one(self, db: apsw.Connection, draft: Draft) -> TakenIn | Refused:
        """Take one in, or leave no trace of it."""
        schema = self._schema(draft.object_name)
        db.execute("SAVEPOINT _sync_draft")
        try:
            if schema is None:
                raise NotSynced.named(draft.object_name, ())
            with refusals():
                taken = self._carry_out(db, schema, draft)
        except SyncError as error:
            db.execute("ROLLBACK TO _sync_draft; RELEASE _sync_draft")
            return Refused(error.code, error.message, error.hint)
        db.execute("RELEASE _sync_draft")
        return taken

    def _carry_out(self, db: apsw.Connection, schema: ObjectSchema, draft: Draft) -> TakenIn:
        if draft.operation is Operation.CREATE:
            return self._create(db, schema, draft)
        record_id = real_id(db, draft.record_id)
        here = row_of(db, schema, record_id)
        if here is None or here.get("IsDeleted"):
            raise no_record(schema, draft.record_id)
        if draft.operation is Operation.DELETE:
            check_draft_deletion(draft, schema, here)
            self._editor.delete_in(db, schema, record_id)
            return TakenIn(record_id)
        contested, verdict = self._judge.verdict_on(db, schema, replace(draft, record_id=record_id), here)
        wanted, given_up = to_write(contested, schema, verdict)
        if wanted:
            self._editor.update_in(db, schema, record_id, wanted)
            self._judge.dispute(db, contested, verdict)
        self._remember(db, draft, schema, draft.record_id)
        return TakenIn(record_id, tuple(each.field for each in verdict.conflicts), given_up)

    def _create(self, db: apsw.Connection, schema: ObjectSchema, draft: Draft) -> TakenIn:
        known = _remembered(db, draft.name)
        if known is not None:
            return TakenIn(known.record_id, known=True)
        made = self._editor.create_in(db, schema, draft.values)
        self._remember(db, draft, schema, made)
        return TakenIn(made)

    def _remember(self, db: apsw.Connection, draft: Draft, schema: ObjectSchema, record_id: str) -> None:
        if not draft.name:
            return
        before: dict[str, Wrote] = {}
        found = db.execute(_KNOWN, (draft.name,)).fetchone()
        if found is not None and real_id(db, str(found[1])) == real_id(db, record_id):
            # What was made here goes on by its local id: it is told by that from what was only changed.
            record_id, before = str(found[1]), _WROTE.decode(str(found[2]))
        wrote = msgspec.json.encode(written_by(draft, before)).decode()
        db.execute(_REMEMBER, (draft.name, schema.name, record_id, wrote, format_datetime(self._now())))


def _remembered(db: apsw.Connection, name: str) -> Drafted | None:
    found = db.execute(_KNOWN, (name,)).fetchone()
    if found is None:
        return None
    object_name, record_id = str(found[0]), real_id(db, str(found[1]))
    if is_local(record_id) and not has_record(db, object_name, record_id):
        return None
    wrote = _WROTE.decode(str(found[2]))
    return Drafted(
        object_name, record_id, {field: replace(each, value=_really(db, each.value)) for field, each in wrote.items()}
    )


def _really(db: apsw.Connection, value: Stored) -> Stored:
    return real_id(db, value) if isinstance(value, str) else value
