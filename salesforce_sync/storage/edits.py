"""Edits of people: statements on the objects' tables, where triggers check them and put them into the outbox."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import apsw

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import is_guarded, to_18
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.storage import own_sql, reading_sql
from salesforce_sync.storage.checks import why_read_only
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.sql_text import quote

_UNDELETING = """
SELECT 1 FROM _sync_outbox WHERE object_name = ? AND record_id = ? AND operation = 'undelete' AND sending IS NULL
"""
_IN_OUTBOX = "SELECT 1 FROM _sync_outbox WHERE object_name = ? AND record_id = ?"
_BASES = "SELECT field, base FROM _sync_edit WHERE object_name = ? AND record_id = ?"
_REFERRING = """
SELECT object_name, record_id, field, base FROM _sync_edit WHERE value = ? AND value GLOB 'local-*'
"""
_REAL_ID = "SELECT record_id FROM _sync_local WHERE local_id = ?"


class Editor:
    """The editing part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(self, connections: Connections, schema: Callable[[str], ObjectSchema | None]) -> None:
        self._connections = connections
        self._schema = schema

    def create(self, schema: ObjectSchema, values: Mapping[str, Stored]) -> str:
        with self._editing() as db:
            return self.create_in(db, schema, values)

    def create_in(self, db: apsw.Connection, schema: ObjectSchema, values: Mapping[str, Stored]) -> str:
        """The same in a transaction that is open: triggers must fire in it."""
        check_writable(schema, values)
        names = [schema.field(name).name for name in values]
        listed = ", ".join(map(quote, names))
        given = f"({listed}) VALUES ({', '.join('?' * len(names))})" if names else "DEFAULT VALUES"
        db.execute(f"INSERT INTO {quote(schema.name)} {given}", _bindings(db, schema, values))
        newest = f'SELECT "Id" FROM {quote(schema.name)} WHERE rowid = ?'
        return str(db.execute(newest, (db.last_insert_rowid(),)).get)

    def update(self, schema: ObjectSchema, record_id: str, values: Mapping[str, Stored]) -> None:
        if values:
            with self._editing() as db:
                self.update_in(db, schema, record_id, values)

    def update_in(
        self, db: apsw.Connection, schema: ObjectSchema, record_id: str, values: Mapping[str, Stored]
    ) -> None:
        """The same in a transaction that is open: triggers must fire in it."""
        check_writable(schema, values)
        assigned = ", ".join(f"{quote(schema.field(name).name)} = ?" for name in values)
        bindings = (*_bindings(db, schema, values), real_id(db, record_id))
        db.execute(
            f'UPDATE {quote(schema.name)} SET {assigned} WHERE "Id" = ? AND {reading_sql.alive(schema)}', bindings
        )
        _check_found(db, schema, record_id)

    def delete(self, schema: ObjectSchema, record_id: str) -> None:
        with self._editing() as db:
            self.delete_in(db, schema, record_id)

    def delete_in(self, db: apsw.Connection, schema: ObjectSchema, record_id: str) -> None:
        """The same in a transaction that is open: triggers must fire in it."""
        full = real_id(db, record_id)
        live = f'SELECT 1 FROM {quote(schema.name)} WHERE "Id" = ? AND {reading_sql.alive(schema)}'
        if not db.execute(live, (full,)).get:
            raise no_record(schema, record_id)
        if db.execute(_UNDELETING, (schema.name, full)).get:
            self._take_back(db, schema, full)
        db.execute(f'DELETE FROM {quote(schema.name)} WHERE "Id" = ?', (full,))
        if not db.execute(_IN_OUTBOX, (schema.name, full)).get:
            self._let_go(db, full)

    def _take_back(self, db: apsw.Connection, schema: ObjectSchema, record_id: str) -> None:
        """The edits that were made since the record was brought back here end with that."""
        for field, base in list(db.execute(_BASES, (schema.name, record_id))):
            db.execute(f'UPDATE {quote(schema.name)} SET {quote(field)} = ? WHERE "Id" = ?', (base, record_id))

    def referring(self, record_id: str) -> tuple[tuple[str, str, str], ...]:
        with self._connections.looking() as db:
            found = db.execute(_REFERRING, (record_id,)).fetchall()
        told = ((str(name), str(holder), str(field)) for name, holder, field, _ in found)
        return tuple(sorted(each for each in told if self._refers(each[0], each[2])))

    def _refers(self, object_name: str, field: str) -> bool:
        schema = self._schema(object_name)
        return schema is not None and schema.has(field) and schema.field(field).type is FieldType.REFERENCE

    def _let_go(self, db: apsw.Connection, record_id: str) -> None:
        """Who refers to a record that was made here and is gone refers to what it did before."""
        for name, holder, field, base in list(db.execute(_REFERRING, (record_id,))):
            if self._refers(str(name), str(field)):
                db.execute(f'UPDATE {quote(str(name))} SET {quote(str(field))} = ? WHERE "Id" = ?', (base, holder))

    def undelete(self, schema: ObjectSchema, record_id: str) -> None:
        if not schema.has("IsDeleted"):
            raise Misuse(f"Deleted {schema.name} records cannot be brought back.")
        with self._editing() as db:
            back = f'UPDATE {quote(schema.name)} SET "IsDeleted" = 0 WHERE "Id" = ? AND "IsDeleted" = 1'
            db.execute(back, (real_id(db, record_id),))
            if not db.changes():
                raise RecordNotFound(f"{schema.name} has no deleted record {record_id}.")

    def real_id(self, record_id: str) -> str:
        with self._connections.looking() as db:
            return real_id(db, record_id)

    @contextmanager
    def _editing(self) -> Iterator[apsw.Connection]:
        """A transaction on the editor."""
        with refusals(), self._connections.editing() as db:
            yield db


