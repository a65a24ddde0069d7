"""Store: edits that were made elsewhere, on values that may be older than those here."""

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import Misuse
from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn, Wrote
from salesforce_sync.models.inbox import Conflict, Kind, Resolution, Side
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied
from salesforce_sync.models.values import store_datetime
from salesforce_sync.resolve import Policies, Policy
from tests.contract.edits import (
    ACCOUNT,
    ACME,
    BOLT,
    CONTACT,
    JANE,
    NEW,
    ONE,
    TWO,
    acme,
    arrive,
    fill,
    item,
    only,
    push,
    row,
    send,
    shown,
)

OLD = {"Id": ACME, "Name": "Acme", "Phone": "1", "Rating": None, "BillingStreet": None, "BillingCity": None}


def update(base=OLD, record_id=ACME, **values):
    return Draft("Account", Operation.UPDATE, record_id, values, base)


def take_in(store, *drafts):
    taken = store.take_in(drafts)
    assert len(taken) == len(drafts)
    return taken


def bases(store):
    return {each.field: (each.base, each.value) for each in only(store).edits}


def test_a_draft_on_the_row_as_it_is_here_is_an_ordinary_edit(replica):
    (taken,) = take_in(replica, update(Phone="2"))

    assert taken == TakenIn(ACME)
    assert bases(replica) == {"Phone": ("1", "2")}
    assert shown(replica, ACME)["Phone"] == "2"
    assert replica.inbox() == ()


def test_a_draft_and_a_change_of_another_field_in_the_org_since_are_merged(replica):
    arrive(replica, ACCOUNT, acme(ONE, Rating="Hot"))

    (taken,) = take_in(replica, update(Phone="2"))

    assert taken == TakenIn(ACME)
    assert bases(replica) == {"Phone": ("1", "2")}
    assert shown(replica, ACME)["Rating"] == "Hot"


def test_a_field_that_the_org_has_changed_since_waits_for_a_person(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    (taken,) = take_in(replica, update(Phone="2", Rating="Warm"))

    assert taken == TakenIn(ACME, disputed=("Phone",))
    assert item(replica).kind is Kind.CONFLICT
    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert bases(replica) == {"Rating": (None, "Warm")}
    assert shown(replica, ACME)["Phone"] == "2"


def test_a_conflict_of_a_draft_is_settled_as_any_other(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))
    take_in(replica, update(Phone="2"))

    replica.resolve(item(replica).number, Resolution(Side.LOCAL))

    assert bases(replica) == {"Phone": ("3", "2")}
    assert replica.inbox() == ()


def test_the_policies_hold_for_drafts_too(world):
    store = world.restart(policies=Policies(Policy.ORG))
    fill(store)
    arrive(store, ACCOUNT, acme(ONE, Phone="3"))

    (taken,) = take_in(store, update(Phone="2"))

    assert taken == TakenIn(ACME, given_up=("Phone",))
    assert shown(store, ACME)["Phone"] == "3"
    assert store.changes() == ()


def test_the_parts_of_an_address_merge_as_one(replica):
    arrive(replica, ACCOUNT, acme(ONE, BillingCity="Ulm"))

    (taken,) = take_in(replica, update(BillingStreet="Ring 1"))

    assert taken.disputed == ("BillingStreet",)


def test_what_has_the_value_already_needs_no_edit(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))

    (taken,) = take_in(replica, update(Phone="2"))

    assert taken == TakenIn(ACME)
    assert replica.changes() == ()


def test_a_draft_does_not_replace_what_was_edited_here_since(replica):
    replica.update("Account", ACME, {"Phone": "4"})

    (taken,) = take_in(replica, update(Phone="2"))

    assert isinstance(taken, Refused)
    assert taken.code == "EDITED_SINCE"
    assert "Phone" in taken.message
    assert bases(replica) == {"Phone": ("1", "4")}


def test_a_draft_made_on_a_local_edit_goes_on_from_it(replica):
    replica.update("Account", ACME, {"Phone": "4"})

    (taken,) = take_in(replica, update(base={**OLD, "Phone": "4"}, Phone="2", Rating="Hot"))

    assert taken == TakenIn(ACME)
    assert bases(replica) == {"Phone": ("1", "2"), "Rating": (None, "Hot")}


def test_what_was_pushed_since_is_no_change_of_anybody_else(replica):
    replica.update("Account", ACME, {"Phone": "4"})
    push(replica)
    arrive(replica, ACCOUNT, acme(ONE, Phone="4"))

    (taken,) = take_in(replica, update(base={**OLD, "Phone": "4"}, Phone="2"))

    assert taken == TakenIn(ACME)
    assert bases(replica) == {"Phone": ("4", "2")}


