"""Rows that refer to a deleted record: the org has emptied that, and need not have moved their stamps. Read again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from salesforce_sync.models.page import Priority, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store


def read_orphans_again(store: Store, schema: ObjectSchema, read: Callable[[PullRequest], Any], *, again: bool) -> None:
    """Have `read` bring the object's rows that refer to deleted records, or did to undeleted ones.

    The caller holds the claim on the object. Without `again`, nothing is done while no more has been deleted.
    """
    most = schema.records_together
    while (orphans := store.orphans(schema.name, most, again=again)) is not None:
        ids = orphans.ids
        if ids:
            read(PullRequest(schema, ids=ids, priority=Priority.PULL))
        # With the last of them only is everything looked at; what they tell to be deleted may have left others.
        again = len(ids) == most
        store.note_orphans(schema.name, replace(orphans, seen="") if again else orphans)
