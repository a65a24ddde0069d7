"""An object's table: made from its schema, and widened as the org gains fields."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import apsw

from salesforce_sync.errors import ObjectTrouble, StoreTrouble
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.storage import asides, own_sql, table_sql
from salesforce_sync.storage.adopted import Adopted, decode_schema
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.watch import drop_triggers

log = logging.getLogger(__name__)

_LOST = "SELECT field, type FROM _sync_lost_field WHERE object_name = ?"
_BACK = "DELETE FROM _sync_lost_field WHERE object_name = ? AND field = ?"


class Tables:
    """The tables of the objects, within the transaction of whoever adopts a schema."""

    def __init__(self, indexes: SearchIndexes) -> None:
        self._indexes = indexes

    def widen(self, db: apsw.Connection, schema: ObjectSchema) -> tuple[str, ...]:
        """Give the table what the schema has and it has not; the names of columns that are still to be filled."""
        present = {str(name).casefold(): str(name) for (name,) in db.execute(table_sql.columns_of(schema.name))}
        if not present:
            _refuse_reserved(schema.name)
            db.execute(table_sql.create_table(schema.name, schema.columns))
            db.execute(table_sql.create_key(schema.name, schema.name))
            # Somebody has dropped it: nothing of it is here, and a pull of changes would be all that came.
            for forgotten in (own_sql.FORGET_OBJECT, own_sql.FORGET_PROOFS, own_sql.END_STAGING):
                db.execute(forgotten, (schema.name,))
            asides.forget(db, schema.name)
            return ()
        row = db.execute(own_sql.ONE_OBJECT, (schema.name,)).fetchone()
        before = schema.only() if row is None else decode_schema(Adopted(*row).schema)
        known = {field.name.casefold(): field.type.value for field in before.columns}
        lost = {str(name).casefold(): str(kind) for name, kind in db.execute(_LOST, (schema.name,))}
        was = lost | known
        for field in schema.columns:
            spelt = present.get(field.name.casefold())
            if spelt is None:
                db.execute(table_sql.add_column(schema.name, field))
            elif was.get(field.name.casefold(), field.type) != field.type:
                self._replace(db, schema, field)
            elif spelt != field.name:
                _respell(db, schema, spelt, field.name)
        _note_lost(db, schema, before.columns)
        # A field that was away and is back has its column still, but what changed meanwhile is not in it.
        return schema.gained_since(before)

    def _replace(self, db: apsw.Connection, schema: ObjectSchema, field: Field) -> None:
        """A field of another type under the same name: the old column would bend its values."""
        drop_triggers(db, schema.name)  # a column that they name cannot be replaced
        self._indexes.drop(db, schema, field)
        try:
            db.execute(table_sql.drop_column(schema.name, field.name))
        except apsw.SQLError as error:
            raise StoreTrouble(
                f"{schema.name}.{field.name} has another type now, and its column cannot be replaced: {error}.",
                hint="Drop the view, trigger or index that uses it, and sync again.",
            ) from error
        db.execute(table_sql.add_column(schema.name, field))


def _refuse_reserved(object_name: str) -> None:
    """SQLite takes names that begin so for itself, and the org does not."""
    if object_name.casefold().startswith("sqlite_"):
        why = f"{object_name} cannot be kept: SQLite takes every name that begins with sqlite_ for itself."
        raise ObjectTrouble(why, code="RESERVED_NAME", hint="Leave the object out.")


def _respell(db: apsw.Connection, schema: ObjectSchema, name: str, new_name: str) -> None:
    """A field is written with other capitals now: SQL does not mind, but who reads rows by column names does."""
    drop_triggers(db, schema.name)  # they are made anew with the schema
    try:
        db.execute(table_sql.rename_column(schema.name, name, new_name))
    except apsw.SQLError as error:  # as for a view of somebody's that does not work any more
        log.warning("%s.%s goes on as %s: %s", schema.name, new_name, name, error)


def _note_lost(db: apsw.Connection, schema: ObjectSchema, before: Sequence[Field]) -> None:
    """Keep which fields the object has no more, and which are back."""
    here = {each.name.casefold() for each in schema.columns}
    gone = [(schema.name, each.name, each.type.value) for each in before if each.name.casefold() not in here]
    db.executemany("INSERT OR REPLACE INTO _sync_lost_field VALUES (?, ?, ?)", gone)
    db.executemany(_BACK, [(schema.name, each.name) for each in schema.columns])
