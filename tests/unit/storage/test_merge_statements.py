"""What a merge's statements do for each row, as SQLite explains them."""

import apsw
import pytest

from salesforce_sync.storage import history, merge_sql
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, id_of, names, pull, widget


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(WIDGET)
    yield made
    made.close()


@pytest.fixture
def steps(store):
    db = store._connections.writer
    db.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)  # as within a merge
    db.execute(merge_sql.MAKE_CAME)
    bound = dict.fromkeys(("name", "at", "most", "trusted"))

    def explained(statement):
        with store._connections.writing():
            return [row[1] for row in db.execute(f"EXPLAIN {statement}", bound)]

    return explained


def test_a_merge_copies_no_rows_on_their_way(steps):
    """A statement that reads the table that it writes would put all rows aside first."""
    seen = steps(merge_sql.merge("Widget__c", WIDGET.columns, WIDGET.stamp))

    assert "NotExists" in seen
    assert not [step for step in seen if step in ("OpenEphemeral", "SorterOpen")]


def test_a_merge_finds_a_row_by_its_place_and_not_again_by_its_id(steps):
    seen = steps(merge_sql.merge("Widget__c", WIDGET.columns, WIDGET.stamp))

    assert seen.index("NotExists") < seen.index("NoConflict")


def test_replaced_values_are_put_together_once(steps):
    fields = [each for each in WIDGET.columns if each.name not in ("Id", *history.UNTOLD)]

    assert steps(history._note_merge(WIDGET, fields)).count("Concat") == len(fields) + 2


def test_rows_that_came_in_any_order_enter_as_the_table_lies(store):
    pull(store, widget(2))
    pull(store, widget(1))

    pull(store, *(widget(number, "new") for number in (4, 1, 3, 2)))

    _, rows, _ = store.query('SELECT "Id" FROM Widget__c ORDER BY _rowid_', 9)
    assert [row[0] for row in rows] == [id_of(number) for number in (2, 1, 3, 4)]
    assert names(store) == {"new"}
