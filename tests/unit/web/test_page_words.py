"""How the page says values, reads its address, and expects calls."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from msgspec.structs import replace

from salesforce_sync.app import Budget
from salesforce_sync.errors import FieldNotFound
from salesforce_sync.models.schema import Field, FieldType, ObjectSchema
from salesforce_sync.models.usage import Forecast
from salesforce_sync.web.catalog import usual_label
from salesforce_sync.web.heard import Sample
from salesforce_sync.web.page.budget import curve
from salesforce_sync.web.page.frame import rendered, static
from salesforce_sync.web.page.listing import Condition, choices_of, columns_of, input_of, look_of, usual_columns
from salesforce_sync.web.page.words import ago, number, plural, said, short, shown, text, typed

NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (None, "never"),
        ("2026-01-31T11:59:55Z", "just now"),
        ("2026-01-31T12:00:42Z", "just now"),
        ("2026-02-27T18:51:12Z", "2026-02-27 18:51 UTC, ahead of this clock"),
        ("2026-01-31T11:59:18Z", "42 s ago"),
        ("2026-01-31T11:57:00Z", "3 min ago"),
        ("2026-01-31T09:00:00Z", "3 h ago"),
        ("2026-01-30T11:00:00Z", "1 day ago"),
        ("2026-01-01T12:00:00Z", "30 days ago"),
        ("2026-01-31T12:00:09Z", "just now"),  # a clock that is ahead
    ],
)
def test_ages_are_said_in_one_unit(moment, words):
    assert ago(moment, NOW) == words


def test_values_are_said_for_people_and_typed_as_they_are():
    wide = msgspec.Raw(b"12345678901234567.89")

    assert [text(each) for each in (None, True, False, 0, "00123", wide)] == [
        *("", "Yes", "No", "0", "00123", "12345678901234567.89")
    ]
    assert [typed(each) for each in (None, True, False)] == ["", "true", "false"]
    assert short("one\ntwo  " + "x" * 100, 10) == "one two x…"
    assert (number(1234567), number(None), plural(1, "row"), plural(1234, "row")) == (
        *("1,234,567", "–", "1 row", "1,234 rows"),
    )
    assert said("2026-01-31T13:30:00+01:00") == "2026-01-31 12:30:00 UTC"


CURRENCY = Field("Amount", "Amount", FieldType.DECIMAL, "currency", scale=2)
DOUBLE = Field("Weight__c", "Weight", FieldType.DECIMAL, "double", scale=15)
PERCENT = Field("Probability", "Probability", FieldType.DECIMAL, "percent")
WHOLE = Field("Count__c", "Count", FieldType.INTEGER, "int")
MOMENT = Field("CreatedDate", "Created Date", FieldType.DATETIME, "datetime")
DATE = Field("CloseDate", "Close Date", FieldType.DATE, "date")
TEXT = Field("Code", "Code", FieldType.TEXT, "string")


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (CURRENCY, None, ""),
        (CURRENCY, 1234567.5, "1,234,567.50"),
        (CURRENCY, msgspec.Raw(b"-1234567890123456.78"), "-1,234,567,890,123,456.78"),
        (CURRENCY, 0.0, "0.00"),
        (CURRENCY, -0.5, "-0.50"),
        (CURRENCY, 1.255, "1.255"),  # nothing is rounded away
        (DOUBLE, 12.0, "12"),
        (DOUBLE, 1e-15, "0.000000000000001"),
        (DOUBLE, -0.000001, "-0.000001"),
        (DOUBLE, 1e17, "100,000,000,000,000,000"),
        (DOUBLE, 1e300, "1e+300"),  # more than a field of Salesforce holds
        (PERCENT, 12.5, "12.5 %"),
        (WHOLE, 1234, "1,234"),
        (WHOLE, "not a number", "not a number"),
        (MOMENT, "2026-01-31T13:30:59.000Z", "2026-01-31 13:30 UTC"),
        (MOMENT, "soon", "soon"),
        (DATE, "2026-01-31", "2026-01-31"),
        (TEXT, "001234", "001234"),
    ],
)
def test_a_value_is_read_as_its_field_means_it(field, value, words):
    assert shown(value, field) == words


def test_a_small_number_is_written_as_a_person_types_it():
    assert [typed(each) for each in (0.000001, 12.5, 0.0)] == ["0.000001", "12.5", "0.0"]


def entry(name, kind="string", **more):
    return {"name": name, "type": kind, "updateable": True, "createable": True, "length": 80} | more


SCHEMA = ObjectSchema.from_describe(
    {
        "name": "Product2",
        "fields": [
            entry("Id", "id"),
            entry("Name", nameField=True, nillable=False),
            entry("Description", "textarea", length=4000),
            entry("Family", "picklist", restrictedPicklist=True, picklistValues=[{"value": "Kit", "active": True}]),
            entry("IsActive", "boolean"),
            entry("Launch__c", "date"),
            entry("SystemModstamp", "datetime", updateable=False),
        ],
    }
)


def test_an_address_says_what_is_shown_and_gives_the_next_one():
    given = [("search", "kit"), ("sort", "-family"), ("field", "name"), ("op", "contains"), ("value", "a&b")]
    look = look_of([*given, ("field", ""), ("op", "eq"), ("value", "")], SCHEMA)

    assert look.conditions == (Condition("Name", "contains", "a&b"),)
    assert (look.selection.sort, look.selection.descending, look.texts) == ("Family", True, {"Name__contains": "a&b"})
    assert look.query(after="x") == "?search=kit&sort=-Family&after=x&field=Name&op=contains&value=a%26b"
    assert look.query(without=look.conditions[0]) == "?search=kit&sort=-Family"
    assert (look.turned("Family"), look.direction("Family")) == (look.query(sort="Family"), "descending")
    assert look.turned("Name") == look.query(sort="Name")


def test_a_field_that_is_not_there_is_named():
    with pytest.raises(FieldNotFound, match="Nmae"):
        look_of([("field", "Nmae"), ("op", "eq"), ("value", "x")], SCHEMA)


def test_empty_and_not_empty_are_asked_for_without_a_value():
    looks = [look_of([("field", "Family"), ("op", each), ("value", "")], SCHEMA) for each in ("isnull", "notnull")]

    assert [each.texts for each in looks] == [{"Family__isnull": "true"}, {"Family__isnull": "false"}]
    assert [each.conditions[0].said for each in looks] == ["Family is empty", "Family is not empty"]


def test_the_usual_columns_begin_with_the_name_and_others_can_be_chosen():
    assert [each.name for each in usual_columns(SCHEMA)][:2] == ["Name", "Family"]
    assert "SystemModstamp" not in [each.name for each in usual_columns(SCHEMA)]
    assert [each.name for each in columns_of(look_of([("column", "launch__c")], SCHEMA), SCHEMA)] == ["Launch__c"]


def test_each_field_is_edited_with_what_fits_it():
    names = ("Name", "Description", "Family", "IsActive", "Launch__c")
    kinds = {name: input_of(SCHEMA.field(name), "now") for name in names}

    assert kinds == {
        "Name": "text",
        "Description": "area",
        "Family": "choice",
        "IsActive": "choice",
        "Launch__c": "date",
    }
    assert choices_of(SCHEMA.field("Family"), "Retired") == [
        ("", "– none –"),
        ("Kit", "Kit"),
        ("Retired", "Retired"),
    ]


def test_a_value_of_several_lines_is_edited_with_what_keeps_them():
    assert [input_of(SCHEMA.field("Name"), now) for now in ("one", "two\nlines", "two\rlines")] == [
        "text",
        "area",
        "area",
    ]


BUDGET = Budget(5, 1000, 15_000, 5_000, 3_750, NOW, False, Forecast(1, ()), 9_000)


def test_the_curve_goes_from_what_was_used_to_what_is_expected_and_never_over_the_wall():
    found = curve(BUDGET, [Sample(NOW - timedelta(hours=2), 900)], NOW)

    used = [each for each in found.used if each is not None]
    expected = [each for each in found.expected if each is not None]
    assert used == [900, 1000]
    assert (expected[0], max(expected), found.wall) == (1000, 5_000, 5_000)
    assert expected == sorted(expected)
    assert list(found.times) == sorted(found.times)
    assert len(found.times) == len(found.used) == len(found.expected)


def test_without_the_orgs_word_there_is_no_curve():
    assert curve(replace(BUDGET, used=None), [], NOW).times == ()


def test_what_is_shown_is_escaped_and_what_is_kept_has_its_content_in_its_address():
    page = rendered("notice.html", kind="bad", message="<script>alert(1)</script>", hint="'\"")

    assert "<script>" not in page
    assert static("page.css").startswith("/static/page.css?v=")
    assert static("page.css") != static("page.js")


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("Account", "Account"),
        ("Product2", "Product"),
        ("Pricebook2", "Price Book"),
        ("PricebookEntry", "Price Book Entry"),
        ("AttributeBasedAdjRule", "Attribute Based Adjustment Rule"),
        ("ProductRelComponentOverride", "Product Related Component Override"),
        ("pkg__Order_Line__c", "Order Line"),
        ("SLA_Level__mdt", "SLA Level"),
        ("widget__c", "Widget"),
        ("__c", "__c"),
    ],
)
def test_an_object_that_nobody_described_is_called_as_people_read_it(name, label):
    assert usual_label(name) == label
