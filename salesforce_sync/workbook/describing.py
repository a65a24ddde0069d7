"""What a person sees of a field: its comment, its column's width, its number format, its drop-down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.workbook.cells import TEXT_UNITS
from salesforce_sync.workbook.layout import CHANGES, Access, Column, Role

NARROWEST: Final = 10
WIDEST: Final = 44
"""Characters."""

_WIDTHS: Final = {
    FieldType.ID: 21,
    FieldType.REFERENCE: 21,
    FieldType.BOOLEAN: 10,
    FieldType.DATE: 12,
    FieldType.DATETIME: 20,
    FieldType.TIME: 12,
}
BOOLEAN_FORMAT: Final = '"TRUE";"TRUE";"FALSE"'
"""Excel shows its booleans whatever the format; LibreOffice shows 1 and 0 in all rows but the first without one."""

_FORMATS: Final = {
    FieldType.BOOLEAN: BOOLEAN_FORMAT,
    FieldType.INTEGER: "0",
    FieldType.DATE: "yyyy-mm-dd",
    FieldType.DATETIME: "yyyy-mm-dd hh:mm:ss",
    FieldType.TIME: "hh:mm:ss",
}
TEXT_FORMAT: Final = "@"
_MOST_DECIMALS: Final = 6
_DECIMALS: Final = tuple(f"#,##0.{'0' * scale}" if scale else "#,##0" for scale in range(_MOST_DECIMALS + 1))
NUMBER_FORMATS: Final = (TEXT_FORMAT, "General", *_FORMATS.values(), *_DECIMALS)
"""All that there are."""


def number_format(field: Field | None) -> str:
    """How the cells of a field are shown. Texts are told to be texts: what is typed into them stays what it is."""
    if field is None:
        return TEXT_FORMAT
    if field.salesforce_type == "percent":
        return "General"  # only such a cell takes the format of a typed 50%, which is 0.5 in any other
    if field.type is FieldType.DECIMAL:
        return _DECIMALS[field.scale] if 0 <= field.scale <= _MOST_DECIMALS else "General"
    return _FORMATS.get(field.type, TEXT_FORMAT)


def width(column: Column, samples: Sequence[Any]) -> int:
    """A column's width: room for its header and for what most of its first cells show, within bounds."""
    kind = column.field.type if column.field is not None and column.role is Role.FIELD else FieldType.TEXT
    if kind in _WIDTHS:
        return max(_WIDTHS[kind], _header_width(column.header))
    lengths = sorted(len(_shown(column.field, value)) for value in samples if value is not None)
    # A text that is longer can still be read; of a number that is wider nothing is shown.
    at = len(lengths) - 1 if kind in (FieldType.INTEGER, FieldType.DECIMAL) else len(lengths) * 9 // 10
    most = lengths[at] if lengths else 0
    return max(NARROWEST, min(max(most + 2, _header_width(column.header)), WIDEST))


def _header_width(header: str) -> int:
    """Room for a header on two lines, with no word broken, beside the button of the filter."""
    return min(max(len(header) // 2, max(map(len, header.split()), default=0)) + 4, WIDEST)


def _shown(field: Field | None, value: Any) -> str:
    """What of a sample has to find room: a number as it is shown, the first line of a text."""
    decimals = field is not None and field.type is FieldType.DECIMAL and field.scale <= _MOST_DECIMALS
    if field is not None and decimals and isinstance(value, int | float):
        return f"{value:,.{field.scale}f}"
    return str(value).partition("\n")[0]


# ── comments ─────────────────────────────────────────────────────────────────────────────────────────────────────

_OWN_COMMENTS: Final = {
    Role.CHANGE: "Write delete here to delete the record, new to make another one of this row, skip to leave it alone.",
    Role.STATUS: "What an import has to say about the row. Yours to read.",
    Role.ROW: "How the row was when it was exported. Leave it as it is.",
}
_ACCESS: Final = {
    Access.CREATE: "Can only be filled in for a new row.",
    Access.UPDATE: "Cannot be filled in for a new row.",
    Access.NEVER: "Read-only.",
}


def comment(column: Column, allowed: Access) -> str:
    """The header's comment: API name and type, and what a person has to know to fill the cells in."""
    field = column.field
    if field is None:
        return _OWN_COMMENTS[column.role]
    if column.role is Role.NAME:
        return f"The name of the record that {field.name} points to.\nRead-only."
    lines = [field.name, _type(field)]
    if field.required:
        lines.append("Required.")
    if allowed in _ACCESS:
        lines.append(_ACCESS[allowed])
    if field.name == "Id":
        lines[1:] = ["id", "Leave it empty in a new row, or give the row a name for others to refer to: new:1"]
    return "\n".join([*lines, *_hints(field)])


def _type(field: Field) -> str:
    if field.reference_to:
        return f"reference to {', '.join(field.reference_to)}"
    if field.type is FieldType.DECIMAL:
        return f"{field.salesforce_type} ({field.precision}, {field.scale})"
    return f"{field.salesforce_type} ({field.length:,})" if field.length else field.salesforce_type


def _hints(field: Field) -> list[str]:
    hints = []
    if field.type is FieldType.DATETIME:
        hints.append("All times are UTC.")
    if field.salesforce_type == "percent":
        hints.append("50 is 50 %.")
    if field.salesforce_type == "multipicklist":
        hints.append("Several values: A;B")
    if field.picklist and field.restricted_picklist:
        hints.append("Only values of the list.")
    if field.length > TEXT_UNITS:
        hints.append(f"A cell holds {TEXT_UNITS:,} characters: longer texts are cut here, and locked.")
    return hints


# ── drop-downs ───────────────────────────────────────────────────────────────────────────────────────────────────


class DropDown(Struct, frozen=True):
    """The values that a column's cells offer; `strict`: what a person may do with any other: "stop" refuses it,
    "warning" asks, "" lets it pass."""

    values: tuple[str, ...]
    strict: str

    @property
    def fits_the_cell(self) -> bool:
        """Whether the values can stand in the validation itself; else they go to a sheet of their own."""
        return len(",".join(self.values).encode("utf-16-le")) // 2 <= 255 and not any(map(_AWKWARD.search, self.values))


_AWKWARD = re.compile(r'[,"\r\n\t]|^[ =]| $')
_BOOLEAN: Final = DropDown(("TRUE", "FALSE"), "stop")


def drop_down(column: Column) -> DropDown | None:
    """What the column's cells offer to choose from. Values that are not active any more are not offered."""
    field = column.field
    if column.role is Role.CHANGE:
        return DropDown(CHANGES, "stop")
    if field is None or column.role is not Role.FIELD:
        return None
    if field.type is FieldType.BOOLEAN:
        return _BOOLEAN
    active = tuple(value for value, is_active in field.picklist if is_active)
    if not active or field.salesforce_type not in ("picklist", "combobox"):
        return None
    if field.salesforce_type == "combobox":
        return DropDown(active, "")
    return DropDown(active, "stop" if field.restricted_picklist else "warning")
