"""Writes the rows of `objects/revenue_rows.toml`: the same ones in every seeded org, each with its references."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from simorg import catalog, ids
from simorg.database import Row, Value
from simorg.times import to_ms
from simorg.writer import blank_row

if TYPE_CHECKING:
    from simorg.org import SimOrg


def fill_revenue(org: "SimOrg", stamps: Row) -> None:
    """Write the rows; they may refer to each other in circles, so the ids are given out first."""
    rows = list(_rows())
    known = {name: org.numbering.new_id(org.objects[kind].key_prefix) for kind, name, _ in rows}
    for kind, name, values in rows:
        schema = org.objects[kind]
        row = blank_row(schema) | {field: _stored(value, known) for field, value in values.items()}
        row |= {one.name: org.numbering.new_number(schema, one) for one in schema.stored_fields if one.auto_number}
        if "OwnerId" in row:
            row["OwnerId"] = org.user_id
        org.database.insert(kind, row | stamps | {"Id": known[name]})


def _rows() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for kind, rows in catalog.read_toml("revenue_rows").items():
        for row in rows:
            yield kind, row["as"], {field: value for field, value in row.items() if field != "as"}


def _stored(value: Any, known: dict[str, str]) -> Value:
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, str) and value.startswith("@"):
        prefix, colon, number = value[1:].partition(":")
        return ids.make(prefix, int(number)) if colon else known[value[1:]]
    stored: Value = int(value) if isinstance(value, bool) else value
    return stored
