"""Whether a database can be written where it lies, and how it is opened where it cannot."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import apsw

from salesforce_sync.errors import StoreTrouble


def only_reads(path: Path) -> bool:
    """Whether there is a database at this path that cannot be written."""
    return path.exists() and not _can_be_written(path)


class Medium:
    """A database file, and what may be done with it.

    On a read-only disk, or in a folder that belongs to somebody else, it is only read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.only_reads = only_reads(path)
        self._rests = self.only_reads and not any(each.exists() for each in _beside(path))

    def open(self, flags: int) -> apsw.Connection:
        """A connection; one that only reads, whatever the flags say, where nothing else is possible."""
        if not self.only_reads:
            return apsw.Connection(str(self._path), flags=flags)
        if self._rests:
            # Nobody has it open, and SQLite cannot make the files by which it would see that somebody writes.
            address = f"file:{quote(os.path.abspath(self._path))}?immutable=1"
            return apsw.Connection(address, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        return self._beside_a_log()

    def _beside_a_log(self) -> apsw.Connection:
        try:
            connection = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
            connection.pragma("schema_version")
        except (apsw.CantOpenError, apsw.ReadOnlyError) as error:
            log = _beside(self._path)[0]
            raise StoreTrouble(
                f"{self._path} cannot be read without writing beside it: its last changes are in {log.name}.",
                hint="Copy both files to a folder that can be written, or open it once where it can be.",
            ) from error
        return connection


def _can_be_written(path: Path) -> bool:
    """Whether it can, and the two files that SQLite has beside it."""
    beside = _beside(path)
    return os.access(path, os.W_OK) and (
        os.access(path.parent, os.W_OK) or all(os.access(each, os.W_OK) for each in beside)
    )


def _beside(path: Path) -> tuple[Path, Path]:
    return path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")
