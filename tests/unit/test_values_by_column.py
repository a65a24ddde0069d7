"""A column's values in the stored form at once are what they are one by one."""

from decimal import Decimal

import pytest

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import from_rest, store_datetimes, store_decimals
from tests.contract.nasty import NASTY

UTC, NUMBERS = "2026-01-31T23:59:59.123+0000", [Decimal("1.50"), None, Decimal("-7"), Decimal("1E+3")]
MOMENTS = [each.rest for each in NASTY["datetime"]]
AMOUNTS = [each.rest for kind in ("double", "currency", "percent") for each in NASTY.get(kind, ())]


def typed(column):
    return [(type(each), each) for each in column]


@pytest.mark.parametrize(
    "column",
    [
        [],
        [None, None],
        [UTC],
        [UTC, None, UTC],
        MOMENTS,
        *([each] for each in MOMENTS),
        *([UTC, each, None] for each in MOMENTS),
        [UTC, "", "+0000", "\n"],
        [UTC[:19] + "+0000", f"{UTC}\n{UTC}"],
        [UTC.replace("+0000", "+0530"), UTC.replace("+0000", "Z"), "2026-01-31T23:59:59.12+01:00"],
    ],
)
def test_datetimes(column):
    given = [each or None for each in column]

    assert typed(store_datetimes(given)) == typed(from_rest(FieldType.DATETIME, each) for each in given)


@pytest.mark.parametrize(
    "column",
    [
        [],
        [None, None],
        NUMBERS,
        AMOUNTS,
        *([each] for each in AMOUNTS),
        *([*NUMBERS, each] for each in AMOUNTS),
        [*NUMBERS, Decimal("1234567890123456.78")],
        [*NUMBERS, Decimal("NaN"), Decimal("-Infinity")],
        [Decimal("0.000000000000000001"), Decimal("100000000000000000000")],
    ],
)
def test_decimals(column):
    assert typed(store_decimals(column)) == typed(from_rest(FieldType.DECIMAL, each) for each in column)
