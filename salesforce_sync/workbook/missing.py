"""Records that were exported, and have no row any more: removed, or, if that was asked for, to be deleted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from msgspec.structs import replace

from salesforce_sync.models.history import Origin
from salesforce_sync.models.outbox import Wanted, is_local
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.ports import Store
from salesforce_sync.workbook.book import ObjectPart
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.layout import ID
from salesforce_sync.workbook.ledger import Ledger


class Missing:
    """Those of one object. `unread`: the first row whose Id cannot be read any more, 0 if there is none.
    `exported_at`: when the workbook was written (stored form)."""

    def __init__(self, store: Store, ledger: Ledger, unread: int, exported_at: str) -> None:
        self._store, self._ledger, self._unread, self._exported_at = store, ledger, unread, exported_at

    def note(self, part: ObjectPart, *, delete: bool) -> None:
        """Put them into the ledger: removed, or to be deleted as far as that is certain."""
        name = part.schema.name
        gone = (part.entry.record_count or 0) - self._ledger.seen(name)
        if gone <= 0:
            return
        why = self._why_not_certain(part, gone) if delete else ""
        for row in self._candidates(part):
            change = self._removed(part, row, delete=delete and not why)
            self._ledger.put(_spoilt(change, why) if why else change)

    def _why_not_certain(self, part: ObjectPart, gone: int) -> str:
        """Why it cannot be known which rows are gone; '' if it can."""
        if unread := self._unread:
            # The record of that row has no row that can be told, and is not to be deleted for that.
            return f"The Id in row {unread} cannot be read, so which rows are gone is not known. Mend it"
        # A record that has come into sight since (shared with the user, say) was made long ago and has no row either.
        if sum(1 for _ in islice(self._candidates(part), gone + 1)) > gone:
            return (
                "More records have no row than rows are gone, so which were exported is not known. Delete it by its row"
            )
        return ""

    def _candidates(self, part: ObjectPart) -> Iterator[dict[str, Stored]]:
        """Records that have no row, and were here at the export as far as their times tell."""
        for row in self._store.scan(part.schema.name):
            values: dict[str, Any] = dict(zip((each.name for each in part.schema.columns), row, strict=True))
            made = values.get("CreatedDate") or ""
            record_id = str(values[ID])
            recent = is_local(record_id) or (part.entry.base_stamp and str(made) > part.entry.base_stamp)
            if not recent and not self._ledger.has_seen(part.schema.name, record_id):
                yield values

    def _removed(self, part: ObjectPart, row: dict[str, Stored], *, delete: bool) -> RowChange:
        schema = part.schema
        named = schema.name_field
        title = "" if named is None else str(row.get(named.name) or "")[:80]
        change = RowChange(Kind.REMOVED, schema.name, str(row[ID]), title=title)
        if not delete:
            return change
        why = self._why_not_delete(part, row)
        if why:
            return replace(change, kind=Kind.PROBLEM, problems=(CellProblem(why),))
        return replace(change, kind=Kind.DELETED, base=row)

    def _why_not_delete(self, part: ObjectPart, row: dict[str, Stored]) -> str:
        schema, base_stamp = part.schema, part.entry.base_stamp
        if not schema.deletable:
            return f"{schema.name} records cannot be deleted by the connected user."
        stamp = row.get(schema.stamp) if schema.stamp else None
        if not base_stamp or not stamp:
            return "Its row is gone, and whether it has changed since the export is not known. Delete it by its row."
        if str(stamp) > base_stamp:
            return "Its row is gone, and the record has changed since the export, so it is not deleted."
        if self._is_edited_since(schema.name, str(row[ID])):
            return "Its row is gone, and the record was edited here since the export, so it is not deleted."
        return ""

    def _is_edited_since(self, object_name: str, record_id: str) -> bool:
        """Whether an edit waits, or was decided about, that the workbook may not show."""
        waiting = self._store.changes(Wanted(records=(record_id,)))
        past = self._store.history(object_name, record_id)
        times = [each.edited_at for each in waiting] + [each.at for each in past if each.origin is Origin.DECISION]
        # Somebody may have written anything into _Metadata: texts are compared, in the one form that they have.
        return any(at is None or format_datetime(at) > self._exported_at for at in times)


def _spoilt(change: RowChange, why: str) -> RowChange:
    return replace(change, kind=Kind.PROBLEM, problems=(CellProblem(f"{why}."),))
