from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from salesforce_sync.api import query
from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import ObjectSchema
from tests.unit.api.schemas import schema_of

NOON = datetime(2024, 1, 15, 12, 0, 0, 123_999, tzinfo=UTC)


def test_a_full_query_names_every_synced_column_and_nothing_else() -> None:
    schema = schema_of(Name="string", MailingAddress="address", Photo__c="base64", Birthdate="date")

    assert query.everything(schema) == query.Query("SELECT Id, Name, Birthdate, SystemModstamp FROM Contact", "query")


@pytest.mark.parametrize("name", ["Task", "Event"])
def test_archived_activities_are_asked_of_query_all_without_the_deleted(name: str) -> None:
    asked = query.everything(schema_of(name, IsDeleted="boolean"))

    assert asked.resource == "queryAll"
    assert asked.soql.endswith(f" FROM {name} WHERE IsDeleted = false")


def test_archived_activities_come_also_where_fewer_columns_are_asked_for() -> None:
    narrow = schema_of("Task", IsDeleted="boolean", Score__c="double").only("Score__c")

    assert query.everything(narrow) == query.Query("SELECT Id, Score__c FROM Task", "queryAll")


def test_changes_are_asked_of_query_all_from_the_very_moment_on() -> None:
    asked = query.changed_since(schema_of(), "SystemModstamp", NOON)

    assert asked.resource == "queryAll"
    assert asked.soql.endswith(" WHERE SystemModstamp >= 2024-01-15T12:00:00.123Z")


def test_order_is_by_stamp_and_then_id() -> None:
    schema = schema_of()
    asked = query.in_order(query.changed_since(schema, "SystemModstamp", NOON), schema, "SystemModstamp")

    assert asked.soql.endswith(" ORDER BY SystemModstamp, Id")


def test_what_cannot_be_sorted_by_is_not_sorted_by() -> None:
    fields = [
        {"name": "Id", "type": "id", "sortable": False},
        {"name": "CreatedDate", "type": "datetime", "sortable": 0},
    ]
    schema = ObjectSchema.from_describe({"name": "Odd", "fields": fields})
    asked = query.everything(schema)

    assert query.in_order(asked, schema, "CreatedDate") == asked


@pytest.mark.parametrize(
    ("moment", "literal"),
    [
        (NOON, "2024-01-15T12:00:00.123Z"),
        (NOON.astimezone(timezone(timedelta(hours=5, minutes=30))), "2024-01-15T12:00:00.123Z"),
        (datetime(1700, 1, 1, tzinfo=UTC), "1700-01-01T00:00:00.000Z"),
        (datetime(999, 1, 1, tzinfo=UTC), "0999-01-01T00:00:00.000Z"),
    ],
)
def test_datetimes_are_written_in_utc_and_never_rounded_up(moment: datetime, literal: str) -> None:
    assert query.datetime_literal(moment) == literal


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(Misuse, match="no time zone"):
        query.datetime_literal(datetime(2024, 1, 15))


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("Acme", "'Acme'"),
        ("O'Neill", r"'O\'Neill'"),
        ("' OR Id != '", r"'\' OR Id != \''"),
        ('a\\b"c\nd\re\tf', r"'a\\b\"c\nd\re\tf'"),
        ("naïve 🎉 عربي", "'naïve 🎉 عربي'"),
    ],
)
def test_texts_are_quoted_so_that_they_stay_texts(text: str, literal: str) -> None:
    assert query.text_literal(text) == literal


@pytest.mark.parametrize("name", ["", "Name FROM Contact", "a-b", "1abc", "Näme", "Account.Name", "A\n"])
def test_a_name_that_is_none_never_gets_into_a_query(name: str) -> None:
    with pytest.raises(Misuse):
        query.identifier(name)


def test_custom_names_are_names() -> None:
    assert query.identifier("ns__Widget_2__c") == "ns__Widget_2__c"
