"""The database's write-ahead log, which another SQLite in this process may take away.

The locks of a file belong to the process, not to who took them. Python's own `sqlite3` knows nothing of this package's
SQLite: when it closes a database that is open here, too, all locks of this process on it end, it takes itself for the
last that had it open, folds the log into the file and removes it
(https://www.sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked into the same application"). Whoever goes
on then writes into a file that nobody else sees, and that is gone with the process.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")
_REMOVED = " (deleted)"
"""What Linux puts behind the name of an open file that was removed."""


class AheadLog:
    """The log of the database at `path`, as it was when it was last held on to."""

    def __init__(self, path: Path) -> None:
        self._database = path
        self._file: int | None = None
        self._close: weakref.finalize[[int], AheadLog] | None = None
        self._known: os.stat_result | None = None

    def hold(self) -> None:
        """Hold on to the log that is there now: nothing locks it, so to open and close it ends no lock."""
        self.let_go()
        self._known = os.stat(self._database)
        with suppress(FileNotFoundError):
            file = os.open(self._beside("-wal"), os.O_RDONLY | os.O_CLOEXEC)
            # Who drops the store without closing it leaves nothing open.
            self._close = weakref.finalize(self, os.close, file)
            self._close.atexit = False
            self._file = file
        if self.is_gone:
            self.let_go()  # a file system that counts no names tells nothing

    def let_go(self) -> None:
        """Hold no log any more."""
        self._file = None  # first: another thread may ask just now
        if self._close is not None:
            self._close()

    def _beside(self, ending: str) -> str:
        """The name of a file that SQLite has beside the database: beside what a link leads to."""
        return os.path.realpath(self._database) + ending

    @property
    def is_gone(self) -> bool:
        """Whether it was removed since."""
        file = self._file
        if file is None:
            return False
        with suppress(OSError):  # let go of just now
            return os.fstat(file).st_nlink == 0
        return False

    def is_of(self, path: Path) -> bool:
        """Whether the file at this path is the database that was there when the log was last held on to."""
        with suppress(FileNotFoundError):
            return self._known is not None and os.path.samestat(self._known, os.stat(path))
        return False

    def is_beside(self, other: AheadLog) -> bool:
        """Whether both are of one database."""
        mine, its = self._known, other._known
        return mine is not None and its is not None and os.path.samestat(mine, its)

    @property
    def is_shared_here(self) -> bool:
        """Whether another SQLite of this process has the database open, as far as the system tells.

        Each SQLite opens the log's index once in a process.
        """
        return self._open_indexes("") > 1

    @property
    def is_still_open(self) -> bool:
        """Whether something in this process still has the index of a log that was removed, as far as the system tells:
        a further connection of the same SQLite would go by it."""
        return self._open_indexes(_REMOVED) > 0

    def _open_indexes(self, ending: str) -> int:
        name = self._beside(f"-shm{ending}")
        found = 0
        with suppress(OSError):
            for each in OPEN_FILES.iterdir():
                with suppress(OSError):
                    found += os.readlink(each) == name
        return found
