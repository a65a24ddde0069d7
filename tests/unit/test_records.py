"""Records: typed reading, edits that are remembered, shapes for any org."""

import copy
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from salesforce_sync.errors import FieldNotFound, Misuse
from salesforce_sync.models.account import Account
from salesforce_sync.models.base import record_type_for, shape
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.opportunity import Opportunity
from salesforce_sync.testing import make_field, make_schema

SCHEMA = make_schema(
    "Contact",
    FirstName="string",
    LastName="string",
    Email="email",
    Birthdate="date",
    Loyalty__c="string",
    Points__c="currency",
    Changes="string",
)
STAMP = "2024-01-15T10:30:00.000Z"
ROW = ("003000000000001AAA", 0, STAMP, STAMP, STAMP, "Jane", "Doe", None, "1980-05-04", "Gold", 12.5, "many")
ShapedContact = shape(Contact, SCHEMA)


@pytest.fixture
def jane():
    return ShapedContact.of(ROW)


def test_a_new_record_takes_keywords_and_remembers_them():
    new = Contact(first_name="Jane", last_name="Doe", birthdate=date(1980, 5, 4))

    assert (new.first_name, new.email) == ("Jane", None)
    assert new.changes == {"FirstName": "Jane", "LastName": "Doe", "Birthdate": date(1980, 5, 4)}


def test_a_new_record_refuses_a_field_that_is_not_there():
    with pytest.raises(FieldNotFound, match="Contact has no field 'frist_name'") as caught:
        Contact(frist_name="Jane")

    assert "first_name" in caught.value.hint


def test_a_new_record_refuses_a_value_of_another_type():
    with pytest.raises(Misuse, match="not a text"):
        Contact(email=7)


def test_a_record_reads_python_values(jane):
    assert jane.id == "003000000000001AAA"
    assert jane.email is None
    assert jane.is_deleted is False
    assert jane.birthdate == date(1980, 5, 4)
    assert jane.created_date == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)
    assert jane.points__c == Decimal("12.5")


def test_a_value_of_another_type_is_read_as_it_stands():
    """The field has another type in the org since a minute ago."""
    row = list(ROW)
    row[8], row[10] = "false", "many"

    odd = ShapedContact.of(tuple(row))

    assert (odd.first_name, odd.birthdate, odd["Points__c"]) == ("Jane", "false", "many")
    assert (odd.to_dict()["Birthdate"], odd.to_dict()["Points__c"]) == ("false", "many")


@pytest.mark.parametrize("name", ["loyalty__c", "Loyalty__c", "LOYALTY__C"])
def test_a_field_of_this_org_is_an_item_by_any_spelling(jane, name):
    assert jane[name] == "Gold"


def test_a_field_whose_name_is_taken_is_still_an_item(jane):
    assert jane["Changes"] == "many"
    assert jane.changes == {}


def test_a_record_knows_all_fields_of_its_org(jane):
    assert list(jane) == [each.name for each in sorted(SCHEMA.columns, key=lambda each: list(jane).index(each.name))]
    assert set(jane) == {each.name for each in SCHEMA.columns}
    assert jane.to_dict()["Points__c"] == Decimal("12.5")
    assert len(jane.to_dict()) == len(ROW)


def test_edits_are_remembered_and_read_back(jane):
    jane.email = "jane@example.com"
    jane["Points__c"] = Decimal("123456789012345678")

    assert jane.email == "jane@example.com"
    assert jane.changes == {"Email": "jane@example.com", "Points__c": Decimal("123456789012345678")}
    assert ShapedContact.of(ROW).email is None


def test_the_old_value_again_is_no_change(jane):
    jane.first_name = "Joan"
    jane.first_name = "Jane"
    jane.email = None
    jane.email = ""
    jane.points__c = 12.5

    assert jane.changes == {}


def test_none_and_an_empty_text_clear_a_field(jane):
    jane.first_name = None
    jane["LastName"] = ""

    assert jane.changes == {"FirstName": None, "LastName": None}


def test_editing_one_record_leaves_another_alone(jane):
    other = ShapedContact.of(ROW)
    jane.first_name = "Joan"

    assert other.first_name == "Jane"


def test_an_attribute_that_is_no_field_is_an_attribute_error(jane):
    with pytest.raises(FieldNotFound, match="no field 'emial'"):
        _ = jane.emial
    with pytest.raises(FieldNotFound):
        jane.emial = "x"

    assert not hasattr(jane, "emial")
    assert getattr(jane, "emial", "none") == "none"


