"""Collections: the records of one object, as a person edits them. No org is near."""

from datetime import UTC, date, datetime, time
from decimal import Decimal

import pytest

from salesforce_sync.collection import Collection, Objects
from salesforce_sync.errors import FieldNotFound, Misuse, NotSynced, RecordNotFound
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.outbox import Operation, is_local
from salesforce_sync.models.outcome import Applied
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.testing import make_field, make_schema
from tests.contract.stores import pull

ACCOUNT = make_schema("Account", Name="string")
CONTACT = make_schema(
    "Contact",
    make_field("LastName", nillable=False),
    make_field("Name", createable=False, updateable=False, calculated=True),
    FirstName="string",
    Phone="phone",
    Email="email",
    Birthdate="date",
    AccountId="reference",
    DoNotCall="boolean",
    Score__c="double",
    Visits__c="int",
    Seen__c="datetime",
    Wakes__c="time",
)
STAMP = "2024-01-15T10:30:00.000+0000"
JANE = to_18("003000000000001")
REAL = to_18("003000000000009")


@pytest.fixture
def store(world):
    store = world.store
    store.adopt(ACCOUNT)
    store.adopt(CONTACT)
    values = {"Id": JANE, "IsDeleted": False, "LastName": "Doe", "Name": "Jane Doe", "FirstName": "Jane", "Phone": "1"}
    stamps = {"CreatedDate": STAMP, "LastModifiedDate": STAMP, "SystemModstamp": STAMP}
    pull(store, tuple((values | stamps).get(each.name) for each in CONTACT.columns), schema=CONTACT)
    return store


@pytest.fixture
def contacts(store):
    return Collection(store, "Contact", Contact)


def waiting(store):
    return [(each.operation, each.record_id, each.values) for each in store.changes()]


def test_a_new_record_has_a_local_id_at_once_and_waits_in_the_outbox(store, contacts):
    jane = Contact(first_name="Jane", last_name="Roe", email="jane@example.com")

    made = contacts.create(jane)

    assert made is jane
    assert is_local(jane.id)
    assert jane.is_deleted is False
    assert contacts.get(jane.id).email == "jane@example.com"
    sent = {"FirstName": "Jane", "LastName": "Roe", "Email": "jane@example.com"}
    assert waiting(store) == [(Operation.CREATE, jane.id, sent)]


def test_an_update_sends_only_what_was_changed(store, contacts):
    contact = contacts.get(JANE)
    contact.phone = "555-1234"
    contact.first_name = "Jane"

    contacts.update(contact)

    assert waiting(store) == [(Operation.UPDATE, JANE, {"Phone": "555-1234"})]
    assert contacts.get(JANE).phone == "555-1234"


def test_a_record_without_changes_is_no_edit(store, contacts):
    contacts.update(contacts.get(JANE))

    assert store.changes() == ()


def test_a_record_can_be_edited_saved_and_edited_again(store, contacts):
    contact = contacts.create(Contact(last_name="Roe", phone="1"))
    contact.phone = "2"
    contacts.update(contact)
    forgotten = contact.changes
    contact.email = "roe@example.com"
    contacts.update(contact)

    assert forgotten == contact.changes == {}
    assert (contact.phone, contact.email) == ("2", "roe@example.com")
    ((_, _, values),) = waiting(store)
    assert values == {"LastName": "Roe", "Phone": "2", "Email": "roe@example.com"}


def test_update_does_not_write_again_what_somebody_else_changed_meanwhile(store, contacts):
    mine, theirs = contacts.get(JANE), contacts.get(JANE)
    theirs.phone = "2"
    contacts.update(theirs)
    mine.email = "jane@example.com"

    contacts.update(mine)

    assert (mine.phone, mine.email) == ("2", "jane@example.com")
    assert contacts.get(JANE) == mine


