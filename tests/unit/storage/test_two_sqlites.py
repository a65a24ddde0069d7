"""Python's own `sqlite3` beside the package, in one process: two SQLites that know nothing of each other's locks."""

import gc
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import WIDGET, id_of, pull, widget

ROOT = Path(__file__).parents[3]
NAME = [each.name for each in WIDGET.columns].index("Name")

ELSEWHERE = """
import sqlite3, sys
with sqlite3.connect(sys.argv[1]) as db:
    for row in db.execute(sys.argv[2]): print(*row)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "replica.db"


@pytest.fixture
def store(path):
    made = SqliteStore(path, FrozenClock())
    made.adopt(WIDGET)
    pull(made, widget(1), widget(2))
    yield made
    made.close()


def other_process(path, statement):
    """What another process, with an SQLite of its own, gets for the statement."""
    command = [sys.executable, "-c", ELSEWHERE, str(path), statement]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def looked_at(path):
    """As `pandas.read_sql` or any script does it."""
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT count(*) FROM Widget__c").fetchone()[0]


def names(store):
    return {row[0]: row[NAME] for row in store.scan("Widget__c")}


def test_what_is_written_after_it_has_closed_the_file_is_in_the_file(store, path):
    store.update("Widget__c", id_of(1), {"Name": "before"})
    looked_at(path)
    store.update("Widget__c", id_of(2), {"Name": "after"})

    assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["before", "after"]
    assert other_process(path, "SELECT count(*) FROM _sync_outbox") == ["2"]


def test_what_another_process_writes_then_is_seen_and_is_not_lost(store, path):
    store.update("Widget__c", id_of(1), {"Name": "before"})
    looked_at(path)
    other_process(path, f"UPDATE Widget__c SET Name = 'elsewhere' WHERE Id = '{id_of(2)}'")

    store.update("Widget__c", id_of(1), {"Name": "here"})

    assert store.get("Widget__c", id_of(2))[NAME] == "elsewhere"
    store.close()
    assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["here", "elsewhere"]


def test_whoever_only_reads_sees_it_too(store, path, monkeypatch):
    monkeypatch.setattr("salesforce_sync.storage.cache.LOOK_EVERY", 0.0)
    names(store)
    looked_at(path)
    other_process(path, f"UPDATE Widget__c SET Name = 'elsewhere' WHERE Id = '{id_of(2)}'")

    assert names(store)[id_of(2)] == "elsewhere"
    assert store.get("Widget__c", id_of(2))[NAME] == "elsewhere"


def test_two_stores_of_one_file_both_go_on(store, path):
    with closing(SqliteStore(path, FrozenClock())) as second:
        looked_at(path)
        store.update("Widget__c", id_of(1), {"Name": "first"})
        second.update("Widget__c", id_of(2), {"Name": "second"})

        assert names(store) == names(second) == {id_of(1): "first", id_of(2): "second"}
    assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["first", "second"]


def test_a_pull_goes_on_where_it_was(store, path):
    looked_at(path)

    pull(store, widget(3))

    assert other_process(path, "SELECT count(*) FROM Widget__c") == ["3"]


def test_sql_of_somebody_else_that_is_being_answered_keeps_nobody_from_going_on(store, path):
    guest = store._connections.guest()
    rows = guest.execute("SELECT Id FROM Widget__c")
    next(rows)
    looked_at(path)

    store.update("Widget__c", id_of(1), {"Name": "after"})

    assert other_process(path, f"SELECT Name FROM Widget__c WHERE Id = '{id_of(1)}'") == ["after"]
    guest.close()


def test_a_loop_that_is_cut_off_says_why(store, path):
    rows = store.scan("Widget__c")
    next(rows)
    looked_at(path)
    store.update("Widget__c", id_of(1), {"Name": "after"})

    with pytest.raises(StoreTrouble, match="sqlite3") as told:
        list(rows)

    assert "store.md" in told.value.hint


def test_a_write_during_which_the_log_went_says_so(store, path):
    with pytest.raises(StoreTrouble, match="may be lost"), store._connections.writing() as db:
        db.execute("UPDATE _sync_object SET name = name")
        looked_at(path)

    store.update("Widget__c", id_of(1), {"Name": "after"})
    assert other_process(path, f"SELECT Name FROM Widget__c WHERE Id = '{id_of(1)}'") == ["after"]


def test_what_it_still_has_open_is_left_to_it(store, path):
    with closing(sqlite3.connect(path)) as db:
        db.execute("SELECT count(*) FROM Widget__c").fetchone()
        store.update("Widget__c", id_of(1), {"Name": "here"})
        store.close()
        with db:
            db.execute("UPDATE Widget__c SET Name = 'there' WHERE Id = ?", (id_of(2),))

    assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["here", "there"]
    assert [each.name for each in path.parent.iterdir() if each.name.endswith(("-wal", "-shm"))] == []


def test_other_threads_read_on(store, path):
    seen, go_on, done = [], threading.Event(), threading.Event()

    def read():
        seen.append(names(store))
        done.set()
        go_on.wait(10)
        seen.append(names(store))

    thread = threading.Thread(target=read)
    thread.start()
    done.wait(10)
    looked_at(path)
    store.update("Widget__c", id_of(1), {"Name": "after"})
    go_on.set()
    thread.join(10)

    assert seen[1][id_of(1)] == "after"


EDITS_BESIDE_READERS = """
import sys, threading
from pathlib import Path
import apsw
from salesforce_sync.errors import StoreTrouble
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock
from tests.contract.stores import id_of
from tests.unit.storage.test_two_sqlites import looked_at, names, other_process

