"""What a person typed into a cell, as a value that its field can hold; `Misuse` says what is wrong with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Context, Decimal

from msgspec import Struct

from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.salesforce_id import is_formed
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.models.values import Stored, encode
from salesforce_sync.workbook.cells import EXACT_BELOW, TEXT_UNITS, Cell, escape, from_cell, shown, unescape
from salesforce_sync.workbook.commas import read_commas
from salesforce_sync.workbook.dates import read_date
from salesforce_sync.workbook.incoming import CellError, Dated, Percent, Uncounted

NEW = "new:"
"""How the name begins that a new row gives itself."""

CONTENT = "row:"
"""How the name begins that a new row without a name of its own gets from what stands in it."""

_OF_CONTENT = re.compile(rf"{NEW}({CONTENT}[0-9a-f]{{32}})")

_EXACT = Context(prec=400)
_TIMES = (FieldType.DATE, FieldType.DATETIME, FieldType.TIME)
_NUMBERS = (FieldType.INTEGER, FieldType.DECIMAL)
_IDS = (FieldType.ID, FieldType.REFERENCE)
_YES = re.compile(
    "1|true|wahr|vrai|verdadero|verdadeiro|vero|waar|sant|sand|tosi|prawda|истина"
    "|yes|y|ja|j|oui|sí|si|sim|da|да|hai|kyllä|tak"
)
_NO = re.compile(
    "0|false|falsch|faux|falso|onwaar|falskt|falsk|usand|epätosi|fałsz|ложь"
    "|no|n|nein|non|não|nao|nee|nej|nei|ei|nie|нет"
)
"""What a spreadsheet calls its booleans in its users' languages, and how these say yes and no: no word is in both."""

_EXTERNAL = re.compile(r"([A-Za-z]\w*)\s*=\s*(.+)", re.ASCII | re.DOTALL)


class Named(Struct, frozen=True):
    """A lookup's cell that names a new row of the workbook."""

    name: str


class External(Struct, frozen=True):
    """A lookup's cell that names a record by a field of its own: `External__c=ABC`."""

    field: str
    value: str


def own_name(cell: Cell) -> str:
    """The name that a new row gives itself in its Id cell, or that a lookup's cell calls it by; '' if it is none."""
    text = cell.strip() if isinstance(cell, str) else ""
    name = text.casefold() if text.casefold().startswith(NEW) and len(text) > len(NEW) else ""
    found = _OF_CONTENT.fullmatch(name)
    return found[1] if found else name


def name_in_cell(name: str) -> str:
    """The way back: what the Id cell of a new row says that is called so."""
    return f"{NEW}{name}" if name.startswith(CONTENT) else name


def read_typed(field: Field, cell: Cell) -> Stored | Named | External:
    """The value that the cell gives its field, checked by what describe says of the field."""
    _check_readable(cell)
    if cell is None or cell == "":
        return None
    if field.type is not FieldType.TEXT and isinstance(cell, str) and not cell.strip():
        raise Misuse("holds nothing but blanks.", hint="Empty the cell, or write a value.")
    if field.type in _IDS:
        return _reference(field, cell)
    if field.type in _TIMES:
        cell = _time(field, cell)
    elif isinstance(cell, Dated):
        raise Misuse("is a date here.", hint="Format the cell as text, or as a number, and write the value again.")
    elif field.type is FieldType.TEXT:
        return _text(field, cell)
    elif field.type in _NUMBERS:
        return _number(field, cell)
    elif field.type is FieldType.BOOLEAN and isinstance(cell, str):
        return _ticked(cell)
    value = from_cell(field.type, cell)
    _check_range(field, value)
    return value


def _check_readable(cell: Cell) -> None:
    if isinstance(cell, CellError):
        raise Misuse(f"is the error {cell}.", hint="Mend the formula, or write the value.")
    check_counted(cell)


def check_counted(cell: Cell) -> None:
    """`Misuse` if the file does not say what the cell shows: nobody can tell whether it was edited."""
    if isinstance(cell, Uncounted):
        raise Misuse("is a formula without a value.", hint="Open the workbook in Excel or LibreOffice and save it.")


# ── texts and picklists ──────────────────────────────────────────────────────────────────────────────────────────


def _text(field: Field, cell: Cell) -> Stored:
    if isinstance(cell, bool):
        raise Misuse("is a TRUE or FALSE here, and the field holds text.", hint="Format the cell as text.")
    if isinstance(cell, int | float):
        # The digits behind the 15th, and zeros before the first, were lost when it was typed.
        if abs(cell) >= EXACT_BELOW:
            raise Misuse("is a number of more than 15 digits here.", hint="Format the cell as text and write it again.")
        cell = shown(cell)
    text = _with_line_ends(str(cell))
    if field.length and len(text) > field.length:
        raise Misuse(f"has {len(text):,} characters, and {field.length:,} are the most.")
    if field.restricted_picklist and field.picklist:
        return _picked(field, text)
    return text


