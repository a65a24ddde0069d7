"""Store: a person's decisions on what waits in the inbox."""

import pytest

from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.history import Origin
from salesforce_sync.models.inbox import Conflict, Resolution, Side
from salesforce_sync.models.outbox import ChangeState, Kind, Operation
from salesforce_sync.models.outcome import EDITED_TWICE, Applied, Match, Rejected
from salesforce_sync.models.proof import Cause
from salesforce_sync.testing import make_field, make_schema
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    JANE,
    NEW,
    ONE,
    THREE,
    TWO,
    acme,
    arrive,
    item,
    only,
    push,
    rejected,
    row,
    send,
    shown,
    waiting,
)
from tests.contract.stores import id_of

ORG, LOCAL, AGAIN = Resolution(Side.ORG), Resolution(Side.LOCAL), Resolution(again=True)


def decide(store, resolution):
    store.resolve(item(store).number, resolution)


def bases(change):
    return {each.field: (each.base, each.value) for each in change.edits}


@pytest.fixture
def conflict(replica):
    """Phone and rating were changed on both sides, the city only here."""
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot", "BillingCity": "Rome"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3", Rating="Warm"))
    return replica


def test_items_are_read_in_pages_and_of_some_records_alone(conflict):
    made = str(conflict.create("Account", {"Name": "Bolt"}))
    conflict.settle("push-1", [rejected(each) for each in send(conflict) if each.record_id == made])
    first, second = conflict.inbox()

    assert conflict.inbox(most=1) == (first,)
    assert conflict.inbox(first.number) == (second,)
    assert conflict.inbox(records=[made, JANE]) == (second,)
    assert (conflict.inbox(records=[JANE]), conflict.inbox(records=[])) == ((), ())
    assert (conflict.inbox(first.number, records=[ACME]), conflict.inbox(0, 1, [made])) == ((), (second,))


# ── conflicts ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_orgs_side_ends_the_edits_in_conflict(conflict):
    decide(conflict, ORG)

    assert conflict.inbox() == ()
    assert (shown(conflict, ACME)["Phone"], shown(conflict, ACME)["Rating"]) == ("3", "Warm")
    assert [bases(each) for each in waiting(conflict)] == [{"BillingCity": (None, "Rome")}]


def test_the_local_side_is_sent_on_the_orgs_present_value(conflict):
    decide(conflict, LOCAL)

    assert conflict.inbox() == ()
    (change,) = waiting(conflict)
    assert bases(change) == {"Phone": ("3", "2"), "Rating": ("Warm", "Hot"), "BillingCity": (None, "Rome")}
    assert change.stamp == "2024-01-15T13:00:00.000Z"
    assert shown(conflict, ACME)["Phone"] == "2"


def test_a_third_value_is_sent_on_the_orgs_present_value(conflict):
    decide(conflict, Resolution(Side.ORG, values={"Phone": "4"}))

    assert conflict.inbox() == ()
    assert bases(waiting(conflict)[0]) == {"Phone": ("3", "4"), "BillingCity": (None, "Rome")}
    assert (shown(conflict, ACME)["Phone"], shown(conflict, ACME)["Rating"]) == ("4", "Warm")


def test_one_field_may_be_decided_and_the_others_wait_on(conflict):
    decide(conflict, Resolution(values={"Phone": "4"}))

    assert item(conflict).conflicts == (Conflict("Rating", None, "Hot", "Warm"),)
    assert bases(waiting(conflict)[0]) == {"Phone": ("3", "4"), "BillingCity": (None, "Rome")}


def test_the_orgs_own_value_as_a_decision_ends_the_edit(conflict):
    decide(conflict, Resolution(Side.LOCAL, values={"Phone": "3"}))

    assert bases(waiting(conflict)[0]) == {"Rating": ("Warm", "Hot"), "BillingCity": (None, "Rome")}


def test_a_decision_survives_a_kill(world, conflict):
    decide(conflict, LOCAL)
    before = conflict.changes()

    again = world.restart()

    assert (again.changes(), again.inbox()) == (before, ())


