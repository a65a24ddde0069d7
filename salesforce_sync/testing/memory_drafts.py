"""The memory store's drafts: edits that were made elsewhere, on values that may be older than those here."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from salesforce_sync.errors import RecordNotFound, SyncError
from salesforce_sync.models.draft import Draft, Refused, TakenIn
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.values import Stored
from salesforce_sync.resolve import check_draft_deletion, judge_draft
from salesforce_sync.testing.memory_inbox import Deciding
from salesforce_sync.testing.memory_tables import Table, alive, org_view


class Drafting(Deciding):
    """What `ports.Store` says of drafts, over the tables in memory."""

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        """Make these drafts edits in the outbox."""
        with self._disk.lock:
            return tuple(map(self._one, drafts))

    def drafted(self, names: Sequence[str]) -> dict[str, str]:
        """The records that drafts of these names have made."""
        known = self._disk.drafts
        return {name: self.real_id(known[name]) for name in names if name in known}

    def known_values(self, object_name: str, record_id: str) -> dict[str, tuple[Stored, ...]]:
        """Every value that is known of each field of a record."""
        with self._disk.lock:
            table, key = self._table(object_name), self.real_id(record_id)
            if key not in table.rows:
                return {}
            known = {each.name: [table.rows[key].get(each.name)] for each in table.schema.columns}
            pending = table.pending.get(key)
            for name, slot in ({} if pending is None else pending.slots).items():
                known[name] += [slot.org, slot.base]
            for each in self._disk.history.of(table.schema.name, key):
                known[each.field].append(each.old)
            return {name: tuple(dict.fromkeys(values)) for name, values in known.items()}

    def _one(self, draft: Draft) -> TakenIn | Refused:
        try:
            return self._carry_out(self._table(draft.object_name), draft)
        except SyncError as error:
            return Refused(error.code, error.message, error.hint)

    def _carry_out(self, table: Table, draft: Draft) -> TakenIn:
        if draft.operation is Operation.CREATE:
            return self._make(draft)
        key = self.real_id(draft.record_id)
        if not alive(table, key):
            raise RecordNotFound(f"{table.schema.name} has no such record as {draft.record_id}, or it is deleted.")
        if draft.operation is Operation.DELETE:
            check_draft_deletion(draft, table.schema, table.rows[key])
            self.delete(table.schema.name, key)
            return TakenIn(key)
        return self._change(table, replace(draft, record_id=key))

    def _change(self, table: Table, draft: Draft) -> TakenIn:
        key, row = draft.record_id, table.rows[draft.record_id]
        _, verdict = judge_draft(draft, table.schema, row, org_view(table, key), self._policies)
        wanted: dict[str, Stored] = {each.field: each.value for each in verdict.keep}
        wanted |= {each.field: each.local for each in verdict.conflicts}
        if wanted:
            self.update(table.schema.name, key, wanted)
            pending = self._pending(table, key)
            for each in verdict.conflicts:
                slot = pending.slots[each.field]
                slot.base, slot.org, slot.disputed = each.base, each.org, True
            self._tidy(table, pending)
        return TakenIn(key, tuple(each.field for each in verdict.conflicts), verdict.done)

    def _make(self, draft: Draft) -> TakenIn:
        known = self._disk.drafts.get(draft.name) if draft.name else None
        if known is not None:
            return TakenIn(self.real_id(known), known=True)
        made = self.create(draft.object_name, draft.values)
        if draft.name:
            self._disk.drafts[draft.name] = made
        return TakenIn(made)