def test_one_refused_draft_hinders_no_other(replica):
    taken = take_in(replica, update(Rating="Lukewarm"), update(record_id=BOLT, base={}, Phone="9"), update(Phone="2"))

    assert [type(each) for each in taken] == [Refused, TakenIn, TakenIn]
    assert "Rating" in taken[0].message
    assert {each.record_id: each.values for each in replica.changes()} == {BOLT: {"Phone": "9"}, ACME: {"Phone": "2"}}


def test_nothing_of_a_refused_draft_stays(replica):
    (taken,) = take_in(replica, update(Phone="2", Rating="Lukewarm"))

    assert isinstance(taken, Refused)
    assert replica.changes() == ()
    assert shown(replica, ACME)["Phone"] == "1"


def test_a_record_that_is_gone_is_refused(replica):
    arrive(replica, ACCOUNT, acme(ONE, deleted=True))

    (taken,) = take_in(replica, update(Phone="2"))

    assert isinstance(taken, Refused)
    assert taken.code == "NOT_FOUND"


def test_a_named_create_makes_one_record_however_often_it_comes(replica, world):
    new = Draft("Account", Operation.CREATE, values={"Name": "Nova"}, name="export-1/new:1")
    (first,) = take_in(replica, new)
    store = world.restart()

    (second,) = take_in(store, new)

    assert (second.record_id, second.known) == (first.record_id, True)
    assert store.count("Account") == 3
    assert store.drafted(["export-1/new:1", "export-1/new:2"]) == {
        "export-1/new:1": Drafted("Account", first.record_id, {"Name": Wrote("Nova", None)})
    }


def test_a_named_create_is_known_by_the_orgs_id_once_it_is_there(replica):
    new = Draft("Account", Operation.CREATE, values={"Name": "Nova"}, name="export-1/new:1")
    take_in(replica, new)
    push(replica, Account=NEW)

    (again,) = take_in(replica, new)

    assert again == TakenIn(NEW, known=True)


def test_what_the_drafts_of_a_name_wrote_is_remembered(replica, world):
    take_in(replica, replace(update(Phone="2"), name="export-1/a", source="plan"))
    push(replica)
    take_in(replica, replace(update({**OLD, "Phone": "2"}, Phone="3", Rating="Hot"), name="export-1/a", source="other"))
    take_in(replica, replace(update(Rating="Hot"), name="export-10/a"))
    store = world.restart()

    wrote = {"Phone": Wrote("3", "1", "other"), "Rating": Wrote("Hot", None, "other")}
    assert store.drafted(["export-1/a"]) == {"export-1/a": Drafted("Account", ACME, wrote)}
    assert list(store.draft_names("export-1/")) == ["export-1/a"]


def test_a_refused_draft_wrote_nothing(replica):
    replica.update("Account", ACME, {"Phone": "7"})

    take_in(replica, replace(update(Phone="2"), name="n"))

    assert replica.drafted(["n"]) == {}


def test_a_reference_that_was_written_is_told_by_the_orgs_id_once_it_is_there(replica):
    (made,) = take_in(replica, Draft("Account", Operation.CREATE, values={"Name": "Nova"}, name="n"))
    take_in(replica, replace(update(ParentId=made.record_id), name="a"))
    push(replica, Account=NEW)

    assert replica.drafted(["a"])["a"].wrote["ParentId"].value == NEW


def test_a_record_that_is_gone_and_that_the_org_never_had_is_made_again(replica):
    new = Draft("Account", Operation.CREATE, values={"Name": "Nova"}, name="n")
    (first,) = take_in(replica, new)
    replica.delete("Account", first.record_id)

    assert replica.drafted(["n"]) == {}
    assert take_in(replica, new)[0].known is False
    assert replica.count("Account") == 3


def test_the_orgs_own_value_takes_back_a_local_edit(replica):
    take_in(replica, update(Phone="2"))

    (taken,) = take_in(replica, update({**OLD, "Phone": "2"}, Phone="1"))

    assert taken == TakenIn(ACME)
    assert shown(replica, ACME)["Phone"] == "1"
    assert replica.changes() == ()


def test_a_draft_may_refer_to_a_record_that_another_one_made(replica):
    (made,) = take_in(replica, Draft("Account", Operation.CREATE, values={"Name": "Nova"}, name="n"))

    (child,) = take_in(
        replica, Draft("Contact", Operation.CREATE, values={"LastName": "Roe", "AccountId": made.record_id})
    )

    assert shown(replica, child.record_id, "Contact")["AccountId"] == made.record_id


