"""Both sides have changed a record: what a push sees of that, overwrites, and tells."""

import pytest

from salesforce_sync.models.inbox import Resolution, Side
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.run import RunState
from salesforce_sync.signals import Bus, ConflictFound, SyncFailed
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.testing import MemoryOrg
from tests.unit.push_rig import UNSTAMPED, OrgInTheLastMoment, OrgThatHides, Rig, outcomes


@pytest.fixture
def rig(world):
    return Rig(world)


def test_a_push_that_overwrites_what_was_written_in_the_same_second_is_partial(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")
    rig.edit(rig.bolt, Phone="3")
    org = OrgInTheLastMoment(rig.org, lambda: rig.org.put("Account", rig.acme, Phone="9"))

    run = SyncEngine(org, rig.store, rig.world.clock, rig.bus).run(["Contact"])

    push = run.pushed
    assert (push.state, run.state, push.overwrote) == (RunState.PARTIAL, RunState.PARTIAL, 1)
    assert outcomes(push) == [(rig.acme, "applied"), (rig.bolt, "applied")]
    assert [each.problem and each.problem.code for each in push.changes] == ["OVERWROTE", None]
    assert "Phone" in push.changes[0].problem.message
    assert rig.kinds() == [(rig.acme, Kind.REPLACED)]
    assert [(each.error, each.objects) for each in rig.signals if isinstance(each, SyncFailed)] == [
        ("OVERWROTE", ("Account",))
    ]
    (kept, *_) = rig.store.pushes()
    assert (kept.state, kept.overwrote, kept.changes) == (RunState.PARTIAL, 1, push.changes)


def test_a_deletion_that_takes_what_was_written_in_the_same_second_is_partial(rig):
    rig.edit(rig.bolt, Phone="2")
    rig.push()
    rig.store.delete("Account", rig.bolt)
    org = OrgInTheLastMoment(rig.org, lambda: rig.org.put("Account", rig.bolt, Phone="9"))

    run = SyncEngine(org, rig.store, rig.world.clock, rig.bus).run(["Contact"])

    push = run.pushed
    assert (push.state, run.state, push.overwrote) == (RunState.PARTIAL, RunState.PARTIAL, 1)
    assert [(each.outcome, each.problem.code) for each in push.changes] == [("applied", "DELETED_OVER")]
    assert rig.kinds() == [(rig.bolt, Kind.DELETED_OVER)]
    assert [(each.error, each.objects) for each in rig.signals if isinstance(each, SyncFailed)] == [
        ("DELETED_OVER", ("Account",))
    ]
    assert [each.kind for each in rig.signals if isinstance(each, ConflictFound)] == ["deleted over"]
    (kept, *_) = rig.store.pushes()
    assert (kept.state, kept.overwrote, kept.changes) == (RunState.PARTIAL, 1, push.changes)

    rig.store.resolve(rig.store.inbox()[0].number, Resolution(Side.ORG))
    assert rig.push().complete
    assert rig.there(rig.bolt)["Phone"] == "9"
    assert rig.equal()


def test_a_deletion_whose_answer_was_lost_and_that_took_what_somebody_wrote_is_partial(rig):
    rig.edit(rig.bolt, Phone="2")
    rig.push()
    rig.store.delete("Account", rig.bolt)
    rig.org.lose_answer("Account")
    org = OrgInTheLastMoment(rig.org, lambda: rig.org.put("Account", rig.bolt, Phone="9"))
    SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    push = rig.push()

    assert [(each.outcome, each.problem.code) for each in push.changes] == [("conflicted", "DELETED_OVER")]
    assert push.state is RunState.PARTIAL
    assert rig.kinds() == [(rig.bolt, Kind.DELETED_OVER)]
    assert rig.store.changes() == ()


@pytest.mark.parametrize("doing", ["create", "update"])
def test_a_record_that_the_org_does_not_show_after_a_push_is_told_and_not_made_again(rig, doing):
    if doing == "create":
        rig.store.create("Account", {"Name": "Secret"})
    else:
        rig.edit(rig.bolt, Name="Secret")

    push = SyncEngine(OrgThatHides(rig.org), rig.store, rig.world.clock, rig.bus).push()

    assert (push.state, push.hidden, push.overwrote) == (RunState.PARTIAL, 1, 0)
    (change,) = push.changes
    assert (change.outcome, change.problem.code) == ("applied", "NOT_SHOWN")
    assert rig.kinds() == [(change.record_id, Kind.NOT_SHOWN)]
    assert [each.kind for each in rig.signals if isinstance(each, ConflictFound)] == ["not shown"]
    assert rig.store.pushes()[0].changes == push.changes
    again = rig.push()
    assert (again.changes, rig.store.changes()) == ((), ())
    assert rig.equal()


@pytest.mark.parametrize("doing", ["edit", "delete"])
def test_a_change_there_in_the_second_of_the_stamp_is_not_overwritten(rig, doing):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.put("Account", rig.acme, Phone="9")
    if doing == "edit":
        rig.edit(rig.acme, Phone="3")
    else:
        rig.store.delete("Account", rig.acme)
    diff = rig.engine.dry_run()

    push = rig.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(rig.acme, "conflicted")])
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT if doing == "edit" else Kind.CHANGED_THERE)]
    assert rig.there(rig.acme)["Phone"] == "9"
    assert push.calls < diff.calls  # nothing was left to write
    assert rig.store.pushes()[0].changes == push.changes


