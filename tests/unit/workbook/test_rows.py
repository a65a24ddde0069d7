"""Rows as XML: whatever the values are, a sheet's reader finds what `to_cell` says of them."""

from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import format_datetime, store_decimal
from salesforce_sync.workbook.cells import from_cell, row_mark, shows, to_cell, unescape
from salesforce_sync.workbook.rows import Look, RowWriter, Source, encoder_of
from tests.contract.nasty import NASTY
from tests.property.values import AWKWARD, DECIMALS, MOMENTS
from tests.unit.workbook.test_cells import KINDS

OPEN = Look("B", "1", "2", "3", fills=False)
FILLING = Look("B", "1", "2", "3", fills=True)


def read(cells):
    """The cells' numbers, styles and values, as a reader of the sheet finds them."""
    row = ElementTree.fromstring(f"<row>{''.join(cells)}</row>")
    return {each.get("r"): (each.get("s"), _value(each)) for each in row}


def _value(cell):
    if cell.get("t") == "inlineStr":
        text = cell.find("is/t")
        shown = text.text or ""
        assert shown == shown.strip(" \t\n") or text.get("{http://www.w3.org/XML/1998/namespace}space") == "preserve"
        return unescape(shown)
    value = cell.find("v")
    if value is None:
        return None
    return value.text == "1" if cell.get("t") == "b" else float(value.text)


def encoded(kind, values, look=OPEN):
    numbers = [str(at) for at in range(2, len(values) + 2)]
    return read(encoder_of(kind, look)(tuple(values), numbers))


def agrees(kind, values, look=OPEN):
    found = encoded(kind, values, look)
    for at, value in enumerate(values, 2):
        style, cell = found.get(f"B{at}", (None, None))
        wanted = to_cell(kind, value)
        assert type(cell) is (float if type(wanted) is int else type(wanted)), value
        assert shows(kind, value, cell)
        assert near(cell, wanted)
        assert style != "2" or kind in (FieldType.TEXT, FieldType.REFERENCE) or isinstance(wanted, str)
        assert style is not None or (not value and not look.fills)


def near(cell, wanted):
    """The same, but for what lies behind the ninth digit of a day."""
    numbers = isinstance(cell, float) and not isinstance(wanted, str | bool)
    return abs(cell - wanted) < 1e-9 if numbers and abs(wanted) < 10**7 else cell == wanted


STORED = {
    FieldType.TEXT: st.one_of(AWKWARD, st.text()),
    FieldType.INTEGER: st.integers(-(2**63), 2**63 - 1),
    FieldType.DECIMAL: DECIMALS.map(store_decimal),
    FieldType.BOOLEAN: st.sampled_from([0, 1]),
    FieldType.DATE: st.dates().map(str),
    FieldType.DATETIME: MOMENTS.map(format_datetime),
    FieldType.TIME: st.times().map(lambda each: f"{each.replace(tzinfo=None).isoformat('milliseconds')}Z"),
}
PLAIN = {
    FieldType.TEXT: st.text("abc &<>ü"),
    FieldType.INTEGER: st.integers(-1000, 1000),
    FieldType.DECIMAL: st.integers(-(10**6), 10**6).map(lambda each: each / 100),
    FieldType.BOOLEAN: st.sampled_from([0, 1]),
    FieldType.DATE: st.dates(date(1950, 1, 1)).map(str),
    FieldType.DATETIME: MOMENTS.map(format_datetime).filter(lambda each: each > "1900-03-02"),
    FieldType.TIME: STORED[FieldType.TIME],
}


@pytest.mark.parametrize("kind", STORED)
@given(data=st.data())
def test_a_column_of_any_values_is_written_as_its_cells_say(kind, data):
    look = data.draw(st.sampled_from([OPEN, FILLING]))
    values = data.draw(
        st.one_of(*(st.lists(st.none() | pool[kind], min_size=1, max_size=9) for pool in (STORED, PLAIN)))
    )

    agrees(kind, values, look)


@pytest.mark.parametrize("kind", KINDS)
def test_nasty_values_are_written_as_their_cells_say_alone_and_together(kind):
    values = [nasty.stored for nasty in NASTY[kind]]

    agrees(KINDS[kind], values)
    for value in values:
        agrees(KINDS[kind], [value, None, value])


@pytest.mark.parametrize("kind", STORED)
def test_what_somebody_wrote_by_plain_sql_is_written_too(kind):
    for value in ("", "not a date", 5, 0.1 + 0.2, 1e300, 2**62, "2024-01-15T25:00:00.000Z", "24:00:00.000Z"):
        found = encoded(kind, [value, None])

        assert found.get("B2", ("", None))[1] == to_cell(kind, value)


def test_a_text_that_is_cut_looks_like_one():
    found = encoded(FieldType.TEXT, ["short", "x" * 40_000])

    assert [style for style, _ in found.values()] == ["2", "3"]


def test_a_text_among_numbers_looks_like_a_text():
    found = encoded(FieldType.DECIMAL, [1.5, "1234567890123456.78"])

    assert found == {"B2": ("1", 1.5), "B3": ("2", "1234567890123456.78")}


def test_no_text_becomes_a_formula_or_a_link():
    cells = encoder_of(FieldType.TEXT, OPEN)(("=1+1", "https://example.com", "@x", "+1"), ("2", "3", "4", "5"))

    assert all('t="inlineStr"' in cell and "<f" not in cell and "<v" not in cell for cell in cells)


def test_a_row_ends_with_the_mark_of_its_own_values():
    sources = tuple(
        Source(at, encoder_of(kind, Look(letters, "1", "2", "3", fills=False)))
        for at, (kind, letters) in enumerate([(FieldType.ID, "A"), (FieldType.DECIMAL, "B"), (FieldType.TEXT, "C")])
    )
    writer = RowWriter((FieldType.ID, FieldType.DECIMAL), sources, None, Look("D", "1", "2", "3", fills=False))

    rows = ElementTree.fromstring(b"<d>" + writer.write([("a", 5, "Name"), ("b", 5.5, None)], 2) + b"</d>")

    assert [row.get("r") for row in rows] == ["2", "3"]
    assert read(ElementTree.tostring(each, "unicode") for each in rows[0]) == {
        "A2": ("2", "a"),
        "B2": ("1", 5.0),
        "C2": ("2", "Name"),
        "D2": ("2", row_mark("", ["a", 5.0], ["Name"])),
    }
    assert _value(rows[1][-1]) == row_mark("", ["b", 5.5], [None])


def test_a_datetime_is_exact_to_the_millisecond():
    moments = [f"2024-02-29T23:59:{at:02}.{at * 16:03}Z" for at in range(60)]

    found = encoded(FieldType.DATETIME, moments)

    assert [from_cell(FieldType.DATETIME, cell) for _, cell in found.values()] == moments