def test_a_refused_create_is_not_remembered(replica):
    (refused,) = take_in(replica, Draft("Account", Operation.CREATE, values={"Phone": "1"}, name="n"))

    assert isinstance(refused, Refused)
    assert replica.drafted(["n"]) == {}
    assert take_in(replica, Draft("Account", Operation.CREATE, values={"Name": "N"}, name="n"))[0].known is False


def test_a_deletion_on_the_row_as_it_is_here_is_an_ordinary_one(replica):
    (taken,) = take_in(replica, Draft("Account", Operation.DELETE, ACME, base=OLD))

    assert taken == TakenIn(ACME)
    assert only(replica).operation is Operation.DELETE


def test_a_record_that_has_changed_since_is_not_deleted(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    (taken,) = take_in(replica, Draft("Account", Operation.DELETE, ACME, base=OLD))

    assert isinstance(taken, Refused)
    assert taken.code == "CHANGED_SINCE"
    assert replica.changes() == ()


# ── what is known of a record ────────────────────────────────────────────────────────────────────────────────────


def test_known_values_are_the_one_here_the_orgs_and_older_ones(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="2"))
    arrive(replica, ACCOUNT, acme(TWO, Phone="3"))
    replica.update("Account", ACME, {"Phone": "4"})

    known = replica.known_values("Account", ACME)

    assert known["Phone"] == ("4", "3", "2", "1")
    assert known["Name"] == ("Acme",)


def test_what_was_sent_is_known_even_if_the_org_has_made_something_else_of_it(replica):
    replica.update("Account", ACME, {"Phone": "555"})
    push(replica)
    arrive(replica, ACCOUNT, acme(ONE, Phone="(555)"))

    assert set(replica.known_values("Account", ACME)["Phone"]) == {"(555)", "555", "1"}


def test_known_values_tell_both_sides_of_a_conflict(replica):
    replica.update("Account", ACME, {"Phone": "4"})
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    assert replica.known_values("Account", ACME)["Phone"][:3] == ("4", "3", "1")


def test_known_values_of_a_tombstone_are_there_and_of_nobody_are_not(replica):
    arrive(replica, CONTACT, row(CONTACT, JANE, ONE, deleted=True, LastName="Doe"))

    assert replica.known_values("Contact", JANE)["LastName"] == ("Doe",)
    assert replica.known_values("Contact", "003000000000099AAA") == {}


def test_an_update_by_who_has_seen_an_older_row_is_merged(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="3", Rating="Hot"))

    replica.update("Account", ACME, {"Phone": "2", "BillingCity": "Rome"}, OLD)

    assert item(replica).conflicts == (Conflict("Phone", "1", "2", "3"),)
    assert only(replica).values == {"BillingCity": "Rome"}


@pytest.mark.parametrize("somebody", [False, True])
def test_what_somebody_changed_right_before_our_push_is_no_work_of_it(replica, somebody):
    seen = shown(replica, ACME)
    replica.update("Account", ACME, {"Phone": "2"})
    (change,) = send(replica)
    before = store_datetime(ONE) if somebody else change.stamp
    # Another field has moved too: the org's doing, if nobody came between our look and our write.
    replica.settle("push-1", [Applied(change, ACME, row=acme(TWO, Phone="2", Rating="Hot"), stamp=before)])

    replica.update("Account", ACME, {"Rating": "Warm"}, seen)

    asked = [each.conflicts for each in replica.inbox()]
    assert asked == ([(Conflict("Rating", None, "Warm", "Hot"),)] if somebody else [])


def test_a_local_id_that_was_seen_is_the_record_s_own_by_now(replica):
    parent = replica.create("Account", {"Name": "Nut"})
    replica.update("Account", ACME, {"ParentId": parent})
    seen = dict(OLD, ParentId=parent)
    push(replica, Account=NEW)

    replica.update("Account", ACME, {"ParentId": None, "Phone": "2"}, seen)

    assert replica.inbox() == ()
    assert shown(replica, ACME)["ParentId"] is None


def test_a_deletion_by_who_has_seen_an_older_row_is_refused(replica):
    arrive(replica, ACCOUNT, acme(ONE, Phone="3"))

    with pytest.raises(Misuse, match="not deleted: Phone"):
        replica.delete("Account", ACME, OLD)

    assert replica.changes() == ()
    replica.delete("Account", ACME, dict(OLD, Phone="3"))
    assert only(replica).operation is Operation.DELETE
