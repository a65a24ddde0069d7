"""Connections to the one SQLite file: a single writer behind a lock, a reader for each thread."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import apsw

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.storage.ahead_log import AheadLog
from salesforce_sync.storage.casts import give_casts, give_conversions
from salesforce_sync.storage.guest import confine
from salesforce_sync.storage.medium import Medium
from salesforce_sync.storage.page_cache import FURTHER_CACHE_KIB, READER_CACHE_KIB, WRITER_CACHE_KIB, bound_cache
from salesforce_sync.storage.tables_only import forget, read_tables
from salesforce_sync.storage.trouble import BUSY_MILLISECONDS, closed, translated

log = logging.getLogger(__name__)

FURTHER_READERS = 4
"""Connections that a thread may have beside its reader, for what is asked while scans are open."""

PAGE_BYTES = 16_384
"""Of new databases. Smaller ones make loads dearer, larger ones what changes few rows (docs/performance.md)."""

MAPPED_BYTES = 2**30 if sys.maxsize > 2**32 else 2**27
"""Of the file, while a thread reads few rows at a time: of such a read a third is the copying of pages
(docs/performance.md). Not while it reads whole tables: every page that was looked at would count as memory of the
process, though it is the system's own copy of the file."""

DURABLE = "full"
"""A commit is on the disk when it returns. SQLite's `normal` would leave the last ones of a write-ahead log to the next
checkpoint: after a loss of power the org had a record, and the outbox no longer knew that it was sent
(https://www.sqlite.org/pragma.html#pragma_synchronous)."""

LONGEST_CLOSE = 1.0
"""Seconds in which whoever is in the middle of a statement has to leave it."""

CUT_OFF = "Another SQLite in this process, such as Python's sqlite3, has closed {path} and removed its log"
ONE_SQLITE = "See docs/store.md, Two SQLites in one process."

_ALL: weakref.WeakSet[Connections] = weakref.WeakSet()
"""All that are open in this process: those of one file share what SQLite keeps of its log."""

_LISTING = threading.Lock()
_RENEWING = threading.Lock()


