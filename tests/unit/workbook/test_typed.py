"""What a person typed into a number's cell, held against what the field can hold."""

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field
from salesforce_sync.testing import make_field, make_schema
from salesforce_sync.workbook.incoming import Percent
from salesforce_sync.workbook.typed import read_typed, typed_otherwise


def field(kind: str, precision: int, scale: int) -> Field:
    return make_schema("Thing__c", make_field("Value__c", kind, precision=precision, scale=scale)).field("Value__c")


@pytest.mark.parametrize(
    ("kind", "cell", "stored"),
    [
        ("percent", Percent(0.5), 50.0),
        ("percent", Percent(0.123), 12.3),
        ("percent", Percent(1.1), 110.0),
        ("percent", 50.0, 50.0),
        ("percent", "50%", 50.0),
        ("percent", " 12,5 % ", 12.5),
        ("percent", "50", 50.0),
        ("currency", Percent(0.5), 0.5),
    ],
)
def test_a_percentage_is_the_number_that_it_shows(kind, cell, stored):
    assert read_typed(field(kind, 18, 2), cell) == stored


@pytest.mark.parametrize(
    ("kind", "cell", "old", "told"),
    [
        ("percent", 0.5, 989.01, "0.5, or 50%"),
        ("percent", -0.07, None, "-0.07, or -7%"),
        ("percent", 0.5, 0.25, ""),
        ("percent", 0.0, 989.01, ""),
        ("percent", 1.0, 989.01, ""),
        ("percent", Percent(0.5), 989.01, ""),
        ("currency", 0.5, 989.01, ""),
    ],
)
def test_a_number_that_may_have_been_typed_as_a_percentage_is_told(kind, cell, old, told):
    value = field(kind, 18, 2)

    assert typed_otherwise(value, cell, read_typed(value, cell), old) == told


@pytest.mark.parametrize(("kind", "text"), [("currency", "50%"), ("percent", "50%%"), ("percent", "%")])
def test_a_percent_sign_that_says_nothing_certain_is_refused(kind, text):
    with pytest.raises(Misuse, match="number"):
        read_typed(field(kind, 18, 2), text)


@pytest.mark.parametrize(
    ("cell", "stored"),
    [(1 / 3, 0.33), (2.005, 2.01), (-2.005, -2.01), ("12.3456", 12.35), ("0.125", 0.13), (1e15 / 3, 333333333333333.0)],
)
def test_decimals_that_the_field_cannot_have_are_rounded_as_its_column_shows_them(cell, stored):
    assert read_typed(field("currency", 18, 2), cell) == stored


@pytest.mark.parametrize("text", ["1.234", " -12.345 ", "1.234.567"])
def test_a_dot_before_three_digits_may_separate_thousands(text):
    with pytest.raises(Misuse, match="two ways"):
        read_typed(field("currency", 18, 2), text)


def test_where_three_decimals_are_usual_a_dot_is_a_decimal_point():
    assert read_typed(field("double", 18, 6), "1.234") == 1.234


@pytest.mark.parametrize("cell", [3e9, "9007199254740993", "-9223372036854775808"])
def test_a_long_whole_number_is_larger_than_others_can_be(cell):
    assert read_typed(field("long", 0, 0), cell) == int(cell)
    with pytest.raises(Misuse, match="2,147,483,647"):
        read_typed(field("int", 0, 0), cell)
