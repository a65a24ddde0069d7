"""A push that holds only a few changes at once sends the same as one that holds all, in an order that the org takes."""

from __future__ import annotations

from itertools import pairwise

import pytest

from salesforce_sync.models.outbox import Operation
from salesforce_sync.signals import Bus
from salesforce_sync.sync import dry_run, foretold, pusher, results
from salesforce_sync.sync.engine import SyncEngine
from salesforce_sync.sync.schedule import Rules
from salesforce_sync.sync.windows import Windows
from salesforce_sync.testing import MemoryOrg, capture_signals, make_field, make_schema
from tests.unit.orgs import replica

ACCOUNT = make_schema("Account", make_field("ParentId", "reference", referenceTo=["Account"]), Name="string")
CONTACT = make_schema("Contact", make_field("AccountId", "reference", referenceTo=["Account"]), LastName="string")


PRODUCT, BOOK = make_schema("Product2", Name="string"), make_schema("Pricebook2", Name="string", IsStandard="boolean")
PRICE = make_schema(
    "PricebookEntry",
    make_field("Product2Id", "reference", referenceTo=["Product2"]),
    make_field("Pricebook2Id", "reference", referenceTo=["Pricebook2"]),
)


class Rig:
    """A replica with an account and its children, and pushes that hold two changes at once."""

    def __init__(self, world):
        self.world, self.bus = world, Bus()
        self.org = MemoryOrg(ACCOUNT, CONTACT)
        self.signals = capture_signals(self.bus)
        self.acme = self.org.put("Account", Name="Acme")
        self.children = [self.org.put("Contact", LastName=f"Child {each}", AccountId=self.acme) for each in range(7)]
        self.org.tick(60)
        self.engine(10_000).run(["Account", "Contact"])

    @property
    def store(self):
        return self.world.store

    def engine(self, window=2):
        return SyncEngine(self.org, self.store, self.world.clock, self.bus, Rules(window=window))

    def push(self):
        self.org.tick()
        return self.engine().push()

    def equal(self):
        return all(replica(self.store, name) == self.org.live(name) for name in ("Account", "Contact"))


@pytest.fixture
def rig(world):
    return Rig(world)


def outcomes(push):
    return [(each.record_id, each.outcome) for each in push.changes]


def test_all_windows_are_sent_in_the_order_of_the_outbox(rig):
    for number, key in enumerate(rig.children):
        rig.store.update("Contact", key, {"LastName": f"New {number}"})

    push = rig.push()

    assert outcomes(push) == [(key, "applied") for key in rig.children]
    assert [each.record_id for each in rig.org.written] == rig.children
    assert rig.store.changes() == ()
    assert rig.equal()


def test_what_is_refused_in_every_window_is_sent_once(rig):
    for key in rig.children:
        rig.store.update("Contact", key, {"LastName": "New"})
    rig.org.reject("Contact", "FIELD_CUSTOM_VALIDATION_EXCEPTION")
    asked = []
    write, rig.org.write = rig.org.write, lambda orders, announce: asked.extend(orders) or write(orders, announce)

    push = rig.push()

    assert outcomes(push) == [(key, "rejected") for key in rig.children]
    assert [each.change.record_id for each in asked] == rig.children


def test_a_parent_that_was_made_after_its_children_goes_before_them(rig):
    first = [rig.store.create("Contact", {"LastName": f"Early {each}"}) for each in range(3)]
    for key in rig.children:
        rig.store.update("Contact", key, {"LastName": "Moved"})
    parent = rig.store.create("Account", {"Name": "Late"})
    for key in first:
        rig.store.update("Contact", key, {"AccountId": parent})

    push = rig.push()

    real = rig.store.real_id(parent)
    assert push.complete
    assert [rig.org.live("Contact")[rig.store.real_id(key)]["AccountId"] for key in first] == [real] * 3
    assert rig.equal()


def test_a_chain_of_new_records_is_sent_from_its_root(rig):
    keys = [rig.store.create("Account", {"Name": f"Link {each}"}) for each in range(9)]
    for child, parent in pairwise(keys):
        rig.store.update("Account", child, {"ParentId": parent})

    push = rig.push()

    assert push.complete
    assert len(rig.org.live("Account")) == 10
    assert rig.equal()


def test_a_record_goes_after_all_its_children_however_many_they_are(rig):
    for key in (rig.acme, *rig.children):
        rig.store.delete("Account" if key == rig.acme else "Contact", key)

    push = rig.push()

    assert push.complete
    assert rig.org.written[-1].record_id == rig.acme
    assert sorted(each.record_id for each in rig.org.written) == sorted([rig.acme, *rig.children])
    assert rig.equal()


def test_what_leaves_a_record_goes_before_the_record(rig):
    rig.store.delete("Account", rig.acme)
    for key in rig.children:
        rig.store.update("Contact", key, {"AccountId": None})

    push = rig.push()

    assert push.complete
    assert rig.org.written[-1].record_id == rig.acme
    assert len(rig.org.live("Contact")) == 7


def test_records_that_refer_to_each_other_are_deleted_though_they_are_more_than_a_window(rig):
    keys = [rig.org.put("Account", Name=f"Ring {each}") for each in range(9)]
    for child, parent in zip(keys, keys[1:] + keys[:1], strict=True):
        rig.org.put("Account", child, ParentId=parent)
    rig.org.tick(60)
    rig.engine().run(["Account", "Contact"])
    for key in keys:
        rig.store.delete("Account", key)

    push = rig.push()

    assert (push.complete, rig.store.inbox()) == (True, ())
    assert list(rig.org.live("Account")) == [rig.acme]


