"""Whether another process could lock a SQLite file for itself alone, as if nobody had it open."""

import subprocess
import sys
from pathlib import Path

# Where SQLite keeps its shared locks: see "PENDING_BYTE" in its source.
_TRYING = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | fcntl.LOCK_NB, 510, 0x40000002)"


def may_be_locked(path: Path) -> bool:
    """Ask it of a process of its own: a process never stands in its own way."""
    return subprocess.run([sys.executable, "-c", _TRYING, str(path)], stderr=subprocess.DEVNULL).returncode == 0
