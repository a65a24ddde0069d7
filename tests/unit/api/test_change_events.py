"""Change events decoded: bitmaps, nested compound fields, and values that get hurt on their way."""

import json
from decimal import Decimal
from io import BytesIO

import fastavro
import pytest

from salesforce_sync.api.change_events import Bitmap, EventDecoder, Unfit, stored
from salesforce_sync.api.events import topic
from salesforce_sync.errors import RequestRefused
from salesforce_sync.models.event import Action, Lack
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.testing import make_field, make_schema
from tests.contract.nasty import NASTY

KEY = "a00000000000001AAA"
CALLER = "client=salesforce-sync"
TEXTS = {"type": "array", "items": "string"}
KINDS = ["CREATE", "UPDATE", "DELETE", "UNDELETE", "GAP_CREATE", "GAP_UPDATE", "GAP_OVERFLOW"]
HEADER = {
    "name": "ChangeEventHeader",
    "type": {
        "type": "record",
        "name": "ChangeEventHeader",
        "fields": [
            *(
                {"name": name, "type": "string"}
                for name in ("entityName", "changeOrigin", "transactionKey", "commitUser")
            ),
            *({"name": name, "type": "long"} for name in ("commitTimestamp", "commitNumber")),
            {"name": "sequenceNumber", "type": "int"},
            {"name": "changeType", "type": {"type": "enum", "name": "ChangeType", "symbols": KINDS}},
            *({"name": name, "type": TEXTS} for name in ("recordIds", "nulledFields", "diffFields", "changedFields")),
        ],
    },
}
ADDRESS = {
    "type": "record",
    "name": "Address",
    "fields": [{"name": name, "type": ["null", "string"]} for name in ("Street", "City", "StateCode")],
}


def avro(*fields):
    """An Avro schema with these fields: name and type."""
    made = [HEADER, *({"name": name, "type": kind} for name, kind in fields)]
    return json.dumps({"type": "record", "name": "Event", "fields": made})


def event(schema, kind="UPDATE", ids=(KEY,), changed=(), nulled=(), diff=(), origin="", of="Widget__c", **values):
    header = {
        "entityName": of,
        "recordIds": list(ids),
        "changeType": kind,
        "changeOrigin": origin,
        "transactionKey": "t",
        "sequenceNumber": 2,
        "commitTimestamp": 1_700_000_000_123,
        "commitNumber": 77,
        "commitUser": "005000000000001AAA",
        "nulledFields": list(nulled),
        "diffFields": list(diff),
        "changedFields": list(changed),
    }
    body = {entry["name"]: values.get(entry["name"]) for entry in json.loads(schema)["fields"][1:]}
    out = BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(json.loads(schema)), {"ChangeEventHeader": header, **body})
    return out.getvalue()


def decoded(schema, written, payload):
    return EventDecoder(schema, written, CALLER).decode(payload)


def only(found):
    (record,) = found.records
    return record


WIDGET = make_schema("Widget__c", Name="string", Price__c="currency")
PLAIN = avro(("Name", ["null", "string"]), ("Price__c", ["null", "double"]), ("LastModifiedDate", ["null", "long"]))

PLACE = make_schema(
    "Contact",
    make_field("MailingAddress", "address"),
    make_field("MailingStreet", compoundFieldName="MailingAddress"),
    make_field("MailingCity", compoundFieldName="MailingAddress"),
    make_field("Place__c", "location"),
    make_field("Place__Latitude__s", "double", scale=5, compoundFieldName="Place__c"),
    make_field("OtherAddress", "address"),
    make_field("OtherCity", compoundFieldName="OtherAddress"),
)
NESTED = avro(
    ("MailingAddress", ["null", ADDRESS]),
    ("OtherAddress", ["null", "Address"]),
    (
        "Place__c",
        ["null", {"type": "record", "name": "Location", "fields": [{"name": "Latitude", "type": ["null", "double"]}]}],
    ),
)


# ── bitmaps ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_bits_of_the_facts_example():
    assert list(Bitmap.read(["0x400800"]).places()) == [11, 22]


def test_nested_bits_belong_to_a_field():
    bits = Bitmap.read(["0x02", "4-0x05", "40-0x01"])
    assert list(bits.places()) == [1, 4, 40]
    assert bits.nested == {4: 5, 40: 1}


def test_an_update_has_the_changed_and_the_nulled_fields_only():
    payload = event(PLAIN, changed=["0x04"], nulled=["0x02"], Name="not told", Price__c=1.5)

    record = only(decoded(WIDGET, PLAIN, payload))

    assert record.values == {"Name": None, "Price__c": 1.5}
    assert (record.action, record.position, record.committed) == (Action.UPDATE, (77, 2), "2023-11-14T22:13:20.123Z")


