"""A push writes only objects that it holds, and leaves what somebody else holds."""

import pytest

from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.pusher import Pusher
from tests.unit.push_rig import OrgMeanwhile, Rig, outcomes


@pytest.fixture
def rig(world):
    return Rig(world)


def test_a_held_object_waits_and_the_others_go(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.jane, "Contact", LastName="Joan")

    with rig.store.claim("Account"):
        push = rig.push()

    assert outcomes(push) == [(rig.jane, "applied"), (rig.acme, "left")]
    assert (push.problem.code, push.complete) == ("STORE_BUSY", False)
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_a_push_beside_a_run_sends_what_nobody_holds_and_says_nothing_of_the_rest(rig):
    rig.edit(rig.acme, Phone="2")
    rig.edit(rig.jane, "Contact", LastName="Joan")
    pusher = Pusher(rig.org, rig.store, rig.world.clock, rig.bus, 100)

    with rig.store.claim("Account"):
        push, again = pusher.push_free(), pusher.push_free()

    assert (outcomes(push), push.complete, again) == ([(rig.jane, "applied")], True, None)
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_nothing_is_pushed_beside_a_run_that_does_not_hold_its_objects_yet(rig):
    rig.edit(rig.acme, Phone="2")

    assert SyncEngine(rig.org, rig.store, rig.world.clock, rig.bus).push_beside() is None
    assert outcomes(rig.push()) == [(rig.acme, "applied")]


def test_an_object_that_is_first_edited_during_a_push_is_not_written_while_somebody_holds_it(rig):
    rig.edit(rig.acme, Phone="2")

    with rig.store.claim("Contact"):
        org = OrgMeanwhile(rig.org, lambda: rig.edit(rig.jane, "Contact", LastName="Joan"))
        push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.jane, "left")]
    assert (push.problem.code, rig.there(rig.jane, "Contact")["LastName"]) == ("STORE_BUSY", "Jane")
    assert outcomes(rig.push()) == [(rig.jane, "applied")]


def test_an_object_that_is_first_edited_during_a_push_is_held_and_written(rig):
    rig.edit(rig.acme, Phone="2")
    org = OrgMeanwhile(rig.org, lambda: rig.edit(rig.jane, "Contact", LastName="Joan"))

    push = SyncEngine(org, rig.store, rig.world.clock, rig.bus).push()

    assert outcomes(push) == [(rig.acme, "applied"), (rig.jane, "applied")]
    with rig.store.claim("Account"), rig.store.claim("Contact"):
        assert rig.store.changes() == ()