def test_the_inbox_survives_a_kill(world, conflict):
    before = conflict.inbox()

    assert world.restart().inbox() == before


def test_a_change_of_the_org_after_the_decision_is_a_new_conflict(conflict):
    decide(conflict, LOCAL)

    arrive(conflict, ACCOUNT, acme(TWO, Phone="5", Rating="Warm"))

    assert item(conflict).conflicts == (Conflict("Phone", "3", "2", "5"),)


# ── rejected ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def refused(replica):
    """The org has rejected a new phone."""
    replica.update("Account", ACME, {"Phone": "2"})
    replica.settle("push-1", [rejected(*send(replica))])
    return replica


@pytest.mark.parametrize("resolution", [AGAIN, LOCAL])
def test_a_rejected_change_is_sent_again(refused, resolution):
    decide(refused, resolution)

    assert refused.inbox() == ()
    assert [bases(each) for each in waiting(refused)] == [{"Phone": ("1", "2")}]


def test_a_rejected_change_is_given_up(refused):
    decide(refused, ORG)

    assert refused.inbox() == ()
    assert refused.changes() == ()
    assert shown(refused, ACME)["Phone"] == "1"


def test_a_rejected_value_is_mended(refused):
    decide(refused, Resolution(values={"Phone": "9"}))

    assert refused.inbox() == ()
    assert [bases(each) for each in waiting(refused)] == [{"Phone": ("1", "9")}]


def test_a_rejected_create_is_given_up(replica):
    local = replica.create("Account", {"Name": "Nut"})
    replica.settle("push-1", [rejected(*send(replica))])

    decide(replica, ORG)

    assert replica.get("Account", local) is None
    assert replica.changes() == ()
    assert replica.inbox() == ()


def test_a_rejected_deletion_is_given_up(replica):
    replica.delete("Account", ACME)
    replica.settle("push-1", [rejected(*send(replica))])

    decide(replica, ORG)

    assert shown(replica, ACME)["Name"] == "Acme"
    assert replica.changes() == ()


def test_a_rejected_deletion_is_sent_again(replica):
    replica.delete("Account", ACME)
    replica.settle("push-1", [rejected(*send(replica))])

    decide(replica, AGAIN)

    assert [each.operation for each in waiting(replica)] == [Operation.DELETE]


# ── new records ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def duplicate(replica):
    """A new account that refers to nobody, with a contact of its own; the org found it like Acme."""
    local = replica.create("Account", {"Name": "Acme!", "Phone": "7"})
    replica.create("Contact", {"LastName": "Roe", "AccountId": local})
    change = waiting(replica)[0]
    replica.sending([change], "push-1", None, None)
    matches = (Match("Account", ACME), Match("Account", NEW), Match("Contact", JANE))
    replica.settle("push-1", [Rejected(change, "DUPLICATES_DETECTED", "Use one.", (), matches, Kind.DUPLICATE)])
    return replica


def test_a_duplicate_is_saved_anyway(duplicate):
    local = item(duplicate).record_id

    decide(duplicate, Resolution(again=True, allow_duplicates=True))

    change = waiting(duplicate)[0]
    assert (change.record_id, change.operation, change.allow_duplicates) == (local, Operation.CREATE, True)
    assert duplicate.inbox() == ()


def test_a_duplicate_is_linked_and_the_orgs_record_holds(duplicate):
    local = item(duplicate).record_id

    decide(duplicate, Resolution(link=ACME))

    assert duplicate.inbox() == ()
    assert duplicate.real_id(local) == ACME
    assert (shown(duplicate, local)["Name"], shown(duplicate, local)["Phone"]) == ("Acme", "1")
    assert duplicate.count("Account") == 2
    assert only(duplicate).values == {"LastName": "Roe", "AccountId": ACME}


