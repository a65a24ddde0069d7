"""Edits of people: statements on the objects' tables, where triggers check them and put them into the outbox."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import apsw

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.connections import Connections

_REAL_ID = "SELECT record_id FROM _sync_local WHERE local_id = ?"


class Editor:
    """The editing part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def create(self, schema: ObjectSchema, values: Mapping[str, Stored]) -> str:
        names = [schema.field(name).name for name in values]
        listed = ", ".join(map(sql.quote, names))
        given = f"({listed}) VALUES ({', '.join('?' * len(names))})" if names else "DEFAULT VALUES"
        with self._editing(schema) as db:
            db.execute(f"INSERT INTO {sql.quote(schema.name)} {given}", self._bindings(db, schema, values))
            newest = f'SELECT "Id" FROM {sql.quote(schema.name)} WHERE rowid = ?'
            return str(db.execute(newest, (db.last_insert_rowid(),)).get)

    def update(self, schema: ObjectSchema, record_id: str, values: Mapping[str, Stored]) -> None:
        if not values:
            return
        assigned = ", ".join(f"{sql.quote(schema.field(name).name)} = ?" for name in values)
        with self._editing(schema) as db:
            bindings = (*self._bindings(db, schema, values), real_id(db, record_id))
            db.execute(
                f'UPDATE {sql.quote(schema.name)} SET {assigned} WHERE "Id" = ? AND {sql.alive(schema)}', bindings
            )
            _check_found(db, schema, record_id)

    def delete(self, schema: ObjectSchema, record_id: str) -> None:
        with self._editing(schema) as db:
            full = real_id(db, record_id)
            if db.execute(
                f'SELECT 1 FROM {sql.quote(schema.name)} WHERE "Id" = ? AND {sql.alive(schema)}', (full,)
            ).get:
                db.execute(f'DELETE FROM {sql.quote(schema.name)} WHERE "Id" = ?', (full,))
                return
        raise RecordNotFound(f"{schema.name} has no live record {record_id}.")

    def undelete(self, schema: ObjectSchema, record_id: str) -> None:
        if not schema.has("IsDeleted"):
            raise Misuse(f"Deleted {schema.name} records cannot be brought back.")
        with self._editing(schema) as db:
            back = f'UPDATE {sql.quote(schema.name)} SET "IsDeleted" = 0 WHERE "Id" = ? AND "IsDeleted" = 1'
            db.execute(back, (real_id(db, record_id),))
            _check_found(db, schema, record_id)

    def real_id(self, record_id: str) -> str:
        with self._connections.looking() as db:
            return real_id(db, record_id)

    def _bindings(self, db: apsw.Connection, schema: ObjectSchema, values: Mapping[str, Stored]) -> list[Stored]:
        return [
            real_id(db, value) if isinstance(value, str) and schema.field(name).type is FieldType.REFERENCE else value
            for name, value in values.items()
        ]

    @contextmanager
    def _editing(self, schema: ObjectSchema) -> Iterator[apsw.Connection]:
        """A transaction on the editor; what a trigger refuses is a `Misuse` with the trigger's words."""
        try:
            with self._connections.editing() as db:
                yield db
        except apsw.ConstraintError as error:
            message = str(error).partition("ConstraintError: ")[2] or str(error)
            raise Misuse(f"{message}.", hint=f"See what {schema.name} takes in docs/two-way.md.") from error


def real_id(db: apsw.Connection, record_id: str) -> str:
    """The org's id for a local one that it has by now; any other id as it is."""
    found = db.execute(_REAL_ID, (record_id,)).get if is_local(record_id) else None
    return record_id if found is None else str(found)


def _check_found(db: apsw.Connection, schema: ObjectSchema, record_id: str) -> None:
    if not db.changes():
        raise RecordNotFound(f"{schema.name} has no such record as {record_id}, or it is deleted.")
