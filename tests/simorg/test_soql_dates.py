"""Date literals as days."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest

from simorg.soql.dates import is_literal, midnight_ms, span

WEDNESDAY = date(2024, 5, 15)


@pytest.mark.parametrize(
    ("word", "n", "first", "after"),
    [
        ("TODAY", None, "2024-05-15", "2024-05-16"),
        ("YESTERDAY", None, "2024-05-14", "2024-05-15"),
        ("TOMORROW", None, "2024-05-16", "2024-05-17"),
        ("THIS_WEEK", None, "2024-05-12", "2024-05-19"),
        ("LAST_WEEK", None, "2024-05-05", "2024-05-12"),
        ("NEXT_WEEK", None, "2024-05-19", "2024-05-26"),
        ("THIS_MONTH", None, "2024-05-01", "2024-06-01"),
        ("LAST_MONTH", None, "2024-04-01", "2024-05-01"),
        ("NEXT_MONTH", None, "2024-06-01", "2024-07-01"),
        ("THIS_QUARTER", None, "2024-04-01", "2024-07-01"),
        ("LAST_FISCAL_QUARTER", None, "2024-01-01", "2024-04-01"),
        ("THIS_YEAR", None, "2024-01-01", "2025-01-01"),
        ("NEXT_FISCAL_YEAR", None, "2025-01-01", "2026-01-01"),
        ("LAST_90_DAYS", None, "2024-02-15", "2024-05-16"),
        ("NEXT_90_DAYS", None, "2024-05-16", "2024-08-14"),
        ("LAST_N_DAYS", 2, "2024-05-13", "2024-05-16"),
        ("NEXT_N_DAYS", 2, "2024-05-16", "2024-05-18"),
        ("N_DAYS_AGO", 2, "2024-05-13", "2024-05-14"),
        ("LAST_N_WEEKS", 2, "2024-04-28", "2024-05-12"),
        ("NEXT_N_WEEKS", 1, "2024-05-19", "2024-05-26"),
        ("N_WEEKS_AGO", 1, "2024-05-05", "2024-05-12"),
        ("LAST_N_MONTHS", 5, "2023-12-01", "2024-05-01"),
        ("NEXT_N_MONTHS", 8, "2024-06-01", "2025-02-01"),
        ("N_MONTHS_AGO", 5, "2023-12-01", "2024-01-01"),
        ("LAST_N_QUARTERS", 2, "2023-10-01", "2024-04-01"),
        ("N_FISCAL_QUARTERS_AGO", 2, "2023-10-01", "2024-01-01"),
        ("NEXT_N_YEARS", 2, "2025-01-01", "2027-01-01"),
        ("N_YEARS_AGO", 1, "2023-01-01", "2024-01-01"),
        ("LAST_N_YEARS", 100_000, "1700-01-01", "2024-01-01"),
    ],
)
def test_a_literal_is_a_run_of_days(word: str, n: int | None, first: str, after: str) -> None:
    assert is_literal(word, n is not None)
    assert span(word, n, WEDNESDAY) == (date.fromisoformat(first), date.fromisoformat(after))


def test_a_week_begins_on_sunday() -> None:
    assert span("THIS_WEEK", None, date(2024, 5, 12))[0] == date(2024, 5, 12)


def test_what_needs_a_number_is_no_literal_without_it() -> None:
    assert not is_literal("LAST_N_DAYS", False)
    assert not is_literal("TODAY", True)
    assert not is_literal("SOME_DAY", False)


def test_midnight_is_that_of_the_zone_even_when_the_clocks_change() -> None:
    zone = ZoneInfo("America/New_York")

    day = midnight_ms(date(2024, 3, 11), zone) - midnight_ms(date(2024, 3, 10), zone)

    assert day == 23 * 3_600_000
    assert midnight_ms(date(2024, 3, 10), zone) == 1_710_046_800_000