def test_a_duplicate_is_linked_and_its_values_are_sent(duplicate):
    decide(duplicate, Resolution(Side.LOCAL, link=ACME))

    (change,) = [each for each in waiting(duplicate) if each.object_name == "Account"]
    assert (change.record_id, change.operation) == (ACME, Operation.UPDATE)
    assert bases(change) == {"Name": ("Acme", "Acme!"), "Phone": ("1", "7")}
    assert change.stamp == "2024-01-15T12:00:00.000Z"
    assert shown(duplicate, ACME)["Phone"] == "7"


def test_a_link_lets_the_edits_be_that_the_orgs_record_has_itself(duplicate):
    duplicate.update("Account", ACME, {"Phone": "5"})

    decide(duplicate, Resolution(link=ACME))

    (change,) = [each for each in waiting(duplicate) if each.object_name == "Account"]
    assert (change.record_id, bases(change)) == (ACME, {"Phone": ("1", "5")})
    assert (shown(duplicate, ACME)["Name"], shown(duplicate, ACME)["Phone"]) == ("Acme", "5")
    assert duplicate.inbox() == ()


def test_the_values_that_a_link_lets_go_are_in_the_history(duplicate):
    decide(duplicate, Resolution(link=ACME))

    kept = {each.field: (each.old, each.new, each.origin) for each in duplicate.history("Account", ACME)}
    assert kept == {"Name": ("Acme!", "Acme", Origin.DECISION), "Phone": ("7", "1", Origin.DECISION)}


def test_an_edit_of_the_orgs_record_that_a_link_replaces_waits_in_the_inbox(duplicate):
    duplicate.update("Account", ACME, {"Phone": "5", "Name": "Acme!"})

    decide(duplicate, Resolution(Side.LOCAL, link=ACME))

    found = item(duplicate)
    assert (found.kind, found.code, found.record_id) == (Kind.REPLACED, EDITED_TWICE, ACME)
    assert found.conflicts == (Conflict("Phone", "1", "7", "5"),)
    assert "Phone" in found.message

    decide(duplicate, ORG)

    (change,) = [each for each in waiting(duplicate) if each.object_name == "Account"]
    assert bases(change)["Phone"][1] == shown(duplicate, ACME)["Phone"] == "5"
    assert duplicate.inbox() == ()


def test_a_new_record_is_linked_to_one_that_was_not_pulled_yet(duplicate):
    local = item(duplicate).record_id
    decide(duplicate, Resolution(link=NEW))

    arrive(duplicate, ACCOUNT, row(ACCOUNT, NEW, ONE, Name="Acme Ltd", Phone="8"))

    assert duplicate.inbox() == ()
    assert (shown(duplicate, local)["Name"], shown(duplicate, local)["Phone"]) == ("Acme Ltd", "8")
    assert duplicate.count("Account") == 3
    assert [each.object_name for each in duplicate.changes()] == ["Contact"]


def test_a_duplicate_is_dropped_and_nobody_refers_to_it(duplicate):
    decide(duplicate, ORG)

    assert duplicate.inbox() == ()
    assert only(duplicate).values == {"LastName": "Roe"}


@pytest.mark.parametrize("link", ["nobody", "local-1", id_of(7), JANE])
def test_a_link_must_be_a_record_that_the_org_has_named_or_that_is_here(duplicate, link):
    with pytest.raises(Misuse):
        decide(duplicate, Resolution(link=link))

    assert len(duplicate.inbox()) == 1


def test_a_new_record_is_not_linked_to_one_that_is_deleted(duplicate):
    duplicate.delete("Account", BOLT)

    with pytest.raises(Misuse):
        decide(duplicate, Resolution(link=BOLT))

    assert len(duplicate.inbox()) == 1


def test_edits_of_what_was_merged_go_to_no_other_record(merged_there):
    with pytest.raises(Misuse):
        decide(merged_there, Resolution(Side.LOCAL, link=LOSER))

    assert len(merged_there.inbox()) == 1


def test_only_a_new_record_is_linked(refused):
    with pytest.raises(Misuse):
        decide(refused, Resolution(link=BOLT))

    assert len(refused.inbox()) == 1


