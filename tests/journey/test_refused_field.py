"""A field that the org describes and refuses to read: left out, told wherever it may be missed, and tried again."""

from contextlib import closing
from datetime import timedelta

import apsw
import pytest

from salesforce_sync.app import SFSync
from salesforce_sync.errors import FieldRefused
from salesforce_sync.models.run import RunState

DAY = timedelta(days=1)
WHY = r"org describes Contact\.Phone and refuses to read it since 20"


def of(run, name="Contact"):
    (record,) = (each for each in run.objects if each.object_name == name)
    return record


def last_complete(sync):
    (contact,) = (each for each in sync.status().objects if each.object_name == "Contact")
    return contact.last_complete


@pytest.fixture
def refused(synced, simorg):
    """A replica whose last sync was refused one field of contacts."""
    simorg.clock.advance(3600)
    simorg.permissions.refuse_to_read("Contact", "Phone")
    synced.sync()
    return synced


def change(simorg, sync, phone):
    """Somebody changes the field in the org; its stamp moves. Gives the record's id."""
    simorg.clock.advance(60)
    (first, *_) = sync.contacts.all()
    simorg.change(first.id, Phone=phone)
    return first.id


def test_each_run_without_it_is_partial_and_brings_the_rest(refused, simorg, clock):
    simorg.add("Contact", LastName="Newer")
    before = last_complete(refused)
    clock.advance(timedelta(minutes=1))

    run = refused.sync()

    assert (run.state, of(run).state, of(run).problem.code) == (RunState.PARTIAL, RunState.PARTIAL, "FIELD_REFUSED")
    assert "describes Contact.Phone and refuses to read it since 20" in of(run).problem.message
    assert "tries again, and so does each verify" in of(run).problem.hint
    assert {each.state for each in run.objects if each is not of(run)} == {RunState.COMPLETE}
    assert of(run).came
    assert refused.contacts.search(last_name="Newer")
    assert before < last_complete(refused)


def test_it_is_tried_once_a_day_though_the_describe_is_as_it_was(refused, simorg, clock):
    changed = change(simorg, refused, "555-0100")
    runs = [refused.sync() for _ in range(2)]
    simorg.permissions.read_again("Contact")
    clock.advance(DAY - timedelta(minutes=1))
    runs.append(refused.sync())
    assert [of(run).problem.code for run in runs] == ["FIELD_REFUSED"] * 3
    assert not refused.objects["Contact"].schema.has("Phone")

    clock.advance(timedelta(minutes=1))

    assert refused.sync().state is RunState.COMPLETE
    assert refused.contacts.get(changed).phone == "555-0100"
    assert refused.sync().state is RunState.COMPLETE


def test_a_day_on_which_it_is_refused_still_costs_two_calls_and_tells_of_no_new_field(refused, clock):
    calls, drifted = [], []
    refused.on("schema_drifted", drifted.append)
    clock.advance(DAY)
    since = of(refused.sync()).problem.message

    for wait in (timedelta(0), timedelta(hours=1)):
        clock.advance(wait)
        run = refused.sync()
        calls.append(run.calls)

    assert of(run).problem.message == since
    assert calls == [1, 1]
    assert not drifted


def test_a_verify_tries_it_and_fills_it(refused, simorg):
    changed = change(simorg, refused, "555-0101")
    refused.sync()
    refused.verify("Contact")
    assert not refused.objects["Contact"].schema.has("Phone")
    simorg.permissions.read_again("Contact")

    run, (proof,) = refused.verify("Contact")

    assert (run.state, proof.rows) == (RunState.COMPLETE, proof.org_rows)
    assert refused.contacts.get(changed).phone == "555-0101"


def test_to_name_the_object_tries_it(refused, simorg):
    simorg.permissions.read_again("Contact")

    assert refused.sync("Contact").state is RunState.COMPLETE


def test_of_several_each_comes_as_soon_as_it_is_read(refused, simorg, clock):
    simorg.permissions.refuse_to_read("Contact", "Email", "Title")
    refused.verify("Contact")
    simorg.permissions.read_again("Contact")
    simorg.permissions.refuse_to_read("Contact", "Title")
    clock.advance(DAY)

    problem = of(refused.sync()).problem

    schema = refused.objects["Contact"].schema
    assert (schema.has("Phone"), schema.has("Email"), schema.has("Title")) == (True, True, False)
    assert "describes Contact.Title and refuses" in problem.message


