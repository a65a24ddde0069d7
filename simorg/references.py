"""References between rows: do they point to something, of the right kind, that the user may see."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from simorg import folding
from simorg.database import quote
from simorg.results import Refused
from simorg.schema import SField, SObject
from simorg.values import convert

if TYPE_CHECKING:
    from simorg.org import SimOrg

UNCHECKED = frozenset({"CreatedById", "LastModifiedById", "MasterRecordId", "ContentDocumentId"})


def check_reference(org: "SimOrg", owner: SObject, one: SField, target: str) -> None:
    """Refuse an id of another object, of no row, of a deleted row or of one that the user may not see."""
    if one.name in UNCHECKED:
        return
    parent = org.object_of_id(target)
    if parent is None or parent.name not in one.reference_to:
        raise Refused("MALFORMED_ID", f"{one.label}: id value of incorrect type: {target}", one.name)
    if one.name == "RecordTypeId" and not _fits_record_type(owner, target):
        text = f"{one.label}: this ID value isn't valid for the user: {target}"
        raise Refused("INVALID_CROSS_REFERENCE_KEY", text, one.name)
    deleted = '"IsDeleted"' if parent.soft_delete else "0"
    found = org.database.rows(f'SELECT {deleted} FROM {quote(parent.name)} WHERE "Id" = ?', (target,))
    if not found:
        raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", one.name)
    if found[0][0]:
        raise Refused("ENTITY_IS_DELETED", "entity is deleted", one.name)
    if not org.visible(parent.name, target):
        text = f"insufficient access rights on cross-reference id: {target}"
        raise Refused("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", text)


def _fits_record_type(owner: SObject, target: str) -> bool:
    return any(one.id == target and one.active for one in owner.record_types)


def by_external_id(org: "SimOrg", one: SField, value: Any, *, trim: bool = True) -> str | None:
    """Find the parent that `{"Parent__r": {"Ext__c": "K1"}}` means; None for null."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        text = f"The value provided for foreign key reference {one.relationship_name} is not a nested SObject"
        raise Refused("INVALID_FIELD", text, one.name)
    attributes = value.get("attributes") or {}
    keys = [key for key in value if key != "attributes"]
    parent = org.object(attributes.get("type") or one.reference_to[0])
    key = parent.field(keys[0]) if parent and len(keys) == 1 else None
    if parent is None or key is None or not (key.id_lookup or key.external_id):
        name = ", ".join(keys) or "none"
        text = f"Foreign key external ID: {name} not found for field {name} in entity {one.reference_to[0]}"
        raise Refused("INVALID_FIELD", text)
    found = rows_by_key(org, parent, key, value[keys[0]], trim=trim)
    if len(found) != 1:
        word = str(value[keys[0]]).lower()
        text = f"Foreign key external ID: {word} not found for field {key.name} in entity {parent.name}"
        raise Refused("INVALID_FIELD", text)
    return found[0]


def rows_by_key(org: "SimOrg", schema: SObject, key: SField, value: Any, *, trim: bool = True) -> list[str]:
    """Return the ids of the living rows with this value in an external-id or look-up field."""
    stored = convert(key, value, trim=trim)
    if stored is None:
        return []
    column = quote(key.name)
    alive = ' AND "IsDeleted" = 0' if schema.soft_delete else ""
    exact = key.case_sensitive or not isinstance(stored, str) or key.type in ("id", "double")
    same = f"{column} = :folded" if exact else folding.equals(column)
    sql = f'SELECT "Id" FROM {quote(schema.name)} WHERE {same}{alive} LIMIT 10'
    folded = stored if exact else folding.fold(str(stored))
    return [row[0] for row in org.database.rows(sql, {"folded": folded})]