# ── whole records ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def deleted_there(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))
    return replica


LEAD = make_schema(
    "Lead",
    make_field("MasterRecordId", "reference", referenceTo=["Lead"], createable=False, updateable=False),
    LastName="string",
    Phone="phone",
)
LOSER, MASTER = id_of(1), id_of(2)


@pytest.fixture
def merged_there(store):
    """A lead that was edited here, and merged into another one in the org."""
    store.adopt(LEAD)
    arrive(store, LEAD, *(row(LEAD, each, LastName="Doe", Phone="1") for each in (LOSER, MASTER)))
    store.update("Lead", LOSER, {"Phone": "2"})
    arrive(store, LEAD, row(LEAD, LOSER, ONE, LastName="Doe", Phone="1", IsDeleted=True, MasterRecordId=MASTER))
    return store


def test_what_was_merged_there_cannot_be_brought_back_and_says_where_it_went(merged_there):
    found = item(merged_there)

    with pytest.raises(Misuse, match=f"merged into {MASTER}"):
        decide(merged_there, LOCAL)

    assert (found.kind, found.code, found.matches) == (Kind.DELETED_THERE, "MERGED", (Match("Lead", MASTER),))
    assert item(merged_there) == found
    assert only(merged_there).state is ChangeState.PARKED


def test_the_edits_of_what_was_merged_there_are_given_to_the_record_that_it_went_into(merged_there):
    merged_there.update("Lead", MASTER, {"Phone": "9", "LastName": "Roe"})

    decide(merged_there, Resolution(Side.LOCAL, link=MASTER))

    told = item(merged_there)
    assert (told.kind, told.code, told.conflicts) == (
        Kind.REPLACED,
        EDITED_TWICE,
        (Conflict("Phone", "1", "2", "9"),),
    )
    assert merged_there.get("Lead", LOSER) is None
    change = only(merged_there)
    assert (change.record_id, bases(change)) == (MASTER, {"Phone": ("1", "2"), "LastName": ("Doe", "Roe")})
    assert shown(merged_there, MASTER, "Lead")["Phone"] == "2"


@pytest.mark.parametrize("decision", [Resolution(Side.ORG), Resolution(Side.ORG, link=MASTER)])
def test_the_edits_of_what_was_merged_there_are_let_go(merged_there, decision):
    decide(merged_there, decision)

    assert (merged_there.inbox(), merged_there.changes(), merged_there.get("Lead", LOSER)) == ((), (), None)
    assert shown(merged_there, MASTER, "Lead")["Phone"] == "1"


def test_edits_are_not_given_to_a_record_that_is_not_here(merged_there):
    with pytest.raises(Misuse):
        decide(merged_there, Resolution(Side.LOCAL, link=id_of(7)))

    assert len(merged_there.inbox()) == 1


def test_a_linked_record_keeps_the_bases_of_its_own_edits(duplicate):
    duplicate.update("Account", ACME, {"Phone": "5"})

    decide(duplicate, Resolution(Side.LOCAL, link=ACME))

    (change,) = [each for each in waiting(duplicate) if each.object_name == "Account"]
    assert bases(change) == {"Name": ("Acme", "Acme!"), "Phone": ("1", "7")}


def test_what_was_deleted_there_is_deleted_here(deleted_there):
    decide(deleted_there, ORG)

    assert deleted_there.get("Account", ACME) is None
    assert deleted_there.changes() == ()
    assert deleted_there.inbox() == ()


@pytest.mark.parametrize("item", [0, 1])
def test_the_orgs_side_of_fields_lets_a_record_go_that_was_deleted_there_since(conflict, item):
    replica = conflict
    arrive(replica, ACCOUNT, acme(THREE, deleted=True, Phone="3", Rating="Warm"))
    assert {each.kind for each in replica.inbox()} == {Kind.CONFLICT, Kind.DELETED_THERE}
    replica.update("Account", ACME, {"BillingCity": None})

    replica.resolve(replica.inbox()[item].number, ORG)

    assert replica.get("Account", ACME) is None
    assert (replica.changes(), replica.inbox()) == ((), ())


