"""Schema drift: administrators add, rename and retype fields while clients are connected; `removal` takes away."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from simorg import catalog
from simorg.database import Value, column_sql, quote
from simorg.decimals import read
from simorg.dependencies import (
    check_sql,
    dependents,
    follow_rename,
    follow_rename_in_rules,
    protected,
    refuse_dependents,
    whole,
)
from simorg.query import queries_of
from simorg.results import Refused
from simorg.schema import NUMBER_TYPES, TEXT_TYPES, SField, SObject
from simorg.values import convert

if TYPE_CHECKING:
    from simorg.org import SimOrg


def add_object(org: "SimOrg", name: str, declaration: dict[str, Any]) -> SObject:
    """Make a new object of a declaration such as those in `simorg/objects` (as a dict)."""
    for each in (name, *declaration.get("fields", ())):
        _check_name(each)
    unknown = set(declaration.get("without", ())) - {"IsDeleted"}
    if unknown:
        # Every write stamps its row. What a client shall not see can be hidden by permissions.
        raise ValueError(f"without may name IsDeleted alone, not {', '.join(sorted(unknown))}: hide a field instead")
    made = catalog.read_object(name, declaration)
    if not re.fullmatch(r"[0-9A-Za-z]{3}", made.key_prefix):
        raise ValueError(f"the prefix of {name} must be three letters or digits, not {made.key_prefix!r}")
    with org.lock:
        if org.schema(name) or any(one.key_prefix == made.key_prefix for one in org.objects.values()):
            raise Refused("DUPLICATE_DEVELOPER_NAME", f"there is an object {name} or one of prefix {made.key_prefix}")
        linked = catalog.link((*org.objects.values(), made))
        for one in made.fields:
            _check_new(linked, made, one)
        with org.transaction():
            org.database.create_table(made)
            org.database.create_indexes(made)
        publish(org, linked)
    return org.objects[name]


def add_field(org: "SimOrg", object_name: str, name: str, line: str | dict[str, Any]) -> SField:
    """Add a field by its declaration line, e.g. `string 80`; existing rows get null (a checkbox its default)."""
    schema = known(org, object_name)
    _check_name(name)
    made = list(catalog.read_field(name, line))
    with org.lock:
        for one in made:
            if schema.field(one.name):
                raise Refused("DUPLICATE_DEVELOPER_NAME", f"there is a field {one.name} on {schema.name}")
            if one.formula is not None:
                check_sql(org, schema.name, one.formula)
        grown = replace(schema, fields=schema.fields + tuple(made))
        linked = catalog.link(tuple(grown if one is schema else one for one in org.objects.values()))
        for one in made:
            _check_new(linked, grown, one)
        with org.transaction():
            for one in made:
                if one.stored:
                    default = f" DEFAULT {int(one.default_value)}" if one.type == "boolean" else ""
                    org.database.write(f"ALTER TABLE {quote(schema.name)} ADD COLUMN {column_sql(one)}{default}")
            org.database.create_indexes(grown)
        publish(org, linked)
    return made[0]


def _check_name(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", name):
        raise ValueError(f"not an API name: {name!r}")


def _check_new(linked: Sequence[SObject], owner: SObject, one: SField) -> None:
    """Refuse a reference to no object, or whose names are taken on its object or on the one that it points to."""
    missing = set(one.reference_to) - {schema.name for schema in linked}
    if missing and one.custom:  # some standard look-ups point to objects that this org does not have
        raise ValueError(f"{one.name} refers to {', '.join(sorted(missing))}, which is not there")
    if one.relationship_name is None:
        return
    same = [other.name for other in owner.fields if other.relationship_name == one.relationship_name]
    taken = len(same) > 1
    if one.child_relationship:
        parents = [schema for schema in linked if schema.name in one.reference_to]
        names = [link.name for schema in parents for link in schema.child_relationships]
        taken = taken or names.count(one.child_relationship) > len(parents)
    if taken:
        text = f"the relationship {one.relationship_name} or {one.child_relationship} of {one.name} is there already"
        raise Refused("DUPLICATE_DEVELOPER_NAME", text)


def rename_field(org: "SimOrg", object_name: str, name: str, new_name: str) -> None:
    """Change a field's API name; its values stay, and formulas, roll-ups and rules follow."""
    schema, one = changeable(org, object_name, name, "renamed")
    _check_name(new_name)
    with org.lock:
        check_idle(org, schema)
        if schema.field(new_name) not in (None, one):
            raise Refused("DUPLICATE_DEVELOPER_NAME", f"there is a field {new_name} on {schema.name}")
        pairs = [(part, _renamed(part, one, new_name)) for part in whole(schema, one)]
        with org.transaction():
            for old, new in pairs:
                _rename_column(org, schema.name, old, new)
        for old, new in pairs:
            org.permissions.rename_field(schema.name, old.name, new.name)


def _renamed(part: SField, one: SField, new_name: str) -> SField:
    """Return a field, or a part of a location, as it is called after the rename of the whole."""
    stem = new_name.removesuffix("__c")
    name = new_name if part is one else stem + part.name.removeprefix(one.name.removesuffix("__c"))
    made = replace(part, name=name, label=catalog.label_of(name))
    if part.compound:
        made = replace(made, compound=new_name)
    return replace(made, relationship_name=catalog.relationship_of(name)) if one.type == "reference" else made


