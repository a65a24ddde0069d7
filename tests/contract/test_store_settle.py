"""Store: what the org's answers do here."""

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.inbox import CHANGED_SINCE, Kind, Resolution, Side, can_be_sent_again, sent_again
from salesforce_sync.models.outbox import ChangeState, Edit, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Match, Rejected
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import RunState
from salesforce_sync.resolve import Policies, Policy
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    NEW,
    ONE,
    TWO,
    UNTAKEN,
    acme,
    arrive,
    deferred,
    fill,
    item,
    lost,
    only,
    push,
    rejected,
    replaced,
    row,
    send,
    shown,
    waiting,
)


def test_an_applied_update_is_out_of_the_outbox(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    settled = push(replica)

    assert replica.changes() == ()
    assert [each.record_id for each in settled.applied] == [ACME]
    assert settled.parked == ()
    assert shown(replica, ACME)["Phone"] == "2"


def test_the_value_that_was_sent_is_the_new_base(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)

    replica.update("Account", ACME, {"Phone": "3"})

    assert [(each.base, each.value) for each in only(replica).edits] == [("2", "3")]


def test_an_applied_deletion_leaves_a_tombstone(replica):
    replica.delete("Account", ACME)

    push(replica)

    assert replica.changes() == ()
    assert replica.get("Account", ACME) is None
    assert replica.status()[0].tombstones == 1
    replica.undelete("Account", ACME)
    assert only(replica).operation is Operation.UNDELETE


def test_an_applied_undeletion_is_a_live_record(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)

    push(replica)

    assert replica.changes() == ()
    assert shown(replica, ACME)["Name"] == "Acme"
    replica.delete("Account", ACME)
    assert only(replica).operation is Operation.DELETE


def test_the_row_that_the_answer_brought_enters(replica):
    local = replica.create("Account", {"Name": "nut", "Phone": "7"})
    (change,) = send(replica)
    answer = row(ACCOUNT, NEW, ONE, Name="Nut", Phone="7", Score__c=4, Active__c=True)

    replica.settle("push-1", [Applied(change, NEW, row=answer)])

    found = shown(replica, local)
    assert (found["Name"], found["Score__c"], found["Active__c"]) == ("Nut", 4, 1)
    assert found["SystemModstamp"] == "2024-01-15T13:00:00.000Z"
    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_the_row_that_the_answer_brought_is_the_base_of_newer_edits(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.update("Account", ACME, {"Phone": "3", "Rating": "Hot"})

    replica.settle("push-1", [Applied(change, ACME, row=acme(ONE, Phone="2", Score__c=4))])

    assert {each.field: (each.base, each.value) for each in only(replica).edits} == {
        "Phone": ("2", "3"),
        "Rating": (None, "Hot"),
    }
    assert only(replica).stamp == "2024-01-15T13:00:00.000Z"
    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Score__c"]) == ("3", 4)


def test_an_answers_row_that_is_older_than_the_one_here_does_not_enter(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    arrive(replica, ACCOUNT, acme(TWO, Phone="2", Name="Acme Corp"))

    replica.settle("push-1", [Applied(change, ACME, row=acme(ONE, Phone="2"))])

    assert shown(replica, ACME)["Name"] == "Acme Corp"
    assert replica.changes() == ()


def test_quiet_pulls_after_a_push_bring_nothing_up_again(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    push(replica)

    for _ in range(3):
        arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert shown(replica, ACME)["Phone"] == "2"


# ── rejected ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rejected_change_is_parked_with_the_orgs_reason(replica, world):
    replica.update("Account", ACME, {"Phone": "2"})

    settled = replica.settle("push-1", [rejected(*send(replica))])

    found = item(replica)
    assert [each.record_id for each in settled.parked] == [ACME]
    assert settled.parked[0].state is ChangeState.PARKED
    assert settled.applied == ()
    assert (found.object_name, found.record_id, found.kind) == ("Account", ACME, Kind.REJECTED)
    assert (found.code, found.message, found.fields) == (
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "The phone is wrong.",
        ("Phone",),
    )
    assert (found.operation, found.edits) == (Operation.UPDATE, (Edit("Phone", "1", "2"),))
    assert found.at == world.clock.now()


@pytest.mark.parametrize("kind", [Kind.DUPLICATE, Kind.UNCERTAIN])
def test_what_the_org_named_is_in_the_inbox(replica, kind):
    local = replica.create("Account", {"Name": "Nut"})
    (change,) = send(replica)
    matches = (Match("Account", ACME), Match("Account", BOLT))

    replica.settle("push-1", [Rejected(change, "DUPLICATES_DETECTED", "Use one of these.", (), matches, kind)])

    assert (item(replica).record_id, item(replica).kind) == (local, kind)
    assert (item(replica).operation, item(replica).matches) == (Operation.CREATE, matches)


def test_one_rejected_row_holds_up_no_other(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})
    bad, good = send(replica)

    settled = replica.settle("push-1", [rejected(bad), Applied(good, BOLT)])

    assert [each.record_id for each in settled.applied] == [BOLT]
    assert [each.record_id for each in settled.parked] == [ACME]
    assert [each.record_id for each in replica.changes()] == [ACME]


def test_a_create_that_may_be_in_the_org_waits_for_a_person_though_it_was_edited_on_its_way(replica):
    local = replica.create("Account", {"Name": "Nut", "Phone": "2"})
    (change,) = send(replica)
    replica.update("Account", local, {"Phone": "3"})
    matches = (Match("Account", ACME),)

    settled = replica.settle("push-1", [Rejected(change, "UNCERTAIN", "It may be Acme.", (), matches, Kind.UNCERTAIN)])

    assert [each.record_id for each in settled.parked] == [local]
    assert (item(replica).kind, item(replica).matches) == (Kind.UNCERTAIN, matches)
    assert waiting(replica) == []
    assert only(replica).values == {"Name": "Nut", "Phone": "3"}


def test_a_create_that_may_be_in_the_org_and_was_deleted_on_its_way_is_no_more(replica):
    local = replica.create("Account", {"Name": "Nut"})
    (change,) = send(replica)
    replica.delete("Account", local)

    settled = replica.settle("push-1", [Rejected(change, "UNCERTAIN", "It may be Acme.", (), (), Kind.UNCERTAIN)])

    assert settled.parked == ()
    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_a_rejected_change_that_was_edited_on_its_way_waits(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", ACME, {"Phone": "3"})

    settled = replica.settle("push-1", [rejected(changes[0])])

    assert settled.parked == ()
    assert replica.inbox() == ()
    assert [(each.base, each.value) for each in waiting(replica)[0].edits] == [("1", "3")]


def test_a_rejected_change_whose_record_was_deleted_on_its_way_waits(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.delete("Account", ACME)

    replica.settle("push-1", [rejected(changes[0])])

    assert [each.operation for each in waiting(replica)] == [Operation.DELETE]
    assert replica.inbox() == ()


def test_a_rejected_deletion_stays_deleted_here_until_a_person_decides(replica):
    replica.delete("Account", ACME)

    replica.settle("push-1", [rejected(*send(replica))])

    assert replica.get("Account", ACME) is None
    assert (item(replica).operation, item(replica).kind) == (Operation.DELETE, Kind.REJECTED)


def test_items_are_in_the_order_in_which_they_came(replica):
    replica.update("Account", BOLT, {"Phone": "2"})
    replica.update("Account", ACME, {"Phone": "2"})
    first, second = send(replica)

    replica.settle("push-1", [rejected(first)])
    replica.settle("push-1", [rejected(second)])

    assert [each.record_id for each in replica.inbox()] == [BOLT, ACME]
    numbers = [each.number for each in replica.inbox()]
    assert numbers == sorted(set(numbers))


# ── the others ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("answer", [deferred, Conflicted])
def test_a_change_that_the_org_did_not_take_now_waits(replica, answer):
    replica.update("Account", ACME, {"Phone": "2"})

    settled = replica.settle("push-1", [answer(*send(replica))])

    (change,) = waiting(replica)
    assert [(each.base, each.value, each.in_flight) for each in change.edits] == [("1", "2", False)]
    assert (change.sent_at, change.job) == (None, None)
    assert (settled.applied, settled.parked) == ((), ())
    assert replica.inbox() == ()


def test_a_lost_change_stays_on_its_way(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    replica.settle("push-1", [lost(*send(replica))])

    assert (only(replica).state, only(replica).values) == (ChangeState.SENDING, {"Phone": "2"})


def test_a_lost_change_may_be_settled_by_a_later_push(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [lost(*send(replica))])
    again = world.restart()

    again.settle("push-2", [Applied(only(again), ACME)])

    assert again.changes() == ()


@pytest.mark.parametrize("answer", UNTAKEN)
def test_a_new_record_that_the_org_did_not_take_keeps_its_local_id(replica, answer):
    local = replica.create("Account", {"Name": "Nut"})

    replica.settle("push-1", [answer(*send(replica))])

    assert (only(replica).operation, only(replica).record_id) == (Operation.CREATE, local)
    assert only(replica).values == {"Name": "Nut"}
    assert shown(replica, local)["Name"] == "Nut"


def test_an_edit_of_a_new_record_that_failed_on_its_way_folds_into_the_create(replica):
    local = replica.create("Account", {"Name": "Nut"})
    changes = send(replica)
    replica.update("Account", local, {"Phone": "8"})

    replica.settle("push-1", [deferred(changes[0])])

    assert (only(replica).operation, only(replica).values) == (Operation.CREATE, {"Name": "Nut", "Phone": "8"})


# ── a kill between ───────────────────────────────────────────────────────────────────────────────────────────────


def test_settling_twice_is_harmless(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    local = replica.create("Account", {"Name": "Nut"})
    update, create = send(replica)
    replica.update("Account", ACME, {"Phone": "3"})
    outcomes = [Applied(update, ACME), Applied(create, NEW)]
    replica.settle("push-1", outcomes)
    again = world.restart()
    before = (again.changes(), again.history("Account", ACME), again.pushes())

    settled = again.settle("push-1", outcomes)

    assert settled.applied == ()
    assert (again.changes(), again.history("Account", ACME), again.pushes()) == before
    assert again.count("Account") == 3
    assert again.real_id(local) == NEW


def test_a_rejection_that_is_settled_twice_is_one_item(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    outcome = rejected(*send(replica))
    replica.settle("push-1", [outcome])

    replica.settle("push-1", [outcome])

    assert len(replica.inbox()) == 1


def test_an_answer_to_what_is_not_on_its_way_changes_nothing(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = waiting(replica)

    replica.settle("push-1", [Applied(changes[0], ACME)])

    assert only(replica) == changes[0]


def test_outcomes_may_come_one_by_one(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})
    first, second = send(replica)

    replica.settle("push-1", [Applied(second, BOLT)])
    assert [each.record_id for each in replica.changes()] == [ACME]
    replica.settle("push-1", [Applied(first, ACME)])

    assert replica.changes() == ()


# ── what was overwritten ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_value_that_our_write_took_the_place_of_is_kept_and_told(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    (change,) = send(replica)

    settled = replica.settle("push-1", [Applied(change, ACME, replaced={"Phone": "9"})])
    replica.record_push(Push("push-1", (), 1, 0.5))

    assert settled.overwrote == {change.number: ("Phone",)}
    assert [(each.overwrote, each.state) for each in replica.pushes()] == [(1, RunState.PARTIAL)]
    assert replica.changes() == ()
    assert (item(replica).record_id, item(replica).kind) == (ACME, Kind.REPLACED)
    (conflict,) = item(replica).conflicts
    assert (conflict.field, conflict.base, conflict.local, conflict.org) == ("Phone", "1", "2", "9")
    assert [(each.old, each.new) for each in replaced(replica, "Phone")] == [("9", "2")]
    assert [(each.old, each.new) for each in replaced(replica, "Rating")] == [(None, "Hot")]


def test_a_value_is_overwritten_without_a_word_where_the_local_one_is_to_hold(world):
    fill(world.store)
    store = world.restart(policies=Policies(Policy.LOCAL))
    store.update("Account", ACME, {"Phone": "2"})
    (change,) = send(store)

    settled = store.settle("push-1", [Applied(change, ACME, replaced={"Phone": "9"})])
    store.record_push(Push("push-1", (), 1, 0.5))

    assert (store.inbox(), settled.overwrote) == ((), {})
    assert [each.state for each in store.pushes()] == [RunState.COMPLETE]
    assert [(each.old, each.new) for each in replaced(store, "Phone")] == [("9", "2")]


def test_a_value_that_our_write_took_the_place_of_with_itself_is_nothing(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)

    replica.settle("push-1", [Applied(change, ACME, replaced={"Phone": "2"})])

    assert replica.inbox() == ()


def test_a_field_that_is_refused_for_itself_waits_alone(replica):
    replica.update("Account", ACME, {"Phone": "2", "Name": "Acme & Co"})
    (change,) = send(replica)
    replica.settle("push-1", [Rejected(change, "INVALID_FIELD", "No such column 'Phone'", apart=("Phone",))])

    found = item(replica)
    assert [(each.state, each.values) for each in replica.changes()] == [(ChangeState.WAITING, {"Name": "Acme & Co"})]
    assert (found.kind, found.code, found.fields) == (Kind.CONFLICT, "INVALID_FIELD", ("Phone",))
    assert [(each.field, each.base, each.local, each.org) for each in found.conflicts] == [("Phone", "1", "2", "1")]
    replica.resolve(found.number, Resolution(Side.ORG))
    assert (replica.inbox(), shown(replica, ACME)["Phone"]) == ((), "1")


@pytest.mark.parametrize("first", ["refused", "in conflict"])
def test_what_the_org_said_of_refused_fields_is_told_of_these_alone(replica, first):
    replica.update("Account", ACME, {"Phone": "2"})
    if first == "refused":
        (change,) = send(replica)
        replica.settle("push-1", [Rejected(change, "INVALID_FIELD", "No Phone.", apart=("Phone",))])
    else:
        arrive(replica, ACCOUNT, acme(ONE, Phone="9"))
    replica.update("Account", ACME, {"Name": "Acme & Co"})
    (change,) = send(replica, "push-2")
    replica.settle("push-2", [Rejected(change, "INVALID_FIELD", "No Name.", apart=("Name",))])
    both = item(replica)
    replica.resolve(both.number, Resolution(values={"Name": "Acme Ltd"}))
    left = item(replica)

    assert {each.field for each in both.conflicts} == {"Phone", "Name"}
    assert [each.field for each in left.conflicts] == ["Phone"]
    if first == "refused":
        assert (set(both.fields), both.message) == ({"Phone", "Name"}, "No Phone. No Name.")
        assert (left.code, left.fields, can_be_sent_again(left)) == ("INVALID_FIELD", ("Phone",), True)
    else:
        assert (both.fields, both.message, can_be_sent_again(both)) == (("Name",), "No Name.", False)
        assert (left.code or "CONFLICT", left.message, can_be_sent_again(left)) == ("CONFLICT", "", False)


@pytest.mark.parametrize(("phone", "told"), [("1", ("INVALID_FIELD", True)), ("9", ("CONFLICT", False))])
def test_what_the_org_said_of_a_refused_field_holds_until_somebody_changes_it_there(replica, phone, told):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push-1", [Rejected(change, "INVALID_FIELD", "No such column 'Phone'", apart=("Phone",))])

    read_only = replace(ACCOUNT.field("Phone"), updateable=False)
    schema = replace(ACCOUNT, fields=tuple(read_only if each.name == "Phone" else each for each in ACCOUNT.fields))
    replica.adopt(schema)
    listed = sent_again(item(replica))
    arrive(replica, schema, acme(ONE, Phone=phone, Name="Acme Ltd"))

    found = item(replica)
    if not told[1]:  # what somebody has written meanwhile is not overwritten by a decision on what was
        with pytest.raises(Misuse) as refused:
            replica.resolve(found.number, listed)
        assert refused.value.code == CHANGED_SINCE
    assert (found.code or "CONFLICT", can_be_sent_again(found)) == told
    assert (found.message == "No such column 'Phone'") == told[1]
    replica.resolve(found.number, sent_again(found) if told[1] else Resolution(Side.LOCAL))
    assert [each.values for each in replica.changes()] == [{"Phone": "2"}]
