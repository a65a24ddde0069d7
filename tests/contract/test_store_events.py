"""Store: change events on their way in."""

import itertools
import random

import pytest

from salesforce_sync.models.event import Action, EventPage, Lack, RecordEvent, Told
from salesforce_sync.models.inbox import Kind
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Conflicted
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    JANE,
    NEW,
    NOON,
    ONE,
    acme,
    applied,
    arrive,
    item,
    only,
    row,
    send,
    shown,
)
from tests.contract.stores import page, pull
from tests.contract.test_store_signals import signals

STAMP_NOON, STAMP_ONE, STAMP_TWO = (f"2024-01-15T{hour}:00:00.000Z" for hour in (12, 13, 14))
_NUMBERS = itertools.count(1)

PERSON = make_schema(
    "Lead",
    make_field("Name", length=12, createable=False, updateable=False, nameField=True),
    make_field("FirstName", compoundFieldName="Name"),
    make_field("LastName", compoundFieldName="Name"),
    make_field("Salutation", compoundFieldName="Name"),
)
LEAD = to_18(f"00Q{1:012d}")
THING = to_18(f"a01{1:012d}")


def event(record_id=ACME, action=Action.UPDATE, at=STAMP_ONE, number=None, committed=None, **values):
    """An event of a change that was stamped, and committed, at this time."""
    lacks, own = values.pop("lacks", Lack.NOTHING), values.pop("own", False)
    told = {"LastModifiedDate": at, **values} if action in (Action.CREATE, Action.UPDATE, Action.UNDELETE) else {}
    place = (next(_NUMBERS) if number is None else number, 1)
    return RecordEvent(record_id, action, told, committed or at, place, lacks, own)


def come(store, *events, name="Account", replay=b"1", unsure=False):
    return store.merge_events(EventPage(name, events, replay, unsure))


def kinds(merged):
    return [(each.record_id, each.action) for each in merged.told]


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_changes_what_it_tells_and_no_more(replica):
    merged = come(replica, event(Phone="2", Rating=None))

    assert merged.told == (Told(ACME, Action.UPDATE, False),)
    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Name"]) == ("2", "Acme")
    assert shown(replica, ACME)["SystemModstamp"] == STAMP_ONE


def test_a_record_whose_event_keeps_a_value_back_is_not_half_changed(replica):
    """A create without one of its values was shown as if that were null, until it was read."""
    merged = come(
        replica, event(Phone="2", lacks=Lack.VALUES), event(NEW, Action.CREATE, Name="New", lacks=Lack.VALUES)
    )

    assert (merged.told, merged.again) == ((), 2)
    assert shown(replica, ACME)["Phone"] == "1"
    assert replica.get("Account", NEW) is None
    assert set(replica.to_read_again("Account", 9)) == {(ACME, Lack.VALUES), (NEW, Lack.VALUES)}


@pytest.mark.parametrize("together", [True, False])
def test_what_comes_after_an_untold_change_waits_until_the_record_is_read(replica, together):
    gap, later = event(action=Action.GAP), event(at=STAMP_TWO, Phone="3")
    pages = [(gap, later)] if together else [(gap,), (later,)]
    merged = [come(replica, *events) for events in pages]

    assert [each.told for each in merged] == [()] * len(pages)
    assert shown(replica, ACME)["Phone"] == "1"
    assert [*come(replica, event(action=Action.DELETE, at=STAMP_TWO)).told] == [Told(ACME, Action.DELETE, False)]


def test_of_our_own_writes_what_was_written_is_here(replica):
    merged = come(replica, event(Phone="2", lacks=Lack.VALUES, own=True))

    assert merged.told == (Told(ACME, Action.UPDATE, True),)


def test_a_record_that_came_and_went_in_one_page_is_told_as_deleted(replica):
    """It was told as updated, and nobody has ever seen it."""
    came, changed, went = event(NEW, Action.CREATE, Name="Short"), event(NEW, Phone="1"), event(NEW, Action.DELETE)
    merged = come(replica, came, changed, went)

    assert kinds(merged) == [(NEW, Action.DELETE)]
    assert replica.get("Account", NEW) is None


