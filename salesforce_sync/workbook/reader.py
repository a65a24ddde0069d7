"""An .xlsx workbook, read as a stream: its sheets, and their rows, whichever program wrote it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

from msgspec import Struct

from salesforce_sync.errors import NotAWorkbook
from salesforce_sync.workbook.incoming import Merged, Percent, Reading, Row, dated_from
from salesforce_sync.workbook.package import USUAL_BOUNDS, Bounds, Package
from salesforce_sync.workbook.sheets import rows
from salesforce_sync.workbook.strings import Strings, read_strings
from salesforce_sync.workbook.styles import Shown, special_styles

SHEETS_AT_MOST = 10_000
_DAYS_TO_1904 = 1462


class Sheet(Struct, frozen=True):
    """One sheet: its name and its part of the package."""

    name: str
    part: str


class WorkbookReader:
    """An open workbook. Memory does not grow with its size. Close it, or use it in a `with` block."""

    def __init__(self, path: Path, bounds: Bounds = USUAL_BOUNDS) -> None:
        self.package = Package(path, bounds)
        self._strings = Strings()
        try:
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        main = self._main_part()
        relations = self.package.relations(main)
        parts = {kind: each.target for each in relations.values() if (kind := each.kind) in ("sharedStrings", "styles")}
        found: list[tuple[str, str]] = []
        since_1904 = False

        def met(tag: str, attributes: Mapping[str, str]) -> None:
            nonlocal since_1904
            if tag == "sheet" and len(found) < SHEETS_AT_MOST:
                found.append((attributes.get("name", ""), attributes.get("id", "")))
            elif tag == "workbookPr":
                since_1904 = attributes.get("date1904", "") in ("1", "true", "on")

        self.package.elements(main, met)
        # A chart's or a dialog's sheet has no cells.
        worksheets = {key: each.target for key, each in relations.items() if each.kind == "worksheet"}
        self.sheets = tuple(Sheet(name, worksheets[key]) for name, key in found if key in worksheets)
        if not self.sheets:
            raise self._missing("it has no sheet")
        styles = special_styles(self.package, parts["styles"]) if "styles" in parts else {}
        makers: dict[Shown, Callable[[float], float]] = {
            Shown.DATE: dated_from(_DAYS_TO_1904 if since_1904 else 0),
            Shown.PERCENT: Percent,
        }
        special = {style: makers[shown] for style, shown in styles.items()}
        if "sharedStrings" in parts:
            self._strings = read_strings(self.package, parts["sharedStrings"])
        self._reading = Reading(self.package, self._strings.fastest(), special)

    def _main_part(self) -> str:
        relations = self.package.relations("")
        main = next((each.target for each in relations.values() if each.kind == "officeDocument"), None)
        if main is None:
            raise self._missing("it is a zip file, but no workbook")
        if main.casefold().endswith(".bin"):
            raise self._missing("it is a binary workbook (.xlsb)")
        return main

    def _missing(self, why: str) -> NotAWorkbook:
        return NotAWorkbook(f"{self.package.path.name} cannot be read: {why}.", hint="Save it as .xlsx with Excel.")

    def sheet(self, name: str) -> Sheet | None:
        """The sheet of this name, whatever its letter case."""
        return next((each for each in self.sheets if each.name.casefold() == name.casefold()), None)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """The sheet's rows that have any value, hidden ones too, in the order of the file."""
        return rows(self._reading, sheet.part)

    @property
    def merged(self) -> Sequence[Merged]:
        """The merged cells of the sheet whose rows were read last, to their end."""
        return self._reading.merged

    def close(self) -> None:
        """Give the file back."""
        self._strings.close()
        self.package.close()

    def __enter__(self) -> WorkbookReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
