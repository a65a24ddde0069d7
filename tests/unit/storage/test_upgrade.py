"""A database of an earlier version goes on where that left it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace

import salesforce_sync.storage
from salesforce_sync.models.change import Loss
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import Problem, RunRecord, RunState
from salesforce_sync.resolve import Policies, Policy
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, id_of, page, pull, widget

MIGRATIONS = Path(salesforce_sync.storage.__file__).with_name("migrations")
BEGUN = datetime(2024, 1, 15, 12, 30, tzinfo=UTC)
WITHOUT_TIMES = """
DROP TRIGGER _sync_on_insert_Widget__c; DROP TRIGGER _sync_on_update_Widget__c;  -- which write it
ALTER TABLE _sync_edit DROP COLUMN edited_at; ALTER TABLE _sync_written DROP COLUMN with_it;
DROP TABLE _sync_own_stamp; DROP TABLE _sync_aside; ALTER TABLE _sync_outbox DROP COLUMN sent_by;
"""
WITHOUT_LOSSES = WITHOUT_TIMES + "".join(
    f"ALTER TABLE _sync_object DROP COLUMN {name};" for name in ("loss_found_at", "loss", "loss_hint")
)
LISTED = [field.name for field in WIDGET.listed.columns]


def as_of_version_20(path):
    """Before sweeps: only listings were kept, and what was staged had no kind."""
    with apsw.Connection(str(path)) as db:
        db.execute("ALTER TABLE _sync_staging DROP COLUMN kind; ALTER TABLE _sync_object DROP COLUMN unfilled")
        db.execute(WITHOUT_LOSSES)
        db.execute((MIGRATIONS / "0019_listing.sql").read_text("utf-8"))
        db.execute("INSERT INTO _sync_listing SELECT object_name, columns, resume, rows, server_time FROM _sync_sweep")
        db.execute("DROP TABLE _sync_sweep; DROP TABLE _sync_missed; PRAGMA user_version = 20")


def listed(number):
    row = dict(zip((field.name for field in WIDGET.columns), widget(number), strict=True))
    return tuple(row[name] for name in LISTED)


@pytest.mark.parametrize("laid_aside", [True, False])
def test_a_listing_that_an_earlier_version_has_begun_goes_on(tmp_path, laid_aside):
    path, asked = tmp_path / "replica.db", PullRequest(WIDGET.listed)
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    pull(store, widget(1), widget(2))
    store.begin(asked)
    store.stage(page(listed(1), schema=WIDGET.listed, resume="second page", server_time=BEGUN))
    if laid_aside:
        assert store.kept(asked) is not None
    store.close()
    as_of_version_20(path)

    store = SqliteStore(path, FrozenClock())
    kept = store.kept(asked)
    store.begin(PullRequest(WIDGET.listed, resume=kept.resume))
    store.stage(page(listed(2), schema=WIDGET.listed, resume="end", last=True))
    found = store.compare("Widget__c", None, 10)

    assert (kept.resume, kept.rows) == ("second page", 1)
    assert (found.listed, found.live, found.differences) == (2, 2, 0)


def test_a_pull_that_an_earlier_version_has_begun_goes_on(tmp_path):
    path = tmp_path / "replica.db"
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    store.begin(PullRequest(WIDGET))
    store.stage(page(widget(1), resume="second page"))
    store.close()
    as_of_version_20(path)

    store = SqliteStore(path, FrozenClock())
    taken_up = store.staged("Widget__c")
    store.stage(page(widget(2), resume="end", last=True))
    store.merge("Widget__c", None)

    assert taken_up.resume == "second page"
    assert [row[0] for row in store.scan("Widget__c")] == [id_of(1), id_of(2)]


@pytest.mark.parametrize(("proved", "waits"), [(None, True), (timedelta(minutes=1), True), (timedelta(0), False)])
def test_a_loss_that_an_earlier_version_has_refused_waits_on(tmp_path, proved, waits):
    path, lost = tmp_path / "replica.db", Problem("LOSS_REFUSED", "9 of 10 rows are gone.", "Say so.")
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    store.record_run(RunRecord("1", "Widget__c", RunState.FAILED, BEGUN, BEGUN, problem=lost))
    if proved is not None:
        store.record_proof(Proof("Widget__c", BEGUN - proved, 7, 7))
    store.close()
    with apsw.Connection(str(path)) as db:
        db.execute(f"{WITHOUT_LOSSES} PRAGMA user_version = 22")

    loss = SqliteStore(path, FrozenClock()).ages("Widget__c").loss

    assert loss == (Loss(BEGUN, lost.message, lost.hint) if waits else None)


def test_when_a_field_was_edited_in_an_earlier_version_is_not_known(tmp_path):
    path = tmp_path / "replica.db"
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    pull(store, widget(1))
    store.update("Widget__c", id_of(1), {"Name": "Nut"})
    store.close()
    with apsw.Connection(str(path)) as db:
        db.execute(f"{WITHOUT_TIMES} PRAGMA user_version = 23")
    store = SqliteStore(path, FrozenClock(), policies=Policies(Policy.NEWEST))
    store.note_clock(timedelta(0))

    pull(store, widget(1, "Bolt 2", "2024-01-15T13:00:00.000+0000"))
    store.update("Widget__c", id_of(1), {"Price__c": 1.0})

    assert [each.fields for each in store.inbox()] == [("Name",)]
    with apsw.Connection(str(path)) as db:
        assert list(db.execute("SELECT field, edited_at NOTNULL FROM _sync_edit")) == [("Name", 0), ("Price__c", 1)]


def test_an_object_that_an_earlier_version_has_described_is_described_anew(tmp_path):
    """That version kept nothing of what goes with its records."""
    path = tmp_path / "replica.db"
    store = SqliteStore(path, FrozenClock())
    store.adopt(replace(WIDGET, takes_along=(("Part__c", "Widget__c"),)))
    store.note_described("Widget__c", "Mon, 15 Jan 2024 12:30:00 GMT")
    store.close()
    with apsw.Connection(str(path)) as db:
        db.execute("UPDATE _sync_object SET schema = json_remove(schema, '$.takes_along'); PRAGMA user_version = 29")

    store = SqliteStore(path, FrozenClock())

    assert store.schema("Widget__c") == WIDGET
    assert store.ages("Widget__c").described_as is None
    with store.claim("Widget__c"):
        assert store.adopt(replace(WIDGET, takes_along=(("Part__c", "Widget__c"),))) == ()
    assert store.schema("Widget__c").takes_along == (("Part__c", "Widget__c"),)
