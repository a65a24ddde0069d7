"""Store: values that were replaced, and the pushes that were made."""

from datetime import timedelta

import pytest

from salesforce_sync.models.history import Keeping, Origin
from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Conflicted
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.push import UNFINISHED, Push
from salesforce_sync.models.run import Problem, RunState
from salesforce_sync.resolve import Policies, Policy
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    NEW,
    NOON,
    ONE,
    SOMEBODY,
    THREE,
    TWO,
    acme,
    applied,
    arrive,
    deferred,
    item,
    lost,
    only,
    push,
    rejected,
    replaced,
    row,
    send,
)


def test_a_pull_keeps_what_it_replaces(replica, world):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2", LastModifiedById=SOMEBODY))

    (found,) = replaced(replica, "Phone")
    assert (found.object_name, found.record_id) == ("Account", ACME)
    assert (found.old, found.new, found.origin, found.who) == ("1", "2", Origin.PULL, SOMEBODY)
    assert (found.at, found.push_id) == (world.clock.now(), None)


@pytest.mark.parametrize("gone", [acme(ONE, deleted=True), None])
def test_an_edit_that_ends_with_its_record_is_kept(world, replica, gone):
    store = world.restart(policies=Policies(Policy.ORG))
    store.update("Account", ACME, {"Phone": "2"})

    if gone is None:
        store.set_aside("Account", [ACME], Cause.PURGED)
    else:
        arrive(store, ACCOUNT, gone)

    assert store.changes() == ()
    assert [(each.old, each.new) for each in replaced(store, "Phone")] == [("2", "1")]


@pytest.mark.parametrize("policy", list(Policy))
def test_what_the_org_had_is_kept_also_where_an_edit_is_held_against_it(world, replica, policy):
    store = world.restart(policies=Policies(policy))
    store.update("Account", ACME, {"Phone": "2"})

    for _ in range(2):
        arrive(store, ACCOUNT, acme(ONE, Phone="3", LastModifiedById=SOMEBODY))

    told = [(each.old, each.new, each.origin, each.who) for each in replaced(store, "Phone")]
    assert told.count(("1", "3", Origin.PULL, SOMEBODY)) == 1
    ours = ("2", "3", Origin.PULL, SOMEBODY)
    assert set(told) - {("1", "3", Origin.PULL, SOMEBODY), ours} == set()


def test_what_the_org_had_is_kept_where_both_sides_make_the_same_change(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="2", LastModifiedById=SOMEBODY))

    assert [(each.old, each.new, each.who) for each in replaced(replica, "Phone")] == [("1", "2", SOMEBODY)]


def test_what_stays_is_not_replaced(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    assert replaced(replica, "Name") == []


def test_a_pull_of_the_same_row_replaces_nothing(replica):
    arrive(replica, ACCOUNT, acme(), acme(NOON))

    assert replica.history("Account", ACME) == ()


def test_a_record_that_comes_for_the_first_time_replaces_nothing(replica):
    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut"))

    assert replica.history("Account", NEW) == ()


def test_a_value_that_is_cleared_is_kept(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone=None))

    assert [(each.old, each.new) for each in replaced(replica, "Phone")] == [("1", None)]