def test_words_are_enough(store, contacts):
    made = contacts.create(last_name="Roe", Phone="1")
    changed = contacts.update(made.id, phone="2")
    by_id = contacts.update(Contact(id=JANE, email="jane@example.com"))

    assert (changed.id, changed.phone, changed.last_name) == (made.id, "2", "Roe")
    assert (by_id.name, by_id.email) == ("Jane Doe", "jane@example.com")


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        ("score__c", Decimal("12.50"), 12.5),
        ("score__c", Decimal("123456789012345678"), "123456789012345678"),
        ("visits__c", 7, 7),
        ("do_not_call", True, 1),
        ("birthdate", date(1980, 5, 4), "1980-05-04"),
        ("seen__c", datetime(2026, 1, 31, 14, 30, tzinfo=UTC), "2026-01-31T14:30:00.000Z"),
        ("wakes__c", time(8, 30), "08:30:00.000Z"),
        ("phone", None, None),
        ("phone", "", None),
        ("first_name", "null", "null"),
        ("first_name", "#N/A", "#N/A"),
        ("first_name", "Zoë 🦊", "Zoë 🦊"),
    ],
)
def test_values_of_every_kind_are_kept_exactly(store, contacts, name, value, stored):
    contact = contacts.get(JANE)
    contact[name] = value

    contacts.update(contact)

    ((_, _, values),) = waiting(store)
    assert list(values.values()) == [stored]
    assert contacts.get(JANE)[name] == (value or None)


def test_null_in_a_new_record_is_not_sent(store, contacts):
    contacts.create(Contact(last_name="Roe", phone=None, email=""))

    ((_, _, values),) = waiting(store)
    assert values == {"LastName": "Roe"}


def test_a_local_id_goes_on_naming_the_record_once_the_org_has_given_another(store, contacts):
    jane = contacts.create(Contact(last_name="Roe"))
    local_id = jane.id
    (change,) = store.changes()
    store.sending([change], "push", None, None)
    store.settle("push", [Applied(change, REAL)])

    assert contacts.get(local_id).id == REAL == contacts.get(REAL[:15]).id
    jane.phone = "2"
    assert contacts.update(jane).id == REAL
    contacts.delete(local_id)
    assert contacts.get(REAL) is None


def test_a_reference_by_local_id_finds_the_children(store, contacts):
    accounts = Objects(store, {})["Account"]
    acme = accounts.create(name="Acme")
    local_id = acme.id
    jane = contacts.create(Contact(last_name="Roe", account_id=local_id))

    assert [each.id for each in contacts.search(account_id=local_id)] == [jane.id]
    change = next(each for each in store.changes() if each.object_name == "Account")
    store.sending([change], "push", None, None)
    store.settle("push", [Applied(change, to_18("001000000000001"))])

    assert [each.id for each in contacts.search(account_id=local_id)] == [jane.id]
    assert contacts.get(jane.id).account_id == to_18("001000000000001")
    assert contacts.update(jane.id, account_id=local_id).account_id == to_18("001000000000001")


def test_a_deleted_record_is_gone_at_once_and_comes_back(store, contacts):
    contact = contacts.get(JANE)
    contacts.delete(contact)
    gone, sent = contacts.get(JANE), waiting(store)

    back = contacts.undelete(JANE[:15])

    assert gone is None
    assert sent == [(Operation.DELETE, JANE, {})]
    assert (back.id, back.name) == (JANE, "Jane Doe")
    assert store.changes() == ()


def test_a_record_that_only_this_replica_knows_is_simply_gone(store, contacts):
    contacts.delete(contacts.create(last_name="Roe"))

    assert store.changes() == ()
    assert len(contacts) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "J"}, "Contact.Name is calculated by Salesforce and cannot be written"),
        ({"created_date": datetime(2026, 1, 1, tzinfo=UTC)}, r"Contact\.CreatedDate (is read-only|cannot be written)"),
        ({"last_name": None}, "Contact.LastName is required"),
        ({"id": REAL}, "Id (cannot be|is read-only)"),
    ],
)
def test_what_describe_knows_to_be_wrong_is_refused_when_it_is_written(store, contacts, change, words):
    contact = contacts.get(JANE)
    for name, value in change.items():
        contact[name] = value

    with pytest.raises(Misuse, match=words):
        contacts.update(contact)

    assert store.changes() == ()
    assert contact.changes != {}


def test_a_refused_new_record_can_be_corrected(store, contacts):
    jane = Contact(first_name="Jane")
    with pytest.raises(Misuse, match=r"Contact\.LastName is required"):
        contacts.create(jane)
    jane.last_name = "Roe"

    assert is_local(contacts.create(jane).id)
    assert len(store.changes()) == 1