def real_id(db: apsw.Connection, record_id: str) -> str:
    """The org's id for a local one that it has by now; any other id as it is."""
    found = db.execute(_REAL_ID, (record_id,)).get if is_local(record_id) else None
    return record_id if found is None else str(found)


def _check_found(db: apsw.Connection, schema: ObjectSchema, record_id: str) -> None:
    if not db.changes():
        raise no_record(schema, record_id)


def no_record(schema: ObjectSchema, record_id: str) -> RecordNotFound:
    """There is none of this id, or it is deleted."""
    return RecordNotFound(f"{schema.name} has no such record as {record_id}, or it is deleted.")


def check_writable(schema: ObjectSchema, values: Iterable[str]) -> None:
    """Name what can never be written, even where the value would not change anything."""
    for name in values:
        field = schema.field(name)
        if field.name == "IsDeleted":
            raise Misuse("IsDeleted is not written itself.", hint="Use delete and undelete.")
        if not field.synced:
            raise Misuse(f"{schema.name}.{field.name} is made of other fields.", hint="Write its parts.")
        if not (field.createable or field.updateable):
            raise Misuse(f"{schema.name}.{field.name} {why_read_only(field)}.")


def _bindings(db: apsw.Connection, schema: ObjectSchema, values: Mapping[str, Stored]) -> list[Stored]:
    return [_binding(db, schema, name, value) for name, value in values.items()]


def _binding(db: apsw.Connection, schema: ObjectSchema, name: str, value: Stored) -> Stored:
    field = schema.field(name)
    if field.type is not FieldType.REFERENCE or not isinstance(value, str) or not value:
        return value
    if is_local(value):
        return real_id(db, value)
    try:
        return to_18(value)
    except Misuse as error:
        here = [each for each in field.reference_to if db.execute(own_sql.ONE_OBJECT, (each,)).get]
        if any(has_record(db, each, value) for each in here):
            return value  # the org's own word, however it makes its ids
        if any(_may_have(db, each, value) for each in here or [schema.name]):
            return value
        raise Misuse(f"{schema.name}.{field.name}: {error.message}", hint=error.hint) from error


def has_record(db: apsw.Connection, object_name: str, record_id: str) -> bool:
    """Whether the object is synced, and has a row of exactly this id."""
    if not db.execute(own_sql.ONE_OBJECT, (object_name,)).get:
        return False
    return bool(db.execute(reading_sql.has_record(object_name), (record_id,)).get)


def _may_have(db: apsw.Connection, object_name: str, record_id: str) -> bool:
    """Whether this can be an id of the object's, as its org makes them: those that are here do not guard their case."""
    if len(record_id) != 18 or not record_id.isascii() or not record_id.isalnum():
        return False
    if not db.execute(own_sql.ONE_OBJECT, (object_name,)).get:
        return False
    some = db.execute(reading_sql.some_id(object_name)).get
    return some is not None and not is_guarded(str(some))


@contextmanager
def refusals() -> Iterator[None]:
    """What a trigger refuses is a `Misuse` with the trigger's words."""
    try:
        yield
    except apsw.ConstraintError as error:
        message = str(error).partition("ConstraintError: ")[2] or str(error)
        raise Misuse(f"{message}.") from error


def check_value(db: apsw.Connection, schema: ObjectSchema, record_id: str, name: str, value: Stored) -> Stored:
    """The value as an edit would store it; `Misuse` if an edit would be refused. Nothing is changed."""
    check_writable(schema, [name])
    stored = _binding(db, schema, name, value)
    stored = None if stored == "" else stored
    assigned = f"UPDATE {quote(schema.name)} SET {quote(schema.field(name).name)} = ?"
    db.execute("SAVEPOINT _sync_check")
    try:
        with refusals():
            db.execute(f'{assigned} WHERE "Id" = ?', (stored, record_id))
    finally:
        db.execute("ROLLBACK TO _sync_check; RELEASE _sync_check")
    return stored