def test_a_create_has_every_field_with_its_nulls():
    record = only(decoded(WIDGET, PLAIN, event(PLAIN, "CREATE", Name="Bolt", LastModifiedDate=1_700_000_000_000)))
    assert record.values == {"Name": "Bolt", "Price__c": None, "LastModifiedDate": "2023-11-14T22:13:20.000Z"}


def test_parts_of_compound_fields_are_columns():
    payload = event(
        NESTED,
        changed=["0x0", "1-0x02", "3-0x01"],
        nulled=["1-0x01", "2-0x02"],
        MailingAddress={"Street": None, "City": "Bern", "StateCode": "BE"},
        Place__c={"Latitude": 46.9},
        of="Contact",
    )

    record = only(decoded(PLACE, NESTED, payload))

    assert record.values == {
        "MailingStreet": None,
        "MailingCity": "Bern",
        "OtherCity": None,
        "Place__Latitude__s": 46.9,
    }


def test_a_compound_field_that_is_nulled_as_a_whole_takes_its_parts_along():
    record = only(decoded(PLACE, NESTED, event(NESTED, changed=["0x02"], nulled=["0x02"], of="Contact")))
    assert record.values == {"MailingStreet": None, "MailingCity": None}


def test_a_name_may_be_a_text_or_a_persons():
    account = make_schema("Account", Name="string")
    person = {"type": "record", "name": "Switchable_PersonName", "fields": [{"name": "LastName", "type": "string"}]}
    written = avro(("Name", ["null", "string", person]))

    payload = event(written, changed=["0x02"], of="Account", Name="Acme")
    assert only(decoded(account, written, payload)).values == {"Name": "Acme"}


# ── what is not told ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_gap_tells_nothing_of_its_record():
    record = only(decoded(WIDGET, PLAIN, event(PLAIN, "GAP_UPDATE")))
    assert (record.action, record.values, record.lacks) == (Action.GAP, {}, Lack.VALUES)


@pytest.mark.parametrize(("kind", "ids"), [("GAP_OVERFLOW", ["000000000000000AAA"]), ("GAP_UPDATE", ["a00*"])])
def test_an_overflow_or_a_wildcard_makes_the_object_unsure(kind, ids):
    found = decoded(WIDGET, PLAIN, event(PLAIN, kind, ids))
    assert (found.records, found.unsure) == ((), True)


def test_a_field_that_we_do_not_know_makes_the_object_unsure_once():
    written = avro(("Name", ["null", "string"]), ("Fresh__c", ["null", "string"]))
    decoder = EventDecoder(WIDGET, written, CALLER)
    payload = event(written, changed=["0x06"], Name="Bolt", Fresh__c="x")

    first, second = decoder.decode(payload), decoder.decode(payload)

    assert (first.unsure, second.unsure) == (True, False)
    assert only(first).values == {"Name": "Bolt"}


def test_a_formula_of_the_object_is_read_again_and_other_derived_values_only_of_new_records():
    derived = make_schema("Widget__c", make_field("Photo"), Name="string", Price__c="currency", CreatedDate="datetime")
    formula = make_schema("Widget__c", make_field("Total__c", calculated=True), Name="string", Price__c="currency")
    update, create = event(PLAIN, changed=["0x02"], Name="x"), event(PLAIN, "CREATE", Name="x")

    assert [only(decoded(derived, PLAIN, each)).lacks for each in (update, create)] == [Lack.NOTHING, Lack.DERIVED]
    assert [only(decoded(formula, PLAIN, each)).lacks for each in (update, create)] == [Lack.DERIVED, Lack.DERIVED]


def test_a_text_that_is_told_as_a_difference_is_read_again():
    record = only(
        decoded(WIDGET, PLAIN, event(PLAIN, changed=["0x04"], diff=["0x02"], Name="@@ -1 +1 @@", Price__c=2.0))
    )
    assert (record.values, record.lacks) == ({"Price__c": 2.0}, Lack.VALUES)


def test_a_difference_is_no_value_though_its_field_is_among_the_changed_ones_too():
    payload = event(PLAIN, changed=["0x06"], diff=["0x02"], Name="@@ -1 +1 @@", Price__c=2.0)
    record = only(decoded(WIDGET, PLAIN, payload))
    assert (record.values, record.lacks) == ({"Price__c": 2.0}, Lack.VALUES)


def test_a_changed_field_without_a_value_that_is_not_nulled_is_read_again():
    """It is not said that it was cleared: the org keeps the value back."""
    record = only(decoded(WIDGET, PLAIN, event(PLAIN, changed=["0x06"], Name=None, Price__c=2.0)))
    assert (record.values, record.lacks) == ({"Price__c": 2.0}, Lack.VALUES)


