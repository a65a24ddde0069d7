"""Schema drift: administrators add, remove, rename and retype fields while clients are connected."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simorg import catalog
from simorg.database import Value, column_sql, quote
from simorg.decimals import read
from simorg.results import Refused
from simorg.schema import NUMBER_TYPES, SField, SObject
from simorg.values import convert

if TYPE_CHECKING:
    from simorg.org import SimOrg


def add_object(org: "SimOrg", name: str, declaration: dict[str, Any]) -> SObject:
    """Make a new object of a declaration such as those in `simorg/objects` (as a dict)."""
    made = catalog.read_object(name, declaration)
    with org.lock:
        org.objects = {**org.objects, name: made}
        org.database.create_table(made)
        org.database.create_indexes(made)
        _changed(org)
    return org.objects[name]


def remove_object(org: "SimOrg", name: str) -> None:
    """Remove an object with its rows."""
    schema = known(org, name)
    with org.lock:
        org.objects = {key: one for key, one in org.objects.items() if one is not schema}
        org.database.write(f"DROP TABLE {quote(schema.name)}")
        _changed(org)


def add_field(org: "SimOrg", object_name: str, name: str, line: str | dict[str, Any]) -> SField:
    """Add a field by its declaration line, e.g. `string 80`; existing rows get null (a checkbox its default)."""
    schema = known(org, object_name)
    made = list(catalog.read_field(name, line))
    with org.lock:
        for one in made:
            if one.stored:
                org.database.write(f"ALTER TABLE {quote(schema.name)} ADD COLUMN {column_sql(one)}")
                if one.type == "boolean":
                    org.database.write(
                        f"UPDATE {quote(schema.name)} SET {quote(one.name)} = ?", (int(one.default_value),)
                    )
        _put(org, replace(schema, fields=schema.fields + tuple(made)))
    return made[0]


def remove_field(org: "SimOrg", object_name: str, name: str) -> None:
    """Remove a field with its values."""
    schema, one = field_of(org, object_name, name)
    with org.lock:
        _drop_column(org, schema, one)
        _put(org, replace(schema, fields=tuple(other for other in schema.fields if other is not one)))


def rename_field(org: "SimOrg", object_name: str, name: str, new_name: str) -> None:
    """Change a field's API name; its values stay."""
    schema, one = field_of(org, object_name, name)
    with org.lock:
        if one.stored:
            sql = f"ALTER TABLE {quote(schema.name)} RENAME COLUMN {quote(one.name)} TO {quote(new_name)}"
            org.database.write(sql)
        renamed = replace(one, name=new_name, label=catalog.label_of(new_name))
        if one.type == "reference":
            renamed = replace(renamed, relationship_name=catalog.relationship_of(new_name))
        _put(org, _with(schema, one, renamed))


def retype_field(org: "SimOrg", object_name: str, name: str, line: str | dict[str, Any]) -> None:
    """Change a field's type; values that do not fit the new one are lost, as in Salesforce. No stamp moves."""
    schema, one = field_of(org, object_name, name)
    made = next(iter(catalog.read_field(one.name, line)))
    table, old_name = quote(schema.name), quote("_old_" + one.name)
    with org.lock:
        _drop_indexes(org, schema, one)
        org.database.write(f"ALTER TABLE {table} RENAME COLUMN {quote(one.name)} TO {old_name}")
        org.database.write(f"ALTER TABLE {table} ADD COLUMN {column_sql(made)}")
        org.db.create_scalar_function("retyped", _retyping(one, made), 1)
        org.database.write(f"UPDATE {table} SET {quote(one.name)} = retyped({old_name})")
        org.database.write(f"ALTER TABLE {table} DROP COLUMN {old_name}")
        _put(org, _with(schema, one, made))


def _retyping(old: SField, new: SField) -> Callable[..., Any]:
    def retyped(value: Value) -> Value:
        plain: Any = value
        if old.type in NUMBER_TYPES and isinstance(value, str):
            plain = str(read(value)).removesuffix(".0")
        elif isinstance(value, int) and new.type not in (*NUMBER_TYPES, "int", "boolean"):
            plain = str(value)
        try:
            return convert(new, plain)
        except Refused:
            return 0 if new.type == "boolean" else None

    return retyped


def known(org: "SimOrg", name: str) -> SObject:
    """Return an object, or raise LookupError."""
    schema = org.schema(name)
    if schema is None:
        raise LookupError(f"there is no object {name}")
    return schema


def field_of(org: "SimOrg", object_name: str, name: str) -> tuple[SObject, SField]:
    """Return an object and its field, or raise LookupError."""
    schema = known(org, object_name)
    one = schema.field(name)
    if one is None:
        raise LookupError(f"there is no field {name} on {schema.name}")
    return schema, one


def _with(schema: SObject, old: SField, new: SField) -> SObject:
    return replace(schema, fields=tuple(new if other is old else other for other in schema.fields))


def _drop_column(org: "SimOrg", schema: SObject, one: SField) -> None:
    if one.stored:
        _drop_indexes(org, schema, one)
        org.database.write(f"ALTER TABLE {quote(schema.name)} DROP COLUMN {quote(one.name)}")


def _drop_indexes(org: "SimOrg", schema: SObject, one: SField) -> None:
    sql = (
        "SELECT DISTINCT l.name FROM pragma_index_list(?) l JOIN pragma_index_info(l.name) i "
        "WHERE i.name = ? COLLATE NOCASE"
    )
    for (name,) in org.database.rows(sql, (schema.name, one.name)):
        org.database.write(f"DROP INDEX {quote(name)}")


def _put(org: "SimOrg", schema: SObject) -> None:
    org.objects = {**org.objects, schema.name: schema}
    org.database.create_indexes(schema)
    _changed(org)


def _changed(org: "SimOrg") -> None:
    """Link the references anew and let every cached view be made again.

    The table of objects is replaced, not changed, since requests may be going through it.
    """
    org.objects = {one.name: one for one in catalog.link(tuple(org.objects.values()))}
    org.permissions.touch()
