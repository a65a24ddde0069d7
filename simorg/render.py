"""Rows as REST JSON shows them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from simorg.database import quote
from simorg.schema import NUMBER_TYPES, SField, SObject
from simorg.times import rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

ADDRESS_KEYS = ("city", "country", "geocodeAccuracy", "latitude", "longitude", "postalCode", "state", "street")


def attributes(view: SObject, record_id: str, version: str) -> dict[str, str]:
    """Return the `attributes` of a row."""
    return {"type": view.name, "url": f"/services/data/v{version}/sobjects/{view.name}/{record_id}"}


def read_record(
    org: "SimOrg", view: SObject, record_id: str, version: str, fields: Sequence[SField] | None = None
) -> dict[str, Any]:
    """Return a row, which must exist, with the given fields or all that the user sees; formulas are computed."""
    wanted = view.fields if fields is None else fields
    columns = list(dict.fromkeys(part for one in wanted for part in _sources(view, one)))
    sql = ", ".join(_expression(part) for part in columns)
    (found,) = org.database.rows(f'SELECT {sql} FROM {quote(view.name)} row_ WHERE "Id" = ?', (record_id,))
    stored = {one.name: value for one, value in zip(columns, found, strict=True)}
    record: dict[str, Any] = {"attributes": attributes(view, record_id, version)}
    for one in wanted:
        record[one.name] = _shown(org, view, one, stored, f"{record['attributes']['url']}/{one.name}")
    return record


def _sources(view: SObject, one: SField) -> tuple[SField, ...]:
    return view.parts_of(one.name) if one.type in ("address", "location") else (one,)


def _expression(one: SField) -> str:
    if one.formula is not None:
        return one.formula.replace("{alias}", "row_")
    if one.type == "base64":  # the row shows a URL, not the bytes
        return f"row_.{quote(one.name)} IS NOT NULL"
    return f"row_.{quote(one.name)}"


def _shown(org: "SimOrg", view: SObject, one: SField, stored: dict[str, Any], url: str) -> Any:
    if one.type in ("address", "location"):
        return _compound(view, one, stored)
    value = stored[one.name]
    if one.type == "base64":
        return url if value else None
    if one.encrypted and value is not None and not org.permissions.can_view_encrypted:
        return "*" * len(value)
    return rest_value(one, value)


def rest_value(one: SField, value: Any) -> Any:
    """Return a stored value as it stands in REST JSON; numbers keep their digits."""
    if value is None:
        return None
    if one.type == "boolean":
        return bool(value)
    if one.type in NUMBER_TYPES:
        return msgspec.Raw(value.encode())
    return rest_time(value) if one.type == "datetime" else value


def _compound(view: SObject, one: SField, stored: dict[str, Any]) -> dict[str, Any] | None:
    parts = view.parts_of(one.name)
    if all(stored[part.name] is None for part in parts):
        return None
    made = {_key(one, part): rest_value(part, stored[part.name]) for part in parts}
    return made if one.type == "location" else {key: made.get(key) for key in ADDRESS_KEYS}


def _key(one: SField, part: SField) -> str:
    if one.type == "location":
        return "latitude" if part.name.endswith("__Latitude__s") else "longitude"
    word = part.name.removeprefix(one.name.removesuffix("Address"))
    return word[0].lower() + word[1:]
