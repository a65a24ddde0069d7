"""Numbers that were typed as texts, with commas as in somebody's country: read where they have one reading. Pure."""

from __future__ import annotations

import re
from typing import Final

from salesforce_sync.errors import Misuse

_WRITE: Final = "Write it as 1234.5."
_SIGN: Final = r"(?P<sign>[+-]?)"
_BOTH: Final = re.compile(rf"{_SIGN}(?P<whole>\d{{1,3}}([.,])\d{{3}}(?:\3\d{{3}})*)(?!\3)[.,](?P<rest>\d+)", re.ASCII)
_GROUPS: Final = re.compile(rf"{_SIGN}(?P<whole>[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}})(?P<rest>)", re.ASCII)
_COMMA: Final = re.compile(rf"{_SIGN}(?P<whole>\d*),(?P<rest>\d+)", re.ASCII)
_ONE_GROUP: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


def read_commas(text: str) -> str:
    """The text as 1234.5 where it has commas and one reading (`1.234,50`, `1,234.50`, `12,5`); any other text as it is.
    `Misuse` for what can be read two ways (`1,234`), or not at all."""
    plain = text.strip()
    if "," not in plain:
        return text
    if _ONE_GROUP.fullmatch(plain):
        told = f"{plain.replace(',', '')} or {plain.replace(',', '.')}"
        raise Misuse(f"{text!r} can be read two ways, {told}: its comma may separate thousands.", hint=_WRITE)
    for form in (_BOTH, _GROUPS, _COMMA):
        if found := form.fullmatch(plain):
            whole = re.sub("[.,]", "", found["whole"]) or "0"
            return f"{found['sign']}{whole}{'.' if found['rest'] else ''}{found['rest']}"
    raise Misuse(f"{text!r} has a comma, and is no number that way.", hint=_WRITE)
