"""What a describe's body tells, and what is refused of it."""

from __future__ import annotations

import json

import pytest

from salesforce_sync.api.rest import read_schema
from salesforce_sync.errors import RequestRefused


def body(*names: str) -> bytes:
    return json.dumps({"name": "Widget__c", "fields": [{"name": name, "type": "string"} for name in names]}).encode()


def test_names_that_are_words_of_sql_are_read() -> None:
    schema = read_schema(body("Id", "Order", "select"), "Widget__c")

    assert [each.name for each in schema.columns] == ["Id", "Order", "select"]


def test_two_fields_that_no_query_can_tell_apart_are_refused_by_name() -> None:
    with pytest.raises(RequestRefused, match="Code__c and CODE__c") as caught:
        read_schema(body("Id", "Code__c", "CODE__c"), "Widget__c")

    assert caught.value.code == "AMBIGUOUS_FIELD"
    assert "Hide all but one" in caught.value.hint


def test_a_description_without_fields_is_refused() -> None:
    with pytest.raises(RequestRefused, match="cannot be read"):
        read_schema(b'{"name": "Widget__c"}', "Widget__c")