def test_the_rest_of_a_change_is_sent_beside_what_was_changed_there_in_the_second_of_the_stamp(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.put("Account", rig.acme, Phone="9")
    rig.edit(rig.acme, Phone="3", Name="Acme & Sons")

    push = rig.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(rig.acme, "applied"), (rig.acme, "conflicted")])
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("9", "Acme & Sons")


def test_the_dry_run_foretells_the_calls_of_reading_again(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.edit(rig.acme, Phone="3")
    rig.store.delete("Account", rig.bolt)

    diff, push = rig.engine.dry_run(), rig.push()

    assert (push.complete, push.calls) == (True, diff.calls)


def test_what_was_read_well_after_its_stamp_is_not_read_again_before_it_is_sent(rig):
    rig.edit(rig.acme, Phone="2")
    rig.push()
    rig.org.tick(600)
    rig.sync()
    rig.edit(rig.acme, Phone="3")
    diff = rig.engine.dry_run()

    push = rig.push()

    assert (push.state, push.calls, diff.calls) == (RunState.COMPLETE, 1, 1)


def test_a_deletion_of_what_has_no_stamp_and_was_changed_there_waits(world):
    org = MemoryOrg(UNSTAMPED)
    kept, gone = org.put("Rate__c", Name="a", Value__c=1.0), org.put("Rate__c", Name="b", Value__c=1.0)
    engine = SyncEngine(org, world.store, world.clock, Bus())
    engine.run(["Rate__c"])
    for each in (kept, gone):
        world.store.delete("Rate__c", each)
    org.put("Rate__c", kept, Value__c=2.0)
    org.tick()

    push = engine.push()

    assert (push.state, outcomes(push)) == (RunState.PARTIAL, [(gone, "applied"), (kept, "conflicted")])
    assert [(each.record_id, each.kind) for each in world.store.inbox()] == [(kept, Kind.CHANGED_THERE)]
    assert list(org.live("Rate__c")) == [kept]


def test_disjoint_edits_both_live(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Name="Acme & Co")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied")]
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("2", "Acme & Co")
    assert rig.equal()


def test_a_field_that_both_changed_waits_and_the_org_keeps_its_own(rig):
    rig.edit(rig.acme, Phone="2", Name="New")
    rig.org.put("Account", rig.acme, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.acme, "conflicted")]
    assert [[edit.field for edit in each.edits] for each in push.changes] == [["Name"], ["Phone"]]
    assert push.state is RunState.PARTIAL
    assert (rig.there(rig.acme)["Phone"], rig.there(rig.acme)["Name"]) == ("3", "New")
    assert rig.kinds() == [(rig.acme, Kind.CONFLICT)]
    assert "conflict" in [each.name for each in rig.signals]
    assert rig.push().changes == ()


def test_a_conflict_that_is_the_whole_change_is_told(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")

    push = rig.push()

    assert outcomes(push) == [(rig.acme, "conflicted")]
    assert not push.complete


def test_the_same_change_on_both_sides_is_no_conflict(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="2")

    push = rig.push()

    assert (push.complete, rig.kinds(), rig.store.changes()) == (True, [], ())
    assert rig.equal()


def test_a_decision_is_pushed(rig):
    rig.edit(rig.acme, Phone="2")
    rig.org.put("Account", rig.acme, Phone="3")
    rig.push()

    rig.store.resolve(rig.store.inbox()[0].number, Resolution(Side.LOCAL))
    rig.push()

    assert rig.there(rig.acme)["Phone"] == "2"
    assert rig.kinds() == []
    assert rig.equal()


@pytest.mark.parametrize("purged", [False, True])
def test_an_edit_of_what_was_deleted_there_waits(rig, purged):
    rig.edit(rig.acme, Phone="2")
    rig.org.delete("Account", rig.acme)
    if purged:
        rig.org.purge("Account", rig.acme)

    rig.push()

    assert rig.kinds() == [(rig.acme, Kind.DELETED_THERE)]
    assert rig.there(rig.acme) is None
    assert rig.push().changes == ()


def test_a_deletion_of_what_was_changed_there_waits(rig):
    rig.store.delete("Account", rig.acme)
    rig.org.put("Account", rig.acme, Phone="3")

    rig.push()

    assert rig.kinds() == [(rig.acme, Kind.CHANGED_THERE)]
    assert rig.there(rig.acme)["Phone"] == "3"
