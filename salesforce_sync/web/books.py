"""The workbook of one replica, kept current; and edited ones that were sent back, until they are taken in."""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from msgspec import Struct

from salesforce_sync.app import SFSync
from salesforce_sync.errors import RecordNotFound
from salesforce_sync.storage.private_files import on_disk
from salesforce_sync.web.folders import PrivateFolder, private_folder, sweep
from salesforce_sync.workbook.importing import Imported, Preview

FILE_NAME: Final = "Revenue_Cloud_Data.xlsx"
MOST_UPLOADS: Final = 10
"""Workbooks of one replica that wait to be applied; the oldest goes first."""


def _folder_of(sync: SFSync) -> Path:
    """Where the workbooks of this replica lie, and nothing else: `salesforce.db-workbooks` beside salesforce.db."""
    database = sync.config.storage.path
    return database.with_name(f"{database.name}-workbooks")


def _made(folder: Path) -> Path:
    """The folder, for its owner alone."""
    with on_disk(folder):
        folder.mkdir(mode=0o700, exist_ok=True)
    return folder


class Workbook:
    """The workbook of all objects that are here: made anew when something has changed since, and only then.

    It has a place of its own: the one that `export` writes may be open in Excel, and edited.
    """

    def __init__(self, sync: SFSync) -> None:
        self._sync = sync
        self._folder = _folder_of(sync)
        self._lock = threading.Lock()
        self._mark: int | None = None

    def current(self) -> Path:
        """The file, as the replica is now. Whoever comes while it is written waits."""
        with self._lock:
            return self._current()

    def opened(self) -> BinaryIO:
        """The same, open to be read: it stays whole if the next one takes its place."""
        with self._lock:
            return self._current().open("rb")

    def _current(self) -> Path:
        path, mark = self._folder / FILE_NAME, self._sync.mark()
        if mark != self._mark or not path.is_file():
            self._sync.export(path=_made(self._folder) / FILE_NAME)
            self._mark = mark
        return path

    @contextmanager
    def of_set(self, ready_set: str) -> Iterator[Path]:
        """A file of a ready set, for one download."""
        with private_folder(_made(self._folder)) as folder:
            path = folder / FILE_NAME
            self._sync.export(path=path, ready_set=ready_set)
            yield path


class Upload(Struct):
    """A workbook that was sent back: what is different in it, and what became of that."""

    upload_id: str
    folder: PrivateFolder
    preview: Preview
    imported: Imported | None = None

    def close(self) -> None:
        """Forget it, and its files."""
        self.preview.close()
        self.folder.close()


class Uploads:
    """Workbooks that were sent to one replica. Each has a private folder of its own, named by nobody."""

    def __init__(self, sync: SFSync) -> None:
        self._sync = sync
        self._folder = _folder_of(sync)
        self._lock = threading.Lock()
        self._known: dict[str, Upload] = {}
        sweep(self._folder)

    def place(self) -> PrivateFolder:
        """A private folder for a workbook on its way in."""
        return PrivateFolder(_made(self._folder))

    def file(self, folder: PrivateFolder) -> BinaryIO:
        """The file in it, to be written."""
        path = folder.path / FILE_NAME
        return open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600))

    def take_in(self, folder: PrivateFolder, *, delete_missing: bool, password: str | None) -> Upload:
        """Compare what was written there with the replica. The folder goes with the upload, or at once if it fails."""
        try:
            path = folder.path / FILE_NAME
            # What was sent has no place of its own by which it could be known again.
            preview = self._sync.import_workbook(path, delete_missing=delete_missing, password=password, source="")
        except BaseException:
            folder.close()
            raise
        upload = Upload(f"book_{secrets.token_hex(12)}", folder, preview)
        with self._lock:
            self._known[upload.upload_id] = upload
            for old in list(self._known)[:-MOST_UPLOADS]:
                self._known.pop(old).close()
        return upload

    def find(self, upload_id: str) -> Upload:
        """The upload of this id."""
        found = self._known.get(upload_id)
        if found is None:
            raise RecordNotFound("There is no such workbook here.", hint="Send it again: POST /api/workbook.")
        return found

    def apply(self, upload: Upload) -> Imported:
        """Take the good rows in, as edits that the next push sends."""
        upload.imported = self._sync.apply(upload.preview)
        return upload.imported

    def forget(self, upload: Upload) -> None:
        """Forget it, and its files."""
        with self._lock:
            self._known.pop(upload.upload_id, None)
        upload.close()

    def close(self) -> None:
        """Forget them all."""
        with self._lock:
            for upload in self._known.values():
                upload.close()
            self._known.clear()
