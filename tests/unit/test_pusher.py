"""The push: what reaches the org, and what is said of it."""

from contextlib import closing

import pytest
from msgspec.structs import replace

from salesforce_sync.errors import LocatorExpired, ObjectNotFound
from salesforce_sync.models.outbox import ChangeState, Operation
from salesforce_sync.models.run import RunState
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import make_field
from tests.unit.push_rig import ACCOUNT, Rig, StoreMeanwhile, names, outcomes


@pytest.fixture
def rig(world):
    return Rig(world)


def test_what_the_org_said_of_its_calls_is_kept_after_a_push(rig):
    rig.edit(rig.acme, Phone="2")

    push = rig.push()
    after_push = rig.store.usage()
    rig.org.tick()
    rig.engine.undo(push.push_id)

    assert after_push is not None
    assert rig.store.usage().used == rig.org.usage.spent > after_push.used


def test_nothing_to_push_costs_nothing_and_says_nothing(rig):
    before, signals = rig.org.usage.spent, len(rig.signals)

    push = rig.push()

    assert (push.changes, push.complete, rig.org.usage.spent - before) == ((), True, 0)
    assert len(rig.signals) == signals
    assert rig.store.pushes() == ()


def test_an_edit_reaches_the_org_and_only_its_fields_are_sent(rig):
    rig.edit(rig.acme, Phone="2")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied")]
    assert rig.there(rig.acme)["Phone"] == "2"
    assert [each.values for each in rig.org.written] == [{"Phone": "2"}]
    assert rig.store.changes() == ()
    assert rig.equal()


def test_a_create_gets_its_id_everywhere(rig):
    local = rig.store.create("Account", {"Name": "Nut", "ParentId": rig.acme})
    child = rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})

    rig.push()

    real = rig.store.real_id(local)
    assert rig.there(real)["Name"] == "Nut"
    assert rig.there(rig.store.real_id(child), "Contact")["AccountId"] == real
    assert rig.equal()


