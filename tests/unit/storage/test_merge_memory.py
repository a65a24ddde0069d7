"""A merge of rows that are edited here, or were deleted from here, holds few of them at once, however many they are."""

import tracemalloc

import apsw
import pytest

from salesforce_sync.models.outbox import Kind
from salesforce_sync.models.outcome import Applied
from salesforce_sync.models.page import PullRequest
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.edits import ACCOUNT, ONE, TWO, arrive, row, send
from tests.contract.stores import page

MANY = 4_000
KEYS = [f"001{number:012d}AAA" for number in range(MANY)]
ROOM = 3_000_000
"""Bytes; all rows as dicts take some 20 million."""


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(ACCOUNT)
    arrive(made, ACCOUNT, *(row(ACCOUNT, key, Name=f"Name {key}", Phone="1") for key in KEYS))
    yield made
    made.close()


def by_sql(store, statement):
    with apsw.Connection(str(store.path)) as db:
        db.execute(statement)


def merging(store, rows):
    """The most bytes of Python's that the merge of these rows held at once."""
    store.begin(PullRequest(ACCOUNT))
    store.stage(page(*rows, schema=ACCOUNT, resume="end", last=True))
    del rows
    tracemalloc.start()
    try:
        store.merge("Account", None)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_edited_rows_are_met_a_few_at_a_time(store):
    by_sql(store, "UPDATE Account SET Phone = '2'")

    held = merging(store, [row(ACCOUNT, key, ONE, Name=f"Their name {key}", Phone="1") for key in KEYS])

    assert held < ROOM
    assert store.count_changes() == MANY
    assert {each.stamp for each in store.changes()} == {ONE.replace("+0000", "Z")}


def test_deleted_rows_that_nobody_changed_are_not_looked_at_one_by_one(store):
    by_sql(store, "DELETE FROM Account")
    changes = send(store)
    store.settle("push-1", [Applied(each, each.record_id) for each in changes])
    del changes

    rows = [row(ACCOUNT, key, TWO, deleted=True, Name=f"Name {key}", Phone="1") for key in KEYS]
    rows[7] = row(ACCOUNT, KEYS[7], TWO, deleted=True, Name="Theirs", Phone="1")
    held = merging(store, rows)

    assert held < ROOM
    assert [(each.record_id, each.kind) for each in store.inbox()] == [(KEYS[7], Kind.DELETED_OVER)]
