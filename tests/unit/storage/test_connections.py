"""The SQLite file: its rights, its bounds, its errors, and who may write into it."""

import os
import re
import stat
import subprocess
import sys
import threading
from pathlib import Path

import apsw
import pytest

from salesforce_sync.errors import MalformedQuery, Misuse, QueryTimeout, StoreTrouble
from salesforce_sync.ports import Selection
from salesforce_sync.storage.connections import PAGE_BYTES, Connections
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.storage.tables_only import read_tables
from salesforce_sync.testing import FrozenClock, make_schema
from tests.contract.stores import WIDGET, id_of, pull, widget
from tests.unit.locks import may_be_locked


@pytest.fixture
def path(tmp_path):
    return tmp_path / "data" / "replica.db"


@pytest.fixture
def store(path):
    made = SqliteStore(path, FrozenClock())
    made.adopt(WIDGET)
    yield made
    made.close()


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def open_files():
    return len(os.listdir("/proc/self/fd"))


def test_every_file_of_the_replica_is_private(store, path):
    pull(store, widget(1))

    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir() if each.is_file()}

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("way", ["writing", "editing"])
def test_what_is_committed_survives_a_loss_of_power(path, store, way):
    connections = Connections(path)
    with getattr(connections, way)() as db:
        waits_for_the_disk = db.pragma("synchronous")
    connections.close()

    assert waits_for_the_disk == 2, "FULL: otherwise the outbox forgets that a create was sent, and sends it again"


def test_whoever_opens_it_a_second_time_leaves_the_locks_of_the_first(store, path):
    SqliteStore(path, FrozenClock()).close()

    assert not may_be_locked(path)


def test_threads_that_ended_leave_no_open_files(store):
    in_a_thread(lambda: store.count("Widget__c"))
    before = open_files()

    for _ in range(20):
        in_a_thread(lambda: store.count("Widget__c"))

    assert open_files() <= before + 3


@pytest.mark.parametrize("way", ["reader", "guest"])
def test_a_connection_that_cannot_read_the_file_leaves_nothing_open(store, path, way):
    store.close()
    connections = Connections(path)
    garble = "import sys; file = open(sys.argv[1], 'r+b'); file.write(b'no database at all'); file.close()"
    subprocess.run([sys.executable, "-c", garble, str(path)], check=True)
    before, kept = open_files(), []

    for _ in range(3):
        with pytest.raises(StoreTrouble) as met:
            getattr(connections, way)()
        kept.append(met.value)

    assert open_files() <= before + 1  # the database's own: while others have it open, closing it would end their locks
    connections.close()


def test_a_threads_first_read_does_not_wait_for_what_another_one_writes(store):
    pull(store, widget(1))
    read = []
    with store._connections.writing():
        for _ in range(3):
            reading = threading.Thread(target=lambda: read.append(list(store.scan("Widget__c"))), daemon=True)
            reading.start()
            reading.join(10)
        told = len(read)

    assert told == 3


def test_a_schema_that_was_adopted_during_a_scan_is_seen_at_once(store):
    # A scan that is not read to its end keeps its thread's connection in the past.
    pull(store, *(widget(number) for number in range(10)))
    rows = store.scan("Widget__c")
    next(rows)
    wider = make_schema("Widget__c", Name="string", Price__c="currency", Colour__c="string")
    in_a_thread(lambda: store.adopt(wider))

    assert store.schema("Widget__c") == wider
    assert store.checkpoint("Widget__c").until is None


def test_whoever_only_reads_holds_the_tables_and_their_triggers_once(store, path):
    pull(store, widget(1))
    store.close()
    reading = SqliteStore(path, FrozenClock())

    reading.schema("Widget__c")
    assert reading.get("Widget__c", id_of(1)) is not None
    assert len(list(reading.scan("Widget__c"))) == 1
    reading.inbox()

    assert sum(size > 10_000 for size in schemas_held(reading)) == 1
    reading.close()


WIDE = make_schema("Wide__c", Name="string", **{f"Field_{number}__c": "double" for number in range(200)})


