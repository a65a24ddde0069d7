"""Private folders for workbooks that come and go: of one process, and swept away if it was killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = "workbook-"


class PrivateFolder:
    """A folder (0700) of its own in `parent`. Locked while it is used, so that no other process sweeps it away."""

    def __init__(self, parent: Path) -> None:
        with _alone(parent):
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
            self._lock = _locked(self.path)

    def close(self) -> None:
        """Remove it, with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


@contextmanager
def private_folder(parent: Path) -> Iterator[Path]:
    """One for as long as the block takes."""
    folder = PrivateFolder(parent)
    try:
        yield folder.path
    finally:
        folder.close()


def sweep(parent: Path) -> None:
    """Remove what processes that were killed have left."""
    if not parent.is_dir():
        return
    with _alone(parent):
        for left in parent.glob(f"{_PREFIX}*/"):
            lock = _locked(left)
            if lock is not None:
                shutil.rmtree(left, ignore_errors=True)
                os.close(lock)


def _locked(folder: Path) -> int | None:
    """An open handle that holds the folder's lock; None if another process has it, or the folder is gone."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError:
            os.close(handle)
    return None


@contextmanager
def _alone(parent: Path) -> Iterator[None]:
    """Nobody sweeps between the making of a folder and its lock."""
    handle = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