def test_a_record_that_refers_to_itself_is_patched(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.edit(local, ParentId=local)

    push = rig.push()

    assert [each.operation for each in push.changes] == [Operation.CREATE, Operation.UPDATE]
    real = rig.store.real_id(local)
    assert rig.there(real)["ParentId"] == real
    assert rig.equal()


def test_a_deletion_and_an_undeletion_reach_the_org(rig):
    rig.store.delete("Account", rig.acme)
    rig.push()
    gone = rig.there(rig.acme)
    rig.sync()
    rig.store.undelete("Account", rig.acme)
    rig.push()

    assert gone is None
    assert rig.there(rig.acme)["Name"] == "Acme"
    assert rig.equal()


def test_what_the_org_has_brought_back_already_is_brought_back_and_its_edits_are_sent(rig):
    """As a child that went with its master, and comes with it: the org refuses to bring it back by itself."""
    rig.store.delete("Account", rig.acme)
    rig.push()
    rig.sync()
    rig.store.undelete("Account", rig.acme)
    rig.edit(rig.acme, Phone="2")
    rig.org.undelete("Account", rig.acme)
    rig.org.reject(rig.acme, code="UNDELETE_FAILED", times=1)

    push = rig.push()

    told = [(each.operation, each.outcome) for each in push.changes]
    assert told == [(Operation.UNDELETE, "applied"), (Operation.UPDATE, "applied")]
    assert (push.state, rig.store.inbox(), rig.there(rig.acme)["Phone"]) == ("complete", (), "2")
    assert rig.equal()


def test_what_the_org_cannot_bring_back_waits(rig):
    rig.store.delete("Account", rig.acme)
    rig.push()
    rig.sync()
    rig.store.undelete("Account", rig.acme)
    rig.org.reject(rig.acme, code="UNDELETE_FAILED")

    push = rig.push()

    assert [(each.outcome, each.problem.code) for each in push.changes] == [("rejected", "UNDELETE_FAILED")]
    assert [each.code for each in rig.store.inbox()] == ["UNDELETE_FAILED"]


def test_a_parent_and_its_children_are_deleted_children_first(rig):
    rig.store.delete("Account", rig.acme)
    rig.store.delete("Account", rig.bolt)
    rig.store.delete("Contact", rig.jane)

    rig.push()

    assert [each.record_id for each in rig.org.written][-1] == rig.acme
    assert rig.store.changes() == ()


def test_what_the_org_makes_of_a_value_is_shown_here_at_once(rig):
    rig.edit(rig.acme, Phone="  2  ")

    rig.push()

    assert rig.equal()
    assert rig.there(rig.acme)["Phone"] == "2"


def test_a_hundred_quiet_cycles_after_a_push_write_nothing(rig):
    rig.edit(rig.acme, Phone="2")
    rig.store.create("Account", {"Name": "Nut"})
    rig.store.delete("Contact", rig.jane)
    rig.sync()
    written = len(rig.org.written)

    runs = [rig.sync() for _ in range(100)]

    assert len(rig.org.written) == written
    assert {(each.state, each.changed, each.pushed) for each in runs} == {(RunState.COMPLETE, 0, None)}


def test_a_hundred_quiet_cycles_with_items_in_the_inbox_tell_of_no_change(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.bolt, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")
    rig.org.delete("Account", rig.bolt)
    rig.sync()
    items = rig.store.inbox()

    runs = [rig.sync() for _ in range(100)]

    assert {(each.state, each.changed, each.pushed) for each in runs} == {(RunState.COMPLETE, 0, None)}
    assert len(items) == 2
    assert rig.store.inbox() == items


# ── objects that cannot be read ──────────────────────────────────────────────────────────────────────────────────


def test_records_whose_reading_ends_with_its_session_are_read_anew(rig):
    rig.org.page_rows = 1
    for each in (rig.acme, rig.bolt):
        rig.org.put("Account", each, Name="Moved")
        rig.edit(each, Phone="2")
    rig.org.fail(LocatorExpired("The session that began to read Account has ended."), "Account", page=2)

    push = rig.push()

    assert (push.state, push.problem) == (RunState.COMPLETE, None)
    assert [rig.there(each)["Phone"] for each in (rig.acme, rig.bolt)] == ["2", "2"]
    assert rig.equal()


def test_an_object_that_cannot_be_read_again_does_not_stop_the_waves_of_others(rig):
    parent = rig.store.create("Account", {"Name": "Parent"})
    rig.store.create("Account", {"Name": "Child", "ParentId": parent})
    rig.org.put("Contact", rig.jane, LastName="Moved")
    rig.edit(rig.jane, "Contact", LastName="Doe")
    rig.org.fail(ObjectNotFound("The org hides Contact."), call="pull", object_name="Contact")

    push = rig.push()

    assert names(rig) == ["Acme", "Bolt", "Child", "Parent"]
    assert push.problem.code == "OBJECT_NOT_FOUND"
    assert [each.record_id for each in rig.store.changes()] == [rig.jane]


def test_a_lost_answer_of_an_object_that_cannot_be_read_does_not_stop_others(rig):
    rig.org.lose_answer()
    rig.edit(rig.jane, "Contact", LastName="Doe")
    rig.push()
    rig.org.fail(ObjectNotFound("The org hides Contact."), call="pull", object_name="Contact")
    rig.edit(rig.acme, Phone="2")

    push = rig.push()
    waiting = [(each.record_id, each.state) for each in rig.store.changes()]
    again = rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert push.problem.code == "OBJECT_NOT_FOUND"
    assert waiting == [(rig.jane, ChangeState.SENDING)]
    assert (again.problem, rig.store.changes(), rig.kinds()) == (None, (), [])
    assert rig.equal()


def test_an_object_that_another_process_describes_before_the_push_holds_it_is_written_as_it_is_then(rig):
    wider = replace(ACCOUNT, fields=(*ACCOUNT.fields, make_field("Extra__c")))

    def described():
        rig.org.define(wider)
        with closing(rig.world.another()) as other:
            other.adopt(wider)

    rig.edit(rig.acme, Phone="2")
    engine = SyncEngine(rig.org, StoreMeanwhile(rig.store, described), rig.world.clock, rig.bus)

    push = engine.push()

    assert (push.state, push.problem) == (RunState.COMPLETE, None)
    assert rig.there(rig.acme)["Phone"] == "2"
    assert rig.store.changes() == ()