def test_the_newest_is_first(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    arrive(replica, ACCOUNT, acme(TWO, Phone="3"))

    assert [(each.old, each.new) for each in replaced(replica, "Phone")] == [("2", "3"), ("1", "2")]


def test_a_push_keeps_what_it_replaces(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    assert replaced(replica, "Phone") == []

    push(replica, "push-7")

    (found,) = replaced(replica, "Phone")
    assert (found.old, found.new, found.origin, found.push_id) == ("1", "2", Origin.PUSH, "push-7")


def test_what_a_push_wrote_is_not_replaced_once_more_when_it_comes_back(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    assert len(replaced(replica, "Phone")) == 1


@pytest.mark.parametrize("settled", [lost, Conflicted, lambda change: Applied(change, change.record_id)])
def test_what_a_push_wrote_is_kept_once_if_a_pull_is_the_first_to_show_it(replica, settled):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    replica.settle("push-1", [settled(change)])

    (found,) = replaced(replica, "Phone")
    assert (found.old, found.new, found.origin, found.push_id) == ("1", "2", Origin.PUSH, "push-1")


def test_what_a_push_wrote_is_kept_if_it_is_edited_further_and_its_answer_is_lost(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.update("Account", ACME, {"Phone": "3"})
    replica.settle("push-1", [lost(change)])

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"), acme(TWO, Phone="2"))

    (found,) = replaced(replica, "Phone")
    assert (found.old, found.new, found.origin, found.push_id) == ("1", "2", Origin.PUSH, "push-1")


@pytest.mark.parametrize(("came", "outcome"), [("2", "applied"), ("1", "conflicted"), ("7", "conflicted")])
def test_a_push_that_finds_what_an_earlier_one_has_written_tells_so(replica, came, outcome):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push-1", [lost(change)])

    arrive(replica, ACCOUNT, acme(ONE, Phone=came))
    replica.settle("push-2", [Conflicted(change)])

    assert [[each.outcome for each in push.changes] for push in replica.pushes()] == [[outcome], ["lost"]]


def delete(store):
    store.delete("Account", ACME)


def bring_back(store):
    store.delete("Account", ACME)
    push(store, "push-0")
    arrive(store, ACCOUNT, acme(ONE, deleted=True))
    store.undelete("Account", ACME)


def update(store):
    store.update("Account", ACME, {"Phone": "2", "Revenue__c": "1.50"})


@pytest.mark.parametrize(
    ("edit", "came", "is_there"),
    [
        (update, acme(TWO, Phone="2", Revenue__c=1.5), True),
        (update, acme(TWO, Phone="2"), False),
        (update, acme(), False),
        (update, acme(TWO, Phone="7", Revenue__c=1.5), False),
        (delete, acme(TWO, deleted=True), True),
        (delete, acme(), False),
        (bring_back, acme(TWO), True),
        (bring_back, acme(ONE, deleted=True), False),
    ],
)
def test_a_push_that_finds_what_itself_has_written_tells_so(replica, edit, came, is_there):
    edit(replica)
    (change,) = send(replica)
    replica.settle("push-1", [lost(change)])

    arrive(replica, ACCOUNT, came)
    settled = replica.settle("push-1", [Conflicted(change)])

    assert settled.arrived == (frozenset([change.number]) if is_there else frozenset())
    assert [each.outcome for each in replica.pushes()[0].changes] == ["applied" if is_there else "conflicted"]
    assert (replica.changes() == ()) is is_there


@pytest.mark.parametrize("push_id", ["push-1", "push-2"])
@pytest.mark.parametrize(
    ("edit", "undo", "arrived", "undone"),
    [
        (delete, "undelete", acme(TWO, deleted=True), acme(THREE)),
        (bring_back, "delete", acme(TWO), acme(THREE, deleted=True)),
    ],
)
def test_what_was_undone_while_it_arrived_waits_where_the_answer_was_lost(
    replica, edit, undo, arrived, undone, push_id
):
    edit(replica)
    (change,) = send(replica)
    getattr(replica, undo)("Account", ACME)
    replica.settle("push-1", [lost(change)])

    arrive(replica, ACCOUNT, arrived)
    replica.settle(push_id, [Conflicted(change)])

    assert [each.operation for each in replica.changes()] == [undo]

    arrive(replica, ACCOUNT, undone)

    assert replica.changes() == ()


@pytest.mark.parametrize(("edit", "undo", "came"), [(delete, "undelete", acme(TWO)), (update, "delete", None)])
def test_a_push_does_not_call_lost_what_ended_as_its_record_was_read_again(replica, edit, undo, came):
    edit(replica)
    (change,) = send(replica)
    getattr(replica, undo)("Account", ACME)
    replica.settle("push-1", [lost(change)])

    arrive(replica, ACCOUNT, came or acme(TWO, deleted=True))
    replica.settle("push-1", [Conflicted(change)])

    assert replica.changes() == ()
    assert [each.outcome for each in replica.pushes()[0].changes] == ["conflicted"]


def test_what_was_not_lost_before_is_not_found(replica):
    update(replica)
    (change,) = send(replica)

    arrive(replica, ACCOUNT, acme(TWO, Phone="2", Revenue__c=1.5))

    assert replica.settle("push-1", [Conflicted(change)]).arrived == frozenset()


@pytest.mark.parametrize("answer", [rejected, deferred, Conflicted, lost])
def test_a_push_that_wrote_nothing_replaced_nothing(replica, answer):
    replica.update("Account", ACME, {"Phone": "2"})

    replica.settle("push-1", [answer(*send(replica))])

    assert replaced(replica, "Phone") == []


def test_a_decision_keeps_what_it_replaces(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    replica.resolve(item(replica).number, Resolution(Side.ORG))

    assert [(each.old, each.new, each.origin) for each in replaced(replica, "Phone")] == [
        ("2", "3", Origin.DECISION),
        ("1", "3", Origin.PULL),
    ]


def test_what_the_org_makes_of_a_push_as_it_saves_it_is_told_beside_it(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    saved = acme(ONE, Phone="+2", Name="ACME", LastModifiedById=SOMEBODY)

    replica.settle("push-1", [Applied(change, ACME, row=saved)])

    assert [(each.old, each.new, each.origin, each.who, each.push_id) for each in replaced(replica, "Phone")] == [
        ("2", "+2", Origin.SAVE, SOMEBODY, "push-1"),
        ("1", "2", Origin.PUSH, "", "push-1"),
    ]
    assert [(each.old, each.new, each.origin) for each in replaced(replica, "Name")] == [("Acme", "ACME", Origin.SAVE)]


def test_what_the_org_fills_in_as_it_makes_a_record_replaces_nothing(replica):
    local = replica.create("Account", {"Name": "nut"})
    (change,) = send(replica)

    replica.settle("push-1", [Applied(change, NEW, row=row(ACCOUNT, NEW, ONE, Name="Nut", Phone="7"))])

    told = [(each.field, each.old, each.new, each.origin) for each in replica.history("Account", local)]
    assert told == [("Name", "nut", "Nut", Origin.SAVE)]


def test_the_history_of_a_new_record_goes_with_it(replica):
    local = replica.create("Account", {"Name": "Nut"})
    push(replica, Account=NEW)
    replica.update("Account", NEW, {"Name": "Bolt & Nut"})
    push(replica, "push-2")

    assert [(each.old, each.new) for each in replaced(replica, "Name", local)] == [("Nut", "Bolt & Nut")]


def test_the_history_survives_a_kill(world, replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    before = replica.history("Account", ACME)

    assert world.restart().history("account", ACME) == before != ()


def test_no_more_rows_are_kept_than_were_asked_for(world, replica):
    store = world.restart(keeping=Keeping(rows=2))

    for hour in range(13, 18):
        arrive(store, ACCOUNT, acme(f"2024-01-15T{hour}:00:00.000+0000", Phone=str(hour)))

    assert [each.new for each in replaced(store, "Phone")] == ["17", "16"]


def test_nothing_is_kept_longer_than_was_asked_for(world, replica):
    store = world.restart(keeping=Keeping(days=10))
    arrive(store, ACCOUNT, acme(ONE, Phone="2"))
    world.clock.advance(timedelta(days=11))

    arrive(store, ACCOUNT, acme(TWO, Phone="3"))

    assert [each.new for each in replaced(store, "Phone")] == ["3"]


@pytest.mark.parametrize("keeping", [Keeping(days=0), Keeping(rows=0)])
def test_nothing_is_kept_if_nothing_was_asked_for(world, replica, keeping):
    store = world.restart(keeping=keeping)
    arrive(store, ACCOUNT, acme(ONE, Phone="2"))
    store.update("Account", ACME, {"Phone": "3"})
    push(store)

    assert store.history("Account", ACME) == ()


def test_the_bounds_are_those_of_each_object(world, replica):
    store = world.restart(keeping=Keeping(rows=1))
    arrive(store, ACCOUNT, acme(ONE, Phone="2"))
    store.update("Contact", "003000000000001AAA", {"LastName": "Roe"})
    push(store)

    assert len(replaced(store, "Phone")) == 1


# ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_before_the_first_push_there_is_none(replica):
    assert replica.pushes() == ()


def test_a_push_tells_what_became_of_its_changes(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})
    good, bad = send(replica)
    replica.settle("push-1", [Applied(good, ACME), rejected(bad)])

    replica.record_push(Push("push-1", (), calls=3, seconds=1.5))

    (found,) = replica.pushes()
    assert (found.push_id, found.calls, found.seconds, found.problem) == ("push-1", 3, 1.5, None)
    assert [(each.record_id, each.operation, each.outcome) for each in found.changes] == [
        (ACME, Operation.UPDATE, "applied"),
        (BOLT, Operation.UPDATE, "rejected"),
    ]
    assert [(each.field, each.base, each.value) for each in found.changes[0].edits] == [("Phone", "1", "2")]
    assert found.changes[1].problem.code == "FIELD_CUSTOM_VALIDATION_EXCEPTION"
    assert found.changes[1].problem.message == "The phone is wrong."


def test_a_push_that_was_killed_is_not_complete(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})
    good, _ = send(replica)
    replica.settle("push-1", [Applied(good, ACME)])

    (found,) = replica.pushes()

    assert (found.state, found.problem) == (RunState.PARTIAL, UNFINISHED)


@pytest.mark.parametrize(
    ("answer", "outcome"), [(deferred, "deferred"), (Conflicted, "conflicted"), (lost, "lost"), (rejected, "rejected")]
)
def test_every_outcome_has_its_word(replica, answer, outcome):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [answer(*send(replica))])
    replica.record_push(Push("push-1", (), 1, 0.5))

    assert [each.outcome for each in replica.pushes()[0].changes] == [outcome]


def test_a_record_that_was_made_is_known_by_the_orgs_id(replica):
    replica.create("Account", {"Name": "Nut"})
    push(replica, Account=NEW)
    replica.record_push(Push("push-1", (), 1, 0.5))

    assert [(each.record_id, each.operation) for each in replica.pushes()[0].changes] == [(NEW, Operation.CREATE)]


def test_what_stopped_a_push_is_kept(world, replica):
    problem = Problem("REQUEST_LIMIT_EXCEEDED", "No calls are left.", "Wait.")
    replica.record_push(Push("push-1", (), 1, 0.5, problem))

    assert world.restart().pushes() == (Push("push-1", (), 1, 0.5, problem),)


def test_pushes_are_newest_first_and_no_more_than_asked_for(replica, world):
    for number in range(5):
        replica.update("Account", ACME, {"Phone": str(number + 5)})
        applied(replica, send(replica, f"push-{number}"), f"push-{number}")
        replica.record_push(Push(f"push-{number}", (), number, 0.5))
        world.clock.advance(timedelta(minutes=1))

    assert [each.push_id for each in replica.pushes(3)] == ["push-4", "push-3", "push-2"]
    assert len(replica.pushes()) == 5


def test_of_each_push_so_many_changes_are_listed_and_the_others_are_counted(replica):
    for number in (1, 2):
        for record in (ACME, BOLT):
            replica.update("Account", record, {"Phone": f"{number}{record[-4:]}"})
        applied(replica, send(replica, f"push-{number}"), f"push-{number}")
        replica.record_push(Push(f"push-{number}", (), number, 0.5))

    pushes = replica.pushes(listed=1)

    assert [[each.record_id for each in push.changes] for push in pushes] == [[ACME], [ACME]]
    assert [(push.total, push.count("applied")) for push in pushes] == [(2, 2), (2, 2)]


def test_a_change_is_told_once_in_a_push_with_its_last_outcome(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push-1", [lost(change)])

    replica.settle("push-1", [Applied(only(replica), ACME)])
    replica.record_push(Push("push-1", (), 1, 0.5))

    assert [each.outcome for each in replica.pushes()[0].changes] == ["applied"]


def test_recording_a_push_twice_is_harmless(replica):
    replica.record_push(Push("push-1", (), 1, 0.5))
    replica.record_push(Push("push-1", (), 2, 0.5))

    assert [each.calls for each in replica.pushes()] == [2]
