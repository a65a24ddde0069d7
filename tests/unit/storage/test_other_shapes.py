"""A table whose field changed its type, or that somebody has dropped; and a database's one org."""

from datetime import UTC, datetime

import apsw
import pytest
from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, ObjectTrouble
from salesforce_sync.models.change import Loss
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.schema import FieldType
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, page, pull, widget

NOON = datetime(2024, 1, 15, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(WIDGET)
    yield made
    made.close()


def retyped(name, kind):
    fields = tuple(replace(field, type=kind) if field.name == name else field for field in WIDGET.fields)
    return replace(WIDGET, fields=fields)


def test_an_object_whose_name_sqlite_keeps_for_itself_is_refused_by_name(store):
    with pytest.raises(ObjectTrouble, match="SQLite_log__c cannot be kept") as refused:
        store.adopt(replace(WIDGET, name="SQLite_log__c"))

    assert refused.value.code == "RESERVED_NAME"
    assert store.schema("SQLite_log__c") is None


def test_a_field_of_another_type_gets_a_column_that_fits_it(store):
    pull(store, widget(1, name="00123"))

    gained = store.adopt(retyped("Name", FieldType.DECIMAL))

    assert gained == ("Name",)
    assert store.checkpoint("Widget__c").until is None  # every row is read again, for the values of that column
    declared = dict(store.query("SELECT name, type FROM pragma_table_info('Widget__c')", 100)[1])
    assert declared["Name"] == ""


def test_a_field_that_was_away_and_is_back_with_another_type_gets_a_column_that_fits_it(store):
    pull(store, widget(1, name="00123"))
    store.adopt(WIDGET.without("Name"))

    gained = store.adopt(retyped("Name", FieldType.DECIMAL))

    assert gained == ("Name",)
    rows = store.query(
        "SELECT Name, (SELECT type FROM pragma_table_info('Widget__c') WHERE name = 'Name') FROM Widget__c", 9
    )
    assert rows[1] == [(None, "")]


def in_capitals():
    return replace(WIDGET, fields=tuple(replace(f, name="NAME") if f.name == "Name" else f for f in WIDGET.fields))


def test_a_field_with_other_capitals_keeps_its_column_which_is_named_so(store):
    pull(store, widget(1, name="Bolt"))

    assert store.adopt(in_capitals()) == ()

    names, rows, _ = store.query("SELECT * FROM Widget__c", 9)
    assert "NAME" in names and "Name" not in names
    assert rows[0][names.index("NAME")] == "Bolt"
    with store._connections.editing() as db:
        db.execute("UPDATE Widget__c SET Name = 'Nut'")
    assert [each.values for each in store.changes()] == [{"NAME": "Nut"}]


def test_a_view_that_does_not_work_keeps_nobody_from_other_capitals(store):
    pull(store, widget(1, name="Bolt"))
    db = apsw.Connection(str(store._connections.path))
    db.execute("CREATE VIEW broken AS SELECT x FROM nowhere")
    db.close()

    assert store.adopt(in_capitals()) == ()

    assert store.query("SELECT NAME FROM Widget__c", 9)[1] == [("Bolt",)]


def test_rows_that_were_staged_for_another_type_are_not_taken_up(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="after-1"))

    store.adopt(retyped("Name", FieldType.DECIMAL))

    assert store.staged("Widget__c") is None


def test_a_table_that_somebody_dropped_is_read_from_the_start(store, tmp_path):
    pull(store, widget(1), widget(2))
    apsw.Connection(str(tmp_path / "replica.db")).execute("DROP TABLE Widget__c")

    assert store.checkpoint("Widget__c") is None
    assert store.described_at("Widget__c") is None
    store.adopt(WIDGET)
    assert store.checkpoint("Widget__c") is None
    assert store.count("Widget__c") == 0


def test_nothing_of_a_table_that_somebody_dropped_is_told_or_taken_up(store, tmp_path):
    pull(store, widget(1), widget(2))
    store.record_proof(Proof("Widget__c", NOON, 2, 2))
    store.note_loss("Widget__c", Loss(NOON, "1 of 2 rows is gone.", "Say so."))
    store.begin(PullRequest(WIDGET, since=NOON))
    store.stage(page(widget(2), resume="after-2"))
    apsw.Connection(str(tmp_path / "replica.db")).execute("DROP TABLE Widget__c")

    assert store.status() == ()
    store.adopt(WIDGET)

    assert (store.staged("Widget__c"), store.proof("Widget__c"), store.ages("Widget__c").loss) == (None, None, None)


def test_a_row_that_came_twice_does_not_stand_for_one_that_never_came(store):
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), widget(1), resume="end", total=2, last=True))

    with pytest.raises(Incomplete, match="2 rows of Widget__c, and 1 different"):
        store.merge("Widget__c", None)

    assert store.count("Widget__c") == 0


def test_a_database_remembers_its_org(store):
    assert store.org() is None

    store.remember_org("00D000000000001", "https://a.example")

    assert store.org() == ("00D000000000001", "https://a.example")