def test_a_page_that_names_no_place_leaves_it_where_it_is(replica):
    come(replica, replay=b"")
    assert replica.replay("Account") is None

    come(replica, replay=b"7")
    come(replica, event(Phone="2"), replay=b"")
    assert replica.replay("Account") == b"7"
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_create_makes_a_row_of_all_that_it_tells(replica):
    merged = come(replica, event(NEW, Action.CREATE, Name="Bolt", CreatedDate=STAMP_ONE))

    assert kinds(merged) == [(NEW, Action.CREATE)]
    row = shown(replica, NEW)
    assert (row["Name"], row["Phone"], row["IsDeleted"], row["SystemModstamp"]) == ("Bolt", None, 0, STAMP_ONE)


def test_a_deletion_leaves_a_tombstone_and_an_undeletion_brings_it_back(replica):
    gone = come(replica, event(action=Action.DELETE))
    assert replica.get("Account", ACME) is None and replica.rows("Account", [ACME])

    back = come(replica, event(action=Action.UNDELETE, at=STAMP_NOON, committed=STAMP_TWO, Name="Acme", Phone="3"))

    assert kinds(gone) + kinds(back) == [(ACME, Action.DELETE), (ACME, Action.UNDELETE)]
    assert shown(replica, ACME)["Phone"] == "3"


def test_the_rows_of_a_poll_still_enter_after_an_event(replica):
    come(replica, event(Phone="2"))

    arrive(replica, ACCOUNT, acme(ONE, Phone="2", Score__c=None, Rating="Hot"))

    assert shown(replica, ACME)["Rating"] == "Hot"


def test_an_event_moves_no_checkpoint(replica):
    before = replica.checkpoint("Account")
    come(replica, event(Phone="2"))
    assert replica.checkpoint("Account") == before


def test_an_event_of_an_older_change_changes_nothing(replica):
    arrive(replica, ACCOUNT, acme("2024-01-15T14:00:00.000+0000", Phone="3"))

    merged = come(replica, event(Phone="2", at=STAMP_ONE))

    assert (merged.told, merged.stale) == ((), 1)
    assert shown(replica, ACME)["Phone"] == "3"


def test_a_change_of_the_second_that_was_read_after_it_is_known(world, replica):
    """The row shows the second change of its second, and the event tells the first."""
    pull(replica, acme(ONE, Phone="3"), schema=ACCOUNT, at="2024-01-15T13:00:02+00:00")

    come(replica, event(Phone="2", at=STAMP_ONE, committed="2024-01-15T13:00:00.400Z"))

    assert shown(replica, ACME)["Phone"] == "3"


def test_a_change_of_a_second_that_was_still_open_when_it_was_read_is_news(world, replica):
    pull(replica, acme(ONE, Phone="3"), schema=ACCOUNT, at="2024-01-15T13:00:00+00:00")

    come(replica, event(Phone="4", at=STAMP_ONE, committed="2024-01-15T13:00:00.900Z"))

    assert shown(replica, ACME)["Phone"] == "4"


def test_events_that_come_twice_change_nothing_the_second_time(world, replica):
    first, second = event(Phone="2"), event(Phone="3")
    come(replica, first, second)
    again = come(replica, first)
    store = world.restart()
    after_restart = come(store, first, second)

    assert (again.told, after_restart.told, after_restart.stale) == ((), (), 2)
    assert shown(store, ACME)["Phone"] == "3"


@pytest.mark.parametrize("seed", range(12))
def test_events_in_any_order_and_number_end_in_the_same_row(replica, seed):
    """Of one second each, and of several: the last of each record wins, whatever comes again and again."""
    chance = random.Random(seed)
    told = [
        event(Phone=str(number), at=f"2024-01-15T13:00:0{number // 3}.000Z", number=1000 + number)
        for number in range(1, 8)
    ]
    for _ in range(3):
        shuffled = [*told, *chance.choices(told, k=5)]
        chance.shuffle(shuffled)
        cut = chance.randrange(len(shuffled))
        come(replica, *shuffled[:cut])
        come(replica, *shuffled[cut:])
    if replica.to_read_again("Account", 1):  # one came after a later one: from then on only the org knows
        replica.merge_again(page(acme(told[-1].committed, Phone="7"), schema=ACCOUNT), [ACME])

    assert shown(replica, ACME)["Phone"] == "7"
    assert replica.to_read_again("Account", 1) == ()


