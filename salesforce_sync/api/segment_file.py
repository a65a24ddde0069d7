"""One CSV file being written: a header row and whole records, readable by its owner only."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from salesforce_sync.errors import DiskFull, StoreTrouble
from salesforce_sync.models.page import CsvFile


class SegmentFile:
    """A file that is either finished, or discarded: nothing half written stays."""

    def __init__(self, directory: Path, name: str, header: bytes) -> None:
        with _disk(directory):
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # mkstemp makes the file with mode 0600 from its first byte.
            descriptor, path = tempfile.mkstemp(dir=directory, prefix=f"{name}-", suffix=".csv")
        self._path = Path(path)
        self._file = os.fdopen(descriptor, "wb")
        self.write(header)

    def write(self, piece: bytes) -> None:
        """Append; `DiskFull` if there is no room."""
        with self._or_discard():
            self._file.write(piece)

    def finish(self, places: tuple[int, ...]) -> CsvFile:
        """Close the file and hand it over, with the places of its columns: whoever gets it removes it."""
        with self._or_discard():
            self._file.close()
        return CsvFile(self._path, places)

    def discard(self) -> None:
        """Remove what was written."""
        with suppress(OSError):
            self._file.close()
        self._path.unlink(missing_ok=True)

    @contextmanager
    def _or_discard(self) -> Iterator[None]:
        try:
            with _disk(self._path.parent):
                yield
        except StoreTrouble:
            self.discard()
            raise


@contextmanager
def _disk(directory: Path) -> Iterator[None]:
    try:
        yield
    except OSError as failed:
        if failed.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"There is no room left in {directory}.", hint="Free some space and sync again.") from failed
        raise StoreTrouble(f"{directory} cannot be written to: {failed.strerror}.") from failed
