"""Dates in the order of somebody's own country."""

import pytest

from salesforce_sync.errors import Misuse
from salesforce_sync.workbook.dates import read_date


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("13.04.2026", "2026-04-13"),
        ("13. 4. 2026", "2026-04-13"),
        ("4/13/2026", "2026-04-13"),
        (" 31-12-2026 ", "2026-12-31"),
        ("5.5.2026", "2026-05-05"),
        ("2026/4/13", "2026-04-13"),
        ("2026.04.05", "2026-04-05"),
        ("2026-4-5", "2026-04-05"),
        ("13.04.2026 14:30", "2026-04-13 14:30"),
        ("2026-04-13", "2026-04-13"),
        ("2026-04-13T14:30:00Z", "2026-04-13T14:30:00Z"),
        ("1 March 2026", "2026-03-01"),
        ("1. März 2026", "2026-03-01"),
        ("13-Mar-2026", "2026-03-13"),
        ("Mar 1, 2026", "2026-03-01"),
        ("september 3rd 2026", "2026-09-03"),
        ("3. DEZ. 2026 14:30", "2026-12-03 14:30"),
        ("14:30", "14:30"),
        ("March 2026", "March 2026"),
        ("1 Marzipan 2026", "1 Marzipan 2026"),
        ("\uff11 March 2026", "\uff11 March 2026"),
        ("March \u0661 2026", "March \u0661 2026"),
        ("tomorrow", "tomorrow"),
        ("1.2", "1.2"),
    ],
)
def test_a_date_with_one_reading(text, read):
    assert read_date(text) == read


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("03/04/2026", "two ways: 2026-03-04 or 2026-04-03"),
        ("3.4.2026 14:30", "two ways"),
        ("13.04.26", "two digits"),
        ("31.02.2026", "no day"),
        ("31. Februar 2026", "no day"),
        ("1-Mar-26", "two digits"),
        ("Mar 1, 26", "two digits"),
        ("13/13/2026", "no day"),
        ("2026/13/04", "no day"),
        ("1.1.0000", "no day"),
    ],
)
def test_a_date_that_is_not_taken_says_why(text, why):
    with pytest.raises(Misuse, match=why):
        read_date(text)
