"""What a refused change refers to, where that was merged into another record: nobody has to search for it."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from salesforce_sync.models.outbox import Change
from salesforce_sync.models.outcome import Outcome, Rejected
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.sync.rows import named_rows

REFERS_TO_NOTHING = frozenset(("ENTITY_IS_DELETED", "INVALID_CROSS_REFERENCE_KEY"))
"""Refusals of a change because of a record that it refers to."""

MASTER = "MasterRecordId"


def naming_masters(store: Store, outcome: Outcome) -> Outcome:
    """The outcome; a refusal because of a record that is merged away also says where that one went."""
    if not isinstance(outcome, Rejected) or outcome.code not in REFERS_TO_NOTHING:
        return outcome
    said = " ".join(_merged(store, outcome.change))
    return replace(outcome, message=f"{outcome.message} {said}".strip()) if said else outcome


def _merged(store: Store, change: Change) -> Iterator[str]:
    schema = store.schema(change.object_name)
    for edit in change.edits:
        if schema is not None and schema.has(edit.field) and isinstance(edit.value, str):
            for name in schema.field(edit.field).reference_to:
                master = _master(store, store.schema(name), edit.value)
                if master:
                    yield f"{edit.field}: {name} {edit.value} was merged into {master}."


def _master(store: Store, schema: ObjectSchema | None, record_id: str) -> str:
    """The record that this one is part of by now, over however many merges; "" if it was never merged away."""
    seen = {record_id}
    while schema is not None and schema.has(MASTER):
        _, rows = named_rows(store, schema.name, [record_id])
        further = rows.get(record_id, {}).get(MASTER)
        if not isinstance(further, str) or further in seen:
            break
        seen.add(further)
        record_id = further
    return record_id if len(seen) > 1 else ""
