"""An object's table: made from its schema, and widened as the org gains fields."""

from __future__ import annotations

import apsw

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.storage import statements as sql
from salesforce_sync.storage.ingest import Adopted, decode_schema
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.watch import drop_triggers


class Tables:
    """The tables of the objects, within the transaction of whoever adopts a schema."""

    def __init__(self, indexes: SearchIndexes) -> None:
        self._indexes = indexes

    def widen(self, db: apsw.Connection, schema: ObjectSchema) -> tuple[str, ...]:
        """Give the table what the schema has and it has not; the names of columns that are still to be filled."""
        present = {name.casefold() for (name,) in db.execute(sql.columns_of(schema.name))}
        if not present:
            db.execute(sql.create_table(schema.name, schema.columns))
            db.execute(sql.create_key(schema.name, schema.name))
            db.execute(sql.FORGET_OBJECT, (schema.name,))  # somebody has dropped it: nothing of it is here
            return ()
        row = db.execute(sql.ONE_OBJECT, (schema.name,)).fetchone()
        before = () if row is None else decode_schema(Adopted(*row).schema).columns
        known = {field.name.casefold(): field for field in before}
        for field in schema.columns:
            if field.name.casefold() not in present:
                db.execute(sql.add_column(schema.name, field))
            elif _is_another(known.get(field.name.casefold()), field):
                self._replace(db, schema, field)
        # A field that was away and is back has its column still, but what changed meanwhile is not in it.
        return tuple(
            field.name
            for field in schema.columns
            if field.name.casefold() not in known or _is_another(known[field.name.casefold()], field)
        )

    def _replace(self, db: apsw.Connection, schema: ObjectSchema, field: Field) -> None:
        """A field of another type under the same name: the old column would bend its values."""
        drop_triggers(db, schema.name)  # a column that they name cannot be replaced
        self._indexes.drop(db, schema, field)
        try:
            db.execute(sql.drop_column(schema.name, field.name))
        except apsw.SQLError as error:
            raise StoreTrouble(
                f"{schema.name}.{field.name} has another type now, and its column cannot be replaced: {error}.",
                hint="Drop the view, trigger or index that uses it, and sync again.",
            ) from error
        db.execute(sql.add_column(schema.name, field))


def _is_another(before: Field | None, field: Field) -> bool:
    return before is not None and before.type is not field.type
