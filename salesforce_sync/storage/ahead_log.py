"""The database's write-ahead log, which another SQLite in this process may take away.

The locks of a file belong to the process, not to who took them. Python's own `sqlite3` knows nothing of this package's
SQLite: when it closes a database that is open here, too, all locks of this process on it end, it takes itself for the
last that had it open, folds the log into the file and removes it
(https://www.sqlite.org/howtocorrupt.html, "Multiple copies of SQLite linked into the same application"). Whoever goes
on then writes into a file that nobody else sees, and that is gone with the process.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

OPEN_FILES = Path("/proc/self/fd")


class AheadLog:
    """The log of the database at `path`, as it was when it was last held on to."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}-wal")
        self._database = path
        self._file: int | None = None
        self._known: os.stat_result | None = None

    def hold(self) -> None:
        """Hold on to the log that is there now: nothing locks it, so to open and close it ends no lock."""
        self.let_go()
        self._known = os.stat(self._database)
        with suppress(FileNotFoundError):
            self._file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        if self.is_gone:
            self.let_go()  # a file system that counts no names tells nothing

    def let_go(self) -> None:
        """Hold no log any more."""
        if self._file is not None:
            os.close(self._file)
        self._file = None

    @property
    def is_gone(self) -> bool:
        """Whether it was removed since."""
        return self._file is not None and os.fstat(self._file).st_nlink == 0

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
        index = str(self._database.resolve()) + "-shm"
        found = 0
        with suppress(OSError):
            for each in OPEN_FILES.iterdir():
                with suppress(OSError):
                    found += os.readlink(each) == index
        return found > 1
