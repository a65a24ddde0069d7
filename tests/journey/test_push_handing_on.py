"""Values of several unique fields that records hand on to each other, and what a push does when that ends amid it."""

from contextlib import suppress

import pytest

from salesforce_sync.api.write_route import Way
from salesforce_sync.errors import DiskFull
from simorg import drift
from tests.contract.writing import WIDGET
from tests.journey.test_push import Rig, full_disk_after, keys, restart_and_rest


@pytest.fixture(params=[Way.PARTS, Way.COLLECTIONS, Way.BULK])
def rig(request, tmp_path):
    made = Rig(tmp_path, request.param)
    drift.add_field(made.world.sim, WIDGET, "Two__c", "string 80 unique")
    for number, key in enumerate(made.ids):
        made.world.edit(key, Ext__c=str(number), Two__c=f"t{number}")
    made.world.tick(3600)
    made.clock.sleep(3600)
    made.sync()
    yield made
    made.close()


def pairs(rig):
    rows = [rig.world.sim.row(key) for key in rig.ids]
    return {number: (row["Ext__c"], row["Two__c"]) for number, row in enumerate(rows)}


def edit(rig, wanted):
    for number, values in wanted.items():
        rig.store.update(WIDGET, rig.ids[number], dict(zip(("Ext__c", "Two__c"), values, strict=True)))


BEFORE = {number: (str(number), f"t{number}") for number in range(5)}
HANDED_ON = {
    "two that swap both": {0: ("1", "t1"), 1: ("0", "t0")},
    "a circle of three in both": {0: ("1", "t1"), 1: ("2", "t2"), 2: ("0", "t0")},
    "circles that run against each other": {0: ("1", "t2"), 1: ("2", "t0"), 2: ("0", "t1")},
    "a chain in both": {0: ("1", "t1"), 1: ("2", "t2"), 2: ("new", "new")},
    "chains that run against each other": {0: ("1", "new"), 1: ("2", "t0"), 2: ("new", "t1")},
}


@pytest.mark.parametrize("wanted", HANDED_ON.values(), ids=HANDED_ON)
def test_values_of_several_unique_fields_go_from_one_record_to_another(rig, wanted):
    edit(rig, wanted)

    push = rig.push()

    assert (push.complete, rig.store.inbox(), rig.store.changes()) == (True, (), ())
    assert pairs(rig) == BEFORE | wanted


@pytest.mark.parametrize("settled", range(1, 8))
def test_a_push_that_ends_amid_a_swap_of_both_goes_on_with_it(rig, settled):
    wanted = {0: ("1", "t1"), 1: ("0", "t0")}
    edit(rig, wanted)
    rig.store.settle = full_disk_after(settled, rig.store.settle)

    with suppress(DiskFull):
        rig.push()
    restart_and_rest(rig)

    assert pairs(rig) == BEFORE | wanted
    assert (rig.store.changes(), rig.store.inbox()) == ((), ())


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_record_that_was_emptied_in_vain_gets_its_value_back(rig, bad):
    rig.world.sim.rules.add_validation(WIDGET, "Text__c = 'bad'", "No bad.")
    for number in range(3):
        rig.store.update(WIDGET, rig.ids[number], {"Ext__c": str((number + 1) % 3)})
    rig.store.update(WIDGET, rig.ids[bad], {"Text__c": "bad"})

    push = rig.push()
    again = rig.push()

    refused = {each.record_id for each in push.changes if each.outcome == "rejected"}
    assert refused == {each.record_id for each in rig.store.inbox()} >= {rig.ids[bad]}
    empty = [number for number, key in keys(rig).items() if key is None]
    # Only where somebody has its value by now, as was wanted, it cannot get that back.
    assert [number for number in empty if str(number) not in keys(rig).values()] == []
    assert again.changes == ()
    place = [each.name for each in rig.store.schema(WIDGET).columns].index("Ext__c")
    assert [rig.store.get(WIDGET, key)[place] for key in rig.ids[:3]] == ["1", "2", "0"]
