"""Fields that were renamed, perhaps, while others took their names.

No describe tells that, and no stamp moves. But the values come again: under the new name, which is a new column, come
those that are here under the old one.
"""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.table_sql import DEAD


def renamed_from(db: apsw.Connection, schema: ObjectSchema, gained: Sequence[str]) -> tuple[str, ...]:
    """The columns that hold a gained one's values, in at least half of the rows in which either holds any.

    False and 0 are no values here: all fields are full of them. Takes a look at all rows for each gained column.
    """
    found: dict[str, None] = {}
    rows = f"{quote(schema.name)} WHERE NOT {DEAD}" if schema.has("IsDeleted") else quote(schema.name)
    for new in (field for field in schema.columns if field.name in gained):
        alike = schema.own_alike(new, gained)
        if not alike:
            continue
        counts = ", ".join(_counts(quote(new.name), quote(old.name)) for old in alike)
        row = db.execute(f"SELECT {counts} FROM {rows}").get
        pairs = zip(alike, row[::2], row[1::2], strict=True)
        found |= {old.name: None for old, same, either in pairs if same and either <= 2 * same}
    return tuple(found)


def _counts(new: str, old: str) -> str:
    told = f"({new} IS NOT NULL AND {new} IS NOT 0)"
    either = f"({told} OR ({old} IS NOT NULL AND {old} IS NOT 0))"
    return f"coalesce(sum({told} AND {new} IS {old}), 0), coalesce(sum({either}), 0)"
