"""What an undeletion that the org refused may wait for: the record with which its own went, which is in the bin."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from salesforce_sync.models.outcome import Outcome
from salesforce_sync.ports import Store
from salesforce_sync.sync.came_back import is_not_in_bin
from salesforce_sync.sync.rows import named_rows

_Record = tuple[str, str]
"""An object and an id."""


def naming_deleted_master(store: Store, outcome: Outcome) -> Outcome:
    """The outcome; a refusal to bring back what is in no bin also says with what it comes back, where that is here."""
    if not is_not_in_bin(outcome):
        return outcome
    master = _highest(store, (outcome.change.object_name, outcome.change.record_id))
    if master is None:
        return outcome
    said = f"If it went with {' '.join(master)}, which is deleted, it comes back with that one."
    before = f"{outcome.message.rstrip('.')}. " if outcome.message else ""
    return replace(outcome, message=before + said)


def _highest(store: Store, record: _Record) -> _Record | None:
    """The deleted record with which this one went, over however many others: these are in no bin either."""
    seen = [record]
    while (master := next(_masters(store, *seen[-1]), None)) is not None and master not in seen:
        seen.append(master)
    return seen[-1] if len(seen) > 1 else None


def _masters(store: Store, object_name: str, record_id: str) -> Iterator[_Record]:
    """The records that take this one along when they are deleted, as they are."""
    schema, rows = named_rows(store, object_name, [record_id])
    row = rows.get(record_id, {})
    for master in store.schemas():
        for key in [row.get(field) for field in schema.masters(master)]:
            if isinstance(key, str) and named_rows(store, master.name, [key])[1].get(key, {}).get("IsDeleted"):
                yield master.name, key
