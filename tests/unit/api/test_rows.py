from __future__ import annotations

import json
import tracemalloc
from decimal import Decimal

import pytest

from salesforce_sync.api.rows import Outline, PageDecoder
from salesforce_sync.errors import SchemaChanged, Unreachable
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.testing import make_field, make_schema
from tests.unit.api.schemas import schema_of

SCHEMA = schema_of(Name="string", Amount="currency", Active__c="boolean", Size="int", Born="date", Any__c="anyType")


def page(*rows: str, **top: object) -> bytes:
    head = {"totalSize": len(rows), "done": True, **top}
    return (json.dumps(head)[:-1] + ',"records":[' + ",".join(rows) + "]}").encode()


def row(schema: ObjectSchema = SCHEMA, **cells: str) -> str:
    texts = {field.name: "null" for field in schema.columns} | cells
    attributes = '"attributes":{"type":"Contact","url":"/services/data/v58.0/sobjects/Contact/003"}'
    return "{" + attributes + "," + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}"


def cells(text: str) -> dict[str, object]:
    (decoded,) = PageDecoder(SCHEMA).decode(page(text)).rows
    return {field.name: value for field, value in zip(SCHEMA.columns, decoded, strict=True)}


def test_cells_come_in_the_order_of_the_columns_whatever_the_order_of_the_keys() -> None:
    text = '{"Name":"N","SystemModstamp":"S","Any__c":"A","Born":"B","Size":7,"Active__c":true,"Amount":1.50,"Id":"I"}'

    decoded = PageDecoder(SCHEMA).decode(page(text))

    assert decoded.rows == [("I", "N", Decimal("1.50"), True, 7, "B", "A", "S")]


@pytest.mark.parametrize(
    "digits", ["1234567890123456.78", "100.0", "0.000000000000000001", "-0.1", "7", "12E+3", "0.0"]
)
def test_decimals_keep_every_digit(digits: str) -> None:
    amount = cells(row(Amount=digits))["Amount"]

    assert isinstance(amount, Decimal)
    assert amount == Decimal(digits)


@pytest.mark.parametrize("text", [" ", "null", "#N/A", "00123", 'q"uo\\te', "two\nlines", "🎉 عربي", "x" * 32_000])
def test_texts_stay_as_they_are(text: str) -> None:
    assert cells(row(Name=json.dumps(text)))["Name"] == text


def test_null_is_none_in_every_column() -> None:
    assert set(cells(row()).values()) == {None}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Size", "5.0", 5),
        ("Size", '"5"', 5),
        ("Size", "12345678901", 12345678901),
        ("Amount", '"1.50"', Decimal("1.50")),
        ("Active__c", '"true"', True),
        ("Any__c", "7", "7"),
        ("Any__c", "12.50", "12.50"),
        ("Any__c", "true", "true"),
        ("Any__c", '{"a":[1]}', '{"a":[1]}'),
        ("Name", "1e3", "1e3"),
    ],
)
def test_a_value_of_another_json_type_does_not_stop_the_page(name: str, text: str, value: object) -> None:
    decoded = cells(row(SCHEMA, **{name: text}))

    assert decoded[name] == value
    assert decoded["Id"] is None


@pytest.mark.parametrize(
    ("name", "text"), [("Size", "5.5"), ("Size", '"many"'), ("Amount", "true"), ("Active__c", "1")]
)
def test_a_value_that_its_column_cannot_hold_is_an_error(name: str, text: str) -> None:
    with pytest.raises(SchemaChanged, match=name):
        cells(row(SCHEMA, **{name: text}))


@pytest.mark.parametrize("other", ["null", "5.0"])
def test_a_field_that_is_missing_is_not_null(other: str) -> None:
    incomplete = row(Size=other).replace('"Name":null,', "")

    with pytest.raises(SchemaChanged, match="Name") as caught:
        cells(incomplete)

    assert caught.value.code == "MISSING_FIELD"


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>Down for maintenance</html>", b"[]", b'{"totalSize":1}', b'{"totalSize":1,"done":tr', b'"\xff"'],
)
def test_what_is_no_page_is_an_error_of_ours(body: bytes) -> None:
    with pytest.raises(Unreachable, match="Contact"):
        PageDecoder(SCHEMA).decode(body)


def test_the_page_tells_where_the_next_one_is() -> None:
    body = page(row(), totalSize=5000, done=False, nextRecordsUrl="/services/data/v58.0/query/0r8-1")

    decoded = PageDecoder(SCHEMA).decode(body)

    assert (decoded.total, decoded.done, decoded.next_path) == (5000, False, "/services/data/v58.0/query/0r8-1")