path, kept = Path(sys.argv[1]), []
store = SqliteStore(path, FrozenClock())

def read():
    while True:
        try:
            names(store)
        except (StoreTrouble, apsw.Error) as error:
            kept[100:] = [error]

for _ in range(2):
    threading.Thread(target=read, daemon=True).start()
looked_at(path)
for number in range(1, 6):
    store.update("Widget__c", id_of(number), {"Name": f"after {number}"})
    print(number, flush=True)
other_process(path, f"UPDATE Widget__c SET Name = 'after 6' WHERE Id = '{id_of(6)}'")
print(6, flush=True)
store.update("Widget__c", id_of(7), {"Name": "after 7"})
print(7, flush=True)
found = names(store)
assert [found[id_of(number)] for number in range(1, 8)] == [f"after {number}" for number in range(1, 8)]
"""


def test_other_threads_that_are_in_the_middle_of_reading_are_broken_off(store, path):
    """And the file is opened anew all the same. Or the process ends (docs/store.md), and no edit is lost by that."""
    pull(store, *(widget(number) for number in range(3, 200)))
    store.close()
    ran = subprocess.run(
        [sys.executable, "-c", EDITS_BESIDE_READERS, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    done = [int(each) for each in ran.stdout.split()]

    assert ran.returncode in (0, -signal.SIGBUS), ran.stderr
    assert ran.returncode or done == [1, 2, 3, 4, 5, 6, 7]
    with closing(SqliteStore(path, FrozenClock())) as again:
        found = names(again)
    assert [found[id_of(number)] for number in done] == [f"after {number}" for number in done]
    waiting = int(other_process(path, "SELECT count(*) FROM _sync_outbox")[0])
    assert len(done) <= waiting <= len(done) + bool(ran.returncode)


def test_nothing_is_written_while_another_connection_has_the_old_log(store, path):
    own = apsw.Connection(str(path))
    own.execute("SELECT count(*) FROM Widget__c").fetchall()
    looked_at(path)

    with pytest.raises(StoreTrouble, match="still has the old one"):
        store.update("Widget__c", id_of(1), {"Name": "too early"})
    with pytest.raises(StoreTrouble, match="still has the old one"):
        store.update("Widget__c", id_of(1), {"Name": "too early"})
    own.close()
    store.update("Widget__c", id_of(1), {"Name": "after"})

    assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["after", "Bolt"]


def test_the_log_lies_beside_what_a_link_leads_to(store, path, tmp_path):
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "linked.db"
    link.symlink_to(path)
    store.close()
    with closing(SqliteStore(link, FrozenClock())) as linked:
        linked.update("Widget__c", id_of(1), {"Name": "before"})
        looked_at(link)
        linked.update("Widget__c", id_of(2), {"Name": "after"})

        assert other_process(path, "SELECT Name FROM Widget__c ORDER BY Id") == ["before", "after"]


def test_a_store_that_is_dropped_without_being_closed_leaves_nothing_open(tmp_path):
    def dropped(number):
        Connections(tmp_path / f"{number}.db").reader().execute("SELECT 1").fetchall()

    dropped(0)
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for number in range(1, 10):
        dropped(number)
    gc.collect()

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_log_that_is_let_go_of_while_another_thread_asks_is_not_gone(path):
    connections = Connections(path)
    log, met, done = connections._log, [], threading.Event()

    def ask():
        while not done.is_set():
            met.append(log.is_gone)

    asking = threading.Thread(target=ask)
    asking.start()
    for _ in range(300):
        log.hold()
    done.set()
    asking.join(10)
    connections.close()

    assert set(met) == {False}


def test_a_file_that_was_removed_is_not_made_anew(store, path):
    for each in path.parent.iterdir():
        if each.name.startswith(path.name) and each.is_file():
            each.unlink()

    with pytest.raises(StoreTrouble, match="removed or replaced"):
        store.update("Widget__c", id_of(1), {"Name": "after"})

    assert not path.exists()


def test_nothing_is_left_open(path):
    before = apsw.memory_used(), len(threading.enumerate())
    connections = Connections(path)
    with connections.writing() as db:
        db.execute("CREATE TABLE t (x)")
    with closing(sqlite3.connect(path)) as db:
        db.execute("SELECT * FROM t").fetchall()
    with connections.writing() as db:
        db.execute("INSERT INTO t VALUES (1)")
    connections.close()

    assert len(threading.enumerate()) == before[1]
    assert other_process(path, "SELECT x FROM t") == ["1"]
    assert [each.name for each in path.parent.iterdir()] == [path.name]
