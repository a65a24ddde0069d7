"""What an org empties when a record is deleted is empty here too, though no stamp tells of it."""

import sqlite3
from contextlib import closing

import pytest
from msgspec.structs import replace

from salesforce_sync import SFSync
from salesforce_sync.app import SystemClock
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import RunState
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.storage.cache import SchemaCache
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.sync.orphans import read_orphans_again
from salesforce_sync.testing import make_field, make_schema
from simorg.org import SimOrg
from tests.contract.stores import NOON, page, pull
from tests.torture.replica import config_of


@pytest.fixture
def org():
    with SimOrg(records=0, seed=1) as made, made.serve() as server:
        made.rules.move_stamp_of_nulled_lookups = False
        made.url = server.url
        yield made


@pytest.fixture
def sync(org, tmp_path):
    with SFSync(config_of(org.url, tmp_path / "replica.db", ("Account", "Contact"))) as made:
        yield made


def made_in(org):
    """An account and two contacts, the second reporting to the first; a pull of changes asks for none of them again."""
    account = org.add("Account", Name="Acme")
    boss = org.add("Contact", LastName="Boss", AccountId=account)
    clerk = org.add("Contact", LastName="Clerk", AccountId=account, ReportsToId=boss)
    org.clock.advance(86_400)
    for name in ("Account", "Contact"):
        org.add(name, **{"Name" if name == "Account" else "LastName": "Later"})
    org.clock.advance(3600)
    return account, boss, clerk


def spent(sync, work):
    before = sync.usage.spent
    assert work().state is RunState.COMPLETE
    return sync.usage.spent - before


def test_a_reference_that_the_org_emptied_without_a_stamp_is_empty_after_the_same_sync(org, sync):
    _, boss, clerk = made_in(org)
    sync.sync()
    org.delete([boss])
    org.clock.advance(60)

    sync.sync()

    assert sync.contacts.get(clerk).reports_to_id is None
    assert sync.contacts.get(clerk).account_id is not None
    assert spent(sync, sync.sync) == 1


def test_a_reference_that_the_org_filled_again_without_a_stamp_is_filled_after_the_same_sync(org, sync):
    org.rules.move_stamp_of_mended_lookups = False
    _, boss, clerk = made_in(org)
    sync.sync()

    seen = []
    for change in (org.delete, org.undelete):
        change([boss])
        org.clock.advance(60)
        sync.sync()
        seen.append(sync.contacts.get(clerk).reports_to_id)

    assert seen == [None, boss]


def test_one_that_came_empty_by_itself_as_its_row_was_young_is_filled_again_too(org, sync):
    org.rules.move_stamp_of_mended_lookups = False
    account = org.add("Account", Name="Acme")
    boss = org.add("Contact", LastName="Boss", AccountId=account)
    clerk = org.add("Contact", LastName="Clerk", AccountId=account, ReportsToId=boss)
    sync.sync()
    org.clock.advance(60)
    org.delete([boss])  # the next pull goes ten minutes back, and so brings both
    sync.sync()
    assert sync.contacts.get(clerk).reports_to_id is None
    org.clock.advance(3600)
    org.add("Contact", LastName="Later", AccountId=account)
    sync.sync()

    org.undelete([boss])
    org.clock.advance(60)
    sync.sync()

    assert sync.contacts.get(clerk).reports_to_id == boss
    assert spent(sync, sync.sync) == 1
    assert spent(sync, sync.sync) == 1


def test_the_rows_that_are_read_again_are_counted_where_they_are_told(org, sync):
    _, boss, _ = made_in(org)
    sync.sync()
    org.delete([boss])
    org.clock.advance(60)
    told = []
    sync.on("records_updated", lambda signal: told.append(signal.count))

    run = sync.sync()

    counts = {each.object_name: each.counts for each in run.objects}["Contact"]
    assert (counts.deleted, counts.updated) == (1, 1)
    assert told == [run.changed] == [2]
    kept = {each.object_name: each.last_run for each in sync.status().objects}["Contact"]
    assert (kept.run_id, kept.counts) == (run.run_id, counts)


