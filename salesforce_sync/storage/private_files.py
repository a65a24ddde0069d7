"""Files that only their owner may read: written aside and renamed, under a lock that processes and threads share."""

from __future__ import annotations

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from salesforce_sync.errors import DiskFull, StoreBusy, StoreTrouble

PATIENCE_SECONDS = 15 * 60.0
"""How long the lock is waited for: whoever holds it may be waiting for a slow login host."""

SLACK = 16 * 1024
"""Bytes that a reservation is larger than what it replaces."""

_LOOK_EVERY = 0.05


class _Held(threading.local):
    """How often this thread is inside each lock: a second `flock` of its own would wait for the first for ever."""

    def __init__(self) -> None:
        self.depth: dict[Path, int] = {}


_held = _Held()


@contextmanager
def locked(lock_file: Path, *, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Keep all other threads and processes out; the same thread may come in again. `StoreBusy` if it takes too long."""
    key = Path(os.path.abspath(lock_file))
    if _held.depth.get(key):
        yield
        return
    with on_disk(lock_file.parent):
        lock_file.parent.mkdir(parents=True, exist_ok=True)
        # A file of its own: the lock is on an inode, and every write gives the guarded file a new one.
        handle = os.open(lock_file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        _take(handle, lock_file, patience)
        _held.depth[key] = 1
        yield
    finally:
        _held.depth.pop(key, None)
        os.close(handle)


def _take(handle: int, lock_file: Path, patience: float) -> None:
    until = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as taken:
            if time.monotonic() >= until:
                hint = "If one hangs or is stopped, end it."
                raise StoreBusy(f"Another process keeps {lock_file} locked.", hint=hint) from taken
        time.sleep(_LOOK_EVERY)


def read_private(file: Path) -> bytes | None:
    """The file's bytes, None if there is none. A file that others could read (after a restore, say) is closed again."""
    try:
        with file.open("rb") as stream:
            found = os.fstat(stream.fileno())
            # Another's file is his to close: a key that root lends to this user's group, say.
            if found.st_mode & 0o077 and found.st_uid == os.geteuid():
                os.fchmod(stream.fileno(), 0o600)
            return stream.read()
    except FileNotFoundError:
        return None


def replace_private(file: Path, content: bytes, *, reserved: bool = False) -> None:
    """Write aside and rename, so that a reader sees the old file or the new one. The caller holds the lock.

    `reserved`: the room that `reserve` took is written into, so that a disk that is full since then does not matter.
    """
    with on_disk(file.parent):
        handle = os.open(_aside(file), os.O_WRONLY | os.O_CLOEXEC) if reserved else _create_aside(file)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.truncate()
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(_aside(file), file)
        _sync_folder(file.parent)


@contextmanager
def new_private(file: Path) -> Iterator[BinaryIO]:
    """A stream to write the file's content into: it takes the file's place when the block ends, whole, and not at all
    if the block fails. `StoreBusy` while somebody else writes the same file."""
    with on_disk(file.parent):
        _check_replaceable(file)
        stream = _claim_aside(file)
    try:
        with on_disk(file.parent):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            os.replace(_aside(file), file)
            _sync_folder(file.parent)
    except BaseException:
        give_back(file)
        raise
    finally:
        stream.close()


def _check_replaceable(file: Path) -> None:
    """Renaming takes the place of a device such as /dev/null too: for everybody, and until the next start."""
    if file.is_dir():
        raise StoreTrouble(f"{file} is a folder.", hint="Give the name of a file.")
    if file.exists() and not file.is_file():
        raise StoreTrouble(f"{file} is no file that can be replaced.", hint="Give the name of another file.")


def _claim_aside(file: Path) -> BinaryIO:
    """Open the file aside, empty and for us alone: one that a killed process has left is taken over."""
    while True:
        stream = os.fdopen(os.open(_aside(file), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever held it until now may have renamed it: then it is the finished file, and not ours to write.
            if _is_at(stream, file):
                os.fchmod(stream.fileno(), 0o600)
                stream.truncate(0)
                return stream
            stream.close()
        except BlockingIOError as taken:
            stream.close()
            hint = "Wait for it, or give another file."
            raise StoreBusy(f"{file} is being written by another process.", hint=hint) from taken


def reserve(file: Path) -> None:
    """Take the room on the disk that the file's next content needs; `DiskFull` if there is none."""
    size = (file.stat().st_size if file.exists() else 0) + SLACK
    with on_disk(file.parent), os.fdopen(_create_aside(file), "wb") as stream:
        try:
            stream.write(os.urandom(size))  # zeros could be kept as a hole
            stream.flush()
            os.fsync(stream.fileno())
        except BaseException:
            give_back(file)
            raise


def give_back(file: Path) -> None:
    """Give back what `reserve` took."""
    _aside(file).unlink(missing_ok=True)


@contextmanager
def on_disk(folder: Path) -> Iterator[None]:
    """Name what a disk refuses: `DiskFull`, or `StoreTrouble`."""
    try:
        yield
    except OSError as failed:
        if failed.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"There is no room left in {folder}.", hint="Free some space and try again.") from failed
        hint = "Check who owns the folder, and that it may be written to."
        raise StoreTrouble(f"{folder} cannot be written to: {failed.strerror}.", hint=hint) from failed


def _aside(file: Path) -> Path:
    return file.with_name(f"{file.name}.new")


def _is_at(stream: BinaryIO, file: Path) -> bool:
    """Whether what is open is still what stands aside of the file."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), _aside(file).stat())
    except FileNotFoundError:
        return False


def _create_aside(file: Path) -> int:
    aside = _aside(file)
    aside.unlink(missing_ok=True)  # left by a process that was killed; its mode may be anything
    return os.open(aside, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
