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


def made(rig):
    """What the org has in the unique fields of the records that were made."""
    listed = rig.world.sim.database.rows(
        'SELECT "Ext__c", "Two__c", "Text__c" FROM "Widget__c" WHERE NOT "IsDeleted"', ()
    )
    return sorted(((ext, two) for ext, two, text in listed if text == "new"), key=str)


GIVEN_TO_NEW_ONES = {
    "of one that takes another": ({0: ("x", "y")}, (), [("0", "t0")]),
    "of two that swap with them": ({0: ("1", "t1"), 1: ("x", "t0")}, (), [("0", "y")]),
    "of one that is emptied": ({0: (None, None)}, (), [("0", None), (None, "t0")]),
    "of one that is deleted": ({}, (0,), [("0", "t0")]),
    "of one that takes those of one that is deleted": ({0: ("1", "t1")}, (1,), [("0", "t0")]),
}


@pytest.mark.parametrize(("wanted", "deleted", "new"), GIVEN_TO_NEW_ONES.values(), ids=GIVEN_TO_NEW_ONES)
@pytest.mark.parametrize("first", ["the new ones", "the old ones"])
def test_new_records_get_values_that_others_give_away(rig, wanted, deleted, new, first):
    def create():
        for ext, two in new:
            values = {"Ext__c": ext, "Two__c": two, "Text__c": "new", "Account__c": rig.world.account}
            rig.store.create(WIDGET, values)

    if first == "the new ones":
        create()
    edit(rig, wanted)
    for number in deleted:
        rig.store.delete(WIDGET, rig.ids[number])
    if first == "the old ones":
        create()

    push = rig.push()

    assert (push.complete, rig.store.inbox(), rig.store.changes()) == (True, (), ())
    assert made(rig) == sorted(new, key=str)
    there = pairs(rig)
    assert {number: there[number] for number in wanted} == wanted
    assert len({each.record_id for each in push.changes}) == len(wanted) + len(deleted) + len(new)


TAKEN_FROM_DELETED = {
    "both": {0: ("1", "t1")},
    "one of each": {0: ("1", "new"), 2: ("other", "t1")},
    "a chain": {0: ("1", "t1"), 2: ("0", "t0"), 3: ("2", "t2")},
    "two that swap besides": {0: ("2", "t1"), 2: ("0", "t2")},
}


@pytest.mark.parametrize("wanted", TAKEN_FROM_DELETED.values(), ids=TAKEN_FROM_DELETED)
@pytest.mark.parametrize("first", ["deletion", "edits"])
def test_values_of_a_record_that_is_deleted_go_to_others(rig, wanted, first):
    if first == "deletion":
        rig.store.delete(WIDGET, rig.ids[1])
    edit(rig, wanted)
    if first == "edits":
        rig.store.delete(WIDGET, rig.ids[1])

    push = rig.push()

    assert (push.complete, rig.store.inbox(), rig.store.changes()) == (True, (), ())
    there = pairs(rig)
    assert {number: there[number] for number in wanted} == wanted


def test_a_new_record_is_refused_as_ever_where_who_has_its_value_keeps_it(rig):
    rig.world.sim.rules.add_validation(WIDGET, "Text__c = 'bad'", "No bad.")
    rig.store.create(WIDGET, {"Ext__c": "0", "Account__c": rig.world.account})
    rig.store.update(WIDGET, rig.ids[0], {"Ext__c": "x", "Text__c": "bad"})
    rig.store.create(WIDGET, {"Ext__c": "1", "Account__c": rig.world.account})

    push = rig.push()

    assert push.count("rejected") == 3 == push.total
    assert sorted(each.code for each in rig.store.inbox()) == [
        "DUPLICATE_VALUE",
        "DUPLICATE_VALUE",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    ]
    assert rig.push().calls == 0
