"""One pull of an object at a time, over all processes: a lock file that the system frees when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salesforce_sync.errors import StoreBusy, StoreTrouble, Taken
from salesforce_sync.models.api_names import check_api_name

LOOKS, A_LOOK = 20, 0.005
"""Who only looks whether a duty is held (`is_held`) holds it for a moment: whoever wants it tries so often, after so
many seconds each."""


class Claims:
    """Claims on objects, kept as lock files in `folder`, where pages land too."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextmanager
    def claim(self, object_name: str) -> Iterator[None]:
        """Hold the object until the block ends; `StoreBusy` if another thread or process holds it."""
        check_api_name(object_name)
        # Names differ only by case for people, not for the org: both mean the same object.
        handle = self._opened(f"{object_name.casefold()}.lock")
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise StoreBusy(
                    f"{object_name} is being synced by another run.", hint="Wait until it has ended, then try again."
                ) from error
            self._clear(object_name)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def duty(self, name: str, owner: str) -> Iterator[None]:
        """Hold a duty of which a replica has one, until the block ends; `Taken` tells who holds it otherwise."""
        handle = self._opened(_duty_file(name))
        try:
            if not _locked(handle):
                holder = os.pread(handle, 1000, 0).decode(errors="replace").strip()
                raise Taken(f"The {name} of this replica runs already: {holder}.")
            self._sign(handle, owner)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def presence(self, name: str) -> Iterator[None]:
        """Hold a duty that is nobody else's and never comes again: its file goes with it."""
        with self.duty(name, ""):
            try:
                yield
            finally:
                self.forget(name)

    def forget(self, name: str) -> None:
        """Remove what is left of such a duty."""
        (self._folder / _duty_file(name)).unlink(missing_ok=True)

    def is_held(self, name: str) -> bool:
        """Whether somebody alive has this duty."""
        try:
            handle = os.open(self._folder / _duty_file(name), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared: two that look at once do not take each other for its holder.
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False

    def _opened(self, file: str) -> int:
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(self._folder / file, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._trouble(error) from error

    def _sign(self, handle: int, owner: str) -> None:
        try:
            os.ftruncate(handle, 0)
            os.pwrite(handle, f"{owner}\n".encode(), 0)
        except OSError as error:
            raise self._trouble(error) from error

    def _trouble(self, error: OSError) -> StoreTrouble:
        what = f"No lock can be kept in {self._folder}: {error.strerror}."
        return StoreTrouble(what, hint="Check the folder's rights, and whether its disk is full.")

    def _clear(self, object_name: str) -> None:
        """Remove pages that a killed process left: whoever holds the claim is the only one who brings any."""
        for left in self._folder.glob("*.csv*"):
            if left.name.casefold().startswith(f"{object_name.casefold()}-"):
                left.unlink(missing_ok=True)


def _duty_file(name: str) -> str:
    return f"_{name}.lock"  # no object's name begins so


def _locked(handle: int) -> bool:
    """Whether the file is ours alone now."""
    for _ in range(LOOKS):
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            time.sleep(A_LOOK)
    return False
