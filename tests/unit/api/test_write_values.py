from __future__ import annotations

import msgspec
import pytest

from salesforce_sync.api.write_values import cells, fits_bulk, record
from salesforce_sync.models.values import Stored
from tests.unit.api.write_orders import create, update


@pytest.mark.parametrize(
    ("field", "stored", "json", "cell"),
    [
        ("Text", "null", '"null"', "null"),
        ("Text", None, "null", "#N/A"),
        ("Text", "👍", '"👍"', "👍"),
        ("Text", "half \ud83d", '"half \ufffd"', "half \ufffd"),
        ("Flag", 1, "true", "true"),
        ("Flag", 0, "false", "false"),
        ("Flag", 7, "7", "7"),
        ("Number", 7.0, "7.0", "7.0"),
        ("Number", 1e-18, "0.000000000000000001", "0.000000000000000001"),
        ("Number", "123456789012345678", "123456789012345678", "123456789012345678"),
        ("Number", "0.1234567890123456789", "0.1234567890123456789", "0.1234567890123456789"),
        ("Number", "none", '"none"', "none"),
        ("Whole", 42, "42", "42"),
        ("Day", "2024-02-29", '"2024-02-29"', "2024-02-29"),
        ("Clock", "10:15:00.000Z", '"10:15:00.000Z"', "10:15:00.000Z"),
    ],
)
def test_a_stored_value_in_json_and_in_csv(field: str, stored: Stored, json: str, cell: str) -> None:
    order = update(**{field: stored})

    assert msgspec.json.encode(record(order)).decode() == f'{{"{field}":{json}}}'
    assert cells(order) == {field: cell}


def test_a_create_leaves_nulls_to_the_orgs_defaults_by_every_way() -> None:
    order = create(Text="x", Number=None)

    assert record(order) == {"Text": "x"}
    assert cells(order) == {"Text": "x"}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        *(("plain", True), ("null", True), ("a\nb", True), ('a"b', True)),
        *(("#N/A", False), (" a", False), ("a\t", False), ("a\r\nb", False), ("a\0b", False), ("x" * 131_073, False)),
    ],
)
def test_what_bulk_keeps_as_rest_does(text: str, fits: bool) -> None:
    assert fits_bulk(update(Text=text)) is fits