def test_what_was_deleted_here_too(org, sync):
    _, boss, clerk = made_in(org)
    sync.sync()
    sync.contacts.delete(boss)
    assert sync.push().state is RunState.COMPLETE

    sync.sync()

    assert sync.contacts.get(clerk).reports_to_id is None
    assert sync.outbox() == ()


def test_an_edit_of_the_row_that_waits_is_kept(org, sync):
    _, boss, clerk = made_in(org)
    sync.sync()
    sync.contacts.update(clerk, title="Chief")
    org.delete([boss])

    assert sync.sync().state is RunState.COMPLETE

    assert sync.contacts.get(clerk).title == "Chief"
    assert sync.contacts.get(clerk).reports_to_id is None
    assert org.row(clerk)["Title"] == "Chief"


def test_a_run_that_could_not_read_them_again_is_not_complete_and_the_next_one_does(org, sync):
    _, boss, clerk = made_in(org)
    sync.sync()
    org.delete([boss])
    org.clock.advance(60)
    refused = '[{"errorCode": "MALFORMED_QUERY", "message": "No."}]'
    org.faults.add(path="IN%20|IN\\+", status=400, body=refused, times=None)

    assert sync.sync("Contact").state is not RunState.COMPLETE

    org.faults.clear()
    assert sync.sync("Contact").state is RunState.COMPLETE
    assert sync.contacts.get(clerk).reports_to_id is None


def test_verify_looks_at_them_also_where_as_many_are_deleted_as_before(org, sync):
    _, boss, _ = made_in(org)
    _, other, clerk = made_in(org)
    sync.sync()
    org.delete([boss])
    sync.sync()
    org.undelete([boss])
    org.delete([other])
    sync.sync()

    sync.verify()

    assert sync.contacts.get(clerk).reports_to_id is None


def test_a_reference_that_the_org_leaves_is_read_again_once(org, sync, tmp_path):
    account, boss, clerk = made_in(org)
    sync.sync()
    store = SqliteStore(tmp_path / "replica.db", SystemClock())
    store.set_aside("Account", [account], Cause.PURGED)  # gone here, and still in the org
    store.close()

    costs = [spent(sync, lambda: sync.sync("Contact")) for _ in range(3)]

    assert costs == [2, 1, 1]
    assert {sync.contacts.get(each).account_id for each in (boss, clerk)} == {account}


def test_a_reference_to_what_was_deleted_before_its_object_was_ever_read_is_empty(org, tmp_path):
    gone, other = (org.add("Contact", LastName=name) for name in ("Gone", "Other"))
    deal = {"Name": "Deal", "StageName": "Prospecting", "CloseDate": "2030-01-01"}
    *emptied, kept = (org.add("Opportunity", **deal, ContactId=each) for each in (gone, gone, other))
    org.clock.advance(86_400)
    org.add("Opportunity", **deal)
    org.clock.advance(3600)
    with SFSync(config_of(org.url, tmp_path / "deals.db", ("Contact", "Opportunity"))) as sync:
        sync.sync("Opportunity")
        org.delete([gone])
        org.clock.advance(60)

        sync.sync()

        assert {sync.opportunities.get(each).contact_id for each in emptied} == {None}
        assert sync.opportunities.get(kept).contact_id == other
        assert spent(sync, sync.sync) == 1


def test_a_reference_to_what_was_only_hidden_then_is_kept_and_asked_about_once(org, sync):
    account, boss, clerk = made_in(org)
    sync.sync("Contact")
    org.hide_record(account)

    sync.sync()

    assert {sync.contacts.get(each).account_id for each in (boss, clerk)} == {account}
    assert spent(sync, sync.sync) == 1
    seen = []
    sync._store.note_orphans = lambda name, orphans: seen.append(orphans.ids)
    sync.verify()
    assert set(seen) == {()}


