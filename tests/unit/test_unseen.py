"""Which rows may have changed without their stamps telling it."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_sync.models.change import Doubt
from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import Order
from salesforce_sync.sync.unseen import MARGIN, Unseen
from salesforce_sync.testing import FrozenClock, MemoryStore, make_schema

STAMP = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
STAMPED = make_schema("Account", Name="string")
UNSTAMPED = make_schema("Account", Name="string").only("IsDeleted", "Name")


def order(operation, schema=STAMPED, record_id="001000000000001AAA"):
    stamp = format_datetime(STAMP) if schema is STAMPED else None
    return Order(schema, Change(1, "Account", record_id, operation, (Edit("Name", "a", "b"),), stamp))


def is_unseen(each, read_at=None, doubt=None):
    store = MemoryStore(FrozenClock())
    store.adopt(each.schema)
    if read_at is not None:
        store.begin(PullRequest(each.schema))
        store.stage(Page(each.schema, Rows(()), "end", None, 0, read_at, last=True))
        store.merge("Account", None)
    store.note_doubt("Account", doubt)
    return Unseen(store).among([each]) == [each]


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_a_row_is_sure_once_it_was_read_well_after_its_stamp(operation):
    read = {"never": None, "at once": STAMP, "soon": STAMP + MARGIN - timedelta(seconds=1), "later": STAMP + MARGIN}

    assert [when for when, at in read.items() if is_unseen(order(operation), at)] == ["never", "at once", "soon"]


def test_what_was_only_compared_by_its_stamp_is_not_sure():
    later, second = STAMP + timedelta(hours=1), timedelta(seconds=1)

    assert is_unseen(order(Operation.UPDATE), later, Doubt(STAMP - second, STAMP))
    assert not is_unseen(order(Operation.UPDATE), later, Doubt(STAMP + second, later))


def test_without_a_stamp_deletions_are_not_sure_and_updates_are_held_against_their_bases_by_the_org():
    later = STAMP + timedelta(hours=1)

    assert is_unseen(order(Operation.DELETE, UNSTAMPED), later)
    assert not is_unseen(order(Operation.UPDATE, UNSTAMPED), later)


def test_what_the_org_does_not_have_or_has_in_its_bin_cannot_have_changed_unseen():
    assert not is_unseen(order(Operation.CREATE, record_id="local-1"))
    assert not is_unseen(order(Operation.UPDATE, record_id="local-1"))
    assert not is_unseen(order(Operation.UNDELETE))


def test_what_is_empty_in_a_row_that_was_not_shown_while_a_column_was_filled_is_not_sure():
    """Nobody here has seen what the org has there, and its stamp is the one that is known."""
    wider = make_schema("Account", Name="string", Colour__c="string")
    store, record_id = MemoryStore(FrozenClock()), "001000000000001AAA"
    store.adopt(STAMPED)
    names = [field.name for field in STAMPED.columns]
    values = {"Id": record_id, "IsDeleted": False, "Name": "a", "SystemModstamp": format_datetime(STAMP)}
    row = tuple(values.get(name, format_datetime(STAMP)) for name in names)
    later = STAMP + timedelta(hours=1)
    store.begin(PullRequest(STAMPED))
    store.stage(Page(STAMPED, Rows((row,)), "end", None, 1, later, last=True))
    store.merge("Account", None)
    store.adopt(wider)
    filling = PullRequest(wider.only("Colour__c"))
    store.begin(filling)
    store.stage(Page(filling.schema, Rows(()), "end", None, 0, later, last=True))
    store.merge_columns(filling)
    store.filled("Account")

    def unseen(field, base):
        change = Change(1, "Account", record_id, Operation.UPDATE, (Edit(field, base, "b"),), format_datetime(STAMP))
        return Unseen(store).among([Order(wider, change)]) != []

    assert (unseen("Colour__c", None), unseen("Name", "a")) == (True, False)
