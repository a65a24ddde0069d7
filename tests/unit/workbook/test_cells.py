"""What a cell holds of a value, and the way back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import format_datetime, same, store_decimal
from salesforce_sync.workbook.cells import (
    canonical,
    cut,
    escape,
    from_cell,
    is_cut,
    read_row_mark,
    row_hash,
    row_mark,
    shows,
    to_cell,
    unescape,
)
from tests.contract.nasty import NASTY
from tests.property.values import AWKWARD, DECIMALS, MOMENTS

KINDS = {
    "string": FieldType.TEXT,
    "reference": FieldType.REFERENCE,
    "boolean": FieldType.BOOLEAN,
    "int": FieldType.INTEGER,
    "double": FieldType.DECIMAL,
    "date": FieldType.DATE,
    "datetime": FieldType.DATETIME,
    "time": FieldType.TIME,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_nasty_value_comes_back_from_its_cell(kind):
    for nasty in NASTY[kind]:
        cell = to_cell(KINDS[kind], nasty.stored)

        assert shows(KINDS[kind], nasty.stored, cell)
        assert same(KINDS[kind], from_cell(KINDS[kind], cell), nasty.stored) or is_cut(nasty.stored)


@given(DECIMALS.map(store_decimal))
def test_every_decimal_comes_back_from_its_cell(stored):
    assert same(FieldType.DECIMAL, from_cell(FieldType.DECIMAL, to_cell(FieldType.DECIMAL, stored)), stored)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_of_more_digits_than_a_spreadsheet_keeps_is_a_text(number):
    cell = to_cell(FieldType.DECIMAL, number)

    assert float(cell) == number
    assert isinstance(cell, str) or float(f"{cell:.15g}") == number


@given(MOMENTS.map(format_datetime))
def test_every_moment_comes_back_from_its_cell_even_if_a_program_keeps_15_digits_of_it(stored):
    cell = to_cell(FieldType.DATETIME, stored)
    kept = float(f"{cell:.15g}") if isinstance(cell, float) else cell

    assert from_cell(FieldType.DATETIME, cell) == stored
    assert shows(FieldType.DATETIME, stored, kept)


@given(st.dates().map(str))
def test_every_date_comes_back_from_its_cell(stored):
    assert from_cell(FieldType.DATE, to_cell(FieldType.DATE, stored)) == stored


@given(st.times().map(lambda each: f"{each.replace(tzinfo=None).isoformat('milliseconds')}Z"))
def test_every_time_comes_back_from_its_cell(stored):
    assert from_cell(FieldType.TIME, to_cell(FieldType.TIME, stored)) == stored


@given(st.one_of(AWKWARD, st.text(), st.text("_x0F5\r\x00\ufffe")))
def test_every_text_comes_back_from_its_escapes(text):
    written = escape(text)

    assert unescape(written) == text
    assert not any(each < " " and each not in "\t\n" for each in written)


@pytest.mark.parametrize(
    ("kind", "stored", "cell"),
    [
        (FieldType.DATE, "1900-02-28", "1900-02-28"),
        (FieldType.DATE, "1900-03-01", 61),
        (FieldType.DATE, "2024-01-15", 45306),
        (FieldType.DATE, "not a date", "not a date"),
        (FieldType.DATE, "2024-13-01", "2024-13-01"),
        (FieldType.DATETIME, "2024-01-15T12:00:00.000Z", 45306.5),
        (FieldType.DATETIME, "1700-01-01T00:00:00.000Z", "1700-01-01T00:00:00.000Z"),
        (FieldType.TIME, "06:00:00.000Z", 0.25),
        (FieldType.INTEGER, 999_999_999_999_999, 999_999_999_999_999),
        (FieldType.INTEGER, 1_000_000_000_000_000, "1000000000000000"),
        (FieldType.DECIMAL, "1234567890123456.78", "1234567890123456.78"),
        (FieldType.DECIMAL, 0.1 + 0.2, "0.30000000000000004"),
        (FieldType.BOOLEAN, 1, True),
        (FieldType.TEXT, "00123", "00123"),
        (FieldType.TEXT, None, None),
    ],
)
def test_a_cell_holds_what_a_spreadsheet_can_hold_exactly(kind, stored, cell):
    assert to_cell(kind, stored) == cell
    assert type(to_cell(kind, stored)) is type(cell)


def test_a_text_longer_than_a_cell_is_cut_and_says_so():
    long = "👍" * 20_000

    shown = cut(long)

    assert is_cut(long)
    assert len(shown.encode("utf-16-le")) // 2 <= 32_767
    assert shown.endswith("characters]")
    assert shows(FieldType.TEXT, long, shown)
    assert not is_cut("x" * 32_767)
    assert cut("x" * 32_767) == "x" * 32_767


@pytest.mark.parametrize(
    ("kind", "cell", "stored"),
    [
        (FieldType.TEXT, 123, "123"),
        (FieldType.TEXT, 1.5, "1.5"),
        (FieldType.TEXT, True, "TRUE"),
        (FieldType.BOOLEAN, 1, 1),
        (FieldType.BOOLEAN, "yes", 1),
        (FieldType.INTEGER, 5.0, 5),
        (FieldType.INTEGER, "5", 5),
        (FieldType.DECIMAL, 0.1 + 0.2, 0.3),
        (FieldType.DECIMAL, 1e20, 1e20),
        (FieldType.DATE, "2024-01-15", "2024-01-15"),
        (FieldType.DATETIME, "2024-01-15 14:30", "2024-01-15T14:30:00.000Z"),
        (FieldType.DATETIME, "2024-01-15T14:30:00+02:00", "2024-01-15T12:30:00.000Z"),
        (FieldType.DATE, "", None),
    ],
)
def test_what_a_person_types_is_understood(kind, cell, stored):
    assert from_cell(kind, cell) == stored


@pytest.mark.parametrize(
    ("kind", "cell"),
    [
        (FieldType.BOOLEAN, 2),
        (FieldType.BOOLEAN, "perhaps"),
        (FieldType.INTEGER, 5.5),
        (FieldType.INTEGER, True),
        (FieldType.DECIMAL, "1,5"),
        (FieldType.DATE, 45306.5),
        (FieldType.DATE, 12),
        (FieldType.DATE, 1e12),
        (FieldType.DATE, "03/04/2026"),
        (FieldType.TIME, 1.5),
        (FieldType.TIME, "noon"),
    ],
)
def test_what_cannot_be_meant_is_refused(kind, cell):
    with pytest.raises(Misuse):
        from_cell(kind, cell)


def test_another_line_end_is_no_edit_and_another_word_is():
    assert shows(FieldType.TEXT, "a\r\nb", "a\nb")
    assert not shows(FieldType.TEXT, "a\r\nb", "a b")
    assert shows(FieldType.BOOLEAN, 1, 1)
    assert not shows(FieldType.BOOLEAN, 1, None)
    assert not shows(FieldType.DATE, "2024-01-15", "soon")


def test_an_escape_that_a_script_took_for_a_text_is_no_edit():
    assert shows(FieldType.TEXT, "a\r\nb\x01", "a_x000D_\nb_x0001_")
    assert shows(FieldType.TEXT, "_x000D_", "_x005F_x000D_")
    assert not shows(FieldType.TEXT, "a\nb", "a_x000A_c")


@pytest.mark.parametrize(
    ("kind", "stored", "written", "shown"),
    [
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:41.990Z", True),
        (FieldType.DATETIME, "2026-06-02T23:15:42.127Z", "2026-06-02T23:15:42.120Z", True),
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:41.980Z", False),
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:42.010Z", False),
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:41.995Z", False),
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:41.999Z", True),
        (FieldType.DATETIME, "2026-06-02T23:15:42.127Z", "2026-06-02T23:15:42.126Z", True),
        (FieldType.DATETIME, "2026-06-02T23:15:42.000Z", "2026-06-02T23:15:42.001Z", False),
        (FieldType.TIME, "14:30:00.000Z", "14:29:59.990Z", True),
        (FieldType.TIME, "14:30:00.000Z", "14:29:59.999Z", True),
        (FieldType.TIME, "14:30:00.000Z", "14:29:00.000Z", False),
    ],
)
def test_a_moment_that_was_cut_to_a_hundredth_or_by_a_thousandth_of_a_second_is_no_edit(kind, stored, written, shown):
    assert shows(kind, stored, to_cell(kind, written)) is shown


@pytest.mark.parametrize(
    ("kind", "stored", "cell", "shown"),
    [
        (FieldType.DECIMAL, 1.2345678901234568e17, 1.2345678901234568e17, True),
        (FieldType.DECIMAL, "123456789012345678", 1.2345678901234568e17, True),
        (FieldType.DECIMAL, "123456789012345678", 123456789012346000.0, True),
        (FieldType.DECIMAL, "123456789012345678", 123456789012345000.0, True),
        (FieldType.DECIMAL, "-999999999999999999", -1e18, True),
        (FieldType.DECIMAL, "48.137154000000001", 48.137154, True),
        (FieldType.INTEGER, 9007199254740993, 9007199254740992.0, True),
        (FieldType.DECIMAL, "123456789012345678", 123456789012347000.0, False),
        (FieldType.DECIMAL, "48.137154000000001", 48.137155, False),
        (FieldType.DECIMAL, "48.137154000000001", "48.137154", False),
        (FieldType.DECIMAL, "48.137154000000001", None, False),
        (FieldType.INTEGER, 9007199254740993, True, False),
        (FieldType.TEXT, "123456789012345678", 1.2345678901234568e17, False),
    ],
)
def test_a_number_of_which_a_program_has_kept_15_digits_is_no_edit(kind, stored, cell, shown):
    assert shows(kind, stored, cell) is shown


@pytest.mark.parametrize("text", ["2026-03-04 00:00:00", "2026-03-04T00:00", " 2026-03-04 00:00:00.000 "])
def test_a_day_that_a_script_has_written_with_its_midnight_is_that_day(text):
    assert from_cell(FieldType.DATE, text) == "2026-03-04"
    assert shows(FieldType.DATE, "2026-03-04", text)


@pytest.mark.parametrize("text", ["2026-03-04 00:00:01", "2026-03-04 00", "2026-03-04T00:00:00Z", "2026-03-04 12:00"])
def test_a_day_with_a_time_of_day_is_none(text):
    with pytest.raises(Misuse):
        from_cell(FieldType.DATE, text)


@pytest.mark.parametrize(
    ("kind", "stored"), [(FieldType.DATETIME, "2026-01-31T10:00:00.000Z"), (FieldType.TIME, "10:00:00.000Z")]
)
def test_the_largest_number_of_a_spreadsheet_shows_no_time(kind, stored):
    assert not shows(kind, stored, 9.99999999999999e307)


def test_a_rows_hash_does_not_change_from_version_to_version():
    values = ("003000000000001AAA", None, "Zoë", 1, 0.1, 1e16, 1.5e-7, "1234567890123456.78", "2024-01-15")

    assert row_hash(values) == "f6d5de4a00f4e066"


def test_values_that_are_the_same_have_one_hash():
    five = [canonical(FieldType.DECIMAL, each) for each in (5, 5.0)]
    zero = [canonical(FieldType.DECIMAL, each) for each in (0, 0.0, -0.0)]

    assert len({row_hash([each]) for each in five}) == 1
    assert len({row_hash([each]) for each in zero}) == 1
    assert canonical(FieldType.TEXT, "") is None
    assert canonical(FieldType.DECIMAL, "1.5") == "1.5"
    assert row_hash([None]) != row_hash(["null"])


def test_a_rows_mark_is_read_back():
    mark = row_mark("2024-01-15T10:30:00.000Z", ["a", None])

    assert read_row_mark(mark) == ("2024-01-15T10:30:00.000Z", row_hash(["a", None]))
    assert read_row_mark(row_mark(None, [])) == ("", row_hash([]))
    assert read_row_mark(row_mark("2024-01-15T10:30:00.000Z", ["a"], ["Acme", None])) == (
        "2024-01-15T10:30:00.000Z",
        row_hash(["a"]),
    )
    assert read_row_mark("something else") is None
    assert read_row_mark(None) is None