def test_an_undelete_of_what_was_deleted_before_its_object_was_read_fills_the_reference_again(org, sync):
    org.rules.move_stamp_of_mended_lookups = False
    account, boss, clerk = made_in(org)
    sync.sync("Contact")
    org.delete([account])
    org.clock.advance(60)
    sync.sync()

    org.undelete([account])
    org.clock.advance(60)
    sync.sync()

    assert {sync.contacts.get(each).account_id for each in (boss, clerk)} == {account}


def test_objects_that_need_not_be_looked_at_again_are_complete_though_another_one_stops_the_run(org, sync):
    made_in(org)
    spent = '[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]'
    org.faults.add(path="FROM(%20|\\+)Lead", status=403, body=spent, delay=1.0, times=None)

    run = sync.sync("Account", "Contact", "Lead")

    states = {each.object_name: each.state for each in run.objects}
    assert states == {"Account": RunState.COMPLETE, "Contact": RunState.COMPLETE, "Lead": RunState.PARTIAL}


@pytest.mark.parametrize("table", ["Account", "_sync_orphan"])
def test_a_table_that_somebody_has_dropped_stops_no_sync_and_a_run_that_fell_short_says_so(org, sync, tmp_path, table):
    _, boss, clerk = made_in(org)
    sync.sync()
    with closing(sqlite3.connect(tmp_path / "replica.db")) as db:
        db.execute(f'DROP TABLE "{table}"')
    org.delete([boss])
    org.clock.advance(60)

    complete = sync.sync("Contact").state is RunState.COMPLETE

    assert complete == (table == "Account")
    assert (sync.contacts.get(clerk).reports_to_id is None) == complete


def test_a_reference_may_be_to_any_of_six_hundred_objects(tmp_path):
    """SQLite joins five hundred SELECTs at most."""
    store = SqliteStore(tmp_path / "replica.db", SystemClock())
    plants = [make_schema(f"Plant{number}__c") for number in range(600)]
    widget = make_schema("Widget__c", make_field("At__c", "reference", referenceTo=[each.name for each in plants]))
    for schema in (*plants, widget):
        store.adopt(schema)
    dead, key = to_18("a01000000000001"), to_18("a02000000000001")
    for schema in plants:
        pull(store, (dead, True, NOON, NOON, NOON), schema=schema)
    pull(store, (key, False, NOON, NOON, NOON, dead), schema=widget)

    orphans = store.orphans("Widget__c", 9)
    store.note_orphans("Widget__c", orphans)

    assert orphans.ids == (key,)
    assert store.orphans("Widget__c", 9) is None
    store.close()


def test_nothing_is_read_anew_for_objects_that_are_not_here():
    asked = []
    cache = SchemaCache(lambda: asked.append(1) or [make_schema("Plant__c")], lambda: 1)

    found = [cache.those(["User", "plant__c"]) for _ in range(3)]

    assert [[each.name for each in some] for some in found] == [["Plant__c"]] * 3
    assert len(asked) == 1


def test_a_call_brings_as_many_as_it_can_and_then_the_next_ones(store):
    """Three calls, where one brings two rows."""
    plant = make_schema("Plant__c", Name="string")
    widget = make_schema("Widget__c", make_field("Plant__c", "reference", referenceTo=["Plant__c"]))
    few = replace(widget, key_prefix="a02")
    few.__dict__["records_together"] = 2
    for schema in (plant, few):
        store.adopt(schema)
    dead = to_18("a01000000000001")
    keys = [to_18(f"a02{number:012d}") for number in range(5)]
    pull(store, (dead, True, NOON, NOON, NOON, "North"), schema=plant)
    pull(store, *((key, False, NOON, NOON, NOON, dead) for key in keys), schema=few)
    calls = []

    def read(request):
        calls.append(request.ids)
        store.begin(request)
        rows = [(key, False, NOON, NOON, NOON, None) for key in request.ids]
        store.stage(page(*rows, schema=few, resume="end", last=True))
        store.merge("Widget__c", None)

    read_orphans_again(store, few, read, again=False)

    assert sorted(key for some in calls for key in some) == keys
    assert [len(some) for some in calls] == [2, 2, 1]
    assert store.orphans("Widget__c", 9) is None
