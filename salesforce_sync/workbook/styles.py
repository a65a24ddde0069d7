"""Which of a workbook's cell styles show a number as a date or a time."""

from __future__ import annotations

import re
from collections.abc import Mapping

from salesforce_sync.workbook.package import Package

_BUILTIN_DATES = frozenset((*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)))
"""ECMA-376 part 1, 18.8.30; those from 27 on are dates in East Asian versions of Excel."""

_NOT_SHOWN = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!(?:h+|m+|s+)\])[^\]]*\]', re.IGNORECASE)
"""What stands for itself in a number format: quoted and escaped text, padding, colours, conditions, locales."""

_DATE_LETTERS = re.compile(r"[dmyhsaeg]", re.IGNORECASE)


def is_date_format(code: str) -> bool:
    """Whether this number format shows a date, a time, or a length of time."""
    first = code.partition(";")[0]
    plain = _NOT_SHOWN.sub("", first).casefold().replace("general", "").replace("standard", "")
    # An exponent's E has digits beside it.
    plain = re.sub(r"[0#?.]e[+-][0#?]", "", plain)
    return bool(_DATE_LETTERS.search(plain))


def date_styles(package: Package, part: str) -> frozenset[str]:
    """The cell styles (`s` of a cell, as it is written there) that show dates or times."""
    custom: dict[int, bool] = {}
    formats: list[int] = []
    inside = False

    def met(tag: str, attributes: Mapping[str, str]) -> None:
        nonlocal inside
        if tag == "numFmt":
            custom[_number(attributes.get("numFmtId"))] = is_date_format(attributes.get("formatCode", ""))
        elif tag == "xf" and inside:
            formats.append(_number(attributes.get("numFmtId")))
        elif tag in ("cellXfs", "cellStyleXfs", "cellStyles", "dxfs"):
            inside = tag == "cellXfs"

    package.elements(part, met)
    shown = (custom.get(number, number in _BUILTIN_DATES) for number in formats)
    return frozenset(str(place) for place, is_date in enumerate(shown) if is_date)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else 0