def test_an_object_without_a_stamp_brings_it_the_same_way(user, simorg):
    fields = {"Name": "string 80 name", "Colour__c": "string 40"}
    simorg.add_object("Mark__c", {"label": "Mark", "plural": "Marks", "prefix": "a0Q", "fields": fields})
    for name in ("SystemModstamp", "LastModifiedDate", "CreatedDate"):
        simorg.permissions.hide_field("Mark__c", name)
    simorg.add("Mark__c", Name="One", Colour__c="red")
    simorg.permissions.refuse_to_read("Mark__c", "Colour__c")
    first = user("sync", "Mark__c")
    second = user("sync", "Mark__c")
    simorg.permissions.read_again("Mark__c")

    third = user("sync", "Mark__c")

    assert (first.code, second.code, third.code) == (3, 3, 0)
    assert user("query", "--json", "SELECT Colour__c FROM Mark__c").json["rows"] == [{"Colour__c": "red"}]


def test_who_writes_or_looks_for_it_hears_why_it_is_not_there(refused):
    contact = next(iter(refused.contacts.all()))

    for attempt in (
        lambda: refused.contacts.update(contact.id, phone="1"),
        lambda: refused.contacts.update(contact.id, Phone="1"),
        lambda: refused.contacts.search(phone="1"),
        lambda: contact["Phone"],
        lambda: refused.contacts.create(last_name="New", phone="1"),
    ):
        with pytest.raises(FieldRefused, match=WHY) as caught:
            attempt()
        assert caught.value.code == "FIELD_REFUSED"
        assert "The first sync after 20" in caught.value.hint


def test_whoever_writes_it_by_sql_hears_it_too(refused):
    refuses = pytest.raises(apsw.ConstraintError, match=r"Contact\.Phone is a field that the org describes and refuses")
    with closing(apsw.Connection(str(refused.config.storage.path))) as db, refuses:
        db.execute("UPDATE Contact SET Phone = '1'")


def test_a_field_that_an_earlier_version_has_left_out_is_tried_by_the_next_sync(refused, simorg):
    path = refused.config.storage.path
    with closing(apsw.Connection(str(path))) as db:  # which kept no time
        db.execute("UPDATE _sync_object SET schema = json_remove(schema, '$.refusals')")
    simorg.permissions.read_again("Contact")

    with SFSync(refused.config) as later:
        assert later.sync().state is RunState.COMPLETE


def test_a_proof_is_dated_from_the_first_run_that_brought_all_rows(user, simorg):
    simorg.permissions.refuse_to_read("Contact", "Phone")
    user("sync", "Contact")

    with closing(apsw.Connection(str(user.folder / "data" / "salesforce.db"))) as db:
        db.execute("UPDATE _sync_run SET finished = '2024-01-01T00:00:00.000Z', started = '2024-01-01T00:00:00.000Z'")
    user("sync")

    (shown,) = (each for each in user("status", "--json").json["objects"] if each["object"] == "Contact")
    assert shown["proof"] is not None


def test_the_command_line_and_status_say_so(user, simorg):
    user("sync")
    simorg.permissions.refuse_to_read("Contact", "Phone")
    simorg.add("Contact", LastName="New")

    ran, verified, status = user("sync"), user("verify", "Contact"), user("status")

    assert (ran.code, verified.code) == (3, 3)
    assert ran.err.count("FIELD_REFUSED: Contact: The org describes Contact.Phone and refuses to read it") == 1
    assert "not all fields: see below" in verified.out
    assert "FIELD_REFUSED: Contact" in verified.err
    assert "partial: FIELD_REFUSED" in status.out
    assert "The org describes Contact.Phone and refuses to read it since" in status.out
    assert "; without Phone, which the org refuses to read" in status.out
    (shown,) = (each for each in user("status", "--json").json["objects"] if each["object"] == "Contact")
    (told,) = shown["refused_fields"]
    assert told["field"] == "Phone"
    assert told["since"] <= told["tried"] < told["again_at"]
    edited = user("edit", "Contact", user("query", "--json", "SELECT Id FROM Contact").json["rows"][0]["Id"], "Phone=1")
    assert edited.code == 2
    assert "FIELD_REFUSED: The org describes Contact.Phone" in edited.err
