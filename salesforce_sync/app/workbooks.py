"""`SFSync` and Excel: the replica as a workbook, and workbooks that come back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from salesforce_sync.app.connecting import Connecting
from salesforce_sync.errors import Misuse
from salesforce_sync.signals import ExportProgress, ImportProgress
from salesforce_sync.storage.kept_files import keep_edited, sign
from salesforce_sync.storage.private_files import new_private

if TYPE_CHECKING:
    from salesforce_sync.workbook.export import Exported
    from salesforce_sync.workbook.importing import Imported, Preview


class Workbooks(Connecting):
    """Out as a workbook, in as edits."""

    def export(
        self,
        *objects: str,
        path: str | Path | None = None,
        ready_set: str | None = None,
        password: str | None = None,
    ) -> Exported:
        """Write these objects, or all that are here, as an Excel workbook: to `path`, or where the settings say.

        `ready_set` is "sales" or "revenue-cloud"; its objects that are not here are notes in the result. With a
        `password` the file is encrypted. Asks the org nothing. The file appears whole or not at all, and only its owner
        may read it. One that is there, and was saved since its export, is kept: the result's `kept` says where.
        """
        from msgspec.structs import replace

        from salesforce_sync.workbook.export import Facts, Wanted, export
        from salesforce_sync.workbook.locked import check_password

        if password is not None:
            check_password(password)
        org = self._store.org()
        facts = Facts("" if org is None else org[0], self.config.salesforce.api_version, self._clock.now())
        wanted = Wanted(objects, ready_set)
        file = self.config.workbook.path if path is None else Path(path).absolute()

        def write(plain: BinaryIO) -> Exported:
            return export(self._store, wanted, facts, plain, self._tell_export)

        with new_private(file) as out:
            if file.suffix.casefold() != ".xlsx":
                raise Misuse(f"{file.name}: the name of a workbook ends in .xlsx.", hint="Excel opens it by no other.")
            exported = write(out) if password is None else _write_sealed(write, password, file.parent, out)
            sign(out)
            return replace(exported, kept=keep_edited(file, out))

    def ready_set(self, name: str) -> tuple[str, ...]:
        """The objects of "sales" or "revenue-cloud" that the org has, in their order. One API call."""
        from salesforce_sync.workbook.sets import ready_set

        wanted, there = ready_set(name), {each.name for each in self.available() if each.queryable}
        return tuple(each for each in wanted if each in there)

    def _tell_export(self, object_name: str, rows: int, total: int) -> None:
        self._bus.emit(ExportProgress(object_name, rows, total))

    def import_workbook(
        self,
        path: str | Path,
        *,
        delete_missing: bool = False,
        password: str | None = None,
        source: str | None = None,
    ) -> Preview:
        """Compare an exported workbook with the replica: what is new, edited, gone, and what is wrong, row by row.

        Nothing is written, and the org is asked nothing; `apply` takes the good rows in. A row that is gone deletes
        its record only with `delete_missing`. A workbook that is imported again goes on from what it wrote itself; it
        is known by its path, or by what `source` says ("": not at all). `WorkbookRefused` says why a file is not
        understood. Close the preview.
        """
        from salesforce_sync.workbook.importing import Wanted, preview
        from salesforce_sync.workbook.package import MEGABYTE, Bounds

        org, most = self._store.org(), self.config.workbook
        bounds = Bounds(most.max_mb * MEGABYTE, most.max_expanded_mb * MEGABYTE, most.max_ratio)
        org_id = "" if org is None else org[0]
        wanted = Wanted(self._pages_dir(), org_id, password, bounds, delete_missing=delete_missing, source=source)
        return preview(self._store, Path(path), wanted, self._tell_import)

    def _tell_import(self, object_name: str, rows: int, total: int) -> None:
        self._bus.emit(ImportProgress(object_name, rows, total))

    def apply(self, preview: Preview) -> Imported:
        """Take the good rows of a preview in, as edits that the next push sends.

        They are held against what changed since the export, here and in the org, as a merge would have done. Rows
        that are not taken in come back in a copy of the workbook, beside it, with the reason in their Status cell.
        """
        from salesforce_sync.workbook.importing import apply

        return apply(self._store, preview, new_private)


def _write_sealed(write: Callable[[BinaryIO], Exported], password: str, folder: Path, out: BinaryIO) -> Exported:
    """Write it encrypted, by way of a file that has no name, so that nobody else can open it."""
    import tempfile

    from salesforce_sync.workbook.sealed import seal  # 7 MB of cryptography, which nothing else here needs

    with tempfile.TemporaryFile(dir=folder) as plain:
        exported = write(plain)
        seal(plain, password, out)
        return exported
