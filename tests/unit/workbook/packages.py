"""Hand-made .xlsx packages, as good or as bad as a test wants them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
STRICT_MAIN = "http://purl.oclc.org/ooxml/spreadsheetml/main"
STRICT_OFFICE = "http://purl.oclc.org/ooxml/officeDocument/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'


def relations(*targets: tuple[str, str, str], office: str = OFFICE) -> str:
    """A part of relationships: id, kind, target."""
    listed = "".join(f'<Relationship Id="{key}" Type="{office}/{kind}" Target="{to}"/>' for key, kind, to in targets)
    return f'{HEAD}<Relationships xmlns="{_RELATIONS}">{listed}</Relationships>'


def sheet(rows: str) -> str:
    """A sheet's part around its rows."""
    return f'{HEAD}<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData><pageMargins left="1"/></worksheet>'


def cells(body: str) -> str:
    """A sheet with one row."""
    return sheet(f'<row r="1">{body}</row>')


def workbook(*names: str, more: str = "") -> str:
    """The main part: sheets of these names, with the relationships rId1, rId2 and so on."""
    listed = "".join(f'<sheet name="{name}" sheetId="{at}" r:id="rId{at}"/>' for at, name in enumerate(names, 1))
    return f'{HEAD}<workbook xmlns="{MAIN}" xmlns:r="{OFFICE}">{more}<sheets>{listed}</sheets></workbook>'


def parts_of(rows: str, **more: str) -> dict[str, str]:
    """The parts of a workbook with one sheet, `Data`; `more` are `strings`, `styles` and `main`."""
    targets = [("rId1", "worksheet", "worksheets/sheet1.xml")]
    parts = {
        "_rels/.rels": relations(("rId1", "officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": more.get("main", workbook("Data")),
        "xl/worksheets/sheet1.xml": rows,
    }
    if "strings" in more:
        targets.append(("rId8", "sharedStrings", "sharedStrings.xml"))
        parts["xl/sharedStrings.xml"] = f'{HEAD}<sst xmlns="{MAIN}">{more["strings"]}</sst>'
    if "styles" in more:
        targets.append(("rId9", "styles", "styles.xml"))
        parts["xl/styles.xml"] = f'{HEAD}<styleSheet xmlns="{MAIN}">{more["styles"]}</styleSheet>'
    return parts | {"xl/_rels/workbook.xml.rels": relations(*targets)}


def write(path: Path, parts: Mapping[str, str | bytes]) -> Path:
    """The package as a file."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        for name, body in parts.items():
            package.writestr(name, body)
    return path
