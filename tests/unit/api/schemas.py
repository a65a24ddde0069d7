"""Small schemas for tests, made from what describe says."""

from __future__ import annotations

from salesforce_sync.models.schema import ObjectSchema


def schema_of(name: str = "Contact", **fields: str) -> ObjectSchema:
    """An object with these fields: name → Salesforce type. Id and SystemModstamp are there by themselves."""
    types = {"Id": "id", **fields, "SystemModstamp": "datetime"}
    told = [{"name": each, "type": kind, "filterable": True, "sortable": True} for each, kind in types.items()]
    return ObjectSchema.from_describe({"name": name, "label": name, "fields": told, "queryable": True})