def schemas_held(store):
    """Bytes that each connection holds of the database's schema."""
    return [each.status(apsw.SQLITE_DBSTATUS_SCHEMA_USED)[0] for each in store._connections._opened]


def test_whoever_only_reads_holds_no_triggers_of_wide_objects(store, path):
    store.adopt(WIDE)
    store.close()
    reading = SqliteStore(path, FrozenClock())

    reading.schema("Wide__c")
    assert list(reading.scan("Wide__c")) == []

    assert max(schemas_held(reading)) < 200 * 1_000
    assert (
        len(reading.query("SELECT name FROM sqlite_master WHERE tbl_name = 'Wide__c' AND type = 'trigger'", 9)[1]) > 3
    )
    reading.close()


def test_whoever_writes_after_reading_has_the_triggers(store, path):
    store.adopt(WIDE)
    store.close()
    again = SqliteStore(path, FrozenClock())
    assert list(again.scan("Wide__c")) == []

    made = again.create("Wide__c", {"Name": "Bolt", "Field_7__c": 7.5})

    assert [(each.record_id, each.values) for each in again.changes()] == [(made, {"Name": "Bolt", "Field_7__c": 7.5})]
    again.close()


def test_a_table_that_is_made_while_somebody_opens_it_is_seen(store, path):
    # The longest table is looked up, and then the tables are read: what comes in between is longer.
    opening = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    asked = []

    def before_each(_cursor, statement, _bindings):
        if asked and "max(length" in asked[-1]:
            store.adopt(WIDE)
        asked.append(statement)
        return True

    opening.exec_trace = before_each
    read_tables(opening)
    opening.exec_trace = None

    assert store.schema("Wide__c") == WIDE
    assert opening.execute("SELECT count(*) FROM Wide__c").get == 0
    opening.close()


def test_a_reader_sees_what_became_of_the_tables_after_it_was_opened(store, path):
    reading = SqliteStore(path, FrozenClock())
    assert list(reading.scan("Widget__c")) == []

    store.adopt(make_schema("Widget__c", Name="string", Price__c="currency", Colour__c="string"))
    store.adopt(WIDE)

    assert reading.query("SELECT Colour__c FROM Widget__c", 1)[:2] == (("Colour__c",), [])
    assert list(reading.scan("Wide__c")) == []
    reading.close()


def test_what_is_read_within_a_scan_is_of_now(store):
    pull(store, widget(1), widget(2))
    scan = store.scan("Widget__c")
    next(scan)
    pull(store, widget(3))

    assert store.get("Widget__c", id_of(3)) is not None
    assert len(list(scan)) == 1


def test_a_mark_stays_what_it_is_whatever_is_read_and_moves_with_a_commit(store, path):
    before = store.mark()
    pages = store.scan("Widget__c")
    assert store.mark() == before
    assert list(pages) == []
    in_a_thread(lambda: list(store.scan("Widget__c")))
    assert store.mark() == before

    pull(store, widget(1))

    assert store.mark() != before


def test_a_column_that_is_missing_is_an_error_and_not_a_text(store):
    with pytest.raises(MalformedQuery, match="no such column"):
        store.query('SELECT "Nmae" FROM Widget__c', 10)


def test_a_view_of_somebody_elses_does_not_stop_a_first_load(store, path):
    other = apsw.Connection(str(path))
    other.execute("CREATE VIEW names AS SELECT Name FROM Widget__c")
    other.close()

    pull(store, widget(1))

    assert store.query("SELECT Name FROM names", 10)[:2] == (("Name",), [("Bolt",)])


def test_an_index_and_a_trigger_of_somebody_elses_survive_a_first_load(store, path):
    other = apsw.Connection(str(path))
    other.execute("CREATE INDEX mine ON Widget__c (Name)")
    other.close()

    pull(store, widget(1))

    assert store.query("SELECT count(*) FROM sqlite_master WHERE name = 'mine'", 1)[1] == [(1,)]


