"""A push taken back."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import RecordNotFound
from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.undo import take_back
from salesforce_sync.testing import MemoryOrg, make_field, make_schema
from tests.unit.push_rig import ACCOUNT, CONTACT, OrgInTheLastMoment, Rig, names

OWNED = make_field("CreatedById", "reference", referenceTo=["User"], createable=False, updateable=False)


@pytest.fixture
def rig(world):
    return Rig(world)


def test_an_undo_overwrites_nobody(rig):
    rig.edit(rig.acme, Phone="2", Name="Acme 2")
    rig.edit(rig.bolt, Phone="3")
    push = rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="theirs")
    rig.org.tick()

    undone = rig.engine.undo(push.push_id)

    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("theirs", "Acme")
    assert rig.there(rig.bolt)["Phone"] == "1"
    assert undone.push.state is RunState.PARTIAL
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]


def test_a_push_is_undone(rig):
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    rig.store.delete("Account", rig.bolt)
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()

    undone = rig.engine.undo(push.push_id)

    assert undone.left == ()
    assert rig.there(rig.acme)["Phone"] == "1"
    assert rig.there(rig.acme)["AnnualRevenue"] is None
    assert rig.there(rig.bolt)["Name"] == "Bolt"
    assert rig.there(rig.store.real_id(local)) is None


@pytest.mark.parametrize("ended", ["before it was sent", "when it was sent"])
def test_an_undo_that_was_broken_off_is_gone_on_with(rig, ended):
    rig.store.delete("Account", rig.bolt)
    brought = rig.push()
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    rig.store.undelete("Account", rig.bolt)
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()
    assert [brought.total, push.total] == [1, 3]
    if ended == "before it was sent":
        assert take_back(rig.store, push.push_id) == ()
        rig.world.restart()
    else:
        assert rig.engine.undo(push.push_id).left == ()
        rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert (undone.left, undone.push.state) == ((), RunState.COMPLETE)
    assert undone.push.total == (3 if ended == "before it was sent" else 0)
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["AnnualRevenue"]) == ("1", None)
    assert [rig.there(each) for each in (rig.bolt, rig.store.real_id(local))] == [None, None]


@pytest.mark.parametrize(("old", "new"), [("(555) 123-4567", "555-123-4567"), ("555", "+555")])
def test_another_form_of_a_value_is_undone_too(rig, old, new):
    rig.edit(rig.acme, Phone=old)
    rig.push()
    rig.edit(rig.acme, Phone=new)
    push = rig.push()
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert (undone.left, undone.push.total, rig.there(rig.acme)["Phone"]) == ((), 1, old)


def _later(rig):
    rig.world.clock.advance(timedelta(minutes=10))
    rig.org.tick(600)


@pytest.mark.parametrize("where", ["in the org", "here", "here, not sent yet"])
@pytest.mark.parametrize("made", ["brought back", "new"])
def test_a_record_in_which_somebody_has_set_a_field_back_is_not_deleted_by_undo(rig, made, where):
    if made == "new":
        local = rig.store.create("Account", {"Name": "Nut"})
        rig.store.update("Account", local, {"ParentId": local})
    else:
        rig.store.delete("Account", rig.bolt)
        rig.push()
        rig.store.undelete("Account", rig.bolt)
        rig.edit(rig.bolt, Phone="2")
    push = rig.push()
    key, field, before = (rig.store.real_id(local), "ParentId", None) if made == "new" else (rig.bolt, "Phone", "1")
    rig.sync()
    _later(rig)
    if where == "in the org":
        rig.org.put("Account", key, **{field: before})
    else:
        rig.edit(key, **{field: before})
    if where != "here, not sent yet":
        rig.sync()
    _later(rig)

    undone = rig.engine.undo(push.push_id)

    assert {(each.record_id, each.field) for each in undone.left} == {(key, field)}
    assert (undone.push.state, undone.push.total) == (RunState.PARTIAL, where == "here, not sent yet")
    assert rig.there(key) is not None


@pytest.mark.parametrize(
    "waits", ["a conflict", "a refusal", "a refused form", "a refused deletion", "a refused undeletion"]
)
def test_an_undo_that_waits_in_the_inbox_is_told_each_time(rig, waits):
    key, reject = rig.acme, rig.org.reject
    if waits == "a refused deletion":
        local = rig.store.create("Account", {"Name": "Nut"})
    elif waits == "a refused undeletion":
        rig.store.delete("Account", rig.bolt)
        key = rig.bolt
    else:
        rig.edit(rig.acme, Phone="+1" if waits == "a refused form" else "2")
    push = rig.push()
    if waits == "a refused deletion":
        key = rig.store.real_id(local)
    if waits == "a conflict":
        rig.org.tick()
        rig.org.put("Account", key, Phone="9")
        rig.org.tick()
    else:
        reject(key, "NOT_NOW", "no")
    there = rig.engine.undo(push.push_id) and rig.there(key)

    again = rig.engine.undo(push.push_id)

    assert {(each.record_id, each.reason) for each in again.left} == {(key, "It waits in the inbox.")}
    assert (again.push.state, again.push.total, rig.there(key)) == (RunState.PARTIAL, 0, there)


def test_what_was_changed_since_is_not_undone(rig):
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    push = rig.push()
    rig.org.tick()
    rig.org.put("Account", rig.acme, Phone="3")
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(rig.acme, "Phone")]
    assert (undone.push.state, undone.push.not_undone, undone.push.count("applied")) == (RunState.PARTIAL, 1, 1)
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["AnnualRevenue"]) == ("3", None)


def test_a_new_record_that_somebody_has_worked_on_is_not_deleted_by_undo(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()
    real = rig.store.real_id(local)
    rig.org.tick()
    rig.org.put("Account", real, Name="Nut & Co", AnnualRevenue=Decimal(5))
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(real, "Name")]
    assert (undone.push.state, undone.push.total) == (RunState.PARTIAL, 0)
    assert rig.there(real)["Name"] == "Nut & Co"


def test_there_is_nothing_to_undo_of_an_unknown_push(rig):
    with pytest.raises(RecordNotFound, match="no push"):
        rig.engine.undo("nonsense")


@pytest.mark.parametrize("way", ["push", "sync"])
def test_what_a_push_cost_is_known_to_the_next_process(rig, way):
    rig.edit(rig.acme, Phone="2")

    getattr(rig, way)()

    assert rig.store.usage().used == rig.org.usage.used


def later(rig):
    """An hour goes by, here and in the org."""
    rig.world.clock.sleep(3600)
    rig.org.tick(3600)


def test_a_new_record_whose_other_fields_somebody_has_filled_in_is_not_deleted_by_undo(rig):
    real, push = made(rig)
    later(rig)
    rig.org.put("Account", real, AnnualRevenue=Decimal(5))
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(real, "AnnualRevenue")]
    assert undone.push.state is RunState.PARTIAL
    assert rig.there(real)["AnnualRevenue"] == 5


def made(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    push = rig.push()
    return rig.store.real_id(local), push


def test_a_new_record_that_was_edited_here_since_is_not_deleted_by_undo(rig):
    real, push = made(rig)
    later(rig)
    rig.edit(real, Phone="7")

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(real, "Phone")]
    assert rig.there(real)["Phone"] == "7"


def test_a_new_record_in_which_all_is_as_the_push_had_left_it_is_deleted_by_undo(rig):
    real, push = made(rig)
    later(rig)
    rig.edit(real, Phone="7")
    rig.push()
    later(rig)
    rig.edit(real, Phone=None)
    rig.push()

    undone = rig.engine.undo(push.push_id)

    assert (undone.left, rig.there(real)) == ((), None)


def test_a_record_that_was_brought_back_and_changed_since_is_not_deleted_by_undo(rig):
    rig.store.delete("Account", rig.bolt)
    deletion = rig.push()
    later(rig)
    back = rig.engine.undo(deletion.push_id).push
    later(rig)
    rig.org.put("Account", rig.bolt, Phone="theirs")
    rig.sync()

    undone = rig.engine.undo(back.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(rig.bolt, "Phone")]
    assert rig.there(rig.bolt)["Phone"] == "theirs"


def test_a_push_and_its_undo_are_undone_in_turn(rig):
    rig.edit(rig.acme, Phone="2")
    rig.store.delete("Account", rig.bolt)
    real, push = made(rig)
    states = []

    for _ in range(3):
        later(rig)
        push = rig.engine.undo(push.push_id).push
        states.append((rig.there(rig.acme)["Phone"], rig.there(rig.bolt) is None, rig.there(real) is None))

    assert states == [("1", False, True), ("2", True, False), ("1", False, True)]
    assert (push.complete, rig.kinds()) == (True, [])


@pytest.mark.parametrize("how", ["closed", "gone"])
def test_a_field_that_cannot_be_written_any_more_is_left_and_the_others_are_undone(rig, how):
    rig.edit(rig.acme, Phone="2", AnnualRevenue=2.5)
    push = rig.push()
    known = rig.org.describe("Account")
    kept = [each for each in known.fields if each.name != "Phone"]
    closed = [make_field("Phone", "phone", createable=False, updateable=False)] if how == "closed" else []
    rig.store.adopt(replace(known, fields=(*kept, *closed)))

    undone = rig.engine.undo(push.push_id)

    assert [(each.record_id, each.field) for each in undone.left] == [(rig.acme, "Phone")]
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["AnnualRevenue"]) == ("2", None)


def test_an_undo_writes_back_what_the_push_has_overwritten_unseen(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3", AnnualRevenue=1.5)
    org = OrgInTheLastMoment(rig.org, lambda: rig.org.put("Account", rig.acme, Phone="theirs"))
    push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()
    assert push.overwrote == 1

    undone = rig.engine.undo(push.push_id)

    assert (undone.left, rig.there(rig.acme)["Phone"], rig.there(rig.acme)["AnnualRevenue"]) == ((), "theirs", None)
    (item,) = rig.store.inbox()
    rig.store.resolve(item.number, Resolution(Side.ORG))
    rig.push()
    assert (rig.there(rig.acme)["Phone"], rig.store.inbox(), rig.store.changes()) == ("theirs", (), ())


def test_a_new_record_stays_where_somebody_has_worked_on_one_beneath_it(rig):
    account = rig.store.create("Account", {"Name": "Nut"})
    below = rig.store.create("Account", {"Name": "Bolts", "ParentId": account})
    person = rig.store.create("Contact", {"LastName": "Roe", "AccountId": below})
    push = rig.push()
    later(rig)
    rig.org.put("Contact", rig.store.real_id(person), LastName="Roe-Doe")
    rig.sync()

    undone = rig.engine.undo(push.push_id)

    kept = [rig.store.real_id(each) for each in (person, below, account)]
    assert [(each.record_id, each.field) for each in undone.left] == [
        (kept[0], "LastName"),
        (kept[1], ""),
        (kept[2], ""),
    ]
    assert kept[0] in undone.left[1].reason
    assert [name for name in ("Nut", "Bolts") if name in names(rig)] == ["Nut", "Bolts"]
    assert rig.there(kept[0], "Contact")["AccountId"] == kept[1]


def test_a_new_record_stays_where_others_have_made_one_beneath_it(world):
    org = MemoryOrg(*(make_schema(each.name, OWNED, *each.columns[5:]) for each in (ACCOUNT, CONTACT)))
    engine = SyncEngine(org, world.store, world.clock, Bus())
    engine.run(["Account", "Contact"])
    local = [world.store.create("Account", {"Name": name}) for name in ("Nut", "Bolt")]
    push = engine.push()
    nut, bolt = map(world.store.real_id, local)
    org.put("Account", nut, CreatedById="005000000000001AAA")
    org.put("Account", bolt, CreatedById="005000000000001AAA")
    org.put("Contact", LastName="By automation", AccountId=bolt, CreatedById="005000000000001AAA")
    theirs = org.put("Contact", LastName="Theirs", AccountId=nut, CreatedById="005000000000002AAA")
    org.tick(60)
    engine.run(["Account", "Contact"])

    undone = engine.undo(push.push_id)

    assert [(each.record_id, theirs in each.reason) for each in undone.left] == [(nut, True)]
    assert (nut in org.live("Account"), bolt in org.live("Account")) == (True, False)


def test_new_records_that_refer_to_each_other_are_deleted_by_undo(rig):
    first = rig.store.create("Account", {"Name": "Nut"})
    second = rig.store.create("Account", {"Name": "Bolts", "ParentId": first})
    rig.edit(first, ParentId=second)
    push = rig.push()
    assert push.complete
    later(rig)

    undone = rig.engine.undo(push.push_id)

    assert (undone.left, undone.push.complete) == ((), True)
    assert names(rig) == ["Acme", "Bolt"]