_ESCAPED_END = "_x000D_\n"


def _with_line_ends(text: str) -> str:
    """The text with the line ends that a script meant, whose library reads an escaped `\\r` as the text that it looks
    like: nobody writes that at the end of a line."""
    return text.replace(_ESCAPED_END, "\r\n")


def check_still_text(old: Stored, cell: Cell) -> None:
    """`Misuse` if a text of digits has become the number that it looks like, as by a click on "Convert to Number":
    zeros before it, a plus, or decimals of 0 are lost."""
    if not isinstance(old, str) or isinstance(cell, bool | str) or cell is None or old == shown(cell):
        return
    try:
        alike = float(old) == cell
    except ValueError:
        return
    if alike:
        raise Misuse(
            f"is the number {shown(cell)} here, and was the text {old[:40]}: a spreadsheet has made a number of it.",
            hint="Format the cell as text, and write it again.",
        )


def _beginnings(escaped: str) -> Iterator[str]:
    """What may be left of a text that is too long, as programs count: characters or UTF-16 units, read back or not."""
    units = escaped.encode("utf-16-le", "surrogatepass")[: 2 * TEXT_UNITS].decode("utf-16-le", "ignore")
    for left in (escaped[:TEXT_UNITS], units):
        yield from (left, unescape(left))


def check_whole(old: Stored, cell: Cell) -> None:
    """`Misuse` if this is what a program has left of the text that counts an escaped character (`_x000D_`) as seven,
    and takes it for longer than a cell's text can be: its beginning, or nothing."""
    if not isinstance(old, str) or len(old) * 7 <= TEXT_UNITS or not (cell is None or isinstance(cell, str)):
        return
    escaped = escape(old)
    if len(escaped) <= TEXT_UNITS or (cell and cell not in _beginnings(escaped)):
        return
    what = "was cut" if cell else "was left out, as too long for a cell,"
    hint = "Put the old text back, or edit it with 'salesforce-sync edit'."
    raise Misuse(f"{what} by the program that wrote the file.", hint=hint)


def _picked(field: Field, text: str) -> str:
    several = field.salesforce_type == "multipicklist"
    parts = [part.strip() for part in text.split(";") if part.strip()] if several else [text]
    return ";".join(dict.fromkeys(_one_picked(field, part) for part in parts))


def _one_picked(field: Field, text: str) -> str:
    text = text.strip()
    active = {value.casefold(): value for value, is_active in field.picklist if is_active}
    found = active.get(text.casefold())
    if found is not None:
        return found
    if any(value.casefold() == text.casefold() for value, _ in field.picklist):
        raise Misuse(f"{text!r} is an inactive value of the picklist.", hint=f"Choose one of: {_some(field)}.")
    raise Misuse(f"{text!r} is no value of the picklist.", hint=f"Choose one of: {_some(field)}.")


def _some(field: Field) -> str:
    values = [value for value, active in field.picklist if active]
    return ", ".join(values[:8]) + (", …" if len(values) > 8 else "")


def _ticked(text: str) -> int:
    """A checkbox's text. Programs take `WAHR` for a boolean only in their own language, and else leave it a text."""
    word = text.strip().casefold()
    if _YES.fullmatch(word) or _NO.fullmatch(word):
        return int(_YES.fullmatch(word) is not None)
    raise Misuse(f"{text[:40]!r} is neither true nor false.", hint="Write TRUE or FALSE.")


# ── numbers and times ────────────────────────────────────────────────────────────────────────────────────────────


_GROUPED = re.compile(r"\s*[+-]?[1-9]\d{0,2}(\.\d{3})+\s*", re.ASCII)


def _number(field: Field, cell: Cell) -> Stored:
    if isinstance(cell, str):
        cell = _without_percent(field, cell)
    if isinstance(cell, str) and (plain := read_commas(cell)) != cell:
        cell = plain
        value = _rounded(field, from_cell(field.type, cell))
        _check_range(field, value)
        return value
    if isinstance(cell, str) and field.precision and field.scale < 3 and _GROUPED.fullmatch(cell):
        # In many countries the dot separates thousands.
        raise Misuse(f"{cell!r} can be read two ways.", hint="Write it without separators of thousands: 1234 or 1.23.")
    if isinstance(cell, Percent) and field.salesforce_type == "percent":
        cell = float(f"{cell * 100:.15g}")  # Salesforce has the number before the % sign
    value = _rounded(field, from_cell(field.type, cell))
    _check_range(field, value)
    return value


