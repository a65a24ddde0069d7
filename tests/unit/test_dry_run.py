"""The dry run: what a push would do."""

import pytest

from tests.unit.push_rig import Rig


@pytest.fixture
def rig(world):
    return Rig(world)


def test_the_dry_run_writes_nothing_and_says_what_the_push_then_does(rig):
    local = rig.store.create("Account", {"Name": "Nut"})
    rig.store.create("Contact", {"LastName": "Doe", "AccountId": local})
    rig.edit(rig.acme, Phone="2")
    rig.store.delete("Contact", rig.jane)

    preview = rig.engine.dry_run()

    assert rig.org.written == []
    foretold = [(each.object_name, each.operation) for each in preview.orders]
    push = rig.push()
    assert [(each.object_name, each.operation) for each in push.changes] == foretold
    assert push.calls == preview.calls


def test_edits_of_a_record_that_is_brought_back_are_foretold(rig):
    other = rig.org.put("Contact", LastName="Roe", AccountId=rig.acme)
    rig.sync()
    for key in (rig.jane, other):
        rig.store.delete("Contact", key)
    rig.push()
    for key in (rig.jane, other):
        rig.store.undelete("Contact", key)
    rig.store.update("Contact", rig.jane, {"LastName": "Smith"})

    preview = rig.engine.dry_run()

    push = rig.push()
    told = [(each.record_id, each.operation, each.edits) for each in push.changes]
    assert [(each.record_id, each.operation, each.edits) for each in preview.orders] == told