def test_children_of_a_refused_parent_wait_in_whatever_window_they_are(rig):
    parent = rig.store.create("Account", {"Name": "No"})
    children = [rig.store.create("Contact", {"LastName": f"c{each}", "AccountId": parent}) for each in range(5)]
    rig.org.reject(parent, "SOME_RULE")
    rig.store.update("Contact", rig.children[0], {"LastName": "Other"})

    push = rig.push()

    assert (push.count("applied"), push.count("rejected"), push.count("blocked")) == (1, 1, 5)
    assert [each.record_id for each in push.changes if each.outcome == "blocked"] == children
    assert rig.store.count_changes() == 6


def test_a_standard_price_goes_before_the_others_in_whatever_window_it_is(world):
    org = MemoryOrg(PRODUCT, BOOK, PRICE)
    standard, own = org.put("Pricebook2", Name="Standard", IsStandard=True), org.put("Pricebook2", Name="Own")
    names = ["Product2", "Pricebook2", "PricebookEntry"]
    engine = SyncEngine(org, world.store, world.clock, Bus(), Rules(window=2))
    engine.run(names)
    made = [world.store.create("Product2", {"Name": f"Bolt {each}"}) for each in range(4)]
    for book in (own, standard):
        for key in made:
            world.store.create("PricebookEntry", {"Pricebook2Id": book, "Product2Id": key})
    preview = engine.dry_run()

    push = engine.push()

    sent = [(each.values["Product2Id"], each.values["Pricebook2Id"] == standard) for each in prices(org.written)]
    assert push.complete
    assert [first for key in dict(sent) for first in [own for each, own in sent if each == key]] == [True, False] * 4
    assert [each.values["Pricebook2Id"] for each in prices(preview.orders)] == [
        each.values["Pricebook2Id"] for each in prices(org.written)
    ]


def prices(changes):
    return [each for each in changes if each.object_name == "PricebookEntry"]


def test_an_object_that_was_described_anew_meanwhile_has_its_rows_read_by_its_new_fields(rig):
    """A push that had found a field to be gone ended with an error of Python's at a deletion in a later window."""
    windows = Windows(rig.store, {each.name: each for each in rig.store.schemas()}, 2, None)
    narrower = make_schema("Contact", make_field("AccountId", "reference", referenceTo=["Account"]))
    rig.store.adopt(narrower)
    rig.store.delete("Contact", rig.children[0])

    window = windows.next(rig.world.clock.now())

    assert [each.operation for each in window.changes] == [Operation.DELETE]
    assert window.references == {rig.children[0]: (rig.acme,)}


def test_the_dry_run_foretells_what_the_windows_send(rig):
    parent = rig.store.create("Account", {"Name": "Late"})
    made = [rig.store.create("Contact", {"LastName": f"c{each}", "AccountId": parent}) for each in range(5)]
    for key in rig.children:
        rig.store.delete("Contact", key)
    rig.store.delete("Account", rig.acme)

    preview = rig.engine().dry_run()
    written_before = list(rig.org.written)
    push = rig.push()

    assert (written_before, preview.rejected, preview.blocked) == ([], (), ())
    assert preview.total == len(rig.org.written) == len(made) + len(rig.children) + 2
    assert [each.operation for each in preview.orders] == [each.operation for each in rig.org.written]
    assert push.complete


def test_of_very_many_changes_the_rest_is_counted(rig, monkeypatch):
    for module in (dry_run, foretold, pusher, results):
        monkeypatch.setattr(module, "MOST_LISTED", 3)
    rig.org.reject(rig.children[0], "SOME_RULE")
    for key in rig.children:
        rig.store.update("Contact", key, {"LastName": "Same"})
    preview = rig.engine().dry_run()

    push = rig.push()

    assert (len(preview.orders), preview.total) == (3, 7)
    assert (push.count("applied"), push.count("rejected"), push.total, push.complete) == (6, 1, 7, False)
    assert [each.outcome for each in push.changes] == ["applied"] * 3 + ["rejected"]
    assert rig.signals[-1].name == "push_complete"
    assert (rig.signals[-1].count, rig.signals[-1].left) == (6, 1)


def test_a_large_push_is_undone_to_its_first_change(rig, monkeypatch):
    for key in rig.children:
        rig.store.update("Contact", key, {"LastName": "New"})
    made = rig.store.create("Contact", {"LastName": "Made"})
    push = rig.push()

    undone = rig.engine().undo(push.push_id)

    names = sorted(each["LastName"] for each in rig.org.live("Contact").values())
    assert (undone.left, undone.push.complete) == ((), True)
    assert names == [f"Child {each}" for each in range(7)]
    assert rig.store.real_id(made) not in rig.org.live("Contact")
    assert Operation.DELETE in {each.operation for each in undone.push.changes}


def test_new_records_that_need_each_other_are_refused_and_the_push_ends(world):
    node = make_schema(
        "Node__c", make_field("Next__c", "reference", referenceTo=["Node__c"], nillable=False), Name="string"
    )
    org = MemoryOrg(node)
    engine = SyncEngine(org, world.store, world.clock, Bus())
    first = org.put("Node__c", Name="first")
    org.put("Node__c", first, Next__c=first)
    org.tick(60)
    engine.run(["Node__c"])
    one = world.store.create("Node__c", {"Name": "one", "Next__c": first})
    two = world.store.create("Node__c", {"Name": "two", "Next__c": one})
    world.store.update("Node__c", one, {"Next__c": two})

    push = engine.push()

    assert {each.outcome for each in push.changes} == {"rejected", "blocked"}
    assert [each.code for each in world.store.inbox()] == ["CIRCULAR_REFERENCE"]