def test_what_was_deleted_there_is_brought_back_before_it_is_edited(deleted_there):
    decide(deleted_there, LOCAL)

    assert [(each.operation, each.record_id) for each in waiting(deleted_there)] == [(Operation.UNDELETE, ACME)]
    push(deleted_there)
    assert [(each.operation, bases(each)) for each in waiting(deleted_there)] == [
        (Operation.UPDATE, {"Phone": ("1", "2")})
    ]


@pytest.fixture
def rejected_and_deleted_there(refused):
    """The org has rejected a new phone, and then somebody has deleted the record there: two items."""
    arrive(refused, ACCOUNT, acme(ONE, deleted=True))
    assert [each.kind for each in refused.inbox()] == [Kind.REJECTED, Kind.DELETED_THERE]
    return refused


@pytest.mark.parametrize("item", [0, 1])
def test_who_gives_up_an_edit_of_what_was_deleted_there_lets_it_go(rejected_and_deleted_there, item):
    store = rejected_and_deleted_there

    store.resolve(store.inbox()[item].number, ORG)

    assert (store.get("Account", ACME), store.changes(), store.inbox()) == (None, (), ())


@pytest.mark.parametrize("item", [0, 1])
def test_who_wants_an_edit_of_what_was_deleted_there_has_it_brought_back(rejected_and_deleted_there, item):
    store = rejected_and_deleted_there

    store.resolve(store.inbox()[item].number, LOCAL)

    assert store.inbox() == ()
    assert [(each.operation, each.record_id) for each in waiting(store)] == [(Operation.UNDELETE, ACME)]


@pytest.mark.parametrize("cause", [Cause.HIDDEN, Cause.UNKNOWN])
def test_what_is_not_shown_any_more_leaves(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.set_aside("Account", [ACME], cause)

    decide(replica, ORG)

    assert replica.get("Account", ACME) is None
    assert replica.changes() == ()


@pytest.mark.parametrize("cause", [Cause.HIDDEN, Cause.UNKNOWN])
def test_what_is_not_shown_any_more_is_tried_again(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.set_aside("Account", [ACME], cause)

    decide(replica, AGAIN)

    assert [(each.operation, bases(each)) for each in waiting(replica)] == [(Operation.UPDATE, {"Phone": ("1", "2")})]


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (Cause.DELETED, "The org shows it no more: it was deleted."),
        (Cause.PURGED, "is not in its bin any more"),
        (Cause.HIDDEN, "The connected user may not see it any more"),
        (Cause.UNKNOWN, "it was purged, or the connected user may not see it"),
    ],
)
def test_why_a_record_waits_that_is_shown_no_more_is_said(replica, cause, said):
    replica.update("Account", ACME, {"Phone": "2"})

    replica.set_aside("Account", [ACME], cause)

    assert item(replica).code == cause.name
    assert said in item(replica).message


@pytest.mark.parametrize("cause", [Cause.PURGED, Cause.HIDDEN, Cause.UNKNOWN])
def test_what_is_not_in_the_orgs_bin_is_not_brought_back(replica, cause):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.set_aside("Account", [ACME], cause)

    with pytest.raises(Misuse):
        decide(replica, LOCAL)

    assert len(replica.inbox()) == 1
    assert waiting(replica) == []


@pytest.fixture
def changed_there(replica):
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    return replica


def test_what_was_changed_there_lives_again(changed_there):
    decide(changed_there, ORG)

    assert shown(changed_there, ACME)["Phone"] == "3"
    assert changed_there.changes() == ()
    assert changed_there.inbox() == ()


def test_what_was_changed_there_lives_again_without_the_edits_that_were_made_before_its_deletion(replica):
    replica.update("Account", ACME, {"Phone": "2", "Rating": "Hot"})
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    decide(replica, ORG)

    assert (shown(replica, ACME)["Phone"], shown(replica, ACME)["Rating"]) == ("3", None)
    assert (replica.changes(), replica.inbox()) == ((), ())


