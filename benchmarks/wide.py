"""The object of 60 columns that goes into a workbook and back: the contact-like one twice, with drop-downs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.columns import COLUMNS, Column
from benchmarks.data import Chooser

OBJECT = "Wide__c"
PICKLISTS = {"Salutation": ("Mr.", "Ms.", "Dr."), "LeadSource": tuple(f"Lead source {at}" for at in range(40))}
READ_ONLY = {"Id", "IsDeleted", "Name", "CreatedDate", "CreatedById", "LastModifiedDate", "LastModifiedById"}
CREATE_ONLY = {"AccountId"}

_TWICE = tuple(Column(f"{each.name}_2__c", each.type, each.nillable) for each in COLUMNS[1:])
WIDE = (*COLUMNS, *_TWICE, Column("Count__c", "int"))


def describe() -> dict[str, Any]:
    """The body of the object's describe."""
    flags = ("queryable", "createable", "updateable", "deletable", "replicateable")
    fields = [_field(column) for column in WIDE]
    return {"name": OBJECT, "label": "Wide", "keyPrefix": "a00", **dict.fromkeys(flags, True), "fields": fields}


def _field(column: Column) -> dict[str, Any]:
    plain = column.name.removesuffix("_2__c")
    writable = plain not in READ_ONLY and plain != "SystemModstamp"
    flags = {"createable": writable, "updateable": writable and plain not in CREATE_ONLY, "nameField": plain == "Name"}
    values = [{"value": value, "active": True} for value in PICKLISTS.get(plain, ())]
    return {**column.describe(), **flags, "picklistValues": values, "restrictedPicklist": bool(values)}


def rows(count: int, seed: int) -> Iterator[tuple[str | None, ...]]:
    """The rows in Bulk's form."""
    chooser = Chooser(seed)
    for number in range(count):
        yield (*chooser.row(number), *chooser.row(number + count)[1:], str(number))