def test_a_change_that_is_told_after_a_later_one_is_looked_for_in_the_org(replica):
    """It may be of another field, which the later one does not tell of."""
    first, second = event(Phone="2"), event(Rating="Hot", at=STAMP_TWO)
    come(replica, second)
    come(replica, first)

    assert replica.to_read_again("Account", 10) == ((ACME, Lack.VALUES),)
    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("1", "Hot")


def test_a_name_is_made_of_its_parts(store):
    store.adopt(PERSON)
    pull(store, schema=PERSON)
    come(store, event(LEAD, Action.CREATE, FirstName="Jane", LastName="Doe", Salutation="Dr."), name="Lead")
    assert shown(store, LEAD, "Lead")["Name"] == "Jane Doe"

    come(store, event(LEAD, LastName="Doe-Remington"), name="Lead")
    assert shown(store, LEAD, "Lead")["Name"] == "Jane Doe-Rem"

    come(store, event(LEAD, FirstName=None), name="Lead")
    assert shown(store, LEAD, "Lead")["Name"] == "Doe-Remingto"


def test_a_field_that_is_not_known_here_is_left_out(replica):
    merged = come(replica, event(Phone="2", Fresh__c="x"))
    assert kinds(merged) == [(ACME, Action.UPDATE)]


def test_an_object_without_tombstones_loses_the_row(store):
    plain = make_schema("Thing__c", Name="string")
    bare = type(plain)(plain.name, plain.label, tuple(each for each in plain.fields if each.name != "IsDeleted"))
    key = to_18(f"a01{1:012d}")
    store.adopt(bare)
    pull(store, (key, NOON, NOON, NOON, "Bolt"), schema=bare)

    come(store, event(key, Action.DELETE), name="Thing__c")

    assert store.rows("Thing__c", [key]) == {}


@pytest.fixture
def stampless(store):
    """A replica of an object without a stamp: it was read whole at one o'clock, and holds one record."""
    plain = make_schema("Thing__c", Name="string")
    kept = tuple(each for each in plain.fields if each.name in ("Id", "IsDeleted", "Name"))
    bare = type(plain)(plain.name, plain.label, kept)
    store.adopt(bare)
    pull(store, (THING, False, "Bolt"), schema=bare, at="2024-01-15T13:00:00+00:00")
    return store


def test_without_a_stamp_what_was_committed_before_the_reading_is_known(stampless):
    other = to_18(f"a01{2:012d}")  # which was deleted, too, before the reading

    merged = come(
        stampless, event(THING, at=STAMP_NOON, Name="Nut"), event(other, Action.CREATE, at=STAMP_NOON), name="Thing__c"
    )

    assert (merged.told, merged.stale) == ((), 2)
    assert stampless.rows("Thing__c", [THING, other])[THING][-1] == "Bolt"


def test_without_a_stamp_only_the_org_knows_whether_a_record_has_changed_again(stampless):
    """Whoever reads all rows reads some of them after that change, and after the next one of the same record."""
    come(stampless, event(THING, at=STAMP_TWO, Name="Nut"), name="Thing__c")

    assert stampless.rows("Thing__c", [THING])[THING][-1] == "Bolt"
    assert dict(stampless.to_read_again("Thing__c", 10)) == {THING: Lack.VALUES}


def test_without_a_stamp_a_record_that_is_made_after_the_reading_is_news(stampless):
    new = to_18(f"a01{2:012d}")

    come(stampless, event(new, Action.CREATE, at=STAMP_TWO, Name="Nut"), name="Thing__c")

    assert stampless.rows("Thing__c", [new])[new][-1] == "Nut"


# ── what is told and what is not ─────────────────────────────────────────────────────────────────────────────────


