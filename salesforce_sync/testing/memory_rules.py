"""What describe knows to be wrong in an edit, for the memory store. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation

from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.values import Stored, stored_form

Known = Callable[[Field, Stored], bool]


def checked(schema: ObjectSchema, values: Mapping[str, Stored], known: Known, *, creating: bool) -> dict[str, Stored]:
    """The values by API name, '' as null; `Misuse` for what the org would surely refuse.

    `known` says whether a reference's value is the id of a record that is here, whose form is then the org's own.
    """
    found: dict[str, Stored] = {}
    for name, value in values.items():
        field = schema.field(name)
        given = None if value == "" else value
        known_here = field.type is FieldType.REFERENCE and field.synced and known(field, given)
        # Of an id that is here only the right to write it is looked at.
        found[field.name] = stored_form(field.type, _checked(schema, field, given, creating, known_here))
    if creating:
        for field in schema.columns:
            if field.required and found.get(field.name) is None:
                raise Misuse(f"{schema.name}.{field.name} is required.")
    return found


def _checked(schema: ObjectSchema, field: Field, value: Stored, creating: bool, known: bool) -> Stored:
    named = f"{schema.name}.{field.name}"
    if not field.synced or not (field.createable if creating else field.updateable):
        raise Misuse(f"{named} {_why_not(field, creating)}.")
    if value is None:
        if not creating and not field.nillable:
            raise Misuse(f"{named} is required: it cannot be emptied.")
        return None
    if known:
        return value
    why = _FORMS[field.type](value) if field.type in _FORMS else _wrong_text(field, value)
    why = why or _too_large(field, value)
    if why:
        raise Misuse(f"{named} {why}, not {value!r}.")
    return value


def _why_not(field: Field, creating: bool) -> str:
    if field.calculated:
        return "is calculated by Salesforce and cannot be written"
    if field.createable and not creating:
        return "can only be given when the record is made"
    return "cannot be written by the connected user"


# ── forms: why a value is wrong, or nothing ──────────────────────────────────────────────────────────────────────


def _wrong_text(field: Field, value: Stored) -> str:
    if not isinstance(value, str):
        return "takes a text"
    if field.length and len(value) > field.length:
        return f"holds {field.length} characters at most"
    if field.restricted_picklist and field.picklist:
        known = {each.casefold() for each, active in field.picklist if active}
        parts = value.split(";") if field.salesforce_type == "multipicklist" else [value]
        if any(part.casefold() not in known for part in parts if part):
            return f"takes only values of its picklist ({', '.join(each for each, _ in field.picklist[:8])})"
    return ""


def _wrong_boolean(value: Stored) -> str:
    return "" if isinstance(value, int) and value in (0, 1) else "is 0 or 1"


def _wrong_integer(value: Stored) -> str:
    fits = isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63
    return "" if fits else "is a whole number"


def _wrong_decimal(value: Stored) -> str:
    try:
        return "" if Decimal(str(value)).is_finite() else "is a number"
    except InvalidOperation:
        return "is a number"


def _too_large(field: Field, value: Stored) -> str:
    most = field.whole_digits
    if most is None or abs(Decimal(str(value))) < 10**most:
        return ""
    return f"holds {most} digits before the point at most"


def _wrong_reference(value: Stored) -> str:
    """The store has looked up local ids already."""
    try:
        return "" if isinstance(value, str) and (is_local(value) or to_18(value)) else "is an id"
    except Misuse:
        return "is an id"


def _wrong_moment(parse: Callable[[str], object], form: str) -> Callable[[Stored], str]:
    def wrong(value: Stored) -> str:
        try:
            parse(str(value))
        except ValueError:
            return f"is written like {form}"
        return ""

    return wrong


def _parse_time(text: str) -> time:
    return time.fromisoformat(text.removesuffix("Z"))


_FORMS: dict[FieldType, Callable[[Stored], str]] = {
    FieldType.BOOLEAN: _wrong_boolean,
    FieldType.INTEGER: _wrong_integer,
    FieldType.DECIMAL: _wrong_decimal,
    FieldType.REFERENCE: _wrong_reference,
    FieldType.DATE: _wrong_moment(date.fromisoformat, "2026-01-31"),
    FieldType.DATETIME: _wrong_moment(datetime.fromisoformat, "2026-01-31T14:30:00.000Z"),
    FieldType.TIME: _wrong_moment(_parse_time, "14:30:00.000Z"),
}