def test_a_refused_value_leaves_the_record_as_it_was(jane):
    with pytest.raises(Misuse):
        jane.birthdate = "soon"

    assert jane.birthdate == date(1980, 5, 4)
    assert jane.changes == {}


def test_records_are_equal_by_their_values(jane):
    other = ShapedContact.of(ROW)
    assert jane == other

    other.first_name = "Joan"

    assert jane != other
    assert jane != Lead()
    assert jane != "Jane"


def test_a_record_has_no_hash_as_it_can_be_edited(jane):
    with pytest.raises(TypeError):
        hash(jane)


@pytest.mark.parametrize("make", [copy.copy, copy.deepcopy])
def test_a_copy_is_edited_on_its_own(jane, make):
    jane.email = "before@example.com"
    twin = make(jane)
    twin.first_name = "Joan"
    twin.email = "after@example.com"

    assert (jane.first_name, jane.email) == ("Jane", "before@example.com")
    assert twin.email == "after@example.com"


def test_a_record_shows_who_it_is_and_what_changed(jane):
    jane.email = "j@example.com"

    assert repr(jane) == "Contact(id='003000000000001AAA', Email='j@example.com')"


def test_a_shape_keeps_the_models_name_and_type(jane):
    assert isinstance(jane, Contact)
    assert type(jane).__name__ == "Contact"
    assert type(jane).api_name == "Contact"


def test_a_declared_field_that_the_org_does_not_show_is_none_and_no_item(jane):
    assert jane.mailing_city is None
    assert "MailingCity" not in jane.to_dict()
    with pytest.raises(FieldNotFound):
        _ = jane["MailingCity"]


def test_two_fields_with_one_python_name_are_both_read_by_their_api_names():
    schema = make_schema("Widget__c", FooBar__c="string", Foo_Bar__c="string")
    record = record_type_for(schema).of((*ROW[:5], "one", "two"))

    assert record["FooBar__c"] == "one"
    assert record["Foo_Bar__c"] == "two"
    assert record.to_dict()["FooBar__c"] == "one"


def test_an_object_without_a_model_has_records_too():
    schema = make_schema("Product2", Name="string", ProductCode="string")
    widget = record_type_for(schema).of((*ROW[:5], "Bolt", "00123"))

    assert (widget.name, widget.product_code) == ("Bolt", "00123")
    assert repr(widget) == "Product2(id='003000000000001AAA', name='Bolt')"


def test_field_names_that_are_words_of_python_are_items():
    schema = make_schema("Widget__c", From="string", Class="string", self="string", of="string", stored="string")
    record = record_type_for(schema).of((*ROW[:5], "a", "b", "c", "d", "e"))

    assert [record[each] for each in ("From", "Class", "self", "of", "stored")] == ["a", "b", "c", "d", "e"]
    assert record.to_dict()["of"] == "d"


@pytest.mark.parametrize("model", [Contact, Lead, Account, Opportunity])
def test_every_promised_model_is_named_as_in_salesforce(model):
    assert model.api_name == model.__name__
    assert {"Id", "Name", "OwnerId", "SystemModstamp", "IsDeleted"} <= {each for each in model()}


@pytest.mark.parametrize(
    ("model", "promised"),
    [
        (Contact, ["name", "email", "phone", "account_id", "owner_id", "first_name", "last_name"]),
        (Lead, ["name", "email", "company", "status", "owner_id"]),
        (Account, ["name", "industry", "annual_revenue", "owner_id"]),
        (Opportunity, ["name", "amount", "stage_name", "close_date"]),
    ],
)
def test_every_promised_field_is_an_attribute(model, promised):
    assert [getattr(model(), each) for each in promised] == [None] * len(promised)


def test_a_model_of_ones_own_adds_typed_fields():
    from salesforce_sync.models.base import Record, decimal, text

    class Widget(Record, api_name="Widget__c"):
        name = text("Name")
        price = decimal("Price__c")

    schema = make_schema("Widget__c", make_field("Colour__c"), Name="string", Price__c="currency")
    record = shape(Widget, schema).of((*ROW[:5], "Bolt", 0.1, "red"))

    assert (record.price, record.colour__c) == (Decimal("0.1"), "red")