def test_a_deletion_that_was_decided_on_is_not_asked_about_again(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.delete("Account", ACME)
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    decide(replica, LOCAL)

    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert replica.inbox() == ()
    assert [(each.operation, each.state) for each in replica.changes()] == [(Operation.DELETE, ChangeState.WAITING)]


def test_what_was_changed_there_is_deleted_all_the_same(changed_there):
    decide(changed_there, LOCAL)

    assert [(each.operation, each.stamp) for each in waiting(changed_there)] == [
        (Operation.DELETE, "2024-01-15T13:00:00.000Z")
    ]
    assert changed_there.inbox() == ()


# ── overwritten ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def overwritten(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    replica.settle("push-1", [Applied(change, ACME, replaced={"Phone": "9"})])
    return replica


def test_an_overwritten_value_is_written_back(overwritten):
    decide(overwritten, ORG)

    assert [bases(each) for each in waiting(overwritten)] == [{"Phone": ("2", "9")}]
    assert shown(overwritten, ACME)["Phone"] == "9"
    assert overwritten.inbox() == ()


def test_an_overwritten_value_stays_overwritten(overwritten):
    decide(overwritten, LOCAL)

    assert overwritten.changes() == ()
    assert shown(overwritten, ACME)["Phone"] == "2"
    assert overwritten.inbox() == ()


# ── what makes no sense ──────────────────────────────────────────────────────────────────────────────────────────


def test_an_item_that_is_not_there_cannot_be_decided(conflict):
    with pytest.raises(RecordNotFound):
        conflict.resolve(999_999, ORG)


def test_an_item_is_decided_once(refused):
    number = item(refused).number
    refused.resolve(number, AGAIN)

    with pytest.raises(RecordNotFound):
        refused.resolve(number, AGAIN)


def test_a_decision_that_says_nothing_is_refused(conflict):
    with pytest.raises(Misuse):
        decide(conflict, Resolution())

    assert len(item(conflict).conflicts) == 2


@pytest.mark.parametrize("values", [{"Phone": "much too long"}, {"Score__c": 1.0}, {"Nothing__c": "x"}])
def test_a_value_that_describe_knows_to_be_wrong_is_refused(conflict, values):
    before = (conflict.changes(), conflict.inbox(), shown(conflict, ACME))

    with pytest.raises(Misuse):
        decide(conflict, Resolution(Side.ORG, values=values))

    assert (conflict.changes(), conflict.inbox(), shown(conflict, ACME)) == before


def test_decisions_on_one_record_leave_the_others(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    replica.update("Contact", JANE, {"LastName": "Roe"})
    first, second = send(replica)
    replica.settle("push-1", [rejected(first), rejected(second)])

    replica.resolve(replica.inbox()[0].number, AGAIN)

    assert [each.record_id for each in replica.inbox()] == [JANE]
    assert [each.record_id for each in waiting(replica)] == [ACME]


# ── what was seen ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_decision_on_what_has_changed_since_it_was_seen_is_refused(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    seen = item(replica)
    arrive(replica, ACCOUNT, acme(TWO, Phone="4"))
    now = item(replica)

    with pytest.raises(Misuse, match="changed since") as caught:
        replica.resolve(seen.number, Resolution(Side.LOCAL, seen=seen.version))

    assert (caught.value.code, item(replica), seen.number) == ("CHANGED_SINCE", now, now.number)
    replica.resolve(now.number, Resolution(Side.LOCAL, seen=now.version))
    assert [(each.base, each.value) for each in only(replica).edits] == [("4", "2")]


def test_a_question_that_comes_again_as_it_was_is_the_one_that_was_seen(replica):
    replica.update("Account", ACME, {"Phone": "2"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    seen = item(replica)
    arrive(replica, ACCOUNT, acme(TWO, Phone="3"))

    replica.resolve(seen.number, Resolution(Side.ORG, seen=seen.version))

    assert (replica.inbox(), replica.changes()) == ((), ())
