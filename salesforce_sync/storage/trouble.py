"""SQLite's errors as ours: what a person can do about each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from salesforce_sync.errors import DiskFull, NotText, StoreBusy, StoreTrouble

BUSY_MILLISECONDS = 30_000
"""How long a statement waits for another program that holds the file locked."""


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Raise SQLite's errors as ours."""
    try:
        yield
    except apsw.BusyError as error:
        raise StoreBusy(
            f"Another program has held {path} locked for {BUSY_MILLISECONDS // 1000} s.",
            hint="Close it, or end its open transaction, and try again.",
        ) from error
    except apsw.FullError as error:
        raise DiskFull(f"The disk of {path} is full.", hint="Make room and try again; nothing was lost.") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise StoreTrouble(
            f"{path} is not a sound SQLite database ({error}).",
            hint="Move it away and run 'salesforce-sync init' and 'sync' to make it anew.",
        ) from error
    except apsw.IOError as error:
        raise StoreTrouble(
            f"{path} cannot be read or written: {error}.",
            hint="Check the disk: it may fail, be gone, or take no file so large (FAT32: 4 GB). What was kept stands.",
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, OSError) as error:
        raise StoreTrouble(f"{path} cannot be used: {error}.", hint="Check the path and its rights.") from error
    except apsw.ConnectionClosedError as error:
        raise closed(path) from error
    except UnicodeDecodeError as error:
        raise NotText.found(error.object) from error


def closed(path: Path) -> StoreTrouble:
    """What whoever goes on with a store that was closed is told."""
    hint = "Make another SFSync, and close it when all is read and written."
    return StoreTrouble(f"{path} was closed here.", hint=hint)
