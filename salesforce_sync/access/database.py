"""`access.db`: one small SQLite file for users, connections and the audit log, beside the replicas."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path
from typing import Any, Final

import apsw

from salesforce_sync.errors import DiskFull, StoreBusy, StoreTrouble

FILE: Final = "access.db"
BUSY_MILLISECONDS: Final = 10_000
_SCRIPTS: Final = ("0001_access.sql", "0002_audit_is_not_replaced.sql")


class AccessDatabase:
    """The file in `folder`, made 0600 (the folder 0700) where it is missing. For several threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._lock = threading.RLock()
        with self._translated():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _create(self.path)
            for end in ("", "-wal", "-shm"):
                _close_to_others(self.path.with_name(self.path.name + end))
            self._db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READWRITE)
            self._prepare()

    def rows(self, statement: str, bindings: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        """What a short SELECT gives."""
        with self._lock, self._translated():
            return list(self._db.execute(statement, bindings))

    def each(self, statement: str, bindings: tuple[object, ...] = ()) -> Iterator[tuple[Any, ...]]:
        """What a long SELECT gives, row by row, on a connection of its own."""
        with self._translated():
            db = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                db.set_busy_timeout(BUSY_MILLISECONDS)
                yield from db.execute(statement, bindings)
            finally:
                db.close()

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction, durable when the block has ended; rolled back if it raises."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def _prepare(self) -> None:
        self._db.set_busy_timeout(BUSY_MILLISECONDS)
        self._db.config(apsw.SQLITE_DBCONFIG_DQS_DML, 0)
        self._db.pragma("journal_mode", "wal")
        self._db.pragma("synchronous", "full")  # what the log says is on the disk before anything is done
        self._db.pragma("foreign_keys", True)
        if self._version() < len(_SCRIPTS):
            with self.writing() as db:
                for script in _SCRIPTS[self._version() :]:  # another process may have been first
                    db.execute(resources.files(__package__).joinpath(script).read_text(encoding="utf-8"))
                db.execute(f"PRAGMA user_version = {max(self._version(), len(_SCRIPTS))}")
        if self._version() > len(_SCRIPTS):
            raise StoreTrouble(f"{self.path} was made by a newer version.", hint="Use that version, or a newer one.")

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").get)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except apsw.BusyError as error:
            hint = "Close the program that holds it, and try again."
            raise StoreBusy(f"Another program keeps {self.path} locked.", hint=hint) from error
        except apsw.FullError as error:
            raise DiskFull(f"The disk of {self.path} is full.", hint="Make room and try again.") from error
        except (apsw.Error, OSError) as error:
            hint = "Check the file, its folder and their rights; `salesforce-sync doctor` tells more."
            raise StoreTrouble(f"{self.path} cannot be used: {error}.", hint=hint) from error


def _create(path: Path) -> None:
    """Make the file, where it is missing, 0600; SQLite gives the files beside it the same mode.

    One that is there is not opened: to close it would end the locks that SQLite holds on it in this process.
    """
    with suppress(FileExistsError):
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _close_to_others(path: Path) -> None:
    """A file of ours that others could read (after a restore, say) is closed again."""
    with suppress(FileNotFoundError):
        found = path.stat()
        if found.st_mode & 0o077 and found.st_uid == os.geteuid():
            path.chmod(0o600)
