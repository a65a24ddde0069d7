"""Indexes for the fields that somebody searches, made when they are first searched."""

from __future__ import annotations

from collections.abc import Sequence

import apsw

from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.ports import Filter
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.conditions import may_use_index
from salesforce_sync.storage.connections import BUSY_MILLISECONDS, Connections

INDEX_ROWS = 20_000
"""Tables with fewer rows are searched without an index: reading them all takes some milliseconds."""


class SearchIndexes:
    """The indexes of large tables. A search never waits for one: without it, it is only slower."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._indexed: set[tuple[str, str]] = set()

    def serve(self, schema: ObjectSchema, filters: Sequence[Filter]) -> None:
        """Give the fields that these filters search their indexes."""
        for each in filters:
            field = schema.field(each.field)
            if may_use_index(field, each):
                self.give(schema, field)

    def give(self, schema: ObjectSchema, field: Field) -> None:
        """Give this field its index, if its table is large and nobody is writing just now."""
        if (schema.name, field.name) in self._indexed:
            return
        with self._connections.looking() as db:
            if db.execute(sql.highest_row(schema.name)).get < INDEX_ROWS:
                return
        if self._connections.lock.acquire(blocking=False):
            try:
                self._create(schema, field)
            finally:
                self._connections.lock.release()

    def _create(self, schema: ObjectSchema, field: Field) -> None:
        writer = self._connections.writer
        try:
            writer.set_busy_timeout(0)
            writer.execute(sql.create_search_index(schema.name, field))
            self._indexed.add((schema.name, field.name))
        except (apsw.BusyError, apsw.FullError):
            return  # the search is only slower
        finally:
            writer.set_busy_timeout(BUSY_MILLISECONDS)

    def drop(self, db: apsw.Connection, schema: ObjectSchema, field: Field) -> None:
        """Take a field's index away, within somebody's transaction."""
        db.execute(sql.drop_search_index(schema.name, field))
        self._indexed.discard((schema.name, field.name))

    def forget(self, object_name: str) -> None:
        """The object's table was replaced, and with it the indexes."""
        self._indexed = {each for each in self._indexed if each[0] != object_name}
