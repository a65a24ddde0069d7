"""Files that are typed beside the database while it is written to."""

import threading
import time
from contextlib import closing

import apsw
import pytest

from salesforce_sync.models.page import CsvFile, PullRequest, TypedFile
from salesforce_sync.storage import csv_files, staging_sql
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, csv_page, names, widget


@pytest.fixture
def store(tmp_path):
    made = SqliteStore(tmp_path / "replica.db", FrozenClock())
    made.adopt(WIDGET)
    made.begin(PullRequest(WIDGET))
    yield made
    made.close()


def test_a_typed_file_takes_the_place_of_the_other_and_is_its_owners_alone(store, tmp_path):
    prepared = store.prepare(csv_page(tmp_path / "Widget__c-1.csv", [widget(1)], WIDGET))

    assert isinstance(prepared.body, TypedFile)
    assert [each.name for each in tmp_path.glob("Widget__c-1*")] == [prepared.body.path.name]
    assert prepared.body.path.stat().st_mode & 0o777 == 0o600


def test_typed_rows_are_copied_whole(store, tmp_path):
    """SQLite reads no column of them: that is what makes a typed file a sixth of the work for the one writer."""
    prepared = store.prepare(csv_page(tmp_path / "p.csv", [widget(1)], WIDGET))
    with apsw.Connection(str(store.path)) as db, csv_files.attached(db, prepared.body):
        statement = staging_sql.stage_typed("Widget__c", WIDGET.columns, len(WIDGET.columns))
        steps = {row[1] for row in db.execute(f"EXPLAIN {statement}")}
    db.close()

    assert "Insert" in steps
    assert not steps & {"Column", "MakeRecord"}


@pytest.mark.parametrize("size", [4_096, 16_384])
def test_a_database_of_other_pages_takes_a_prepared_page(tmp_path, size):
    """As one that an earlier version has made, or `VACUUM` with another page size."""
    path = tmp_path / "replica.db"
    with closing(apsw.Connection(str(path))) as made:
        made.pragma("page_size", size)
        made.execute("CREATE TABLE mine (x)")
    store = SqliteStore(path, FrozenClock())
    store.adopt(WIDGET)
    store.begin(PullRequest(WIDGET))

    for at in range(3):
        rows = [widget(number, f"{at}") for number in range(at * 500, (at + 1) * 500)]
        store.stage(store.prepare(csv_page(tmp_path / f"{at}.csv", rows, WIDGET)))

    assert store.merge("Widget__c", None).inserted == 1_500
    store.close()
    with closing(apsw.Connection(str(path))) as db:
        assert db.pragma("page_size") == size
        assert db.execute("PRAGMA integrity_check").get == "ok"


def test_a_page_that_would_wait_for_another_thread_is_typed_meanwhile(store, tmp_path):
    page = csv_page(tmp_path / "p.csv", [widget(1, "waited")], WIDGET, resume="end", last=True)
    with store._connections.writing():
        waiting = threading.Thread(target=store.stage, args=(page,))
        waiting.start()
        ends = time.monotonic() + 20
        while (tmp_path / "p.csv").exists() and time.monotonic() < ends:
            time.sleep(0.01)
        assert (tmp_path / "p.csv.typed").exists()
    waiting.join()

    store.merge("Widget__c", None)
    assert names(store) == {"waited"}
    assert not list(tmp_path.glob("p.csv*"))


def test_where_no_file_can_be_made_the_page_stays_as_it_is(store, tmp_path):
    page = csv_page(tmp_path / "p.csv", [widget(1)], WIDGET)
    (tmp_path / "p.csv.typed").mkdir()  # no file can be made in its place, whoever one is

    assert store.prepare(page) is page
    assert store.stage(page) == 1


def test_what_a_killed_process_left_is_removed_by_the_next_claim(store, tmp_path):
    folder = tmp_path / "replica.db-pages"
    folder.mkdir(exist_ok=True)
    left = CsvFile(folder / "Widget__c-left.csv")
    csv_page(left.path, [widget(1)], WIDGET)
    typed = csv_files.typed(WIDGET, left)

    with store.claim("Widget__c"):
        assert not typed.path.exists()
