"""Numbers that were typed as texts, with somebody's own separators: read where they have one reading. Pure."""

from __future__ import annotations

import re
from typing import Final

from salesforce_sync.errors import Misuse

_WRITE: Final = "Write it as 1234.5."
_SIGN: Final = r"(?P<sign>[+-]?)"
_BOTH: Final = re.compile(rf"{_SIGN}(?P<whole>\d{{1,3}}([.,])\d{{3}}(?:\3\d{{3}})*)(?!\3)[.,](?P<rest>\d+)", re.ASCII)
_GROUPS: Final = re.compile(rf"{_SIGN}(?P<whole>[1-9]\d{{0,2}}(?:,\d{{3}}){{2,}})(?P<rest>)", re.ASCII)
_COMMA: Final = re.compile(rf"{_SIGN}(?P<whole>\d*),(?P<rest>\d+)", re.ASCII)
_SPACED: Final = re.compile(  # blanks, of whatever width, and apostrophes separate nothing but thousands
    rf"{_SIGN}(?P<whole>[1-9]\d{{0,2}}([ \xa0\u2009\u202f'’])\d{{3}}(?:\3\d{{3}})*)(?:[.,](?P<rest>\d+))?", re.ASCII
)
_SEPARATORS: Final = re.compile("[^0-9]")
_ONE_GROUP: Final = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)


def read_commas(text: str) -> str:
    """The text as 1234.5 where it has separators and one reading (`1.200,50`, `1,200.50`, `12,5`, `1 200`); any other
    text as it is. `Misuse` for what has commas and can be read two ways (`1,234`), or not at all."""
    plain = text.strip()
    if spaced := _SPACED.fullmatch(plain):
        return _put_together(spaced)
    if "," not in plain:
        return text
    if _ONE_GROUP.fullmatch(plain):
        told = f"{plain.replace(',', '')} or {plain.replace(',', '.')}"
        raise Misuse(f"{text!r} can be read two ways, {told}: its comma may separate thousands.", hint=_WRITE)
    for form in (_BOTH, _GROUPS, _COMMA):
        if found := form.fullmatch(plain):
            return _put_together(found)
    raise Misuse(f"{text!r} has a comma, and is no number that way.", hint=_WRITE)


def _put_together(found: re.Match[str]) -> str:
    rest = f".{found['rest']}" if found["rest"] else ""
    return f"{found['sign']}{_SEPARATORS.sub('', found['whole']) or '0'}{rest}"
