"""Drafts into SQLite: edits that were made elsewhere, on values that may be older than those here."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import apsw
from msgspec.structs import replace

from salesforce_sync.errors import NotSynced, SyncError
from salesforce_sync.models.draft import Draft, Refused, TakenIn
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.resolve import check_draft_deletion
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.edits import Editor, no_record, real_id, refusals
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.records import row_of

_KNOWN = "SELECT record_id FROM _sync_draft WHERE name = ?"
_REMEMBER = "INSERT INTO _sync_draft (name, object_name, record_id) VALUES (?, ?, ?)"
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
    ) -> None:
        self._connections, self._schema = connections, schema
        self._editor, self._judge, self._history = editor, judge, history

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        with self._connections.editing() as db:
            return tuple(self._one(db, draft) for draft in drafts)

    def drafted(self, names: Sequence[str]) -> dict[str, str]:
        with self._connections.looking() as db:
            found = {name: db.execute(_KNOWN, (name,)).get for name in names}
            return {name: real_id(db, str(record_id)) for name, record_id in found.items() if record_id is not None}

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
            known.get(each.field, []).append(each.old)
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
        wanted: dict[str, Stored] = {each.field: each.value for each in verdict.keep}
        wanted |= {each.field: each.local for each in verdict.conflicts}
        if wanted:
            self._editor.update_in(db, schema, record_id, wanted)
            self._judge.dispute(db, contested, verdict)
        return TakenIn(record_id, tuple(each.field for each in verdict.conflicts), verdict.done)

    def _create(self, db: apsw.Connection, schema: ObjectSchema, draft: Draft) -> TakenIn:
        known = db.execute(_KNOWN, (draft.name,)).get if draft.name else None
        if known is not None:
            return TakenIn(real_id(db, str(known)), known=True)
        made = self._editor.create_in(db, schema, draft.values)
        if draft.name:
            db.execute(_REMEMBER, (draft.name, schema.name, made))
        return TakenIn(made)
