"""Values of unique fields that a record gives away in a later wave of the same push than another one wants them in."""

import pytest

from salesforce_sync.api.write_route import Way
from salesforce_sync.signals import Bus
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from simorg import drift
from tests.contract.writing import WIDGET
from tests.journey.test_push import Rig

KEY = "Uni__c"


class TwoObjects(Rig):
    """With three accounts and three contacts of the last one, each with a unique key."""

    def __init__(self, folder, way):
        super().__init__(folder, way)
        sim = self.world.sim
        for name in ("Account", "Contact"):
            drift.add_field(sim, name, KEY, "string 80 unique")
        self.accounts = [sim.add("Account", Name=f"A{number}", Uni__c=f"a{number}") for number in range(3)]
        last = self.accounts[2]
        self.contacts = [sim.add("Contact", LastName=f"C{n}", Uni__c=f"c{n}", AccountId=last) for n in range(3)]
        self.sync_all()

    def sync_all(self):
        self.world.tick(3600)
        self.clock.sleep(3600)
        self.engine().run([WIDGET, "Account", "Contact"])

    def key(self, record_id):
        return self.world.sim.row(self.store.real_id(record_id))[KEY]

    def edit_later(self, record_id, **values):
        """An edit of a contact that cannot go with the first wave."""
        self.store.update("Contact", record_id, {"AccountId": self.store.create("Account", {"Name": "New"}), **values})

    def at_rest(self):
        return self.store.changes(), self.store.inbox()


@pytest.fixture(params=[Way.PARTS, Way.COLLECTIONS, Way.BULK])
def rig(request, tmp_path):
    made = TwoObjects(tmp_path, request.param)
    yield made
    made.close()


@pytest.fixture
def small(tmp_path):
    made = TwoObjects(tmp_path, None)
    yield made
    made.close()


def test_an_edit_gets_what_another_one_gives_away_in_a_later_wave(rig):
    rig.edit_later(rig.contacts[0], Uni__c="x")
    rig.store.update("Contact", rig.contacts[1], {KEY: "c0"})
    rig.store.update("Contact", rig.contacts[2], {KEY: "c1"})

    push = rig.push()

    assert (push.complete, rig.at_rest()) == (True, ((), ()))
    assert [rig.key(each) for each in rig.contacts] == ["x", "c0", "c1"]
    assert [each.outcome for each in push.changes] == ["applied"] * 4


def test_two_of_different_waves_swap(rig):
    rig.edit_later(rig.contacts[0], Uni__c="c1")
    rig.store.update("Contact", rig.contacts[1], {KEY: "c0"})

    push = rig.push()

    assert (push.complete, rig.at_rest()) == (True, ((), ()))
    assert [rig.key(each) for each in rig.contacts] == ["c1", "c0", "c2"]


@pytest.mark.parametrize("first", ["the new one", "the deletions"])
def test_a_new_record_gets_the_value_of_one_that_is_deleted_after_its_children(rig, first):
    values = {"Name": "New", KEY: "a2"}
    new = rig.store.create("Account", values) if first == "the new one" else ""
    for each in rig.contacts:
        rig.store.delete("Contact", each)
    rig.store.delete("Account", rig.accounts[2])
    new = new or rig.store.create("Account", values)

    push = rig.push()

    assert (push.complete, rig.at_rest()) == (True, ((), ()))
    assert rig.key(new) == "a2"


def test_a_new_record_takes_the_place_of_another_one_with_its_children_and_its_key(rig):
    new = rig.store.create("Account", {"Name": "New", KEY: "a2"})
    for each in rig.contacts:
        rig.store.update("Contact", each, {"AccountId": new})
    rig.store.delete("Account", rig.accounts[2])

    push = rig.push()

    assert (push.complete, rig.at_rest()) == (True, ((), ()))
    assert rig.key(new) == "a2"
    assert {rig.world.sim.row(each)["AccountId"] for each in rig.contacts} == {rig.store.real_id(new)}
    assert [each.record_id for each in push.changes].count(rig.store.real_id(new)) == 2


def test_a_new_parent_takes_its_childs_key(small):
    new = small.store.create("Account", {"Name": "New", KEY: "a0"})
    small.store.update("Account", small.accounts[0], {"ParentId": new, KEY: "x"})

    push = small.push()

    assert (push.complete, small.at_rest()) == (True, ((), ()))
    assert (small.key(new), small.key(small.accounts[0])) == ("a0", "x")


def test_a_child_takes_the_key_of_its_parent_that_is_deleted(small):
    small.world.edit(small.accounts[0], ParentId=small.accounts[1])
    small.sync_all()
    small.store.update("Account", small.accounts[0], {"ParentId": None, KEY: "a1"})
    small.store.delete("Account", small.accounts[1])

    push = small.push()

    assert (push.complete, small.at_rest()) == (True, ((), ()))
    assert small.key(small.accounts[0]) == "a1"


def test_where_the_later_one_keeps_its_value_both_are_refused(small):
    small.world.sim.rules.add_validation("Contact", "Title = 'bad'", "No bad.")
    small.edit_later(small.contacts[0], Uni__c="x", Title="bad")
    small.store.update("Contact", small.contacts[1], {KEY: "c0"})

    push = small.push()
    again = small.push()

    assert {each.record_id for each in push.changes if each.outcome == "rejected"} == set(small.contacts[:2])
    assert {each.code for each in small.store.inbox()} == {"DUPLICATE_VALUE", "FIELD_CUSTOM_VALIDATION_EXCEPTION"}
    assert [small.key(each) for each in small.contacts] == ["c0", "c1", "c2"]
    assert (again.calls, again.total) == (0, 0)


def test_a_new_record_is_not_made_without_its_key_where_that_is_in_vain(small):
    small.world.sim.rules.add_validation("Contact", "Title = 'bad'", "No bad.")
    new = small.store.create("Account", {"Name": "New", KEY: "a2"})
    small.store.update("Contact", small.contacts[0], {"Title": "bad"})
    small.push()
    small.store.delete("Account", small.accounts[2])
    small.store.update("Contact", small.contacts[0], {"AccountId": None})

    small.push()
    small.push()

    assert small.store.real_id(new) == new


@pytest.mark.parametrize("window", [1, 2, 3])
def test_a_value_goes_from_one_window_to_another(small, window):
    small.store.update("Contact", small.contacts[0], {KEY: "c1"})
    small.store.update("Account", small.accounts[0], {"Phone": "1"})
    small.store.update("Contact", small.contacts[1], {KEY: "c2"})
    small.store.update("Account", small.accounts[1], {"Phone": "1"})
    small.store.update("Contact", small.contacts[2], {KEY: "x"})
    small.world.tick(5)

    push = SyncEngine(small.world.org, small.store, small.clock, Bus(), Rules(window=window)).push()

    assert (push.complete, small.at_rest()) == (True, ((), ()))
    assert [small.key(each) for each in small.contacts] == ["c1", "c2", "x"]


def test_two_of_different_windows_that_want_each_others_value_wait_for_a_person(small):
    small.store.update("Contact", small.contacts[0], {KEY: "c1"})
    small.store.update("Contact", small.contacts[1], {KEY: "c0"})
    small.world.tick(5)

    push = SyncEngine(small.world.org, small.store, small.clock, Bus(), Rules(window=1)).push()

    assert push.count("rejected") == 2 == len(small.store.inbox())
    assert [small.key(each) for each in small.contacts] == ["c0", "c1", "c2"]
    assert push.calls < 20
