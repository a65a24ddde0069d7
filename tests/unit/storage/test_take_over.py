"""A large first load may put the staging table in the object's place: only where nothing is lost by it."""

import apsw
import pytest

from salesforce_sync.storage.merging import TAKE_OVER_ROWS
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, id_of, pull, widget
from tests.torture.pace import paced


@pytest.fixture(params=[0, TAKE_OVER_ROWS], ids=["takes over", "is copied"])
def store(tmp_path, request):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(WIDGET)
    with paced(("salesforce_sync.storage.merging", "TAKE_OVER_ROWS", request.param)):
        yield made
    made.close()


def somebody(store, statement):
    other = apsw.Connection(str(store.path))
    other.execute(statement)
    other.close()


def test_a_column_of_somebody_elses_survives_a_first_load(store):
    somebody(store, "ALTER TABLE Widget__c ADD COLUMN note DEFAULT 'mine'")

    pull(store, widget(1))

    assert store.query("SELECT note FROM Widget__c", 1)[1] == [("mine",)]


def test_a_trigger_of_somebody_elses_survives_a_first_load(store):
    somebody(store, "CREATE TABLE seen (Id)")
    somebody(store, "CREATE TRIGGER t AFTER INSERT ON Widget__c BEGIN INSERT INTO seen VALUES (new.Id); END")

    pull(store, widget(1))

    assert store.query("SELECT Id FROM seen", 9)[1] == [(id_of(1),)]


def test_the_key_holds_after_a_first_load(store):
    pull(store, widget(1))

    with pytest.raises(apsw.ConstraintError):
        somebody(store, f"INSERT INTO Widget__c (Id) VALUES ('{id_of(1)}')")


def test_doubles_in_a_first_load_leave_one_row(store):
    pull(store, widget(1, "first"), widget(1, "second"))

    assert store.query("SELECT Name FROM Widget__c", 9)[1] == [("second",)]
