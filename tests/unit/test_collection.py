"""Collections: the records of one object, as a person reads them."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from itertools import product

import pytest

from salesforce_sync.collection import Collection, Objects
from salesforce_sync.errors import FieldNotFound, Misuse, NotSynced
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.testing import FrozenClock, MemoryStore, make_field, make_schema
from tests.contract.stores import pull

SCHEMA = make_schema(
    "Lead",
    make_field("Code__c", "string", caseSensitive=True),
    Name="string",
    Company="string",
    AnnualRevenue="currency",
    NumberOfEmployees="int",
    IsConverted="boolean",
    Born__c="date",
    Wakes__c="time",
    OwnerId="reference",
    Address="address",
    Is__c="string",
)
STAMP = "2024-01-15T10:30:00.000+0000"
A, B, C, GONE = (to_18(f"00Q00000000000{number}") for number in range(1, 5))
OWNER = "005000000000001AAA"


def lead(key, name, company, revenue, employees, converted=False, *, deleted=False):
    amount = None if revenue is None else Decimal(revenue)
    parts = ("1980-05-04", "08:30:00.000Z", OWNER, "yes", "Key")
    return (key, deleted, STAMP, STAMP, STAMP, name, company, amount, employees, converted, *parts)


@pytest.fixture
def leads(store):
    store.adopt(SCHEMA)
    pull(
        store,
        lead(A, "Ann", "Acme", "1000.50", 10),
        lead(B, "Bob", "ACME Corp", "123456789012345678", 200, True),
        lead(C, "Cy", None, None, None),
        lead(GONE, "Dee", "Acme", "5", 5, deleted=True),
        schema=SCHEMA,
    )
    return Collection(store, "Lead", Lead)


def found(records):
    return sorted(each.name for each in records)


@pytest.mark.parametrize("name", ["Widget__c", "Lead"])
def test_a_field_whose_type_changes_is_read_as_what_it_is_now(store, name):
    objects = Objects(store, {"Lead": Lead})
    key = to_18("00Q000000000009")
    for kind, value, read in (("currency", Decimal("1.5"), Decimal("1.5")), ("string", "A502", "A502")):
        schema = make_schema(name, AnnualRevenue=kind)
        store.adopt(schema)
        pull(store, (key, False, STAMP, STAMP, STAMP, value), schema=schema)

        (record,) = objects[name].all()
        assert record["AnnualRevenue"] == record.annual_revenue == record.to_dict()["AnnualRevenue"] == read


def test_all_gives_every_record_that_is_not_deleted(leads):
    assert found(leads.all()) == ["Ann", "Bob", "Cy"]
    assert all(isinstance(each, Lead) for each in leads.all())


def test_records_can_be_read_again_and_again(leads):
    records = leads.all()

    assert found(records) == found(records)
    assert len(records) == len(list(records)) == len(leads) == leads.count() == 3


def test_records_behave_like_a_list(leads):
    records = leads.all()
    listed = list(records)

    assert [records[at] for at in range(3)] == listed
    assert records[-1] == listed[-1]
    assert records.first() == listed[0]
    assert found(leads) == ["Ann", "Bob", "Cy"]


def test_a_slice_is_a_list_of_what_it_would_be_of_a_list(leads):
    records = leads.all()
    listed = list(records)

    for start, stop, step in product((None, 0, 1, 9, -1, -9), (None, 0, 1, 2, 9, -1, -9), (None, 2, -1, -2)):
        assert records[start:stop:step] == listed[start:stop:step]


@pytest.mark.parametrize("index", [3, -4])
def test_an_index_outside_is_an_index_error(leads, index):
    with pytest.raises(IndexError):
        leads.all()[index]


def test_a_comparison_that_does_not_exist_is_told_with_those_that_do(leads):
    with pytest.raises(FieldNotFound, match="no field 'name__like', and no comparison is named 'like'") as raised:
        leads.search(name__like="A%")

    assert "contains, startswith" in raised.value.hint


@pytest.mark.parametrize("value", [None, 5, b"00Q000000000009"])
def test_what_is_no_text_is_no_id(leads, value):
    with pytest.raises(Misuse, match="is not a Salesforce id"):
        leads.get(value)


def test_an_empty_answer_is_false_and_has_no_first(leads):
    assert not leads.search(name="nobody")
    assert leads.search(name="nobody").first() is None
    assert leads.search(name="Ann")


def test_an_empty_collection_is_still_true(store):
    store.adopt(SCHEMA)

    assert Collection(store, "Lead", Lead)


def test_get_takes_ids_of_15_and_18_characters(leads):
    assert leads.get(A).name == "Ann"
    assert leads.get(A[:15]).name == "Ann"


def test_get_gives_none_for_what_is_not_here_or_deleted(leads):
    assert leads.get("00Q000000000009AAA") is None
    assert leads.get("00Q000000000009") is None
    assert leads.get(GONE) is None


@pytest.mark.parametrize("text", ["", "Ann", "00Q00000000000", "00Q00000000000!"])
def test_get_refuses_what_is_no_id(leads, text):
    with pytest.raises(Misuse, match="not a Salesforce id"):
        leads.get(text)


def test_values_come_as_python_types(leads):
    ann = leads.get(A)

    assert ann.annual_revenue == Decimal("1000.5")
    assert leads.get(B).annual_revenue == Decimal("123456789012345678")
    assert ann.is_converted is False
    assert ann.number_of_employees == 10
    assert ann.born__c == date(1980, 5, 4)
    assert ann["Wakes__c"] == time(8, 30)
    assert ann.system_modstamp == datetime(2024, 1, 15, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        ({"company": "acme"}, ["Ann"]),
        ({"Company": "Acme"}, ["Ann"]),
        ({"company__contains": "CORP"}, ["Bob"]),
        ({"company__startswith": "acme"}, ["Ann", "Bob"]),
        ({"Company__endswith": "me"}, ["Ann"]),
        ({"company": None}, ["Cy"]),
        ({"company": ""}, ["Cy"]),
        ({"company__isnull": False}, ["Ann", "Bob"]),
        ({"company__ne": "Acme"}, ["Bob", "Cy"]),
        ({"company__in": ["acme", None]}, ["Ann", "Cy"]),
        ({"company__in": {"acme corp"}}, ["Bob"]),
        ({"company__in": {"acme": 1}.keys()}, ["Ann"]),
        ({"company__in": []}, []),
        ({"annual_revenue": 1000.5}, ["Ann"]),
        ({"annual_revenue": Decimal("1000.50")}, ["Ann"]),
        ({"annual_revenue": Decimal("123456789012345678")}, ["Bob"]),
        ({"annual_revenue__gt": 1000}, ["Ann", "Bob"]),
        ({"annual_revenue__lte": "1000.5"}, ["Ann"]),
        ({"number_of_employees__gte": 10, "is_converted": True}, ["Bob"]),
        ({"is_converted": False}, ["Ann", "Cy"]),
        ({"born__c": date(1980, 5, 4)}, ["Ann", "Bob", "Cy"]),
        ({"born__c__lt": "1980-05-04"}, []),
        ({"wakes__c": time(8, 30)}, ["Ann", "Bob", "Cy"]),
        ({"system_modstamp__gt": datetime(2024, 1, 15, 10, 29, 59, tzinfo=UTC)}, ["Ann", "Bob", "Cy"]),
        ({"SystemModstamp": "2024-01-15T12:30:00+02:00"}, ["Ann", "Bob", "Cy"]),
        ({"owner_id": OWNER}, ["Ann", "Bob", "Cy"]),
        ({"OwnerId": OWNER[:15]}, ["Ann", "Bob", "Cy"]),
        ({"id": A[:15]}, ["Ann"]),
        ({"id__in": [A[:15], B]}, ["Ann", "Bob"]),
        ({"code__c": "key"}, []),
        ({"code__c": "Key"}, ["Ann", "Bob", "Cy"]),
        ({"is__c": "yes"}, ["Ann", "Bob", "Cy"]),
        ({"Is__c__ne": "yes"}, []),
        ({}, ["Ann", "Bob", "Cy"]),
    ],
)
def test_search_finds(leads, conditions, names):
    assert found(leads.search(**conditions)) == names
    assert len(leads.search(**conditions)) == len(names)


@pytest.mark.parametrize(
    ("conditions", "error", "reason"),
    [
        ({"compny": "x"}, FieldNotFound, "company"),
        ({"company__like": "x"}, FieldNotFound, "company__like"),
        ({"company__isnull": 1}, Misuse, "True or False"),
        ({"company__in": "Acme"}, Misuse, "a list of values"),
        ({"company__in": 7}, Misuse, "a list of values"),
        ({"company": 7}, Misuse, "not a text"),
        ({"company__contains": None}, Misuse, "takes a text"),
        ({"company__contains": "\ud800"}, Misuse, "half of a character"),
        ({"company__gt": None}, Misuse, "None cannot be compared"),
        ({"number_of_employees": "ten"}, Misuse, "not a whole number"),
        ({"number_of_employees__contains": "1"}, Misuse, "holds no text"),
        ({"annual_revenue": "much"}, Misuse, "not a number"),
        ({"is_converted": 1}, Misuse, "neither True nor False"),
        ({"born__c": "tomorrow"}, Misuse, "not a date"),
        ({"system_modstamp__gt": datetime(2024, 1, 15)}, Misuse, "no time zone"),
        ({"address": "Main St"}, Misuse, "Address is not kept here"),
        ({"address": 1}, Misuse, "Address is not kept here"),
        ({"address__isnull": True}, Misuse, "Address is not kept here"),
        ({"id": "00Q00000000000!"}, Misuse, "not a Salesforce id"),
    ],
)
def test_search_says_what_it_does_not_understand(leads, conditions, error, reason):
    with pytest.raises(error, match=reason):
        list(leads.search(**conditions))


@pytest.mark.parametrize("condition", [{"spot__c": 1}, {"Spot__c__in": [1]}, {"spot__c__gt": "x"}])
def test_a_search_by_a_place_names_its_parts(store, condition):
    parts = [
        make_field(f"Spot__{name}__s", "double", compoundFieldName="Spot__c") for name in ("Latitude", "Longitude")
    ]
    store.adopt(make_schema("Spot__c", *parts, make_field("Spot__c", "location"), Name="string"))
    spots = Objects(store, {})["Spot__c"]

    with pytest.raises(Misuse, match=r"Spot__c\.Spot__c is not kept here itself: it is made of other fields") as caught:
        spots.search(**condition)

    assert caught.value.hint == "Its parts are Spot__Latitude__s, Spot__Longitude__s."


def test_what_is_not_synced_yet_says_what_to_do(store):
    leads = Collection(store, "Lead", Lead)

    for read in (lambda: list(leads.all()), lambda: leads.get(A), lambda: leads.search(name="x"), leads.count):
        with pytest.raises(NotSynced, match="salesforce-sync sync Lead"):
            read()


def test_showing_a_collection_or_an_answer_reads_nothing(store):
    leads = Collection(store, "Lead", Lead)

    assert repr(leads) == "<collection of Lead>"
    assert repr(leads.all()) == "<records of Lead>"


def test_an_answer_shows_its_conditions(leads):
    assert repr(leads.search(company__contains="Ac")) == "<records of Lead where Company__contains='Ac'>"


def test_a_collection_follows_a_schema_that_grows(leads, store):
    before = leads.get(A)
    store.adopt(make_schema("Lead", Name="string", Colour__c="string", Company="string"))

    assert leads.get(A).company == "Acme"
    assert leads.get(A)["Colour__c"] is None
    assert before.company == "Acme"


class Growing(MemoryStore):
    """A store in which somebody adopts a wider schema just before the next read."""

    wider = None

    def get(self, object_name, record_id):
        self._grow()
        return super().get(object_name, record_id)

    def scan(self, object_name, filters=()):
        self._grow()
        return super().scan(object_name, filters)

    def _grow(self):
        if self.wider is not None:
            wider, self.wider = self.wider, None
            self.adopt(wider)


@pytest.mark.parametrize("read", [lambda leads: leads.get(A), lambda leads: leads.all().first()])
def test_a_schema_that_grows_during_a_read_does_not_shift_values(read):
    store = Growing(FrozenClock())
    store.adopt(make_schema("Lead", Name="string", Company="string"))
    pull(store, (A, False, STAMP, STAMP, STAMP, "Ann", "Acme"), schema=store.schema("Lead"))
    leads = Collection(store, "Lead", Lead)
    store.wider = make_schema("Lead", Colour__c="string", Name="string", Company="string")

    assert read(leads).company == "Acme"


# ── every object ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_any_object_of_the_replica_is_a_collection(store, leads):
    store.adopt(make_schema("Product2", Name="string"))
    pull(store, (A, False, STAMP, STAMP, STAMP, "Bolt"), schema=store.schema("Product2"))
    objects = Objects(store, {"Lead": Lead})

    assert found(objects["Product2"].all()) == ["Bolt"]
    assert isinstance(objects["lead"].get(A), Lead)
    assert objects["PRODUCT2"] is objects["Product2"]
    assert list(objects) == ["Lead", "Product2"]
    assert len(objects) == 2
    assert "product2" in objects
    assert "Order" not in objects
    assert 7 not in objects


def test_an_object_that_is_not_here_hints_at_near_names(store):
    store.adopt(make_schema("Product2"))

    with pytest.raises(NotSynced) as caught:
        Objects(store, {})["Prodct2"]

    assert caught.value.hint == "Did you mean Product2?"


def test_an_object_that_is_not_here_and_like_nothing_hints_at_sync(store):
    with pytest.raises(NotSynced) as caught:
        Objects(store, {})["Order"]

    assert "salesforce-sync sync Order" in caught.value.hint


def test_get_of_a_mapping_gives_its_default(store):
    assert Objects(store, {}).get("Order") is None
