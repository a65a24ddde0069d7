"""Rows of the store with the names of their fields."""

from __future__ import annotations

from collections.abc import Sequence

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store


def named_rows(store: Store, name: str, ids: Sequence[str]) -> tuple[ObjectSchema, dict[str, dict[str, Stored]]]:
    """The rows of these ids that are here, and the schema that they are of.

    That is the one that is adopted now: a push describes an object anew when the org refuses a field, and whoever began
    before has the earlier one still.
    """
    while True:
        schema = store.schema(name)
        assert schema is not None  # there are changes of it
        rows = store.rows(name, ids)
        if store.schema(name) is schema:
            names = [field.name for field in schema.columns]
            return schema, {key: dict(zip(names, row, strict=True)) for key, row in rows.items()}  # type: ignore[arg-type]
