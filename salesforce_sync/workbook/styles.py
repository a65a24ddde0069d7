"""Which of a workbook's cell styles show a number as a date or a time, and which as a percentage."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum

from salesforce_sync.workbook.package import Package

_BUILTIN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""ECMA-376 part 1, 18.8.30; those from 27 on are dates in East Asian versions of Excel."""

_BUILTIN_PERCENTS = frozenset((9, 10))

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"""What stands for itself in a number format: quoted and escaped text, padding, colours, conditions, locales."""

_DATE_LETTERS = re.compile(r"[dmyhsaeg]", re.IGNORECASE)


class Shown(Enum):
    """What a style makes of a number."""

    DATE = "date"
    PERCENT = "percent"


def shown_as(code: str) -> Shown | None:
    """What this number format shows; None for a number as it is."""
    plain = _NOT_SHOWN.sub("", code.partition(";")[0])
    if "%" in plain:
        return Shown.PERCENT
    return Shown.DATE if _shows_date(plain) else None


def _shows_date(plain: str) -> bool:
    """Whether it shows a date, a time, or a length of time."""
    plain = plain.casefold().replace("general", "").replace("standard", "")
    # An exponent's E has digits beside it.
    plain = re.sub(r"[0#?.]e[+-][0#?]", "", plain)
    return bool(_DATE_LETTERS.search(plain))


def special_styles(package: Package, part: str) -> dict[str, Shown]:
    """The cell styles (`s` of a cell, as it is written there) that show dates, times or percentages."""
    custom: dict[int, Shown | None] = {}
    formats: list[int] = []
    inside = False

    def met(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal inside
        if tag == "numFmt":
            custom[_number(attributes.get("numFmtId"))] = shown_as(attributes.get("formatCode", ""))
        elif tag == "xf" and inside:
            formats.append(_number(attributes.get("numFmtId")))
        elif tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            inside = tag == "cellXfs"

    package.elements(part, met)
    shown = (custom.get(number, _builtin(number)) for number in formats)
    return {str(place): each for place, each in enumerate(shown) if each is not None}


def _builtin(number: int) -> Shown | None:
    if number in _BUILTIN_PERCENTS:
        return Shown.PERCENT
    return Shown.DATE if number in _BUILTIN_DATES else None


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else 0