def test_any_sqlite_tool_reads_the_replica(store, path):
    pull(store, widget(1, "Ünïcode"))

    code = f"import sqlite3; print(sqlite3.connect({str(path)!r}).execute('select Name from Widget__c').fetchone()[0])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert shown.stdout.strip() == "Ünïcode"


def test_a_file_that_is_no_database_says_so(tmp_path):
    path = tmp_path / "replica.db"
    path.write_text("this is not a database, but it is long enough to be looked at " * 100)

    with pytest.raises(StoreTrouble, match="not a sound SQLite database"):
        SqliteStore(path, FrozenClock())


def test_a_path_that_cannot_be_says_so(tmp_path):
    (tmp_path / "file").write_text("x")

    with pytest.raises(StoreTrouble, match="cannot be used"):
        SqliteStore(tmp_path / "file" / "replica.db", FrozenClock())


def test_a_database_that_has_lost_its_version_says_how_to_give_it_back(path):
    # Restored from sqlite3's .dump, which leaves PRAGMA user_version out.
    SqliteStore(path, FrozenClock()).close()
    other = apsw.Connection(str(path))
    version = other.pragma("user_version")
    other.pragma("user_version", 0)
    other.close()

    with pytest.raises(StoreTrouble, match="dump") as caught:
        SqliteStore(path, FrozenClock())

    assert caught.value.hint.endswith(f"PRAGMA user_version = {version};")


def test_a_database_of_a_newer_version_is_left_alone(path):
    SqliteStore(path, FrozenClock()).close()
    other = apsw.Connection(str(path))
    other.pragma("user_version", 999)
    other.close()

    with pytest.raises(StoreTrouble, match="newer version"):
        SqliteStore(path, FrozenClock())


def test_processes_may_make_the_database_at_the_same_time(path):
    code = (
        "import sys; from pathlib import Path; from salesforce_sync.storage.sqlite import SqliteStore; "
        "from salesforce_sync.testing import FrozenClock, make_schema; "
        "print('ready', flush=True); sys.stdin.readline(); "
        f"store = SqliteStore(Path({str(path)!r}), FrozenClock()); "
        "store.adopt(make_schema(sys.argv[1])); print('made')"
    )
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    running = [subprocess.Popen([sys.executable, "-c", code, f"O{number}__c"], **piped) for number in range(6)]
    assert [each.stdout.readline().strip() for each in running] == ["ready"] * 6

    for each in running:
        each.stdin.write("\n")
        each.stdin.flush()

    assert [each.communicate(timeout=60)[0].strip() for each in running] == ["made"] * 6
    assert len(SqliteStore(Path(path), FrozenClock()).schemas()) == 6


# ── somebody else's SQL ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_query_gives_names_and_rows_up_to_the_limit(store):
    pull(store, *(widget(number) for number in range(5)))

    assert store.query("SELECT Name AS n, count(*) FROM Widget__c GROUP BY 1", 10)[:2] == (
        ("n", "count(*)"),
        [("Bolt", 5)],
    )
    assert len(store.query("SELECT * FROM Widget__c", 3)[1]) == 3


def test_a_query_without_rows_has_its_names(store):
    assert store.query("SELECT Id, Name FROM Widget__c WHERE Name = 'nobody'", 10)[:2] == (("Id", "Name"), [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM Widget__c",
        "UPDATE Widget__c SET Name = 'x'",
        "INSERT INTO Widget__c (Id) VALUES ('x')",
        "DROP TABLE Widget__c",
        "CREATE TABLE mine (x)",
        "CREATE TEMP TABLE mine (x)",
        "ATTACH 'other.db' AS other",
        "PRAGMA user_version = 7",
        "PRAGMA journal_mode = delete",
        "PRAGMA query_only = off",
        "VACUUM INTO 'copy.db'",
        "BEGIN IMMEDIATE",
        "SELECT load_extension('x')",
        "SELECT 1; DELETE FROM Widget__c",
        "WITH gone AS (SELECT 1) DELETE FROM Widget__c",
        "SELECT readfile('/etc/passwd')",
        "SELECT writefile('copy.db', 'x')",
        "SELECT fts3_tokenizer('simple', x'00')",
        "SELECT * FROM pragma_database_list",
        "PRAGMA database_list",
        "PRAGMA writable_schema = on",
        "PRAGMA temp_store_directory = '/tmp'",
        "PRAGMA wal_checkpoint(truncate)",
        "SAVEPOINT mine",
        "DETACH main",
        "REINDEX",
        "ANALYZE",
        "CREATE VIRTUAL TABLE temp.mine USING csv(filename='/etc/passwd')",
        "REPLACE INTO sqlite_schema VALUES ('table', 'x', 'x', 0, '')",
        "EXPLAIN DELETE FROM Widget__c",
    ],
)
def test_a_query_cannot_change_anything(store, path, statement):
    pull(store, widget(1))

    with pytest.raises((Misuse, MalformedQuery)):
        store.query(statement, 10)

    assert store.get("Widget__c", id_of(1)) is not None
    assert not Path("other.db").exists() and not Path("copy.db").exists()


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT "


