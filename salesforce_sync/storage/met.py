"""Rows that meet local edits as they come, and what a merge counts of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import apsw
from msgspec import Struct

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.staging_sql import staging_table

_ANY_EDITED = "SELECT EXISTS (SELECT 1 FROM _sync_outbox WHERE object_name = ?)"
_NO_MEETINGS = "DROP TABLE IF EXISTS temp._sync_met"

Row = Mapping[str, Stored]


class Met(Struct, frozen=True):
    """A record with local edits whose row is among those that came: its row here before, and the one that came."""

    record_id: str
    before: Row | None
    came: Row


class Meetings:
    """The records with local edits among the staged rows, with their rows as they are here now: put aside until asked.

    The database holds them: somebody may have edited every row of an object by one statement.
    """

    def __init__(self, db: apsw.Connection, schema: ObjectSchema, columns: Sequence[str]) -> None:
        self._db = db
        self._came = list(columns)
        self._staging = quote(staging_table(schema.name))
        self._here = [each.name for each in schema.columns]
        self._count = self._put_aside(schema) if db.execute(_ANY_EDITED, (schema.name,)).get else 0

    def _put_aside(self, schema: ObjectSchema) -> int:
        table, here = quote(schema.name), ", ".join(f"t.{quote(name)}" for name in self._here)
        joined = f"""{self._staging} s JOIN _sync_outbox o ON o.object_name = ? AND o.record_id = s."Id" """
        self._db.execute(
            f"{_NO_MEETINGS}; CREATE TEMP TABLE _sync_met AS SELECT s.rowid AS _sync_place, {here} "
            f'FROM {joined} LEFT JOIN {table} t ON t."Id" = s."Id"',
            (schema.name,),
        )
        return int(self._db.execute("SELECT count(*) FROM temp._sync_met").get)

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Met]:
        """One after the other, while the rows are staged; then they are forgotten."""
        if not self._count:
            return
        here, came = (", ".join(map(quote, names)) for names in (self._here, self._came))
        staged = f"SELECT {came} FROM {self._staging} WHERE rowid = ?"
        for place, *row in self._db.execute(f"SELECT _sync_place, {here} FROM temp._sync_met"):
            before = dict(zip(self._here, row, strict=True))
            (values,) = self._db.execute(staged, (place,))
            now = dict(zip(self._came, values, strict=True))
            yield Met(str(now["Id"]), None if before["Id"] is None else before, now)
        self._db.execute(_NO_MEETINGS)


class Tally(Struct, frozen=True):
    """Rows that came to be, changed, and became tombstones."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.inserted - other.inserted, self.updated - other.updated, self.deleted - other.deleted)


def seen(before: Row | None, came: Row) -> Tally:
    """What a merge makes of a row that comes, where another was here before."""
    if before is None:
        return Tally() if is_dead(came) else Tally(inserted=1)
    if all(before.get(name) == value for name, value in came.items()):
        return Tally()
    if is_dead(before) != is_dead(came):
        return Tally(deleted=1) if is_dead(came) else Tally(inserted=1)
    return Tally(updated=1)


def is_dead(row: Row | None) -> bool:
    """Whether the record is a tombstone, or not here at all."""
    return row is None or bool(row.get("IsDeleted"))
