"""A replica file is made once in each process: the next one that begins in the same way is a copy of it.

To make the tables of an empty replica takes three times as long as to open it, and to fill one ten times as long.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from salesforce_sync.ports import Clock, Store
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock

Prepare = Callable[[Store], None]
_MADE: dict[Prepare, bytes] = {}


def empty(store: Store) -> None:
    """Nothing is in it yet."""


def store_on(path: Path, clock: Clock, prepare: Prepare = empty) -> SqliteStore:
    """A store on a new file at `path`, as `prepare` (a function of a module) leaves it."""
    place(path, prepare)
    return SqliteStore(path, clock)


def place(path: Path, prepare: Prepare = empty) -> None:
    """Put a file at `path`, where there is none, that is what a new store is once it was prepared and closed."""
    if prepare not in _MADE:
        _MADE[prepare] = _made(prepare)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(_MADE[prepare])


def _made(prepare: Prepare) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "replica.db"
        store = SqliteStore(path, FrozenClock())
        prepare(store)
        store.close()
        assert [each.name for each in Path(folder).iterdir() if each.name.startswith("replica.db-w")] == []
        return path.read_bytes()
