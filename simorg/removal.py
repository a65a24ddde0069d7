"""Schema drift, the going half: fields and objects that administrators remove, and what falls with them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from simorg import catalog
from simorg.database import quote
from simorg.dependencies import dependents, protected, refuse_dependents, whole
from simorg.drift import changeable, check_idle, drop_indexes, field_of, known, publish
from simorg.results import Refused
from simorg.schema import SField, SObject

if TYPE_CHECKING:
    from simorg.org import SimOrg


def remove_object(org: "SimOrg", name: str) -> None:
    """Remove an object with its rows, and with what cannot be without it, as an administrator would before it.

    Those are look-ups and master-detail fields that point to it alone, the formulas and roll-ups that read it or
    these fields, and the rules about it. A reference that points to other objects too only loses this one.
    """
    schema = known(org, name)
    with org.lock:
        check_idle(org, schema)
        others = _falling(org, schema)
        with org.transaction():
            for owner, one in others:
                drop_column(org, org.objects[owner.name], one)
            _cut_polymorphic(org, schema)
            org.database.write(f"DROP TABLE {quote(schema.name)}")
            _forget_rows(org, schema)
        gone = {(owner.name, one.name) for owner, one in others}
        kept = [_without(one, gone, schema.name) for one in org.objects.values() if one is not schema]
        publish(org, catalog.link(tuple(kept)))
        org.rules.forget_object(schema.name)
        org.permissions.allow(schema.name)


def _falling(org: "SimOrg", schema: SObject) -> list[tuple[SObject, SField]]:
    """Return the fields of other objects that go with an object; refuse when one of them must stay."""
    columns = {(schema.name, ""), *((schema.name, one.name) for one in schema.fields)}
    found: dict[tuple[str, str], tuple[SObject, SField]] = {}
    before = -1
    while len(found) > before:
        before = len(found)
        for one in dependents(org, frozenset(columns), schema.name):
            if one.field is None and one.object_name.lower() != schema.name.lower():
                refuse_dependents(schema.name, [one])
            if one.field is None or one.object_name == schema.name:
                continue
            owner, field = field_of(org, one.object_name, one.field)
            reason = protected(owner, field)
            if reason:
                raise Refused("DEPENDENCY_EXISTS", f"{schema.name} cannot be removed: {reason}")
            found[owner.name, field.name] = (owner, field)
            columns.add((owner.name, field.name))
    for owner, _ in found.values():
        check_idle(org, owner)
    return list(found.values())


def _cut_polymorphic(org: "SimOrg", schema: SObject) -> None:
    """Empty references to rows of an object that goes, in fields that may point elsewhere too; owners change."""
    for owner in org.objects.values():
        for one in owner.stored_fields:
            if schema.name in one.reference_to and one.polymorphic and owner is not schema:
                filler = org.user_id if one.defaulted else None
                column = quote(one.name)
                sql = f"UPDATE {quote(owner.name)} SET {column} = ? WHERE substr({column}, 1, 3) = ?"
                org.database.write(sql, (filler, schema.key_prefix))


def _forget_rows(org: "SimOrg", schema: SObject) -> None:
    """Take an object out of the lists of hidden and deleted rows; what fell with its rows can be undeleted alone."""
    write, name = org.database.write, (schema.name,)
    write(
        "UPDATE _deleted SET root = id WHERE object <> ?1 AND root IN (SELECT id FROM _deleted WHERE object = ?1)", name
    )
    write("DELETE FROM _deleted WHERE object = ?", name)
    write("DELETE FROM _invisible WHERE object = ?", name)
    write("DELETE FROM _nulled WHERE child = ? OR substr(parent, 1, 3) = ?", (schema.name, schema.key_prefix))


def _without(schema: SObject, gone: set[tuple[str, str]], target: str) -> SObject:
    fields = [one for one in schema.fields if (schema.name, one.name) not in gone]
    return replace(schema, fields=tuple(_pointing_elsewhere(one, target) for one in fields))


def _pointing_elsewhere(one: SField, target: str) -> SField:
    if target not in one.reference_to:
        return one
    return replace(one, reference_to=tuple(name for name in one.reference_to if name != target))


def remove_field(org: "SimOrg", object_name: str, name: str) -> None:
    """Remove a field with its values; refused while a formula, a roll-up or a rule uses it."""
    schema, one = changeable(org, object_name, name, "removed")
    with org.lock:
        check_idle(org, schema)
        parts = whole(schema, one)
        readers = dependents(org, frozenset((schema.name, part.name) for part in parts))
        refuse_dependents(f"{schema.name}.{one.name}", readers)
        with org.transaction():
            for part in parts:
                drop_column(org, schema, part)
                org.database.write("DELETE FROM _nulled WHERE child = ? AND field = ?", (schema.name, part.name))
        left = replace(schema, fields=tuple(other for other in schema.fields if other not in parts))
        publish(org, catalog.link(tuple(left if one is schema else one for one in org.objects.values())))
        org.permissions.forget_field(schema.name, one.name)


def drop_column(org: "SimOrg", schema: SObject, one: SField) -> None:
    if one.stored:
        drop_indexes(org, schema, one)
        org.database.write(f"ALTER TABLE {quote(schema.name)} DROP COLUMN {quote(one.name)}")
