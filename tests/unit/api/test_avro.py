"""Avro read as fastavro writes it."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesforce_sync.api.avro import RecordReader

PLACE = {
    "type": "record",
    "name": "Place",
    "namespace": "org.example",
    "fields": [{"name": "City", "type": ["null", "string"]}, {"name": "Latitude", "type": ["double", "null"]}],
}
LONG = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=200)
PLACES = st.fixed_dictionaries({"City": st.none() | TEXT, "Latitude": st.none() | st.floats(allow_nan=False)})
KINDS: list[tuple[Any, st.SearchStrategy[Any]]] = [
    ("boolean", st.booleans()),
    ("int", st.integers(-(2**31), 2**31 - 1)),
    ({"type": "long", "logicalType": "timestamp-millis"}, LONG),
    ("double", st.floats(allow_nan=False)),
    ("float", st.floats(width=32, allow_nan=False)),
    ("string", TEXT),
    ("bytes", st.binary(max_size=200)),
    ({"type": "array", "items": "string"}, st.lists(TEXT, max_size=80)),
    ({"type": "map", "values": "long"}, st.dictionaries(TEXT, LONG, max_size=5)),
    ("org.example.Place", PLACES),
    ("Color", st.sampled_from(["RED", "BLUE"])),
    ("Four", st.binary(min_size=4, max_size=4)),
]
DECLARED: list[tuple[str, Any, st.SearchStrategy[Any]]] = [
    ("declares_place", PLACE, PLACES),
    ("declares_color", {"type": "enum", "name": "Color", "symbols": ["RED", "BLUE"]}, st.just("BLUE")),
    ("declares_four", {"type": "fixed", "name": "Four", "size": 4}, st.just(b"abcd")),
]


@st.composite
def written(draw) -> tuple[dict[str, Any], dict[str, Any]]:
    """A schema whose fields are mostly null, and a record of it."""
    fields = [{"name": name, "type": kind} for name, kind, _ in DECLARED]
    values = {name: draw(made) for name, _, made in DECLARED}
    for number, (kind, made) in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=12))):
        for spare in range(draw(st.integers(0, 9))):
            fields.append({"name": f"null{number}_{spare}", "type": ["null", "string"]})
            values[f"null{number}_{spare}"] = None
        name, form = f"field{number}", draw(st.sampled_from([kind, ["null", kind], [kind, "null"]]))
        fields.append({"name": name, "type": form})
        values[name] = draw(made if form is kind else st.none() | made)
    return {"type": "record", "name": "Event", "fields": fields}, values


def binary(schema: dict[str, Any], record: dict[str, Any]) -> bytes:
    out = BytesIO()
    plain = [{**each, "type": _plain(each["type"])} for each in schema["fields"]]
    fastavro.schemaless_writer(out, fastavro.parse_schema({**schema, "fields": plain}), record)
    return out.getvalue()


def _plain(kind: Any) -> Any:
    """fastavro would take a logical type's Python values, of which not all numbers are some."""
    if isinstance(kind, list):
        return [_plain(each) for each in kind]
    return "long" if isinstance(kind, dict) and "logicalType" in kind else kind


@given(written())
def test_every_record_is_read_as_it_was_written(pair):
    schema, record = pair

    assert RecordReader(schema).read(binary(schema, record)) == {
        name: value for name, value in record.items() if value is not None
    }


SMALL = {
    "type": "record",
    "name": "Event",
    "fields": [
        {"name": "Name", "type": ["null", "string"]},
        {"name": "Sum", "type": ["null", "double"]},
        {"name": "Tags", "type": {"type": "array", "items": "string"}},
    ],
}


@given(st.binary(max_size=40))
def test_bytes_that_are_no_record_are_refused_and_nothing_else_happens(data):
    try:
        found = RecordReader(SMALL).read(data)
    except (ValueError, LookupError, EOFError):
        return
    assert found.keys() <= {"Name", "Sum", "Tags"}


@pytest.mark.parametrize("cut", [1, 5, -1])
def test_a_record_that_is_cut_or_too_long_is_refused(cut):
    data = binary(SMALL, {"Name": "Bolt", "Sum": 1.5, "Tags": ["a", "b"]})
    with pytest.raises((ValueError, LookupError, EOFError)):
        RecordReader(SMALL).read(data[:cut])
    with pytest.raises(ValueError, match="1 bytes are left"):
        RecordReader(SMALL).read(data + b"\0")


def test_blocks_may_tell_their_size():
    # an array of one block of two texts, whose length in bytes is given (Avro 1.11, "Arrays")
    assert RecordReader(SMALL).read(b"\0\0" + b"\x03\x08\x02a\x02b\0") == {"Tags": ["a", "b"]}


@pytest.mark.parametrize("kind", ["Nobody", {"type": "nothing"}, ["null", "Nobody"]])
def test_a_schema_with_types_that_nobody_declared_is_refused(kind):
    with pytest.raises(LookupError):
        RecordReader({"type": "record", "name": "Event", "fields": [{"name": "A", "type": kind}]})