def test_a_gap_and_a_record_that_is_not_here_are_to_be_read(replica):
    come(replica, event(ACME, Action.GAP), event(NEW, Phone="2"), event(JANE, Action.DELETE))

    assert dict(replica.to_read_again("Account", 10)) == dict.fromkeys((ACME, NEW, JANE), Lack.VALUES)
    assert shown(replica, ACME)["Phone"] == "1"


def test_what_is_derived_is_read_after_what_is_missing(replica):
    come(replica, event(ACME, Phone="2", lacks=Lack.DERIVED), event(BOLT, Action.GAP))

    assert replica.to_read_again("Account", 10) == ((BOLT, Lack.VALUES), (ACME, Lack.DERIVED))
    assert replica.to_read_again("Account", 1) == ((BOLT, Lack.VALUES),)
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_lack_of_values_is_not_forgotten_for_a_lack_of_formulas(world, replica):
    come(replica, event(ACME, Action.GAP))
    come(replica, event(ACME, Phone="2", lacks=Lack.DERIVED))

    assert world.restart().to_read_again("Account", 10) == ((ACME, Lack.VALUES),)


def test_what_was_read_again_enters_and_is_done(replica):
    come(replica, event(ACME, Action.GAP), event(BOLT, Action.GAP))

    merged = replica.merge_again(page(acme(ONE, Phone="9"), schema=ACCOUNT), [ACME, BOLT])

    assert kinds(merged) == [(ACME, Action.UPDATE)]
    assert replica.to_read_again("Account", 10) == ()
    assert shown(replica, ACME)["Phone"] == "9"


def test_what_was_read_before_an_event_came_does_not_go_back(replica):
    come(replica, event(ACME, Phone="5", at=STAMP_TWO))

    merged = replica.merge_again(page(acme(ONE, Phone="4"), schema=ACCOUNT), [ACME])

    assert merged.told == () and shown(replica, ACME)["Phone"] == "5"


def test_a_deletion_is_found_by_reading_again(replica):
    come(replica, event(ACME, Action.GAP))
    merged = replica.merge_again(page(acme(ONE, deleted=True), schema=ACCOUNT), [ACME])
    assert kinds(merged) == [(ACME, Action.DELETE)]


# ── where events go on ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_place_to_go_on_from_is_kept_with_the_rows(world, replica):
    assert replica.replay("Account") is None
    come(replica, event(Phone="2"), replay=b"\x00\xff12345678")
    come(replica, name="Contact", replay=b"other")

    store = world.restart()

    assert (store.replay("account"), store.replay("Contact")) == (b"\x00\xff12345678", b"other")


def test_a_place_that_is_forgotten_leaves_the_object_unsure_until_it_was_polled(world, replica):
    come(replica, replay=b"x")
    replica.forget_replay("Account")
    store = world.restart()
    assert (store.replay("Account"), store.unsure("Account")) == (None, 1)

    store.note_sure("Account", 1)

    assert store.unsure("Account") == 0


def test_what_becomes_unsure_during_a_poll_stays_so(replica):
    replica.note_unsure("Account")
    asked = replica.unsure("Account")
    come(replica, unsure=True)

    replica.note_sure("Account", asked)

    assert replica.unsure("Account") == 2


# ── local edits ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_edit_of_another_field_goes_on_with_the_new_stamp(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    come(replica, event(Rating="Hot"))

    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("2", "Hot")
    assert only(replica).stamp == STAMP_ONE
    assert replica.inbox() == ()


