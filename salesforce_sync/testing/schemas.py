"""Object schemas in one line."""

from __future__ import annotations

from typing import Any

from salesforce_sync.models.schema import Field, ObjectSchema

SYSTEM_FIELDS = {
    "Id": "id",
    "IsDeleted": "boolean",
    "CreatedDate": "datetime",
    "LastModifiedDate": "datetime",
    "SystemModstamp": "datetime",
}
"""What nearly every object has; the org sets them."""


def make_field(name: str, salesforce_type: str = "string", **keys: Any) -> Field:
    """A field from its Salesforce type; `keys` are more keys of a describe entry (`caseSensitive=True`)."""
    ours = name not in SYSTEM_FIELDS
    rights = {"createable": ours, "updateable": ours, "nillable": ours, "defaultedOnCreate": False}
    entry = {**rights, "nameField": name == "Name"}
    return Field.from_describe({**entry, "name": name, "type": salesforce_type, **keys})


def make_schema(name: str, /, *more: Field, **fields: str) -> ObjectSchema:
    """An object with the system fields and these: `make_schema("Widget__c", Name="string", Price__c="currency")`."""
    typed = [make_field(each, kind) for each, kind in {**SYSTEM_FIELDS, **fields}.items()]
    return ObjectSchema(
        name,
        name,
        (*typed, *more),
        custom=name.endswith("__c"),
        createable=True,
        updateable=True,
        deletable=True,
    )
