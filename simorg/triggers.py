"""What administrators' code does on save: it normalises, fills in, changes another record, or fails.

Each function puts a trigger on an object and returns it; `org.rules.forget_object(name)` takes all rules of an object
away. Order on save, as in the order-of-execution page of the Apex guide: defaults, before, required fields, the row is
written, validation rules, after.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import apsw

from simorg.database import Row, quote
from simorg.drift import field_of, known
from simorg.results import Failure, Refused
from simorg.rules import ON_ROWS, Trigger
from simorg.schema import SField, SObject
from simorg.values import BLANKS, convert
from simorg.writer import Writer

if TYPE_CHECKING:
    from simorg.org import SimOrg

EVENTS = {
    "create": "AfterInsert",
    "update": "AfterUpdate",
    "delete": "AfterDelete",
    "undelete": "AfterUndelete",
}
FORMS: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "trim": lambda text: " ".join(text.split()),
}


def normalise(org: "SimOrg", object_name: str, field: str, to: str) -> Trigger:
    """Let a text be saved in another form: `upper`, `lower`, `title`, or `trim` (blanks at the ends and in runs go)."""
    schema, one = field_of(org, object_name, field)
    form = FORMS.get(to)
    if form is None:
        raise ValueError(f"to is one of {', '.join(FORMS)}, not {to!r}")

    def run(org: "SimOrg", operation: str, row: Row, old: Row | None) -> None:
        text = row.get(one.name)
        if isinstance(text, str):
            row[one.name] = convert(one, form(text).strip(BLANKS))

    return org.rules.on_save(schema.name, "before", run)


def fill(org: "SimOrg", object_name: str, field: str, value: Any) -> Trigger:
    """Let an empty field be saved with a value."""
    schema, one = field_of(org, object_name, field)
    filled = convert(one, value)

    def run(org: "SimOrg", operation: str, row: Row, old: Row | None) -> None:
        if one.name in row and row[one.name] is None:
            row[one.name] = filled

    return org.rules.on_save(schema.name, "before", run)


def count_on_parent(org: "SimOrg", object_name: str, reference: str, field: str) -> Trigger:
    """Let the number of living rows that refer to a parent be kept in a field of it; this edits the parent."""
    schema, one = field_of(org, object_name, reference)
    if len(one.reference_to) != 1:
        raise ValueError(f"{schema.name}.{one.name} does not refer to one object")
    parent, number = field_of(org, one.reference_to[0], field)

    def run(org: "SimOrg", operation: str, row: Row, old: Row | None) -> None:
        before = old.get(one.name) if old else None
        for target in dict.fromkeys((before, row.get(one.name))):
            if isinstance(target, str):
                try:
                    _count(org, schema, one, (parent, number), target, row)
                except Refused as refused:
                    raise _failed(schema, operation, _dml_error(target, refused.failure)) from refused

    return org.rules.on_save(schema.name, "after", run, ON_ROWS)


def _count(
    org: "SimOrg", schema: SObject, reference: SField, counter: tuple[SObject, SField], target: str, row: Row
) -> None:
    parent, number = counter
    there = org.database.get(parent, target)
    if there is None or there.get("IsDeleted") or number.name not in there:
        return
    alive = ' AND "IsDeleted" = 0' if schema.soft_delete else ""
    sql = f"SELECT COUNT(*) FROM {quote(schema.name)} WHERE {quote(reference.name)} = ?{alive}"
    counted = convert(number, org.database.value(sql, (target,)))
    if there[number.name] != counted:  # else rows that are each other's parents would go on for ever
        Writer(org, str(row["LastModifiedById"])).update(parent.name, target, {number.name: counted})


def _dml_error(target: str, why: Failure) -> str:
    return (
        f"caused by: System.DmlException: Update failed. First exception on row 0 with id {target}; first error: "
        f"{why.code}, {why.message}: [{', '.join(why.fields)}]"
    )


def fail_when(org: "SimOrg", object_name: str, condition: str, message: str = "") -> Trigger:
    """Let the save of rows fail for which an SQL condition over the object's columns holds."""
    schema = known(org, object_name)
    org.rules.check(schema.name, condition)
    text = "caused by: " + (message or "System.NullPointerException: Attempt to de-reference a null object")

    def run(org: "SimOrg", operation: str, row: Row, old: Row | None) -> None:
        sql = f'SELECT 1 FROM {quote(schema.name)} WHERE "Id" = ? AND ({condition})'
        try:
            holds = org.database.value(sql, (row["Id"],)) is not None
        except apsw.Error as problem:  # a column that has gone, an overflow: code that breaks
            raise _failed(schema, operation, f"caused by: {problem}") from problem
        if holds:
            raise _failed(schema, operation, text)

    return org.rules.on_save(schema.name, "after", run)


def _failed(schema: SObject, operation: str, text: str) -> Refused:
    """Return the refusal of a trigger that threw; the code is Salesforce's, its text differs from org to org."""
    name, event = f"{schema.name.removesuffix('__c')}Trigger", EVENTS[operation]
    message = f"{name}: execution of {event}\n\n{text}\n\nTrigger.{name}: line 1, column 1"
    return Refused("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", message)
