"""Store: what happened is kept in the transaction that it happened in, in that order."""

from datetime import UTC, datetime

from salesforce_sync.models.proof import Cause, Proof
from salesforce_sync.signals import (
    ABANDONED,
    ChangeRejected,
    ConflictFound,
    PushComplete,
    RecordsUpdated,
    SchemaDrifted,
    SyncComplete,
    SyncFailed,
    SyncStarted,
    VerifyComplete,
)
from salesforce_sync.testing import make_schema
from tests.contract.edits import ACCOUNT, ACME, TWO, acme, arrive, rejected, send
from tests.contract.stores import id_of, pull, widget

AT = datetime(2024, 1, 15, 12, 0, tzinfo=UTC)


def signals(store, after=0):
    return [each.signal for each in store.told(after)]


def test_what_is_told_is_kept_in_order_and_survives_a_kill(world, store):
    store.tell([RecordsUpdated(3, (("Contact", 3),)), SyncComplete((("Contact", 5),), 1.25)])
    store.tell([PushComplete(1, 0)])

    told = world.restart().told(0)

    assert [each.number for each in told] == [1, 2, 3]
    assert [each.signal for each in told] == [
        RecordsUpdated(3, (("Contact", 3),)),
        SyncComplete((("Contact", 5),), 1.25),
        PushComplete(1, 0),
    ]
    assert {each.at for each in told} == {world.clock.now()}


def test_a_reader_goes_on_behind_the_last_number_that_it_has(store):
    store.tell([PushComplete(number, 0) for number in range(5)])

    first = store.told(0, 2)
    rest = store.told(first[-1].number)

    assert [each.signal.count for each in (*first, *rest)] == [0, 1, 2, 3, 4]


def test_a_refused_change_is_told_with_its_inbox_item(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])

    assert signals(replica) == [ChangeRejected("Account", ACME, "FIELD_CUSTOM_VALIDATION_EXCEPTION")]


def test_a_conflict_is_told_by_the_merge_that_found_it_and_once(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(at=TWO, Phone="3"))
    arrive(replica, ACCOUNT, acme(at=TWO, Phone="3"))

    assert signals(replica) == [ConflictFound("Account", ACME, "conflict")]


def test_a_proof_is_told_when_it_is_kept(store):
    store.record_proof(Proof("Widget__c", AT, 7, 7, ((Cause.PURGED, 2), (Cause.LATE, 1))))

    assert signals(store) == [VerifyComplete("Widget__c", 7, 3)]


def test_a_schema_that_has_drifted_is_told_when_it_is_adopted(store):
    store.adopt(make_schema("Widget__c", Name="double", Colour__c="string"))
    store.adopt(make_schema("Widget__c", Name="double", Colour__c="string"))

    assert signals(store) == [SchemaDrifted("Widget__c", ("Colour__c",), ("Price__c",), ("Name",))]


def test_the_first_schema_of_an_object_is_no_drift(store):
    assert signals(store) == []


def test_what_merges_have_changed_waits_to_be_told_over_a_kill(world, store):
    pull(store, widget(1), widget(2))
    store.set_aside("Widget__c", [id_of(2)], Cause.PURGED)

    assert world.restart().untold(["widget__C", "Other"]) == (("Widget__c", 3),)


def test_what_has_been_told_is_not_told_again(store):
    pull(store, widget(1), widget(2))
    store.tell([RecordsUpdated(1, (("Widget__c", 1),))])

    assert store.untold(["Widget__c"]) == (("Widget__c", 1),)
    store.tell([RecordsUpdated(1, store.untold(["Widget__c"]))])
    assert store.untold(["Widget__c"]) == ()


def test_a_merge_that_changed_nothing_leaves_nothing_to_tell(store):
    pull(store, widget(1))
    store.tell([RecordsUpdated(1, store.untold(["Widget__c"]))])
    pull(store, widget(1))

    assert store.untold(["Widget__c"]) == ()


# ── runs that have told no end ───────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_goes_on_or_has_told_its_end_is_not_abandoned(store):
    with store.begun("run-1", ["Contact", "Lead"]):
        assert store.tell_abandoned() == ()
        store.tell([SyncComplete()], "run-1")

    assert store.tell_abandoned() == ()
    assert signals(store) == [SyncStarted(("Contact", "Lead")), SyncComplete()]


def test_the_end_of_a_killed_run_is_told_once(world, store):
    going_on = store.begun("run-1", ["Contact", "Lead"])
    going_on.__enter__()
    store = world.restart()
    going_on.__exit__(None, None, None)  # the system lets go of what a killed process holds

    assert store.tell_abandoned() == (SyncFailed(ABANDONED, ("Contact", "Lead")),)
    assert store.tell_abandoned() == ()
    assert signals(store) == [SyncStarted(("Contact", "Lead")), SyncFailed(ABANDONED, ("Contact", "Lead"))]


def test_only_the_run_that_ended_has_told_its_end(store):
    with store.begun("run-1", ["Contact"]), store.begun("run-2", ["Lead"]):
        store.tell([SyncComplete()], "run-2")

    assert store.tell_abandoned() == (SyncFailed(ABANDONED, ("Contact",)),)
