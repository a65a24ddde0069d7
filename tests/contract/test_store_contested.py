"""Store: rows with local edits when the org's rows come, are listed, or are gone."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from salesforce_sync.models.change import LossLimit, Merged
from salesforce_sync.models.inbox import Conflict, Kind, Resolution
from salesforce_sync.models.outbox import ChangeState, Operation
from salesforce_sync.models.outcome import Applied, Rejected
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import FieldType
from salesforce_sync.resolve import Policies, Policy
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    JANE,
    NEW,
    NOON,
    ONE,
    SENT_AT,
    THREE,
    TWO,
    acme,
    applied,
    arrive,
    item,
    only,
    push,
    row,
    send,
    shown,
    waiting,
)
from tests.contract.stores import page, pull

LONG_AGO, LONG_AFTER = "2020-01-01T00:00:00.000+0000", "2099-01-01T00:00:00.000+0000"
STAMP_ONE = "2024-01-15T13:00:00.000Z"


def always(policy):
    return Policies(policy)


def bases(change):
    return {each.field: (each.base, each.value) for each in change.edits}


# ── fields ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_disjoint_changes_both_live(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Rating="Hot"))

    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("2", "Hot")
    assert bases(only(replica)) == {"Phone": ("1", "2")}
    assert replica.inbox() == ()


def test_an_edit_that_goes_on_goes_on_with_the_new_stamp(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Rating="Hot"))

    assert only(replica).stamp == STAMP_ONE
    assert shown(replica, ACME)["SystemModstamp"] == STAMP_ONE


def test_the_same_new_value_on_both_sides_is_no_conflict(replica):
    replica.update("Account", ACME, {"Phone": "2", "BillingCity": "Rome"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    assert bases(only(replica)) == {"BillingCity": (None, "Rome")}
    assert replica.inbox() == ()


def test_a_change_of_which_the_org_has_everything_is_gone(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    assert replica.changes() == ()


def test_a_conflict_waits_in_the_inbox_and_the_local_value_is_shown(replica, world):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert shown(replica, ACME)["Phone"] == "2"
    assert waiting(replica) == []
    found = item(replica)
    assert (found.object_name, found.record_id, found.kind) == ("Account", ACME, Kind.CONFLICT)
    assert found.conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert (found.operation, found.at) == (Operation.UPDATE, world.clock.now())


def test_the_other_fields_of_a_record_in_conflict_are_sent(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert [each.values for each in waiting(replica)] == [{"Rating": "Hot"}]
    push(replica)
    assert waiting(replica) == []
    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("2", "Hot")


def test_fields_that_belong_together_are_in_conflict_together(replica):
    replica.update("Account", ACME, {"BillingCity": "Rome", "Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, BillingStreet="Main St 1"))

    assert [each.field for each in item(replica).conflicts] == ["BillingCity"]
    assert [each.values for each in waiting(replica)] == [{"Phone": "2"}]


def test_a_conflict_follows_the_org(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    number = item(replica).number

    arrive(replica, ACCOUNT, acme(TWO, Phone="4"))

    assert item(replica).number == number
    assert [(each.local, each.org) for each in item(replica).conflicts] == [("2", "4")]


def test_the_same_row_again_leaves_a_conflict_as_it_is(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    before = replica.inbox()

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert replica.inbox() == before
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_conflict_ends_when_the_org_takes_the_local_value(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    arrive(replica, ACCOUNT, acme(TWO, Phone="2"))

    assert replica.inbox() == ()
    assert replica.changes() == ()


def test_a_conflict_ends_when_the_org_goes_back(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    arrive(replica, ACCOUNT, acme(TWO, Phone="1"))

    assert replica.inbox() == ()
    assert [bases(each) for each in waiting(replica)] == [{"Phone": ("1", "2")}]


def test_a_conflict_follows_the_person(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    replica.update("Account", ACME, {"Phone": "4"})

    assert waiting(replica) == []
    assert [(each.local, each.org) for each in item(replica).conflicts] == [("4", "3")]
    replica.update("Account", ACME, {"Phone": "3"})
    assert replica.inbox() == ()
    assert replica.changes() == ()


def test_an_older_row_changes_nothing(replica):
    arrive(replica, ACCOUNT, acme(TWO))
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert bases(only(replica)) == {"Phone": ("1", "2")}
    assert replica.inbox() == ()


def test_a_conflict_while_an_edit_is_on_its_way_is_told(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert only(replica).state is ChangeState.SENDING
    assert only(replica).values == {"Phone": "2"}
    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert change.record_id == ACME


@pytest.mark.parametrize(
    ("policy", "stamp", "local_wins"),
    [
        (Policy.ORG, ONE, False),
        (Policy.LOCAL, ONE, True),
        (Policy.NEWEST, LONG_AFTER, False),
    ],
)
def test_a_policy_decides(world, replica, policy, stamp, local_wins):
    store = world.restart(policies=always(policy))
    store.note_clock(timedelta(0))
    store.update("Account", ACME, {"Phone": "2"})

    arrive(store, ACCOUNT, acme(stamp, Phone="3"))

    assert store.inbox() == ()
    assert shown(store, ACME)["Phone"] == ("2" if local_wins else "3")
    assert [bases(each) for each in store.changes()] == ([{"Phone": ("3", "2")}] if local_wins else [])


def test_the_newest_may_be_here(world, replica):
    store = world.restart(policies=always(Policy.NEWEST))
    store.note_clock(timedelta(0))
    arrive(store, ACCOUNT, row(ACCOUNT, BOLT, LONG_AGO, Name="Bolt"))
    old = to_18("001000000000050")
    arrive(store, ACCOUNT, row(ACCOUNT, old, LONG_AGO, Name="Old", Phone="1"))
    store.update("Account", old, {"Phone": "2"})

    arrive(store, ACCOUNT, row(ACCOUNT, old, "2020-01-02T00:00:00.000+0000", Name="Old", Phone="3"))

    assert [bases(each) for each in store.changes()] == [{"Phone": ("3", "2")}]


def at(when: datetime) -> str:
    """A stamp as the org gives it."""
    return when.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def newest(world, replica):
    """A store that takes the newest; its one account has the stamps of long ago."""
    store = world.restart(policies=always(Policy.NEWEST))
    store.note_clock(timedelta(0))
    old = to_18("001000000000050")
    arrive(store, ACCOUNT, row(ACCOUNT, old, LONG_AGO, Name="Old", Phone="1", Rating="Cold"))
    return store, old


def test_the_newest_is_told_by_the_time_of_the_field_s_own_edit(world, replica):
    store, old = newest(world, replica)
    store.update("Account", old, {"Phone": "2"})
    world.pass_time(HOUR)
    there = at(world.now() - MINUTE)
    store.update("Account", old, {"Rating": "Hot"})

    arrive(store, ACCOUNT, row(ACCOUNT, old, there, Name="Old", Phone="3", Rating="Warm"))

    assert [bases(each) for each in store.changes()] == [{"Rating": ("Warm", "Hot")}]
    assert (shown(store, old)["Phone"], store.inbox()) == ("3", ())


@pytest.mark.parametrize("ahead", [HOUR, -HOUR])
def test_the_times_of_edits_are_corrected_by_what_the_clocks_differ(world, replica, ahead):
    store, old = newest(world, replica)
    store.note_clock(ahead)
    store.update("Account", old, {"Phone": "2"})
    there = world.now() + ahead + (-MINUTE if ahead > timedelta(0) else MINUTE)

    arrive(store, ACCOUNT, row(ACCOUNT, old, at(there), Name="Old", Phone="3", Rating="Cold"))

    assert shown(store, old)["Phone"] == ("2" if ahead > timedelta(0) else "3")
    assert store.inbox() == ()


@pytest.mark.parametrize(
    ("ahead", "later"), [(None, -HOUR), (timedelta(0), timedelta(0))], ids=["no clock", "one second"]
)
def test_the_newest_is_asked_about_where_nobody_knows_it(world, replica, ahead, later):
    store, old = newest(world, replica)
    store.note_clock(ahead)
    store.update("Account", old, {"Phone": "2"})

    arrive(store, ACCOUNT, row(ACCOUNT, old, at(world.now() + later), Name="Old", Phone="3", Rating="Cold"))

    (asked,) = store.inbox()
    assert (asked.kind, asked.conflicts) == (Kind.CONFLICT, (Conflict("Phone", "1", "2", "3"),))


def test_a_decision_is_an_edit_of_its_own_time(world, replica):
    store, old = newest(world, replica)
    store.note_clock(None)
    store.update("Account", old, {"Phone": "2"})
    world.pass_time(world.now() - world.clock.now() + HOUR)
    decided = world.clock.now()
    arrive(store, ACCOUNT, row(ACCOUNT, old, at(decided - 3 * MINUTE), Name="Old", Phone="3", Rating="Cold"))
    store.note_clock(timedelta(0))
    store.resolve(store.inbox()[0].number, Resolution(values={"Phone": "4"}))

    arrive(store, ACCOUNT, row(ACCOUNT, old, at(decided - MINUTE), Name="Old", Phone="5", Rating="Cold"))

    assert [bases(each) for each in store.changes()] == [{"Phone": ("5", "4")}]


def test_each_field_has_its_policy(world, replica):
    store = world.restart(policies=Policies(Policy.LOCAL, {"account.phone": Policy.ORG}))
    store.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})

    arrive(store, ACCOUNT, acme(ONE, Phone="3", Rating="Warm"))

    assert bases(only(store)) == {"Rating": ("Warm", "Hot")}
    assert shown(store, ACME)["Phone"] == "3"


# ── counts of a merge ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_row_that_holds_nothing_new_is_unchanged_whatever_was_edited_here(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert pull(replica, acme(), schema=ACCOUNT) == Merged("Account", unchanged=1)
    replica.delete("Account", ACME)
    assert pull(replica, acme(), schema=ACCOUNT) == Merged("Account", unchanged=1)
    assert replica.get("Account", ACME) is None


def test_a_row_that_brings_something_is_updated_whatever_was_edited_here(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert pull(replica, acme(ONE, Rating="Hot"), schema=ACCOUNT) == Merged("Account", updated=1)


# ── whole records ────────────────────────────────────────────────────────────────────────────────────────────────


def test_edited_here_and_deleted_there_waits_for_a_person(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    assert waiting(replica) == []
    assert (item(replica).kind, item(replica).operation) == (Kind.DELETED_THERE, Operation.UPDATE)
    assert [(each.field, each.base, each.value) for each in item(replica).edits] == [("Phone", "1", "2")]
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_record_that_waits_because_it_was_deleted_there_waits_once(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    before = replica.inbox()

    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    assert replica.inbox() == before
    assert waiting(replica) == []


def test_edited_here_and_brought_back_there_goes_on(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    arrive(replica, ACCOUNT, acme(TWO))

    assert replica.inbox() == ()
    assert [bases(each) for each in waiting(replica)] == [{"Phone": ("1", "2")}]


def test_edited_here_and_deleted_there_ends_if_the_org_wins(world, replica):
    store = world.restart(policies=always(Policy.ORG))
    store.update("Account", ACME, {"Phone": "2"})

    arrive(store, ACCOUNT, acme(ONE, deleted=True))

    assert store.changes() == ()
    assert store.inbox() == ()
    assert store.get("Account", ACME) is None


def test_deleted_on_both_sides_is_done(replica):
    replica.delete("Account", ACME)

    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert replica.get("Account", ACME) is None


def test_deleted_here_and_changed_there_waits_for_a_person(replica):
    replica.delete("Account", ACME)

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert waiting(replica) == []
    assert (item(replica).kind, item(replica).operation) == (Kind.CHANGED_THERE, Operation.DELETE)
    assert replica.get("Account", ACME) is None


def test_what_our_push_has_caused_in_a_record_does_not_hold_its_deletion_up(replica):
    replica.delete("Account", ACME)
    replica.delete("Account", BOLT)

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"), row(ACCOUNT, BOLT, ONE, Name="Bolt", Phone="4"), own=[ACME])

    (change,) = waiting(replica)
    assert (change.record_id, change.operation, change.stamp) == (ACME, Operation.DELETE, STAMP_ONE)
    assert (item(replica).record_id, item(replica).kind) == (BOLT, Kind.CHANGED_THERE)
    assert [(each.field, each.old, each.new) for each in replica.history("Account", ACME)] == [("Phone", "1", "3")]


def test_what_our_push_has_caused_in_a_record_is_judged_like_all_else_where_it_was_edited(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"), own=[ACME])

    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)


def test_what_the_org_fills_in_when_it_makes_a_record_is_no_change_of_anybodys(replica):
    local = replica.create("Account", {"Name": "Nut"})
    created = send(replica)
    replica.delete("Account", local)
    applied(replica, created, Account=NEW)

    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut", Code__c="A-1", Active__c=True, LastModifiedById=JANE))

    assert [(each.operation, each.record_id) for each in waiting(replica)] == [(Operation.DELETE, NEW)]
    assert replica.inbox() == ()


def test_another_value_than_was_sent_in_a_record_that_was_deleted_meanwhile_waits_for_a_person(replica):
    local = replica.create("Account", {"Name": "Nut", "Phone": "1"})
    created = send(replica)
    replica.delete("Account", local)
    applied(replica, created, Account=NEW)

    arrive(replica, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Nut", Phone="2", Active__c=True))

    assert waiting(replica) == []
    assert (item(replica).kind, item(replica).message) == (Kind.CHANGED_THERE, "Changed in the org since: Phone.")


def test_deleted_here_and_only_stamped_there_goes_on_with_the_new_stamp(replica):
    replica.delete("Account", ACME)

    arrive(replica, ACCOUNT, acme(ONE))

    assert [(each.operation, each.stamp) for each in waiting(replica)] == [(Operation.DELETE, STAMP_ONE)]
    assert replica.inbox() == ()


@pytest.mark.parametrize(("policy", "lives"), [(Policy.ORG, True), (Policy.LOCAL, False)])
def test_a_policy_decides_over_a_deletion(world, replica, policy, lives):
    store = world.restart(policies=always(policy))
    store.delete("Account", ACME)

    arrive(store, ACCOUNT, acme(ONE, Phone="3"))

    assert store.inbox() == ()
    assert (store.get("Account", ACME) is not None) == lives
    assert [each.operation for each in waiting(store)] == ([] if lives else [Operation.DELETE])


def test_brought_back_on_both_sides_is_done(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)

    arrive(replica, ACCOUNT, acme(TWO, Phone="3"))

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert shown(replica, ACME)["Phone"] == "3"


def test_brought_back_on_both_sides_and_edited_here_goes_on_as_an_edit(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(TWO))

    assert [(each.operation, bases(each)) for each in waiting(replica)] == [(Operation.UPDATE, {"Phone": ("1", "2")})]


def test_what_could_not_be_brought_back_waits_no_more_once_it_is_back(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push", [Rejected(change, "UNDELETE_FAILED", "Entity is not in the recycle bin")])
    asked = replica.inbox()

    arrive(replica, ACCOUNT, acme(TWO))

    assert [each.code for each in asked] == ["UNDELETE_FAILED"]
    assert replica.inbox() == ()
    assert [(each.operation, bases(each)) for each in waiting(replica)] == [(Operation.UPDATE, {"Phone": ("1", "2")})]


def test_brought_back_here_and_still_deleted_there_goes_on(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)

    arrive(replica, ACCOUNT, acme(TWO, deleted=True))

    assert [each.operation for each in waiting(replica)] == [Operation.UNDELETE]
    assert shown(replica, ACME)["Name"] == "Acme"


# ── some columns ─────────────────────────────────────────────────────────────────────────────────────────────────


def fill_columns(store, *names, values):
    narrow = ACCOUNT.only(*names)
    store.begin(PullRequest(narrow))
    store.stage(page(values, schema=narrow, resume="end", last=True))
    return store.merge_columns(PullRequest(narrow))


def test_fresh_columns_leave_edits_of_others(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert fill_columns(replica, "Score__c", values=(ACME, 7)) == 1

    assert (shown(replica, ACME)["Score__c"], shown(replica, ACME)["Phone"]) == (7, "2")
    assert bases(only(replica)) == {"Phone": ("1", "2")}


def test_a_fresh_column_that_shows_the_base_leaves_the_edit(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    assert fill_columns(replica, "Phone", values=(ACME, "1")) == 0

    assert shown(replica, ACME)["Phone"] == "2"
    assert bases(only(replica)) == {"Phone": ("1", "2")}


def test_a_fresh_column_that_shows_something_else_is_a_conflict(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})

    fill_columns(replica, "Phone", values=(ACME, "3"))

    assert shown(replica, ACME)["Phone"] == "2"
    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert [each.values for each in waiting(replica)] == [{"Rating": "Hot"}]


def test_fresh_columns_do_not_bring_back_what_was_deleted_here(replica):
    replica.delete("Account", ACME)

    fill_columns(replica, "Score__c", values=(ACME, 7))

    assert replica.get("Account", ACME) is None
    assert [each.operation for each in waiting(replica)] == [Operation.DELETE]


# ── comparing and counting ───────────────────────────────────────────────────────────────────────────────────────


def compare(store, *rows, since=None):
    narrow = ACCOUNT.only("IsDeleted", "SystemModstamp")
    store.begin(PullRequest(narrow, since))
    listed = [tuple(each[i] for i, f in enumerate(ACCOUNT.columns) if narrow.has(f.name)) for each in rows]
    store.stage(page(*listed, schema=narrow, resume="end", last=True))
    found = store.compare("Account", since, 10)
    store.end_comparison("Account", since)
    return found


ORG_ROWS = (acme(), row(ACCOUNT, BOLT))
SINCE = [None, datetime(2024, 1, 15, 11, tzinfo=UTC)]


@pytest.mark.parametrize("since", SINCE)
def test_a_comparison_does_not_see_what_was_edited_only_here(replica, since):
    replica.create("Account", {"Name": "Nut"})
    replica.delete("Account", ACME)
    replica.update("Account", BOLT, {"Phone": "2"})

    found = compare(replica, *ORG_ROWS, since=since)

    assert (found.listed, found.live, found.differences) == (2, 2, 0)


def test_a_comparison_sees_that_a_record_deleted_here_is_gone_or_newer_there(replica):
    replica.delete("Account", ACME)

    assert compare(replica, ORG_ROWS[1]).extra == (ACME,)
    assert [each.id for each in compare(replica, acme(THREE), ORG_ROWS[1]).stale] == [ACME]


def test_a_comparison_does_not_see_what_is_brought_back_only_here(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    replica.undelete("Account", ACME)

    assert compare(replica, ORG_ROWS[1]).differences == 0
    assert replica.count_shown("Account") == 1


def test_count_shown_is_what_the_org_should_have(replica):
    replica.create("Account", {"Name": "Nut"})
    replica.update("Account", BOLT, {"Phone": "2"})
    replica.delete("Account", ACME)

    assert (replica.count("Account"), replica.count_shown("Account")) == (2, 2)
    assert replica.count_shown("account") == 2


def test_count_shown_follows_the_org(replica):
    replica.create("Account", {"Name": "Nut"})
    replica.delete("Account", ACME)
    assert replica.count_shown("Account") == 2

    push(replica, Account=to_18("001000000000009"))

    assert replica.count_shown("Account") == replica.count("Account") == 2


def test_count_shown_leaves_out_what_the_org_has_deleted(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    assert (replica.count("Account"), replica.count_shown("Account")) == (2, 1)


def test_count_since_does_not_see_what_was_edited_only_here(replica):
    replica.create("Account", {"Name": "Nut"})
    replica.delete("Account", ACME)
    replica.update("Account", BOLT, {"Phone": "2"})

    assert replica.count_since("Account", datetime(2024, 1, 15, 12, tzinfo=UTC)) == 2


@pytest.mark.parametrize(("listed", "counted"), [(True, 2), (False, 1)])
def test_count_since_leaves_out_only_tombstones_that_the_org_lists_no_more(replica, listed, counted):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    tombstone = [acme(ONE, deleted=True)] if listed else []

    compare(replica, *tombstone, ORG_ROWS[1], since=SINCE[1])

    assert replica.count_since("Account", datetime(2024, 1, 15, 11, tzinfo=UTC)) == counted


def test_what_was_deleted_here_is_no_loss(replica):
    ids = [to_18(f"001{number:012d}") for number in range(100, 120)]
    arrive(replica, ACCOUNT, *(row(ACCOUNT, each, Name="Many") for each in ids))
    for each in ids:
        replica.delete("Account", each)
    push(replica)

    replica.begin(PullRequest(ACCOUNT))
    replica.stage(
        page(*(row(ACCOUNT, each, ONE, Name="Many", deleted=True) for each in ids), schema=ACCOUNT, resume="end")
    )
    replica.merge("Account", None, LossLimit())

    assert replica.count("Account") == 2


# ── set aside ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cause", [Cause.DELETED, Cause.PURGED, Cause.HIDDEN, Cause.UNKNOWN])
def test_a_row_with_edits_that_the_org_no_longer_shows_waits_for_a_person(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})

    replica.set_aside("Account", [ACME, BOLT], cause)

    assert waiting(replica) == []
    assert (item(replica).record_id, item(replica).kind) == (ACME, Kind.DELETED_THERE)
    assert shown(replica, ACME)["Phone"] == "2"
    assert replica.get("Account", BOLT) is None
    assert replica.count_shown("Account") == 0


@pytest.mark.parametrize("cause", [Cause.DELETED, Cause.PURGED, Cause.HIDDEN, Cause.UNKNOWN])
def test_what_waits_because_the_org_shows_it_no_more_is_no_difference(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.set_aside("Account", [ACME], cause)

    assert compare(replica, ORG_ROWS[1]).differences == 0
    assert replica.set_aside("Account", [ACME], cause) == 0
    assert len(replica.inbox()) == 1


@pytest.mark.parametrize("cause", [Cause.DELETED, Cause.PURGED, Cause.HIDDEN, Cause.UNKNOWN])
def test_a_deletion_of_what_the_org_no_longer_shows_is_done(replica, cause):
    replica.delete("Account", ACME)

    replica.set_aside("Account", [ACME], cause)

    assert replica.changes() == ()
    assert replica.inbox() == ()
    assert replica.get("Account", ACME) is None
    assert compare(replica, ORG_ROWS[1]).differences == 0


@pytest.mark.parametrize("cause", [Cause.HIDDEN, Cause.UNKNOWN])
def test_a_row_with_edits_that_is_shown_again_goes_on(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.set_aside("Account", [ACME], cause)

    arrive(replica, ACCOUNT, acme(NOON))

    assert replica.inbox() == ()
    assert [bases(each) for each in waiting(replica)] == [{"Phone": ("1", "2")}]
    assert replica.count_shown("Account") == 2


def test_a_row_made_here_is_never_set_aside(replica):
    local = replica.create("Account", {"Name": "Nut"})

    assert replica.set_aside("Account", [local], Cause.HIDDEN) == 0

    assert shown(replica, local)["Name"] == "Nut"
    assert len(waiting(replica)) == 1


def test_records_that_refer_to_each_other_are_deleted_without_a_question(replica):
    arrive(replica, ACCOUNT, acme(ParentId=BOLT), row(ACCOUNT, BOLT, ONE, Name="Bolt", Active__c=False, ParentId=ACME))
    replica.delete("Account", ACME)
    replica.delete("Account", BOLT)
    first = next(each for each in replica.changes() if each.record_id == ACME)
    replica.sending([first], "push-1", SENT_AT, None)
    replica.settle("push-1", [Applied(first, ACME)])

    # The org empties what referred to the deleted record.
    arrive(replica, ACCOUNT, row(ACCOUNT, BOLT, THREE, Name="Bolt", Active__c=False))

    assert replica.inbox() == ()
    assert [(each.record_id, each.operation) for each in waiting(replica)] == [(BOLT, Operation.DELETE)]


def test_a_reference_that_somebody_else_emptied_is_asked_about(replica):
    arrive(replica, ACCOUNT, acme(ONE, ParentId=BOLT))
    replica.delete("Account", ACME)

    arrive(replica, ACCOUNT, acme(THREE))

    assert [each.kind for each in replica.inbox()] == [Kind.CHANGED_THERE]


@pytest.mark.parametrize("policy", [Policy.ASK, Policy.LOCAL])
def test_an_edit_that_its_field_cannot_hold_any_more_waits_and_is_not_shown(world, replica, policy):
    store = world.restart(policies=Policies(policy))
    store.update("Account", ACME, {"Phone": "soon"})
    fields = tuple(
        replace(each, type=FieldType.DATE, length=0) if each.name == "Phone" else each for each in ACCOUNT.fields
    )
    dated = replace(ACCOUNT, fields=fields)
    store.adopt(dated)

    arrive(store, dated, acme(at=TWO, Phone="2024-01-15"))

    assert shown(store, ACME)["Phone"] == "2024-01-15"
    waits = [each.value for each in store.changes() for each in each.edits]
    waits += [each.local for item in store.inbox() for each in item.conflicts]
    assert waits == ["soon"]