def _without_percent(field: Field, text: str) -> str:
    """The number before the sign, which is what a percent field has; of no other field can be said what `50%` is."""
    return text.strip().removesuffix("%").rstrip() or text if field.salesforce_type == "percent" else text


def _rounded(field: Field, value: Stored) -> Stored:
    """The decimals that the field can have, as its column shows them: Salesforce drops others without a word."""
    if field.type is not FieldType.DECIMAL or not field.precision or value is None:
        return value
    exact = Decimal(str(value))
    digits = exact.as_tuple().exponent
    if not isinstance(digits, int) or digits >= -field.scale:
        return value
    whole = exact.quantize(Decimal(1).scaleb(-field.scale), ROUND_HALF_UP, context=_EXACT)
    return encode(FieldType.DECIMAL, whole)


def _check_range(field: Field, value: Stored) -> None:
    """`Misuse` for what no org takes: it would wait in the inbox, long after whoever typed it has gone."""
    if field.type is FieldType.DECIMAL:
        _check_size(field, value)
    elif field.type is FieldType.INTEGER and not _is_whole(field, int(value or 0)):
        raise Misuse("is larger than a whole number can be in Salesforce (2,147,483,647).")
    elif field.type in (FieldType.DATE, FieldType.DATETIME) and not "1700" <= str(value)[:4] <= "4000":
        raise Misuse("is no day that Salesforce knows (1700-01-01 to 4000-12-31).")


def _is_whole(field: Field, value: int) -> bool:
    """Whether the field can hold it; one of the type long holds whatever the replica can."""
    return field.salesforce_type == "long" or -(2**31) <= value < 2**31


def _check_size(field: Field, value: Stored) -> None:
    whole = field.precision - field.scale
    if field.precision and value is not None and abs(Decimal(str(value))) >= Decimal(10) ** whole:
        raise Misuse(f"has more than {whole} digits before the decimal point.")


def _time(field: Field, cell: Cell) -> Cell:
    """The cell of a date or time; a text's date in the one order that it can have."""
    if isinstance(cell, str):
        return cell if field.type is FieldType.TIME else read_date(cell)
    if isinstance(cell, bool) or not isinstance(cell, Dated):
        raise Misuse("is a number here, and not a date or time.", hint="Write dates as 2026-01-31, times as 14:30:00.")
    return cell


def _perhaps_percentage(field: Field, cell: Cell, old: Stored) -> str:
    """The two readings of a number that may have been typed as `50%`, of which a cell that shows no percentages keeps
    0.5; '' of any other, and where the field had such a small number before."""
    if field.salesforce_type != "percent" or not isinstance(cell, float) or isinstance(cell, Percent):
        return ""
    if not 0 < abs(cell) < 1 or (isinstance(old, int | float) and 0 < abs(old) < 1):
        return ""
    return f"{shown(cell)}, or {shown(cell * 100)}%"


def typed_otherwise(field: Field, cell: Cell, value: Stored, old: Stored = None) -> str:
    """The cell as it was typed, where its field gets something else: a date read in somebody's own order, a number that
    was rounded, or one of less than 1 % that may have been meant as a percentage; '' where nothing has to be told."""
    if field.type is FieldType.TEXT and isinstance(cell, str) and _ESCAPED_END in cell:
        return cell
    if field.type in (FieldType.DATE, FieldType.DATETIME) and isinstance(cell, str):
        return "" if read_date(cell) == cell else cell.strip()
    if doubt := _perhaps_percentage(field, cell, old):
        return doubt
    if field.type in _NUMBERS and not isinstance(cell, bool | Percent | None) and value is not None:
        text = cell.strip() if isinstance(cell, str) else shown(cell)
        plain = read_commas(_without_percent(field, text))
        return text if plain != text or Decimal(plain) != Decimal(str(value)) else ""
    return ""


# ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reference(field: Field, cell: Cell) -> Stored | Named | External:
    if not isinstance(cell, str):
        raise Misuse("is no id.", hint="An id has 15 or 18 letters and digits.")
    text = cell.strip()
    if name := own_name(text):
        return Named(name)
    if found := _EXTERNAL.fullmatch(text):
        return External(found[1], found[2].strip())
    if "=" in text:
        hint = "Write FIELD=VALUE with the API name of a field of the record that is looked up: Code__c=A-17."
        raise Misuse(f"{text[:40]!r} names no record.", hint=hint)
    if is_local(text) or is_formed(text):
        return text  # as the org names it: only who has the replica can tell (`lookups.py`)
    hint = f"Write Name={text[:40]}, its id (15 or 18 letters and digits), or new:NAME for a new row."
    raise Misuse(f"{text[:40]!r} is not a Salesforce id.", hint=hint)