def _rename_column(org: "SimOrg", object_name: str, old: SField, new: SField) -> None:
    schema = org.objects[object_name]
    formulas: dict[tuple[str, str], tuple[str, str | None]] = {}
    if old.stored:
        formulas = follow_rename(org, schema, old, new)
        follow_rename_in_rules(org, schema, old.name, new.name)
        drop_indexes(org, schema, old)
        column, target = quote(old.name), quote(new.name)
        org.database.write(f"ALTER TABLE {quote(schema.name)} RENAME COLUMN {column} TO {target}")
        org.database.write(
            "UPDATE _nulled SET field = ? WHERE child = ? AND field = ?", (new.name, schema.name, old.name)
        )
        org.numbering.rename(f"{schema.name}.{old.name}", f"{schema.name}.{new.name}")
    objects = [_reworded(one, formulas) for one in org.objects.values()]
    objects = [_with(one, old, new) if one.name == object_name else one for one in objects]
    renamed = next(one for one in objects if one.name == object_name)
    org.database.create_indexes(renamed)
    publish(org, catalog.link(tuple(objects)))


def _reworded(schema: SObject, formulas: dict[tuple[str, str], tuple[str, str | None]]) -> SObject:
    def reworded(one: SField) -> SField:
        found = formulas.get((schema.name, one.name))
        return replace(one, formula=found[0], formula_text=found[1]) if found else one

    return replace(schema, fields=tuple(map(reworded, schema.fields)))


def retype_field(org: "SimOrg", object_name: str, name: str, line: str | dict[str, Any]) -> None:
    """Change a field's type; values that do not fit the new one are lost, as in Salesforce. No stamp moves.

    Refused for what is not a plain column, and while a formula or rule uses the field and would read another kind.
    """
    schema, one = changeable(org, object_name, name, "retyped")
    made = next(iter(catalog.read_field(one.name, line)))
    if not one.stored or not made.stored:
        raise Refused("INVALID_OPERATION", f"{schema.name}.{one.name}: formulas and compounds cannot be retyped")
    table, old_name = quote(schema.name), quote("_old_" + one.name)
    with org.lock:
        check_idle(org, schema)
        if _family(one) != _family(made):
            readers = dependents(org, frozenset({(schema.name, one.name)}))
            refuse_dependents(f"{schema.name}.{one.name}", readers)
        changed = _with(schema, one, made)
        linked = catalog.link(tuple(changed if other is schema else other for other in org.objects.values()))
        _check_new(linked, changed, made)
        org.db.create_scalar_function("retyped", _retyping(org, one, made), 1)
        with org.transaction():
            drop_indexes(org, schema, one)
            org.database.write(f"ALTER TABLE {table} RENAME COLUMN {quote(one.name)} TO {old_name}")
            org.database.write(f"ALTER TABLE {table} ADD COLUMN {column_sql(made)}")
            org.database.write(f"UPDATE {table} SET {quote(one.name)} = retyped({old_name})")
            org.database.write(f"ALTER TABLE {table} DROP COLUMN {old_name}")
            org.database.create_indexes(changed)
        publish(org, linked)
        queries_of(org).forget(one.name)


def _family(one: SField) -> str:
    if one.type in TEXT_TYPES:
        return "text"
    return "number" if one.type in NUMBER_TYPES or one.type == "int" else one.type


def changeable(org: "SimOrg", object_name: str, name: str, what: str) -> tuple[SObject, SField]:
    """Return a field that administrators may change, or refuse."""
    schema, one = field_of(org, object_name, name)
    reason = protected(schema, one)
    if reason:
        raise Refused("INVALID_OPERATION", f"{reason}: it cannot be {what}")
    return schema, one


def check_idle(org: "SimOrg", schema: SObject) -> None:
    """Refuse to change an object that an open transaction writes to: a schema change waits for its end."""
    if org.database.is_recording or org.late.touches(schema.name):
        raise Refused("UNABLE_TO_LOCK_ROW", f"{schema.name} is in use by an open transaction")


def _retyping(org: "SimOrg", old: SField, new: SField) -> Callable[..., Any]:
    def retyped(value: Value) -> Value:
        plain: Any = value
        if old.type in NUMBER_TYPES and isinstance(value, str):
            plain = str(read(value)).removesuffix(".0")
        elif isinstance(value, int) and new.type not in (*NUMBER_TYPES, "int", "boolean"):
            plain = str(value)
        try:
            made = convert(new, plain)
        except Refused:
            return 0 if new.type == "boolean" else None
        if new.reference_to and isinstance(made, str):
            target = org.object_of_id(made)
            return made if target and target.name in new.reference_to else None
        return made

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


def drop_indexes(org: "SimOrg", schema: SObject, one: SField) -> None:
    """Drop the indexes of a column, before it goes or changes; what still needs one gets it anew."""
    sql = (
        "SELECT DISTINCT l.name FROM pragma_index_list(?) l JOIN pragma_index_info(l.name) i "
        "WHERE i.name = ? COLLATE NOCASE OR l.name = ?"
    )
    wide = f"_{schema.name}_{one.name}_wide"  # an index on an expression names no column
    for (name,) in org.database.rows(sql, (schema.name, one.name, wide)):
        org.database.write(f"DROP INDEX {quote(name)}")


def publish(org: "SimOrg", objects: Iterable[SObject]) -> None:
    """Let every request see the new schema, and every cached view be made again.

    The table of objects is replaced, not changed, since requests may be going through it.
    """
    org.objects = {one.name: one for one in objects}
    org.permissions.touch()
