"""A page's records are found in its text as they are when it is read."""

from __future__ import annotations

import json

import pytest

from salesforce_sync.api.page_text import read_page
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.errors import Unreachable
from salesforce_sync.models.values import from_rest
from tests.unit.api.schemas import schema_of

SCHEMA = schema_of(Name="string", Amount="currency", Active__c="boolean", At__c="datetime", Any__c="anyType")
NAMES = ["plain", '},{"attributes":{', '"}],"records":[{"attributes":{', "\\", "}]", "[", None, "\U0001f389"]


def record(name: str | None, **cells: object) -> dict[str, object]:
    empty: dict[str, object] = {field.name: None for field in SCHEMA.columns}
    return {"attributes": {"type": "Contact", "url": "/x"}, **empty, "Name": name, **cells}


def page(records: list[dict[str, object]], behind: str = "", **layout: object) -> bytes:
    text = json.dumps({"totalSize": len(records), "done": not behind, "records": records}, **layout)  # type: ignore[arg-type]
    return (f'{text[:-1]},"nextRecordsUrl":"{behind}"}}' if behind else text).encode()


COMPACT: dict[str, object] = {"separators": (",", ":")}


@pytest.mark.parametrize("layout", [COMPACT, {}, {"indent": 2}], ids=["compact", "spaced", "indented"])
@pytest.mark.parametrize("behind", ["", "/next", "/odd}]"])
@pytest.mark.parametrize("times", [0, 1, 30])
def test_whatever_its_layout_and_its_texts(layout: dict[str, object], behind: str, times: int) -> None:
    body = page([record(name) for name in NAMES * times], behind, **layout)

    read = PageDecoder(SCHEMA).decode(body)

    assert (read.total, read.done, read.next_path) == (len(NAMES) * times, not behind, behind or None)
    assert len(read.rows) == len(read.stored) == len(NAMES) * times
    assert [row[1] for row in read.rows] == [row[1] for row in read.stored] == NAMES * times


def test_records_are_found_without_being_read() -> None:
    body = page([record(name) for name in NAMES], **COMPACT)
    broken = body.replace(b'"Name":"plain"', b'"Name":"plain')

    assert len(read_page(broken)[1]) == len(NAMES)
    with pytest.raises(Unreachable):
        list(PageDecoder(SCHEMA).decode(broken).rows)


@pytest.mark.parametrize("cut", [10, 40, 200, -1, -2, -3])
def test_a_page_that_was_cut_is_none(cut: int) -> None:
    body = page([record("a"), record("b")], **COMPACT)

    with pytest.raises(Unreachable):
        list(PageDecoder(SCHEMA).decode(body[:cut]).rows)


@pytest.mark.parametrize("layout", [COMPACT, {}], ids=["compact", "spaced"])
def test_the_order_of_keys_may_change_from_record_to_record(layout: dict[str, object]) -> None:
    backwards = dict(reversed(record("b", Amount=1.5).items()))
    body = page([record("a"), backwards, record("c"), backwards, record("d")] * 400, **layout)

    read = PageDecoder(SCHEMA).decode(body)

    assert len(read.rows) == len(read.stored) == 2000
    assert [row[1] for row in read.rows] == [row[1] for row in read.stored] == ["a", "b", "c", "b", "d"] * 400


def test_records_within_records_are_not_taken_for_rows() -> None:
    children = {"totalSize": 2, "done": True, "records": [record("x"), record("y")]}
    body = page([record("a", Children=children), record("b")], **COMPACT)

    with pytest.raises(Unreachable):
        list(PageDecoder(SCHEMA).decode(body).rows)


@pytest.mark.parametrize("odd", [{}, {"Amount": "1.50"}, {"Any__c": 7}, {"Name": ""}])
def test_stored_rows_are_the_rows_in_the_stored_form(odd: dict[str, object]) -> None:
    cells = [
        {"Amount": 1234567890123456.75, "At__c": "2026-01-31T23:59:59.000+0000", "Active__c": True},
        {"Amount": 0.5, "At__c": "2026-01-31T23:59:59.000+0530"},
        {"At__c": "2026-01-31T23:59:59.000Z", "Id": "0031U00000abcde"},
        odd,
    ]
    body = page([record(f"{at}", **each) for at, each in enumerate(cells * 60)], **COMPACT)
    read = PageDecoder(SCHEMA).decode(body.replace(b"1234567890123456.8", b"1234567890123456.78"))

    kinds = [field.type for field in SCHEMA.columns]
    stored = [tuple(map(from_rest, kinds, row)) for row in read.rows]
    assert [*read.stored] == stored
    assert "1234567890123456.78" in stored[0]
    pairs = [
        (cell, twin)
        for row, other in zip(read.stored, stored, strict=True)
        for cell, twin in zip(row, other, strict=True)
    ]
    assert all(type(cell) is type(twin) or isinstance(cell, bool) for cell, twin in pairs)
