"""The memory store's drafts: edits that were made elsewhere, on values that may be older than those here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from salesforce_sync.errors import RecordNotFound, SyncError
from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn, written_by
from salesforce_sync.models.history import Origin, Replaced
from salesforce_sync.models.outbox import Operation, is_local
from salesforce_sync.models.values import Stored, parse_datetime
from salesforce_sync.resolve import (
    check_draft_deletion,
    check_newer_edits,
    check_pushed_edits,
    judge_draft,
    known_to_author,
    to_write,
)
from salesforce_sync.testing.memory_inbox import Deciding
from salesforce_sync.testing.memory_tables import Table, alive, org_view


class Drafting(Deciding):
    """What `ports.Store` says of drafts, over the tables in memory."""

    def update(
        self, object_name: str, record_id: str, values: Mapping[str, Stored], seen: Mapping[str, Stored] | None = None
    ) -> None:
        """Change fields of a live record."""
        if seen:
            self._at_once(Draft(object_name, Operation.UPDATE, record_id, values, seen))
        else:
            super().update(object_name, record_id, values)

    def delete(self, object_name: str, record_id: str, seen: Mapping[str, Stored] | None = None) -> None:
        """Delete a live record here."""
        if seen:
            self._at_once(Draft(object_name, Operation.DELETE, record_id, base=seen))
        else:
            super().delete(object_name, record_id)

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        """Make these drafts edits in the outbox."""
        with self._disk.lock:
            return tuple(map(self._one, drafts))

    def drafted(self, names: Sequence[str]) -> dict[str, Drafted]:
        """What drafts of these names have made or changed, and what they wrote."""
        with self._disk.lock:
            return {name: found for name in names if (found := self._remembered(name)) is not None}

    def draft_names(self, prefix: str) -> Iterator[str]:
        """The names that begin so of the drafts that were taken in."""
        with self._disk.lock:
            return iter([name for name in self._disk.drafts if name.startswith(prefix)])

    def _remembered(self, name: str) -> Drafted | None:
        known = self._disk.drafts.get(name)
        if known is None:
            return None
        record_id = self.real_id(known.record_id)
        if is_local(record_id) and not any(record_id in table.rows for table in self._disk.tables.values()):
            return None
        wrote = {field: replace(each, value=self._named_really(each.value)) for field, each in known.wrote.items()}
        return Drafted(known.object_name, record_id, wrote)

    def _named_really(self, value: Stored) -> Stored:
        return self.real_id(value) if isinstance(value, str) else value

    def _remember(self, draft: Draft, record_id: str) -> None:
        if draft.name:
            known = self._disk.drafts.get(draft.name)
            same = known is not None and self.real_id(known.record_id) == self.real_id(record_id)
            before = known.wrote if known is not None and same else {}
            self._disk.drafts[draft.name] = Drafted(draft.object_name, record_id, written_by(draft, before))

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
                sent = [each.new] if each.origin is Origin.PUSH else []
                known[each.field] += [*sent, each.old]
            return {name: tuple(dict.fromkeys(values)) for name, values in known.items()}

    def _at_once(self, draft: Draft) -> None:
        with self._disk.lock:
            table = self._table(draft.object_name)
            base = {name: self._named_really(value) for name, value in draft.base.items()}
            values = {name: self._named_really(value) for name, value in draft.values.items()}
            key, stamp = self.real_id(draft.record_id), table.schema.stamp
            draft = replace(draft, record_id=key, values=values, base=base, edited_at=self._clock.now())
            here = table.rows[key] if alive(table, key) else None
            known = {} if here is None else org_view(table, key)
            ours = here is not None and stamp is not None and table.only_ours(key, base.get(stamp), here[stamp])
            if here is None or not ours or self._came_within_the_second(table, draft, known):
                taken = self._carry_out(table, draft)
                self._tell_given_up(table, key, {name: (values[name], known[name]) for name in taken.given_up})
                return
            check_newer_edits(draft, table.schema, here, known)
            seen = None if stamp is None else base.get(stamp)
            since = parse_datetime(seen) - self._ahead if isinstance(seen, str) and self._ahead is not None else None
            history = self._disk.history.of(table.schema.name, key)
            check_pushed_edits(draft, table.schema, here, history, since)
            if draft.operation is Operation.DELETE:
                super().delete(table.schema.name, key)
            else:
                super().update(table.schema.name, key, values)

    def _came_within_the_second(self, table: Table, draft: Draft, org: Mapping[str, Stored]) -> bool:
        seen = known_to_author(draft, table.schema)
        return any(
            each.origin is Origin.PULL
            and each.field in seen
            and (seen[each.field], org.get(each.field)) == (each.old, each.new)
            for each in self._disk.history.of(table.schema.name, draft.record_id)
        )

    def _tell_given_up(self, table: Table, key: str, given_up: Mapping[str, tuple[Stored, Stored]]) -> None:
        now = self._clock.now()
        version = tuple(
            Replaced(table.schema.name, key, name, mine, theirs, Origin.PULL, now, "", None)
            for name, (mine, theirs) in given_up.items()
            if mine != theirs
        )
        if version:
            self._disk.history.keep(version, self._keeping, now)

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
        taken = self._change(table, replace(draft, record_id=key))
        self._remember(draft, draft.record_id)
        return taken

    def _change(self, table: Table, draft: Draft) -> TakenIn:
        key, row = draft.record_id, table.rows[draft.record_id]
        there = replace(draft, edited_at=self._there(draft.edited_at))
        contested, verdict = judge_draft(there, table.schema, row, org_view(table, key), self._policies)
        wanted, given_up = to_write(contested, table.schema, verdict)
        if wanted:
            self.update(table.schema.name, key, wanted)
            pending = self._pending(table, key)
            for each in verdict.conflicts:
                slot = pending.slots[each.field]
                slot.base, slot.org, slot.disputed = each.base, each.org, True
            self._tidy(table, pending)
        return TakenIn(key, tuple(each.field for each in verdict.conflicts), given_up)

    def _make(self, draft: Draft) -> TakenIn:
        known = self._remembered(draft.name)
        if known is not None:
            return TakenIn(known.record_id, known=True)
        made = self.create(draft.object_name, draft.values)
        self._remember(draft, made)
        return TakenIn(made)