def test_an_object_may_have_many_fields() -> None:
    wide = schema_of(**{f"Field_{at}__c": "string" for at in range(800)})

    decoded = PageDecoder(wide).decode(page(row(wide, Field_799__c='"last"')))

    assert decoded.rows[0][800] == "last"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"cut\ud83d"', "cut\ufffd"),
        (r'"\udc00 alone, \uD83D\uDE00 whole"', "\ufffd alone, \U0001f600 whole"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (r'"\ud83dcd \\ud83d"', "\ufffdcd \\ud83d"),
        (r'"a\u0000b"', "a\0b"),
    ],
)
def test_half_a_character_is_replaced(text: str, value: str) -> None:
    """A text of Salesforce is cut in UTF-16 units, so an emoji at its end may be cut in two."""
    assert cells(row(Name=text))["Name"] == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 18446744073709551615.0),
        ("-1e300", -1e300),
        ("1e400", float("inf")),
    ],
)
def test_a_whole_number_beyond_64_bits_is_a_float(text: str, value: float) -> None:
    """SQLite has no larger whole numbers, and reads the same text from Bulk so."""
    got = cells(row(Size=text))["Size"]

    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize("odd", ["null", "5", '{"a":""}'])
def test_an_empty_text_is_null_in_whatever_row_it_comes(odd: str) -> None:
    """Bulk cannot tell them apart, and Salesforce keeps no empty texts."""
    decoded = PageDecoder(SCHEMA).decode(page(row(Name='"N"'), row(Name='""', Any__c=odd), row(Any__c=r'"\""')))

    assert [each[1] for each in decoded.rows] == ["N", None, None]
    assert [each[-2] for each in decoded.rows] == [None, None if odd == "null" else odd, '"']


@pytest.mark.parametrize("size", ["7", '"7"'])
def test_an_empty_text_is_null_in_a_record_that_was_read_alone(size: str) -> None:
    decoded = PageDecoder(SCHEMA).record(row(Name='""', Born='""', Size=size).encode())

    assert dict(zip((field.name for field in SCHEMA.columns), decoded, strict=True)) == {
        **dict.fromkeys((field.name for field in SCHEMA.columns), None),
        "Size": 7,
    }


def test_a_page_is_read_in_less_memory_than_it_has_text() -> None:
    decoder, body = PageDecoder(SCHEMA), page(*[row(Name='"a name of some length"')] * 2_000)
    decoder.decode(page(row()))

    tracemalloc.start()
    count = sum(1 for _ in decoder.decode(body).rows)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 2_000
    assert peak < len(body)


def test_rows_are_a_sequence_that_can_be_gone_through_again() -> None:
    read = PageDecoder(SCHEMA).decode(page(*(row(Name=f'"{at}"') for at in range(250))))
    rows = read.rows

    assert len(rows) == 250
    assert (read.stored[3:3], read.stored[249][1]) == ([], "249")
    assert [each[1] for each in rows] == [str(at) for at in range(250)] == [each[1] for each in rows]
    assert (rows[-1][1], [each[1] for each in rows[99:101]]) == ("249", ["99", "100"])
    assert rows == list(rows)
    assert rows != list(rows)[1:]


def test_one_odd_row_is_told_when_it_is_read() -> None:
    rows = PageDecoder(SCHEMA).decode(page(row(), row(Size='"many"'))).rows

    assert rows[0] == tuple([None] * len(SCHEMA.columns))
    with pytest.raises(SchemaChanged, match="Size"):
        list(rows)


def test_the_outline_of_a_page_tells_its_size_whatever_its_rows_hold() -> None:
    outline = PageDecoder(SCHEMA).outline(page('{"Id":"only"}', row(Name=r'"half \ud83d"'), totalSize=7, done=False))

    assert outline == Outline(total=7, rows=2, done=False)


@pytest.mark.parametrize("body", [b"", b"<html>Down for maintenance</html>", b'{"totalSize":1,"done":tr', b'"\xff"'])
def test_what_is_no_result_has_no_outline(body: bytes) -> None:
    with pytest.raises(Unreachable):
        PageDecoder(SCHEMA).outline(body)


def test_ids_of_15_characters_come_with_their_18() -> None:
    parents = make_schema("Widget__c", make_field("Parent__c", "reference", referenceTo=["Widget__c"]), Name="string")
    short, full = "a01M00000062mPg", "a01M00000062mPgIAI"
    texts = {"Id": short, "Parent__c": short, "Name": short, "OwnerId": "odd"}
    record = json.dumps({each.name: texts.get(each.name) for each in parents.columns})
    decoder = PageDecoder(parents)

    decoded = [*decoder.decode(page(record)).rows, decoder.record(record.encode())]

    for each in decoded:
        told = dict(zip((field.name for field in parents.columns), each, strict=True))
        assert (told["Id"], told["Parent__c"], told["Name"]) == (full, full, short)
