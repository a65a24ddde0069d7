"""Store: changes that are on their way, and what is edited meanwhile."""

from datetime import timedelta

import pytest

from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import ChangeState, Kind, Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Rejected
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    NEW,
    NOON,
    ONE,
    SENT_AT,
    UNTAKEN,
    acme,
    applied,
    arrive,
    deferred,
    item,
    lost,
    only,
    push,
    rejected,
    send,
    shown,
    waiting,
)


def test_a_change_on_its_way_is_marked_and_not_sent_again(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    send(replica)

    change = only(replica)
    assert (change.state, change.sent_at, change.job) == (ChangeState.SENDING, SENT_AT, None)
    assert change.values == {"Phone": "2"}
    assert change.edits[0].in_flight


def test_the_mark_survives_a_kill(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.sending(changes, "push-1", None, "job-1")
    before = replica.changes()

    again = world.restart()

    assert again.changes() == before
    assert (before[0].sent_at, before[0].job) == (SENT_AT, "job-1")


def test_only_what_was_handed_over_is_marked(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Account", BOLT, {"Phone": "3"})

    replica.sending(waiting(replica)[:1], "push-1", SENT_AT, None)

    assert [each.record_id for each in waiting(replica)] == [BOLT]


def test_a_change_on_its_way_shows_the_edits_as_they_were_sent(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    send(replica)
    replica.update("Account", ACME, {"Phone": "3", "Rating": "Hot"})

    assert only(replica).values == {"Phone": "2"}
    assert shown(replica, ACME)["Phone"] == "3"


def test_what_was_edited_on_the_way_waits_on_what_was_sent(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", ACME, {"Phone": "3", "Rating": "Hot"})

    applied(replica, changes)

    change = only(replica)
    assert (change.operation, change.state) == (Operation.UPDATE, ChangeState.WAITING)
    assert {each.field: (each.base, each.value) for each in change.edits} == {
        "Phone": ("2", "3"),
        "Rating": (None, "Hot"),
    }
    assert not any(each.in_flight for each in change.edits)


def test_a_field_that_went_back_on_the_way_is_sent_back(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", ACME, {"Phone": "1"})
    assert only(replica).values == {"Phone": "2"}

    applied(replica, changes)

    assert [(each.base, each.value) for each in only(replica).edits] == [("2", "1")]


@pytest.mark.parametrize("answer", [deferred, Conflicted])
def test_a_field_that_went_back_on_the_way_is_no_edit_if_the_org_did_not_take_it(replica, answer):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", ACME, {"Phone": "1"})

    replica.settle("push-1", [answer(changes[0])])

    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "1"


def test_a_field_that_went_back_between_the_look_and_the_mark_is_sent_back(replica):
    # The person did not wait for the pusher: the change that it looked at is on its way all the same.
    replica.update("Account", ACME, {"Phone": "2"})
    seen = waiting(replica)
    replica.update("Account", ACME, {"Phone": "1"})
    replica.sending(seen, "push-1", SENT_AT, None)
    assert (only(replica).state, only(replica).values) == (ChangeState.SENDING, {"Phone": "2"})

    applied(replica, seen)

    assert [(each.base, each.value) for each in only(replica).edits] == [("2", "1")]


def test_a_field_that_was_edited_between_the_look_and_the_mark_waits(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    seen = waiting(replica)
    replica.update("Account", ACME, {"Phone": "3"})
    replica.sending(seen, "push-1", SENT_AT, None)

    applied(replica, seen)

    assert [(each.base, each.value) for each in only(replica).edits] == [("2", "3")]


def test_fields_that_were_not_handed_over_with_the_rest_wait(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    (change,) = waiting(replica)
    part = type(change)(
        change.number,
        "Account",
        ACME,
        Operation.UPDATE,
        tuple(each for each in change.edits if each.field == "Phone"),
        change.stamp,
    )
    replica.sending([part], "push-1", SENT_AT, None)
    assert only(replica).values == {"Phone": "2"}

    replica.settle("push-1", [Applied(part, ACME)])

    assert only(replica).values == {"Rating": "Hot"}


# ── deleted on the way ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_is_deleted_while_its_edit_is_on_the_way_is_deleted_after_that(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.delete("Account", ACME)
    assert only(replica).operation is Operation.UPDATE

    applied(replica, changes)

    assert (only(replica).operation, only(replica).state) == (Operation.DELETE, ChangeState.WAITING)
    assert replica.get("Account", ACME) is None


def test_a_new_record_that_is_deleted_on_its_way_is_deleted_in_the_org_too(replica):
    local = replica.create("Account", {"Name": "Nut"})
    changes = send(replica)

    replica.delete("Account", local)
    assert replica.get("Account", local) is None
    assert [(each.operation, each.state) for each in replica.changes()] == [(Operation.CREATE, ChangeState.SENDING)]

    applied(replica, changes, Account=NEW)
    assert (only(replica).operation, only(replica).record_id) == (Operation.DELETE, NEW)
    assert replica.get("Account", NEW) is None
    push(replica, "push-2")
    assert replica.changes() == ()
    assert replica.get("Account", NEW) is None


@pytest.mark.parametrize("answer", UNTAKEN)
def test_a_new_record_that_is_deleted_on_its_way_and_never_came_is_gone(replica, answer):
    local = replica.create("Account", {"Name": "Nut"})
    changes = send(replica)
    replica.delete("Account", local)

    replica.settle("push-1", [answer(changes[0])])

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert replica.status()[0].tombstones == 0


def test_a_new_record_that_is_deleted_between_the_look_and_the_mark_is_deleted_in_the_org_too(replica):
    local = replica.create("Account", {"Name": "Nut"})
    seen = waiting(replica)
    replica.delete("Account", local)
    replica.sending(seen, "push-1", SENT_AT, None)

    applied(replica, seen, Account=NEW)

    assert (only(replica).operation, only(replica).record_id) == (Operation.DELETE, NEW)
    assert replica.get("Account", NEW) is None


def test_a_record_that_is_brought_back_while_its_deletion_is_on_the_way_is_brought_back_there(replica):
    replica.delete("Account", ACME)
    changes = send(replica)
    replica.undelete("Account", ACME)
    assert (only(replica).operation, only(replica).state) == (Operation.DELETE, ChangeState.SENDING)

    applied(replica, changes)

    assert (only(replica).operation, only(replica).state) == (Operation.UNDELETE, ChangeState.WAITING)
    assert shown(replica, ACME)["Name"] == "Acme"


@pytest.mark.parametrize("answer", UNTAKEN)
def test_a_record_that_is_brought_back_while_its_deletion_failed_just_lives(replica, answer):
    replica.delete("Account", ACME)
    changes = send(replica)
    replica.undelete("Account", ACME)

    replica.settle("push-1", [answer(changes[0])])

    assert replica.changes() == ()
    assert shown(replica, ACME)["Name"] == "Acme"


def test_a_record_that_is_deleted_again_while_it_is_brought_back_is_deleted_there(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)
    changes = send(replica)
    replica.delete("Account", ACME)

    applied(replica, changes)

    assert (only(replica).operation, only(replica).state) == (Operation.DELETE, ChangeState.WAITING)


# ── what the org shows meanwhile ─────────────────────────────────────────────────────────────────────────────────


def test_a_pull_that_brings_back_what_was_sent_is_nobody_elses_change(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    assert replica.inbox() == ()
    applied(replica, changes)

    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_pull_that_brings_back_what_was_sent_leaves_the_newer_edit(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.update("Account", ACME, {"Phone": "3"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    assert replica.inbox() == ()
    assert shown(replica, ACME)["Phone"] == "3"
    applied(replica, changes)

    assert [(each.base, each.value) for each in only(replica).edits] == [("2", "3")]


def test_a_lost_update_that_is_found_in_the_org_is_done(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.settle("push-1", [lost(changes[0])])
    again = world.restart()

    arrive(again, ACCOUNT, acme(ONE, Phone="2"))
    again.settle("push-2", [Conflicted(changes[0])])

    assert again.changes() == ()
    assert again.inbox() == ()


def test_a_lost_update_that_is_not_in_the_org_is_sent_again(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.settle("push-1", [lost(changes[0])])
    again = world.restart()

    arrive(again, ACCOUNT, acme())
    again.settle("push-2", [Conflicted(changes[0])])

    change = only(again)
    assert (change.state, change.values, change.sent_at, change.job) == (
        ChangeState.WAITING,
        {"Phone": "2"},
        None,
        None,
    )
    assert not change.edits[0].in_flight


# ── parked ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_parked_change_is_not_sent_again(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])

    assert waiting(replica) == []
    assert only(replica).state is ChangeState.PARKED
    assert only(replica).values == {"Phone": "2"}
    assert shown(replica, ACME)["Phone"] == "2"


def test_an_edit_releases_a_parked_change_and_its_inbox_item(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])

    replica.update("Account", ACME, {"Phone": "3"})

    assert [each.values for each in waiting(replica)] == [{"Phone": "3"}]
    assert replica.inbox() == ()


def test_a_parked_change_that_goes_back_to_its_base_is_gone(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])

    replica.update("Account", ACME, {"Phone": "1"})

    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_an_edit_does_not_send_a_create_again_that_may_be_in_the_org(replica):
    local = replica.create("Account", {"Name": "Nut"})
    (change,) = send(replica)
    replica.settle("push-1", [Rejected(change, "UNCERTAIN", "It may be Acme.", (), (), Kind.UNCERTAIN)])

    replica.update("Account", local, {"Phone": "8"})

    assert waiting(replica) == []
    assert only(replica).values == {"Name": "Nut", "Phone": "8"}
    assert [each.kind for each in replica.inbox()] == [Kind.UNCERTAIN]


def test_an_edit_does_not_send_what_the_org_has_deleted(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    replica.update("Account", ACME, {"Phone": "3", "Rating": "Hot"})

    assert waiting(replica) == []
    assert [each.kind for each in replica.inbox()] == [Kind.DELETED_THERE]
    assert {each.field: each.value for each in replica.inbox()[0].edits} == {"Phone": "3", "Rating": "Hot"}


def test_deleting_what_the_org_has_deleted_is_done(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    replica.delete("Account", ACME)

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert replica.get("Account", ACME) is None


def test_taking_back_the_edits_of_what_the_org_has_deleted_deletes_it_here(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    replica.update("Account", ACME, {"Phone": "1"})

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert replica.get("Account", ACME) is None


def test_taking_back_the_deletion_of_what_was_changed_there_shows_the_orgs_values(replica):
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    replica.undelete("Account", ACME)

    assert shown(replica, ACME)["Phone"] == "3"
    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_what_is_in_dispute_beneath_a_deletion_waits_once_that_is_taken_back(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    replica.undelete("Account", ACME)

    assert (item(replica).kind, [each.field for each in item(replica).conflicts]) == (Kind.CONFLICT, ["Phone"])
    assert item(replica).hint in ("", "Take the org's values, the local ones, or write others.")
    assert only(replica).values == {"Rating": "Hot"}
    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("2", "Hot")
    replica.resolve(item(replica).number, Resolution(Side.ORG))
    assert (replica.inbox(), shown(replica, ACME)["Phone"]) == ((), "3")


def test_an_edit_that_was_sent_before_its_record_was_deleted_is_not_sent_again_when_that_is_taken_back(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.delete("Account", ACME)
    replica.settle("push-1", [Applied(changes[0], ACME)])

    replica.undelete("Account", ACME)

    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "2"


def test_what_was_deleted_while_its_edit_was_on_the_way_is_not_changed_by_somebody_else(replica):
    # The row that comes holds what we have sent ourselves.
    replica.update("Account", ACME, {"Phone": "2"})
    changes = send(replica)
    replica.delete("Account", ACME)

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    assert replica.inbox() == ()
    applied(replica, changes)

    assert [(each.operation, each.state) for each in replica.changes()] == [(Operation.DELETE, ChangeState.WAITING)]


def test_a_deletion_that_is_seen_before_it_is_settled_is_nobody_elses(replica):
    replica.delete("Account", ACME)
    changes = send(replica)
    replica.undelete("Account", ACME)

    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    assert replica.inbox() == ()
    applied(replica, changes)

    assert [each.operation for each in waiting(replica)] == [Operation.UNDELETE]
    assert shown(replica, ACME)["Name"] == "Acme"


def test_a_refused_edit_releases_nothing(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])

    with pytest.raises(ValueError, match="Phone"):
        replica.update("Account", ACME, {"Phone": "much too long"})

    assert only(replica).state is ChangeState.PARKED
    assert len(replica.inbox()) == 1


def test_a_parked_create_that_is_deleted_is_gone(replica):
    local = replica.create("Account", {"Name": "Nut"})
    replica.settle("push-1", [rejected(*send(replica))])

    replica.delete("Account", local)

    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_a_parked_deletion_that_is_taken_back_is_gone(replica):
    replica.delete("Account", ACME)
    replica.settle("push-1", [rejected(*send(replica))])

    replica.undelete("Account", ACME)

    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_parked_changes_do_not_move_others_in_the_outbox(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])
    replica.update("Account", BOLT, {"Phone": "2"})

    assert [each.record_id for each in replica.changes()] == [ACME, BOLT]
    assert [each.record_id for each in waiting(replica)] == [BOLT]


# ── the clock ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deferred_change_waits_longer_each_time(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    waits = []
    for attempt in range(1, 5):
        replica.settle(f"push-{attempt}", [deferred(*send(replica, f"push-{attempt}"))])
        change = only(replica)
        assert (change.state, change.attempts) == (ChangeState.WAITING, attempt)
        waits.append(change.not_before - world.clock.now())

    assert waits == sorted(waits)
    assert timedelta(0) < waits[0] < waits[-1] < timedelta(days=1)


def test_no_change_waits_for_ever(world, replica):
    replica.update("Account", ACME, {"Phone": "2"})
    for attempt in range(40):
        replica.settle(f"push-{attempt}", [deferred(*send(replica, f"push-{attempt}"))])

    assert only(replica).not_before - world.clock.now() < timedelta(days=1)


def test_a_row_that_comes_back_unchanged_leaves_the_edit(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(NOON))

    assert [(each.base, each.value) for each in only(replica).edits] == [("1", "2")]
    assert shown(replica, ACME)["Phone"] == "2"