@pytest.mark.parametrize("statement", [ENDLESS + "count(*) FROM n", ENDLESS + "i FROM n WHERE i < 0"])
def test_a_query_ends_when_its_time_is_over(store, statement):
    with pytest.raises(QueryTimeout, match=r"0\.3 s"):
        store.query(statement, 10, 0.3)


def test_a_query_whose_rows_are_not_all_wanted_ends_with_the_last_wanted_one(store):
    assert store.query(ENDLESS + "i FROM n", 3)[1] == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT zeroblob(1000000000)",
        "SELECT replace(hex(zeroblob(4000000)), '0', 'xxxx')",
        "SELECT length(hex(zeroblob(16000000)))",
        ENDLESS + "group_concat(hex(zeroblob(1000000))) FROM (SELECT i FROM n LIMIT 100)",
        ENDLESS + "zeroblob(16000000) FROM n",
        "SELECT 'a' LIKE '" + "%a" * 400 + "'",
    ],
)
def test_a_query_does_not_fill_the_memory(store, statement):
    with pytest.raises(MalformedQuery):
        store.query(statement, 1_000_000, 20.0)


@pytest.mark.parametrize("statement", ["SELEKT 1", "SELECT * FROM Nothing__c", "SELECT ?", "SELECT 'open"])
def test_a_query_that_makes_no_sense_is_malformed(store, statement):
    with pytest.raises((MalformedQuery, Misuse)):
        store.query(statement, 10)


@pytest.mark.parametrize(
    ("statement", "meant"),
    [
        ("SELECT 1 FROM Wigdet__c", "Widget__c"),
        ("SELECT w.Nmae FROM Widget__c AS w", "Name"),
        ('SELECT "Nmae" FROM main.WIDGET__C', "Name"),
    ],
)
def test_a_query_that_names_what_there_is_not_hears_near_names(store, statement, meant):
    with pytest.raises(MalformedQuery) as refused:
        store.query(statement, 10)

    assert re.search(rf"Did you mean\b.*\b{meant}\b", refused.value.hint)


def test_an_object_of_very_many_fields_does_not_keep_anybody_from_asking(store):
    store.adopt(make_schema("Wide__c", **{f"Field_With_A_Long_Name_{number}__c": "double" for number in range(500)}))

    assert store.query("SELECT count(*) FROM Widget__c", 1)[1] == [(0,)]
    assert store.query("SELECT * FROM Wide__c", 1)[1] == []


@pytest.mark.parametrize(
    "statement", ["SELECT 1; SELECT 2", "SELECT 1; SELECT 2, 3", "SELECT 1;; /* then */ SELECT 2;"]
)
def test_several_statements_are_refused(store, statement):
    with pytest.raises(MalformedQuery, match="several statements"):
        store.query(statement, 10)


@pytest.mark.parametrize("statement", ["", " ;", "-- nothing"])
def test_no_statement_is_refused(store, statement):
    with pytest.raises(MalformedQuery, match="no query"):
        store.query(statement, 10)