def test_a_compound_field_whose_parts_are_not_known_as_such_is_read_again():
    flat = make_schema("Contact", make_field("MailingAddress", "address"), MailingCity="string")
    payload = event(NESTED, changed=["1-0x02"], of="Contact", MailingAddress={"City": "Bern"})
    record = only(decoded(flat, NESTED, payload))
    assert (record.values, record.lacks) == ({}, Lack.VALUES)


def test_an_event_of_another_object_is_nothing_to_this_one():
    payload = event(PLAIN, changed=["0x02"], of="Gadget__c", Name="Bolt")
    assert decoded(WIDGET, PLAIN, payload).records == ()


def test_times_that_avro_calls_timestamps_are_milliseconds_all_the_same():
    stamp = {"type": "long", "logicalType": "timestamp-millis"}
    written = avro(("Name", ["string", "null"]), ("LastModifiedDate", [stamp, "null"]))
    payload = event(written, changed=["0x06"], Name="Bolt", LastModifiedDate=1_700_000_000_000)
    record = only(decoded(WIDGET, written, payload))
    assert record.values == {"Name": "Bolt", "LastModifiedDate": "2023-11-14T22:13:20.000Z"}


def test_a_value_that_does_not_fit_its_field_is_read_again():
    retyped = make_schema("Widget__c", Name="double", Price__c="currency")
    record = only(decoded(retyped, PLAIN, event(PLAIN, changed=["0x06"], Name="text", Price__c=2.0)))
    assert (record.values, record.lacks) == ({"Price__c": 2.0}, Lack.VALUES)


@pytest.mark.parametrize(
    ("origin", "own"),
    [
        ("com/salesforce/api/rest/58.0;client=salesforce-sync", True),
        ("com/salesforce/api/rest/58.0;client=salesforce-sync-2", False),
        ("com/salesforce/api/bulkapi/58.0", False),
        ("", False),
    ],
)
def test_our_own_writes_are_told_by_their_origin(origin, own):
    assert only(decoded(WIDGET, PLAIN, event(PLAIN, origin=origin, changed=["0x2"], Name="x"))).own is own


def test_what_cannot_be_read_is_refused_with_the_objects_name():
    with pytest.raises(RequestRefused, match="Widget__c"):
        decoded(WIDGET, PLAIN, b"\xff\xff")
    with pytest.raises(RequestRefused, match="Widget__c"):
        EventDecoder(WIDGET, "{}", CALLER)


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────


def in_avro(kind, value):
    """The value as an event's Avro has it; None where Avro cannot hold it."""
    if value is None or kind in (FieldType.TEXT, FieldType.REFERENCE, FieldType.BOOLEAN):
        return value
    if kind is FieldType.DECIMAL:
        return float(value)
    if kind is FieldType.INTEGER:
        return int(Decimal(str(value)))
    text = (
        f"{value}T00:00:00Z" if kind is FieldType.DATE else f"1970-01-01T{value}" if kind is FieldType.TIME else value
    )
    moment = parse_datetime(text)
    return round((moment - parse_datetime("1970-01-01T00:00:00Z")).total_seconds() * 1000)


@pytest.mark.parametrize("salesforce_type", NASTY)
def test_every_value_is_stored_as_rest_and_bulk_store_it_or_read_again(salesforce_type):
    scale = 2 if salesforce_type == "double" else 0
    field = make_field("Value__c", salesforce_type, scale=scale)
    for nasty in NASTY[salesforce_type]:
        given = in_avro(field.type, nasty.stored if field.type is FieldType.DATETIME else nasty.rest)
        try:
            got = stored(field, given)
        except Unfit:
            # only where a double cannot tell which number it was
            assert field.type is FieldType.DECIMAL
            assert isinstance(nasty.stored, str) or abs(nasty.stored) >= 1e13, nasty
            continue
        assert got == nasty.stored and type(got) is type(nasty.stored), nasty


def test_a_number_that_a_double_may_have_bent_is_not_taken():
    whole = make_field("Number_Key__c", "double", scale=0)
    assert stored(whole, 999_999_999_999_999.0) == 999_999_999_999_999.0
    for bent in (1e17, 123456789012345680.0, 0.30000000000000004):
        with pytest.raises(Unfit):
            stored(whole, bent)


def test_topics_are_named_as_salesforce_names_them():
    assert [topic("Account"), topic("Widget__c")] == ["/data/AccountChangeEvent", "/data/Widget__ChangeEvent"]
