"""Counting a large table's rows reads none of them: an index of the tombstones is made when they are first counted."""

import pytest
from msgspec.structs import replace

from salesforce_sync.models.schema import FieldType
from salesforce_sync.ports import Filter, Selection
from salesforce_sync.storage import reading_sql
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, id_of, pull, widget
from tests.torture.pace import paced
from tests.unit.storage.test_read_only import as_somebody_else, database, folder, locked, read

__all__ = ["database", "folder"]


@pytest.fixture(autouse=True)
def few_are_many():
    with paced(("salesforce_sync.storage.search_index", "INDEX_ROWS", 0)):
        yield


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(WIDGET)
    yield made
    made.close()


def counted(store, name="Widget__c"):
    status = next(each for each in store.status() if each.object_name == name)
    return store.count(name), status.rows, status.tombstones


def test_no_row_is_read_to_count_them(store):
    pull(store, *map(widget, range(5)))
    assert counted(store) == (5, 5, 0)

    asked = (reading_sql.count_rows(WIDGET), reading_sql.count_matching(WIDGET, []))
    steps = [step for each in asked for *_, step in store.query(f"EXPLAIN QUERY PLAN {each}", 99)[1]]
    read = [step for step in steps if "Widget__c" in step]

    assert len(read) == 5
    assert all("COVERING INDEX" in step for step in read), read


def test_the_mark_of_a_tombstone_may_get_another_type(store):
    pull(store, *map(widget, range(5)))
    assert counted(store) == (5, 5, 0)
    fields = [replace(each, type=FieldType.TEXT) if each.name == "IsDeleted" else each for each in WIDGET.fields]

    assert store.adopt(replace(WIDGET, fields=tuple(fields))) == ("IsDeleted",)

    assert counted(store) == (5, 5, 0)


def test_it_follows_what_is_deleted_and_brought_back(store):
    pull(store, *map(widget, range(5)))
    assert counted(store) == (5, 5, 0)

    store.delete("Widget__c", id_of(1))
    store.delete("Widget__c", id_of(2))
    assert counted(store) == (3, 3, 2)

    store.undelete("Widget__c", id_of(1))
    pull(store, widget(3, deleted=True), widget(9))
    assert counted(store) == (4, 4, 2)


def test_it_is_made_anew_where_a_first_load_takes_the_tables_place(store):
    assert counted(store) == (0, 0, 0)

    with paced(("salesforce_sync.storage.merging", "TAKE_OVER_ROWS", 0)):
        pull(store, widget(1), widget(2, deleted=True), widget(3))

    assert counted(store) == (2, 2, 1)
    pull(store, widget(1, deleted=True))
    assert counted(store) == (1, 1, 2)


def test_an_object_without_a_bin_is_counted(store):
    columns = tuple(field for field in WIDGET.columns if field.name != "IsDeleted")
    plain = replace(WIDGET, name="Plain__c", fields=columns)
    store.adopt(plain)
    rows = [(id_of(number), *widget(number)[2:]) for number in range(3)]

    pull(store, *rows, schema=plain)

    assert counted(store, "Plain__c") == (3, 3, 0)


def test_what_can_only_be_read_is_counted_and_searched(database):
    path, store = database
    store.close()
    locked(path)

    def searched():
        store = SqliteStore(path, FrozenClock())
        rows = store.select("Widget__c", Selection(filters=[Filter("Name", "eq", "Bolt")], most=10))
        store.close()
        return len(rows)

    assert as_somebody_else(read(path)) == (1, 1, [("Bolt",)], [1])
    assert as_somebody_else(searched) == 1
