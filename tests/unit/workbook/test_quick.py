"""Rows that show what was exported are recognised by their cells alone, and no others are."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import format_datetime, store_decimal
from salesforce_sync.testing import make_field
from salesforce_sync.workbook.cells import canonical, is_cut, row_hash, to_cell
from salesforce_sync.workbook.incoming import Dated
from salesforce_sync.workbook.quick import QuickLook
from tests.contract.nasty import NASTY
from tests.property.values import AWKWARD, DECIMALS

TIMES = (FieldType.DATE, FieldType.DATETIME, FieldType.TIME)


def back(kind, stored):
    """The cell as the reader gives it."""
    cell = to_cell(kind, stored)
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return cell
    return Dated(cell) if kind in TIMES else float(cell)


def is_as_exported(salesforce_type, stored, cell):
    field = make_field("X__c", salesforce_type)
    digest = row_hash([canonical(field.type, stored)])
    return QuickLook([field], [0]).is_as_exported({} if cell is None else {0: cell}, digest)


@pytest.mark.parametrize("salesforce_type", NASTY)
def test_every_nasty_value_is_recognised(salesforce_type):
    kind = make_field("X__c", salesforce_type).type
    for nasty in NASTY[salesforce_type]:
        # A text that was cut has to be looked up, and so has a day that no spreadsheet has.
        if not is_cut(nasty.stored):
            assert is_as_exported(salesforce_type, nasty.stored, back(kind, nasty.stored)), nasty


@given(DECIMALS)
def test_every_decimal_is_recognised(value):
    stored = store_decimal(value)

    assert is_as_exported("double", stored, back(FieldType.DECIMAL, stored))


@given(st.datetimes(datetime(1900, 3, 1), datetime(9999, 12, 31)))
def test_every_moment_is_recognised_to_the_millisecond(moment):
    stored = format_datetime(moment.replace(tzinfo=UTC))

    assert is_as_exported("datetime", stored, back(FieldType.DATETIME, stored))


@given(AWKWARD, AWKWARD)
def test_another_text_is_another(one, other):
    assert is_as_exported("string", one, other or None) is ((one or None) == (other or None))


@pytest.mark.parametrize(
    ("salesforce_type", "stored", "cell"),
    [
        ("int", 5, 5.7),
        ("int", 1, True),
        ("int", 5, None),
        ("boolean", 1, 1.5),
        ("boolean", 0, None),
        ("double", 5.0, True),
        ("double", 5.0, 5.1),
        ("date", "2026-01-01", Dated(46023.5)),
        ("date", "2026-01-01", Dated(-1e300)),
        ("datetime", "2026-01-01T00:00:00.000Z", Dated(1e300)),
        ("time", "00:00:00.000Z", Dated(1.0)),
        ("string", "5", 5.0),
        ("string", "1", True),
    ],
)
def test_what_was_edited_is_not_recognised(salesforce_type, stored, cell):
    assert not is_as_exported(salesforce_type, stored, cell)


def test_a_row_with_a_column_taken_out_has_to_be_looked_up():
    fields = [make_field("A__c"), make_field("B__c")]

    assert not QuickLook(fields, [0, None]).is_as_exported({0: "a"}, row_hash(["a", None]))