def test_what_makes_no_sense_says_what_to_do(contacts):
    jane = contacts.get(JANE)

    with pytest.raises(Misuse, match=r"in the replica already: .* Change it with update\(\)"):
        contacts.create(jane)
    with pytest.raises(Misuse, match=r"has no id\. Make it with create\(\) first"):
        contacts.update(Contact(last_name="Roe"))
    with pytest.raises(Misuse, match="is not a Contact"):
        contacts.create(Lead(last_name="Roe"))
    with pytest.raises(FieldNotFound, match="Did you mean"):
        contacts.create(last_nam="Roe")
    for change in ({"Phone": "1", "phone": "2"}, {"LastName": "Roe", "last_name": "Doe"}):
        with pytest.raises(Misuse, match="are one field"):
            contacts.update(JANE, **change)
    with pytest.raises(FieldNotFound):
        contacts.create(Contact(last_name="Roe", mailing_city="Ulm"))  # promised, but not in this org
    with pytest.raises(RecordNotFound):
        contacts.update(REAL, phone="1")
    with pytest.raises(RecordNotFound):
        contacts.delete(REAL)


def test_before_the_first_sync_every_edit_says_so(store):
    leads = Collection(store, "Lead", Lead)

    for attempt in (
        lambda: leads.create(Lead(last_name="Roe", company="Acme")),
        lambda: leads.update(JANE, phone="1"),
        lambda: leads.delete(JANE),
        lambda: leads.undelete(JANE),
    ):
        with pytest.raises(NotSynced, match="Run 'salesforce-sync sync Lead' first"):
            attempt()


def test_a_class_of_ones_own_can_be_created(store, contacts):
    class Friend(Contact):
        since = 2020

    friend = contacts.create(Friend(last_name="Roe"))

    assert isinstance(friend, Friend)
    assert (is_local(friend.id), friend.since, friend.last_name) == (True, 2020, "Roe")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("score__c", "12.50", Decimal("12.50")),
        ("Visits__c", " 7 ", 7),
        ("DoNotCall", "yes", True),
        ("do_not_call", "FALSE", False),
        ("birthdate", "1980-05-04", date(1980, 5, 4)),
        ("seen__c", "2026-01-31T14:30:00Z", datetime(2026, 1, 31, 14, 30, tzinfo=UTC)),
        ("wakes__c", "08:30", time(8, 30)),
        ("phone", "", None),
        ("first_name", " Jane ", " Jane "),
    ],
)
def test_what_a_person_types_is_read_by_the_fields_type(contacts, name, text, value):
    assert list(contacts.parse({name: text}).values()) == [value]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("score__c", "1_000", "Score__c: '1_000' is not a number, such as 1234.5"),
        ("score__c", "NaN", "is not a number"),
        ("visits__c", "1.5", "is not a whole number"),
        ("do_not_call", "maybe", "DoNotCall: 'maybe' is neither true nor false"),
        ("birthdate", "31.01.2026", "is not a date, such as 2026-01-31"),
        ("seen__c", "2026-01-31T14:30", "has no time zone. Write 2026-01-31T14:30Z if it is UTC"),
        ("seen__c", "2026-01-31", "has no time zone. Write 2026-01-31T00:00Z if it is UTC, or 2026-01-31T00:00+02:00."),
        ("seen__c", "2026-01-31+02:00", "is not a datetime, such as 2026-01-31T14:30:00Z"),
        ("wakes__c", "noon", "is not a time, such as 14:30:00"),
        ("phon", "1", "has no field 'phon'. Did you mean phone"),
    ],
)
def test_what_cannot_be_read_says_how_to_write_it(contacts, name, text, words):
    with pytest.raises(Misuse) as caught:
        contacts.parse({name: text})

    assert words in str(caught.value)


def test_what_a_loop_over_records_makes_is_found_within_the_loop(store, contacts):
    mails = ["a@example.com", "b@example.com", "a@example.com", "B@example.com"]
    for number, mail in enumerate(mails):
        contacts.create(last_name=f"Lead {number}", email=f"{mail}.lead")
    leads = contacts.search(email__endswith=".lead")

    for lead in leads:
        mail = lead.email.removesuffix(".lead")
        if not contacts.search(email=mail):
            contacts.create(last_name="Made", email=mail)

    assert sorted(each.email for each in contacts.search(last_name="Made")) == ["a@example.com", "b@example.com"]
