"""Stored value ↔ Python value."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import decode, encode, store_datetime, store_decimal

PLUS_TWO = timezone(timedelta(hours=2))

GOOD = [
    (FieldType.TEXT, "Jane", "Jane"),
    (FieldType.TEXT, "", None),
    (FieldType.TEXT, "  ", "  "),
    (FieldType.ID, "003000000000001AAA", "003000000000001AAA"),
    (FieldType.REFERENCE, None, None),
    (FieldType.BOOLEAN, True, 1),
    (FieldType.BOOLEAN, False, 0),
    (FieldType.INTEGER, 42, 42),
    (FieldType.INTEGER, -(2**63), -(2**63)),
    (FieldType.DECIMAL, Decimal("0.1"), 0.1),
    (FieldType.DECIMAL, 0.1, 0.1),
    (FieldType.DECIMAL, 7, 7.0),
    (FieldType.DECIMAL, "12.50", 12.5),
    (FieldType.DECIMAL, Decimal("123456789012345678"), "123456789012345678"),
    (FieldType.DECIMAL, 123456789012345678, "123456789012345678"),
    (FieldType.DATE, date(1700, 1, 1), "1700-01-01"),
    (FieldType.DATE, "4000-12-31", "4000-12-31"),
    (FieldType.DATETIME, datetime(2024, 1, 15, 12, 30, tzinfo=PLUS_TWO), "2024-01-15T10:30:00.000Z"),
    (FieldType.DATETIME, datetime(1700, 1, 1, tzinfo=UTC), "1700-01-01T00:00:00.000Z"),
    (FieldType.DATETIME, datetime(900, 1, 1, tzinfo=UTC), "0900-01-01T00:00:00.000Z"),
    (FieldType.DATETIME, "2024-01-15T10:30:00Z", "2024-01-15T10:30:00.000Z"),
    (FieldType.TIME, time(9, 5), "09:05:00.000Z"),
    (FieldType.TIME, "09:05:00.123Z", "09:05:00.123Z"),
]

BAD = [
    (FieldType.TEXT, 7, "not a text"),
    (FieldType.TEXT, b"bytes", "not a text"),
    (FieldType.TEXT, "a\ud800b", "half of a character"),
    (FieldType.TEXT, "M\udcfcller", "not UTF-8 text: it has the byte FC"),
    (FieldType.REFERENCE, 3, "not a text"),
    (FieldType.BOOLEAN, 1, "neither True nor False"),
    (FieldType.BOOLEAN, "true", "neither True nor False"),
    (FieldType.INTEGER, 1.0, "not a whole number"),
    (FieldType.INTEGER, True, "not a whole number"),
    (FieldType.INTEGER, 2**63, "not a whole number"),
    (FieldType.DECIMAL, "twelve", "not a number"),
    (FieldType.DECIMAL, True, "not a number"),
    (FieldType.DECIMAL, Decimal("NaN"), "not a number"),
    (FieldType.DECIMAL, float("inf"), "not a number"),
    (FieldType.DECIMAL, "-Infinity", "not a number"),
    (FieldType.DATE, datetime(2024, 1, 15, tzinfo=UTC), "not a date"),
    (FieldType.DATE, "15.1.2024", "not a date"),
    (FieldType.DATE, "2024-02-30", "not a date"),
    (FieldType.DATETIME, datetime(2024, 1, 15), "no time zone"),
    (FieldType.DATETIME, "2024-01-15T10:30:00", "no time zone"),
    (FieldType.DATETIME, date(2024, 1, 15), "not a datetime"),
    (FieldType.DATETIME, "soon", "not a datetime"),
    (FieldType.DATETIME, "9999-12-31T23:59:59-05:00", "not a datetime"),
    (FieldType.TIME, "25:00", "not a time"),
    (FieldType.TIME, 9, "not a time"),
    (FieldType.TIME, time(9, tzinfo=PLUS_TWO), "time zone"),
]


@pytest.mark.parametrize(("kind", "value", "stored"), GOOD)
def test_a_value_is_stored_as(kind, value, stored):
    got = encode(kind, value)

    assert got == stored
    assert type(got) is type(stored)


@pytest.mark.parametrize(("kind", "value", "reason"), BAD)
def test_a_value_that_does_not_fit_is_refused(kind, value, reason):
    with pytest.raises(Misuse, match=reason):
        encode(kind, value)


@pytest.mark.parametrize(
    ("kind", "stored", "value"),
    [
        (FieldType.TEXT, "x", "x"),
        (FieldType.BOOLEAN, 1, True),
        (FieldType.INTEGER, 7, 7),
        (FieldType.DECIMAL, 0.1, Decimal("0.1")),
        (FieldType.DECIMAL, 1e22, Decimal("1e22")),
        (FieldType.DECIMAL, "123456789012345678", Decimal("123456789012345678")),
        (FieldType.DATE, "4000-12-31", date(4000, 12, 31)),
        (FieldType.DATETIME, "1700-01-01T00:00:00.000Z", datetime(1700, 1, 1, tzinfo=UTC)),
        (FieldType.TIME, "23:59:59.999Z", time(23, 59, 59, 999_000)),
        (FieldType.DATE, None, None),
    ],
)
def test_a_stored_value_is_shown_as(kind, stored, value):
    got = decode(kind, stored)

    assert got == value
    assert type(got) is type(value)


def test_a_shown_datetime_has_its_zone():
    assert decode(FieldType.DATETIME, "2024-01-15T10:30:00.000Z").utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("digits", "stored"),
    [
        ("999999999999999", 999999999999999.0),
        ("1000000000000001", "1000000000000001"),
        ("1E+300", 1e300),
        ("1E-17", 1e-17),
        ("-0.000000000000000000123456789012345678", "-0.000000000000000000123456789012345678"),
        ("100000000000000000000.00", 1e20),
    ],
)
def test_a_decimal_is_a_float_only_where_a_float_has_all_its_digits(digits, stored):
    assert store_decimal(Decimal(digits)) == stored


@pytest.mark.parametrize("text", ["", "soon", "2024-13-01T00:00:00Z", "9999-12-31T23:59:59-05:00"])
def test_a_text_that_is_no_datetime_is_kept_as_it_came(text):
    assert store_datetime(text) == text