def test_both_sides_of_one_field_are_a_conflict(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    come(replica, event(Phone="3"))

    assert item(replica).kind is Kind.CONFLICT
    assert [(each.field, each.base, each.local, each.org) for each in item(replica).conflicts] == [
        ("Phone", "1", "2", "3")
    ]


def test_a_conflict_is_told_by_the_merge_of_the_event_that_brought_it(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    come(replica, event(Phone="3"))

    told = [each.name for each in signals(replica)]
    assert sorted(told) == ["conflict", "records_updated", "sf_realtime"]


def test_an_event_that_does_not_tell_the_edited_field_is_no_conflict_with_it(replica):
    """What is not told is what the org last showed, and not what is shown here."""
    replica.update("Account", ACME, {"Phone": "2"})
    come(replica, event(Rating="Hot"))
    come(replica, event(Rating="Warm", at=STAMP_TWO))

    assert replica.inbox() == ()
    assert [(each.base, each.value) for each in only(replica).edits] == [("1", "2")]


def test_a_disputed_field_stays_disputed_over_what_the_org_has(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    come(replica, event(Phone="3"))
    come(replica, event(Rating="Hot", at=STAMP_TWO))

    assert [(each.local, each.org) for each in item(replica).conflicts] == [("2", "3")]


def test_our_own_write_is_no_conflict_and_no_news(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    send(replica)

    merged = come(replica, event(Phone="2", own=True))

    assert replica.inbox() == ()
    assert merged.told == (Told(ACME, Action.UPDATE, True),)


def test_a_deletion_in_the_org_of_what_is_edited_here_waits_for_a_person(replica):
    replica.update("Account", ACME, {"Phone": "2"})

    come(replica, event(action=Action.DELETE))

    assert item(replica).kind is Kind.DELETED_THERE
    assert shown(replica, ACME)["Phone"] == "2"


def test_an_event_about_a_record_that_was_deleted_here_leaves_it_deleted(replica):
    replica.delete("Account", ACME)
    come(replica, event(LastModifiedById=None))

    assert replica.get("Account", ACME) is None
    assert only(replica).operation is Operation.DELETE


def test_a_deletion_on_both_sides_is_done(replica):
    replica.delete("Account", ACME)

    come(replica, event(action=Action.DELETE))

    assert replica.changes() == () and replica.get("Account", ACME) is None


def test_what_events_replace_is_in_the_history(replica):
    come(replica, event(Phone="2"))
    come(replica, event(Phone="3", at=STAMP_TWO))

    assert [(each.field, each.old, each.new) for each in replica.history("Account", ACME)] == [
        ("Phone", "2", "3"),
        ("Phone", "1", "2"),
    ]


def test_events_during_a_pull_are_not_undone_by_its_older_rows(replica):
    replica.begin(PullRequest(ACCOUNT))
    replica.stage(page(acme(NOON), row(ACCOUNT, BOLT, NOON, Name="Bolt"), schema=ACCOUNT, resume="end", last=True))
    come(replica, event(Phone="2"))

    replica.merge("Account", None)

    assert shown(replica, ACME)["Phone"] == "2"
    assert replica.get("Account", BOLT) is not None


# ── records that a push is deleting ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("settled_first", [True, False])
@pytest.mark.parametrize("read", [True, False])
def test_what_an_event_tells_of_a_record_that_is_being_deleted_is_still_seen_as_lost(replica, settled_first, read):
    """The event made it look as if the org had shown the value, and it went with the deletion without a word."""
    replica.delete("Account", ACME)
    changes = send(replica)
    if settled_first:
        applied(replica, changes)
    come(replica, event(Phone="9"))
    if read:
        replica.merge_again(page(acme(ONE, Phone="9"), schema=ACCOUNT), [ACME])
    come(replica, event(action=Action.DELETE, at=STAMP_TWO, own=True))
    if not settled_first:
        applied(replica, changes)

    arrive(replica, ACCOUNT, acme(STAMP_TWO, deleted=True, Phone="9"))

    assert item(replica).kind is Kind.DELETED_OVER
    assert [(each.field, each.base, each.org) for each in item(replica).conflicts] == [("Phone", "1", "9")]
    assert replica.get("Account", ACME) is None


def test_a_deletion_that_the_org_refuses_meets_what_an_event_has_told_meanwhile(replica):
    replica.delete("Account", ACME)
    changes = send(replica)
    come(replica, event(Phone="9"))
    settle = [Conflicted(each) for each in changes]
    replica.settle("push-1", settle)

    replica.merge_again(page(acme(ONE, Phone="9"), schema=ACCOUNT), [ACME])

    assert item(replica).kind is Kind.CHANGED_THERE
