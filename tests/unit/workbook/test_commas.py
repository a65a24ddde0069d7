"""Numbers with the commas of somebody's own country."""

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.workbook.commas import read_commas


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1.200,50", "1200.50"),
        ("1,200.50", "1200.50"),
        ("-1.234.567,8", "-1234567.8"),
        ("1.200,500", "1200.500"),
        ("1,234,567", "1234567"),
        ("12,5", "12.5"),
        (" 1,50 ", "1.50"),
        ("0,125", "0.125"),
        ("1234,567", "1234.567"),
        (",5", "0.5"),
        ("1 234,50", "1234.50"),
        ("1\xa0234\xa0567,5", "1234567.5"),
        ("-1\u202f234", "-1234"),
        ("1 234.50", "1234.50"),
        ("12 345,678", "12345.678"),
        ("1'234.50", "1234.50"),
        ("1’234’567", "1234567"),
        ("12 34", "12 34"),
        ("1 2345", "1 2345"),
        ("0 123", "0 123"),
        ("1 234'567", "1 234'567"),
        ("1234.5", "1234.5"),
        ("many", "many"),
    ],
)
def test_a_number_with_one_reading(text, read):
    assert read_commas(text) == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1,234", "1234 or 1.234"),
        ("-12,345", "two ways"),
        ("1,50,000", "no number"),
        ("1,2,3", "no number"),
        ("1.2,3", "no number"),
        ("12.34,5", "no number"),
        ("one, two", "no number"),
        ("1.234,567,890", "no number"),
        ("12 34,5", "no number"),
        ("1 234,5,6", "no number"),
    ],
)
def test_a_number_that_is_not_taken_says_why(text, why):
    with pytest.raises(Misuse, match=why):
        read_commas(text)