@pytest.mark.parametrize("statement", ["SELECT 1;", "SELECT 1; -- one", "-- one\nSELECT 1 /* column */; /* one */ ;"])
def test_a_statement_with_comments_is_one(store, statement):
    assert store.query(statement, 10)[1] == [(1,)]


def test_a_query_of_endless_length_is_not_looked_at(store):
    with pytest.raises(MalformedQuery, match="200,000 characters"):
        store.query("SELECT 1" + " " * 200_000, 1)


def test_closing_leaves_one_file_with_everything_in_it(store, path):
    pull(store, widget(1))
    store.count("Widget__c")

    store.close()

    assert not path.with_name(f"{path.name}-wal").exists()
    assert apsw.Connection(str(path)).execute("SELECT count(*) FROM Widget__c").get == 1


def test_a_file_that_breaks_in_the_middle_of_a_scan_is_told_as_any_other(store, path):
    pull(store, *(widget(number, "x" * 200) for number in range(2000)))
    store.close()
    last_page = path.read_bytes().rindex(b"x" * 200) // PAGE_BYTES
    with path.open("r+b") as file:
        file.seek(last_page * PAGE_BYTES)
        file.write(b"\xff" * 16)
    again = SqliteStore(path, FrozenClock())

    rows = again.scan("Widget__c")
    next(rows)
    with pytest.raises(StoreTrouble, match="not a sound SQLite database"):
        list(rows)
    again.close()


@pytest.mark.parametrize("at", [1, 2, 3])
def test_whoever_is_interrupted_as_a_transaction_begins_leaves_none_open(path, at):
    """Another one could not begin in this process, and nobody could write in any other."""
    connections = Connections(path)
    asked = 0

    def interrupts():
        nonlocal asked
        asked += 1
        return asked == at

    connections.writer.set_progress_handler(interrupts, 1)
    try:
        with pytest.raises(apsw.InterruptError), connections.writing() as db:
            db.execute("SELECT 1")
        connections.writer.set_progress_handler(None)

        assert not connections.writer.in_transaction
    finally:
        connections.close()


def mapped_bytes(store):
    """Bytes of the file that this thread's reader may have in its memory."""
    return store._connections.reader().pragma("mmap_size")


def test_single_records_are_read_from_the_file_in_memory_and_whole_tables_are_not(store):
    pull(store, *(widget(number) for number in range(10)))
    assert store.get("Widget__c", id_of(1)) is not None
    assert mapped_bytes(store) > 0

    assert len(list(store.scan("Widget__c"))) == 10
    after_all = mapped_bytes(store)
    store.select("Widget__c", Selection(most=3))
    after_page = mapped_bytes(store)
    with store.snapshot():
        assert len(store.select("Widget__c", Selection(most=3))) == 3
        within = mapped_bytes(store)

    assert (after_all, after_page > 0, within) == (0, True, 0)


def test_a_record_that_is_asked_for_during_a_scan_does_not_map_what_the_scan_reads(store):
    pull(store, *(widget(number) for number in range(10)))
    rows = store.scan("Widget__c")
    scanning = store._connections._readers.connection
    next(rows)

    assert store.get("Widget__c", id_of(1)) is not None
    assert len(store.select("Widget__c", Selection(most=3))) == 3

    assert scanning.pragma("mmap_size") == 0
    assert len(list(rows)) == 9


@pytest.mark.parametrize(
    "work",
    [
        lambda store: store.create("Widget__c", {"Name": "late"}),
        lambda store: store.delete("Widget__c", id_of(1)),
        lambda store: store.get("Widget__c", id_of(1)),
        lambda store: list(store.scan("Widget__c", ())),
        lambda store: store.query("SELECT 1", 1),
    ],
)
def test_a_store_that_was_closed_neither_reads_nor_writes(store, path, work):
    pull(store, widget(1))
    assert store.get("Widget__c", id_of(1)) is not None
    store.close()

    with pytest.raises(StoreTrouble, match="was closed here"):
        work(store)

    again = SqliteStore(path, FrozenClock())
    assert again.query("SELECT count(*) FROM Widget__c WHERE IsDeleted = 0", 1)[1] == [(1,)]
    again.close()
