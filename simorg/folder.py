"""The private folder of an org's files: locked while its process lives, so that a later one can clear up."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

PREFIX = "simorg-org-"
LOCK = "owner"


class PrivateFolder:
    """A temporary folder that `remove` takes away, and that `remove_stale` takes away once its process is dead.

    The lock, not a process id, tells whether the owner lives: ids come again, and differ between containers.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True)
        self.path = Path(self._folder.name)
        draft = self.path / f"{LOCK}.new"
        self._lock = draft.open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        draft.rename(self.path / LOCK)  # never there without being locked

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        self._folder.cleanup()
        self._lock.close()


def remove_stale() -> list[Path]:
    """Remove the folders of processes that were killed; return them."""
    return [path for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*") if _remove_if_stale(path)]


def _remove_if_stale(path: Path) -> bool:
    """Remove a folder whose lock is free; it is not while its owner lives or has not locked it yet."""
    try:
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            return False
        with (path / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path)
    except OSError:
        return False
    return True