class Connections:
    """Opens the database (made with mode 0600 where it is missing) and hands out connections."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self._readers = threading.local()
        # Weak: the connection of a thread that has ended goes with it, and a run has threads of its own.
        self._opened: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        # Not `lock`: a thread that reads for the first time would wait for whatever is being written.
        self._counting = threading.Lock()
        self._looking = threading.RLock()
        # Those of somebody else's SQL: they close themselves.
        self._guests: weakref.WeakSet[apsw.Connection] = weakref.WeakSet()
        self._held = 0
        self._holder = 0
        self._looks = 0
        self._closed = False
        self._editor: apsw.Connection | None = None
        self._looker: apsw.Connection | None = None
        self._watcher: apsw.Connection | None = None
        self._log = AheadLog(path)
        with translated(path):
            self._medium = Medium(path)
            if not self.only_reads:
                _create_private(path)
            for each in _open_ones():
                if each._log.is_gone and each._log.is_of(path):
                    each._go_on(wait=True)
            self._begin()
        with _LISTING:
            _ALL.add(self)

    def _begin(self) -> None:
        self.writer = self._open(apsw.SQLITE_OPEN_READWRITE)
        if not self.only_reads:
            _prepare_writer(self.writer)
            self._log.hold()

    @property
    def only_reads(self) -> bool:
        """Whether the file lies where nothing can be written: whoever writes meets `StoreTrouble`."""
        return self._medium.only_reads

    def reader(self) -> apsw.Connection:
        """This thread's own connection; it cannot write.

        A connection stays in the past as long as one of its scans is not read to its end, so what is asked meanwhile
        gets another one: it sees what was committed just now. (With very many scans open, the last such one.)
        """
        found: apsw.Connection | None = getattr(self._readers, "connection", None)
        if found is None:
            found = self._readers.connection = self._further_reader(READER_CACHE_KIB)
        return found if not found.txn_state() or found is self._pinned else self._idle_reader()

    def reader_of_few(self) -> apsw.Connection:
        """As `reader`, for a few rows out of many, which are read to their end at once."""
        mapped: apsw.Connection | None = getattr(self._readers, "mapped", None) or self._map()
        return self.reader() if mapped is None or mapped.txn_state() else mapped

    def reader_of_all(self) -> apsw.Connection:
        """As `reader`, for whole tables."""
        reader = self.reader()
        if reader is getattr(self._readers, "mapped", None):
            self._readers.mapped = None
            reader.pragma("mmap_size", 0)
        return reader

    def _map(self) -> apsw.Connection | None:
        """This thread's reader with the file in its memory, unless it is in the middle of a scan."""
        reader: apsw.Connection = getattr(self._readers, "connection", None) or self.reader()
        if reader.txn_state():
            return None
        with translated(self.path):
            reader.pragma("mmap_size", MAPPED_BYTES)
        self._readers.mapped = reader
        return reader

    @property
    def _pinned(self) -> apsw.Connection | None:
        return getattr(self._readers, "pinned", None)

    def _idle_reader(self) -> apsw.Connection:
        if self._pinned is not None:
            return self._pinned
        further: list[apsw.Connection] = self._readers.__dict__.setdefault("further", [])
        idle = next((each for each in further if not each.txn_state()), None)
        if idle is None and len(further) < FURTHER_READERS:
            idle = self._further_reader(FURTHER_CACHE_KIB)
            further.append(idle)
        return idle or further[-1]

    def _further_reader(self, cache_kib: int) -> apsw.Connection:
        with self._looking, translated(self.path):
            # Every connection holds the schema of all tables: one that nobody needs is as good as a new one.
            if self._looker is not None and not self._looker.txn_state():
                made, self._looker = self._looker, None
            else:
                made = self._open(apsw.SQLITE_OPEN_READONLY)
            bound_cache(made, cache_kib)
        return made

    @contextmanager
    def pinned(self) -> Iterator[None]:
        """What this thread's `reader` reads in the block is of one moment."""
        reader = self._readers.pinned = self.reader_of_all()
        with translated(self.path):
            reader.execute("BEGIN")
        # What fails in the block is its own: a file that it cannot write is not this one.
        try:
            yield
        finally:
            self._readers.pinned = None
            with translated(self.path):
                reader.execute("END")

    def row(self, statement: str, parameters: tuple[object, ...]) -> tuple[Any, ...] | None:
        """The first row of a short read: what was committed just now is seen. For reads of one record."""
        reader: apsw.Connection | None = getattr(self._readers, "mapped", None) or self._map()
        found: tuple[Any, ...] | None
        if reader is None or reader.txn_state():  # with an open scan, or in a snapshot, it stays in the past
            with self.looking() as db:
                found = db.execute(statement, parameters).fetchone()
            return found
        try:
            found = reader.execute(statement, parameters).fetchone()
        except (apsw.Error, UnicodeDecodeError):
            with translated(self.path):  # around the statement it would cost every read its entering
                raise
        return found

    @contextmanager
    def looking(self) -> Iterator[apsw.Connection]:
        """A connection for short reads that the block finishes: what was committed just now is seen.

        A thread's own reader stays in the past as long as one of its scans is not read to its end; else it serves.
        """
        reader: apsw.Connection | None = getattr(self._readers, "connection", None)
        with self._looking, translated(self.path):
            if reader is None or reader.txn_state():
                if self._looker is None:
                    self._looker = self._open(apsw.SQLITE_OPEN_READONLY)
                reader = self._looker
            self._looks += 1
            try:
                yield reader
            finally:
                self._looks -= 1

    def version(self) -> int:
        """A number that is another one once somebody else has committed, of whatever process.

        Only numbers of one connection can be compared, so it has one of its own, which looks at no table.
        """
        if self._log.is_gone:
            self._go_on(wait=False)
        with self._looking, translated(self.path):
            if self._watcher is None:
                self._watcher = self._open(apsw.SQLITE_OPEN_READONLY)
            return int(self._watcher.pragma("data_version"))

    def schema_version(self) -> int | None:
        """A number that is another one once a table or a trigger has been made anew, by whatever process.

        None in a thread that stays in the past (`pinned`): what is newer does not go with it.
        """
        if self._pinned is not None:
            return None
        if self._log.is_gone:
            self._go_on(wait=False)
        with self.looking() as db:
            return int(db.pragma("schema_version"))

    def guest(self) -> apsw.Connection:
        """A new connection for somebody else's SQL: it cannot write, attach or load anything."""
        self._refuse_if_closed()
        with translated(self.path), _closed_if_it_fails(self._medium.open(apsw.SQLITE_OPEN_READONLY)) as connection:
            self._guests.add(connection)
            _make_strict(connection)
            read_tables(connection)
            confine(connection)
        return connection

    @contextmanager
    def aside(self) -> Iterator[apsw.Connection]:
        """A connection that reads what is committed, for another thread, while this one writes."""
        reader = self._open(apsw.SQLITE_OPEN_READONLY)
        bound_cache(reader, FURTHER_CACHE_KIB)
        try:
            yield reader
        finally:
            with self._counting:
                self._opened.discard(reader)
            reader.close()

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction on the writer: committed if the block ends, rolled back if it raises."""
        with self.holding(), translated(self.path), _transaction(self.writer) as db:
            yield db

    @property
    def is_busy(self) -> bool:
        """Whether another thread of this process is writing just now."""
        free = self.lock.acquire(blocking=False)
        if free:
            self.lock.release()
        return not free

    @contextmanager
    def editing(self) -> Iterator[apsw.Connection]:
        """One transaction in which the triggers of the objects' tables fire: edits go to the outbox."""
        with self.holding(), translated(self.path):
            if self._editor is None:
                self._editor = self._open(apsw.SQLITE_OPEN_READWRITE)
                self._editor.pragma("synchronous", DURABLE)
                bound_cache(self._editor, WRITER_CACHE_KIB)
            with _transaction(self._editor) as db:
                yield db

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Within, nobody else of this process writes; `StoreTrouble` if the log went meanwhile."""
        if self._log.is_gone and not self._is_held_here:
            self._go_on(wait=True)
        with self.lock:
            self._held, self._holder = self._held + 1, threading.get_ident()
            try:
                yield
            finally:
                self._held -= 1
            if self._log.is_gone and not self._held:
                self._look_for_file()
                cut_off = CUT_OFF.format(path=self.path)
                raise StoreTrouble(f"{cut_off}: what was written just now may be lost.", hint=ONE_SQLITE)

    @property
    def _is_held_here(self) -> bool:
        return self._held > 0 and self._holder == threading.get_ident()

    def _go_on(self, *, wait: bool) -> None:
        """Begin anew with the log that is there now: nothing was written into the other one since it went.

        All connections of the process share what SQLite keeps of a log, so none may be left. Without `wait`, not while
        somebody is at work.
        """
        if self._is_held_here:
            return
        with ExitStack() as locked:
            if not _taken(locked, _RENEWING, wait) or not self._log.is_gone:
                return
            self._look_for_file()
            found = self._of_this_file()
            for each in sorted(found, key=id):
                if not (_taken(locked, each.lock, wait) and _taken(locked, each._looking, wait)) or each._looks:
                    return
            left = [each for each in found if not each._leave()]
            if left or self._log.is_still_open:
                raise StoreTrouble(
                    f"{CUT_OFF.format(path=self.path)}, and a connection of this process still has the old one.",
                    hint=f"Close it, or start the program anew. {ONE_SQLITE}",
                )
            log.warning("%s; it is opened anew. %s", CUT_OFF.format(path=self.path), ONE_SQLITE)
            with translated(self.path):
                for each in found:
                    each._begin()

    def _look_for_file(self) -> None:
        """`StoreTrouble` if it is not the one any more that was opened."""
        if not self._log.is_of(self.path):
            hint = "Start the program anew."
            raise StoreTrouble(f"{self.path} was removed or replaced while it was open.", hint=hint)

    def _of_this_file(self) -> list[Connections]:
        return [each for each in _open_ones() if each._log.is_beside(self._log)]

    def _leave(self) -> bool:
        """Close every connection, and leave the log to whoever has it; whether that was possible."""
        self._editor = self._looker = self._watcher = None
        self._readers = threading.local()  # first: who reads on, waits for a new one
        with self._counting:
            opened = {*self._opened, *self._guests}
        return all([_close(each, leaving_log=True) for each in opened])

    def close(self) -> None:
        """Close every connection, of every thread."""
        with self.lock, self._looking:
            with _LISTING:
                _ALL.discard(self)
            left_to_others = self._log.is_gone or self._log.is_shared_here
            self._log.let_go()
            self._closed = True
            if left_to_others:
                with suppress(apsw.ConnectionClosedError):
                    self.writer.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            self._editor = None
            self._looker = self._looker or self.writer  # whoever looks from here on is told that it is closed
            # The writer last: whoever closes last folds the write-ahead log into the file, and a reader cannot.
            with self._counting:
                opened = set(self._opened) - {self.writer}
                self._opened.clear()
            for connection in (*opened, self.writer):
                _close(connection)
            self._readers = threading.local()

    def _refuse_if_closed(self) -> None:
        """Where a connection would be opened: what a closed store wrote would be an edit that its maker heard fail."""
        if self._closed:
            raise closed(self.path)

    def _open(self, flags: int) -> apsw.Connection:
        self._refuse_if_closed()
        with _closed_if_it_fails(self._medium.open(flags)) as connection:
            _make_strict(connection)
            if flags & apsw.SQLITE_OPEN_READONLY or self.only_reads:
                read_tables(connection)
        with self._counting:
            self._opened.add(connection)
        return connection


def _open_ones() -> list[Connections]:
    with _LISTING:
        return list(_ALL)


def _taken(stack: ExitStack, lock: threading.Lock | threading.RLock, wait: bool) -> bool:
    """Take the lock until the stack ends; whether that was possible."""
    taken = lock.acquire(blocking=wait)
    if taken:
        stack.callback(lock.release)
    return taken


def _close(connection: apsw.Connection, *, leaving_log: bool = False) -> bool:
    """Close it; a thread that is in the middle of a statement, and should have ended, is interrupted before.

    Gives whether it is closed by now; else it goes with its thread.
    """
    ends = time.monotonic() + LONGEST_CLOSE
    while True:
        try:
            if leaving_log:
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.close()
        except apsw.ThreadingViolationError:
            if time.monotonic() > ends:
                return False
            with suppress(apsw.ConnectionClosedError):
                connection.interrupt()
            time.sleep(0.005)
        except apsw.ConnectionClosedError:
            return True
        else:
            return True


@contextmanager
def _closed_if_it_fails(connection: apsw.Connection) -> Iterator[apsw.Connection]:
    """Whoever keeps the error would keep the connection with it, and what it has open of a log that may go."""
    try:
        yield connection
    except BaseException:
        connection.close()
        raise


@contextmanager
def _transaction(db: apsw.Connection) -> Iterator[apsw.Connection]:
    try:
        db.execute("BEGIN IMMEDIATE")  # one that is interrupted may have begun all the same
        yield db
        db.execute("COMMIT")
    except BaseException:
        # A full disk may have rolled back already.
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


@contextmanager
def switched(db: apsw.Connection, option: int, *, on: bool) -> Iterator[None]:
    """Within, one of the connection's options (SQLITE_DBCONFIG_…) is on, or off."""
    before = db.config(option, -1)
    db.config(option, int(on))
    try:
        yield
    finally:
        db.config(option, before)


def _make_strict(connection: apsw.Connection) -> None:
    connection.set_busy_timeout(BUSY_MILLISECONDS)
    # Otherwise SQLite takes the quoted name of a column that is not there for a text.
    connection.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)


def _create_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One that is there is not opened: to close it would end the locks that SQLite holds on it in this process.
    with suppress(FileExistsError):
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _prepare_writer(connection: apsw.Connection) -> None:
    """Many commands never write: it reads the tables and their triggers when it first does."""
    read_tables(connection)
    connection.pragma("page_size", PAGE_BYTES)
    _write_ahead(connection)
    connection.pragma("synchronous", DURABLE)
    bound_cache(connection, WRITER_CACHE_KIB)
    give_casts(connection)
    give_conversions(connection)
    forget(connection)


def _write_ahead(connection: apsw.Connection) -> None:
    """Have the file written by a log. Of several that begin so with a new file, SQLite refuses some without waiting."""
    until = time.monotonic() + BUSY_MILLISECONDS / 1000
    while True:
        try:
            connection.pragma("journal_mode", "wal")
            return
        except apsw.BusyError:
            if time.monotonic() >= until:
                raise
            time.sleep(0.02)
