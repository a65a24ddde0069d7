"""Indexes for what somebody searches or counts, made when it is first searched or counted."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.ports import Filter
from salesforce_sync.storage import table_sql
from salesforce_sync.storage.conditions import may_use_index
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.trouble import BUSY_MILLISECONDS

INDEX_ROWS = 20_000
"""Tables with fewer rows are searched without an index: reading them all takes some milliseconds."""


class SearchIndexes:
    """The indexes of large tables. A search never waits for one: without it, it is only slower."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._indexed: set[tuple[str, str]] = set()
        """Tables, and the names of indexes that each is known to have."""

    def serve(self, schema: ObjectSchema, filters: Sequence[Filter]) -> None:
        """Give the fields that these filters search their indexes."""
        for each in filters:
            field = schema.field(each.field)
            if may_use_index(field, each):
                self.give(schema, field)

    def give(self, schema: ObjectSchema, field: Field) -> None:
        """Give this field its index, if its table is large and nobody is writing just now."""
        self._give(
            schema.name, table_sql.search_index(schema.name, field), table_sql.create_search_index(schema.name, field)
        )

    def give_dead(self, schema: ObjectSchema) -> None:
        """Give the tombstones their index, in the same way: without it every row is read to count them."""
        if schema.has("IsDeleted"):
            self._give(schema.name, table_sql.dead_index(schema.name), table_sql.create_dead_index(schema.name))

    def _give(self, object_name: str, index: str, statement: str) -> None:
        if (object_name, index) in self._indexed:
            return
        with self._connections.looking() as db:
            if db.execute(table_sql.highest_row(object_name)).get < INDEX_ROWS:
                return
            there = db.execute(table_sql.HAS_INDEX, (index,)).get is not None
        if there or self._made(statement):
            self._indexed.add((object_name, index))

    def _made(self, statement: str) -> bool:
        if not self._connections.lock.acquire(blocking=False):
            return False
        try:
            return self._made_by(self._connections.writer, statement)
        finally:
            self._connections.lock.release()

    def _made_by(self, writer: apsw.Connection, statement: str) -> bool:
        try:
            writer.set_busy_timeout(0)
            writer.execute(statement)
        except (apsw.BusyError, apsw.FullError, apsw.ReadOnlyError):
            return False  # without it, all is only slower
        finally:
            writer.set_busy_timeout(BUSY_MILLISECONDS)
        return True

    def drop(self, db: apsw.Connection, schema: ObjectSchema, field: Field) -> None:
        """Take a field's indexes away, within somebody's transaction."""
        of_tombstones = [table_sql.dead_index(schema.name)] if field.name == "IsDeleted" else []
        for index in (table_sql.search_index(schema.name, field), *of_tombstones):
            db.execute(table_sql.drop_index(index))
            self._indexed.discard((schema.name, index))

    def forget(self, object_name: str) -> None:
        """The object's table was replaced, and with it the indexes."""
        self._indexed = {each for each in tuple(self._indexed) if each[0] != object_name}
