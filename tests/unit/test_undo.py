"""A push taken back."""

from decimal import Decimal

import pytest

from salesforce_sync.errors import RecordNotFound
from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.run import RunState
from tests.unit.push_rig import Rig


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
