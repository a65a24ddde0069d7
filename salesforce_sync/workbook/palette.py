"""The cell formats of every workbook that is written here, in one order.

XlsxWriter numbers formats as it meets them. The sheets of a workbook are made one by one, each in a workbook of its
own, so each of these begins with all formats, in the same order: then a number means the same in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from salesforce_sync.workbook.describing import BOOLEAN_FORMAT, NUMBER_FORMATS

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

_GREY: Final = {"bg_color": "#F1F3F5", "font_color": "#5F6B7A"}
_HEAD: Final = {
    "bold": True,
    "font_color": "#FFFFFF",
    "text_wrap": True,
    "valign": "vcenter",
    "border_color": "#FFFFFF",
}
_HEAD_COLORS: Final = {"own": "#0B5345", "open": "#1F4E79", "required": "#9C2B12", "locked": "#7B8794"}

Key = str | tuple[str, bool]
"""Of a header: its kind. Of other cells: how a number is shown, and whether the cell is locked."""


def _cell(shown: str, *, locked: bool) -> dict[str, Any]:
    place = {"align": "center"} if shown == BOOLEAN_FORMAT else {}
    # Of a text of several lines the first one is to be seen.
    return {"num_format": shown, "locked": locked, "valign": "top", **place, **(_GREY if locked else {})}


_PROPERTIES: Final[Mapping[Key, Mapping[str, Any]]] = {
    **{kind: {**_HEAD, "bg_color": color} for kind, color in _HEAD_COLORS.items()},
    **{(shown, locked): _cell(shown, locked=locked) for shown in NUMBER_FORMATS for locked in (False, True)},
}
_STYLE: Final = re.compile(rb'<c r="[A-Z]+1" s="(\d+)"/>')


class Palette:
    """The formats of one of XlsxWriter's workbooks."""

    def __init__(self, book: Workbook) -> None:
        self._formats = {key: book.add_format(dict(properties)) for key, properties in _PROPERTIES.items()}

    def header(self, kind: str) -> Format:
        """That of a header: "own", "open", "required" or "locked"."""
        return self._formats[kind]

    def cell(self, shown: str, *, locked: bool) -> Format:
        """That of a cell whose numbers are shown so."""
        return self._formats[shown, locked]

    def show(self, page: Worksheet) -> None:
        """Put a cell of each into the first row of a workbook's first sheet."""
        for place, each in enumerate(self._formats.values()):
            page.write_blank(0, place, None, each)


def style_numbers(xml: bytes) -> dict[Key, str]:
    """The numbers that the formats have got, by the first sheet of their workbook."""
    return dict(zip(_PROPERTIES, (each.decode() for each in _STYLE.findall(xml)), strict=True))
