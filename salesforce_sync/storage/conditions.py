"""A `Filter` as SQL: the condition and its parameters. Pure."""

from __future__ import annotations

from string import ascii_lowercase, ascii_uppercase

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.ports import OPERATORS, Filter, Place
from salesforce_sync.storage.sql_text import quote
from salesforce_sync.storage.table_sql import collation

Condition = tuple[str, tuple[object, ...]]

_COMPARISONS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
_OF_TEXTS = ("contains", "startswith", "endswith")
_NO_TEXT = (FieldType.BOOLEAN, FieldType.INTEGER, FieldType.DECIMAL)
_LONGEST_PATTERN = 50_000  # bytes: SQLite's own bound, SQLITE_MAX_LIKE_PATTERN_LENGTH
_INDEXABLE = ("eq", "in", "startswith")


def condition(field: Field, each: Filter) -> Condition:
    """One filter on this field. A null never passes a comparison, except `ne`: as in SOQL."""
    column = quote(field.name)
    if each.operator not in OPERATORS:
        raise Misuse(f"There is no comparison {each.operator!r}.", hint=f"Use one of {', '.join(OPERATORS)}.")
    _check(field, each)
    if each.operator == "isnull":
        return (f"{column} IS NULL" if each.value else f"{column} IS NOT NULL"), ()
    if each.operator == "in":
        return _in(field, each)
    if each.value is None:
        return _null(column, each)
    if each.operator in ("eq", "ne"):
        sign = "=" if each.operator == "eq" else "IS NOT"
        return f"{column} {sign} ?{collation(field)}", (each.value,)
    if each.operator in _COMPARISONS:
        return _compared(field, each)
    return _pattern(field, each.operator, str(each.value))


def sort_key(field: Field) -> str:
    """What rows are sorted by, so that they stand as their values compare."""
    check_kept(field)
    if field.type is FieldType.DECIMAL:
        return f"CAST({quote(field.name)} AS REAL)"
    return f"{quote(field.name)}{collation(field)}"


def behind(field: Field, place: Place, *, descending: bool) -> Condition:
    """The rows that come after this place. Nulls are the smallest values, as in SQLite's own order."""
    sign = "<" if descending else ">"
    later = f'"Id" {sign} ?'
    if field.name == "Id":
        return later, (place.id,)
    key, same = sort_key(field), f"{sort_key(field)} IS {_bound(field)}"
    if place.value is None:
        more = "" if descending else f" OR {key} IS NOT NULL"
        return f"(({key} IS NULL AND {later}){more})", (place.id,)
    more = f" OR {key} IS NULL" if descending else ""
    return f"({key} {sign} {_bound(field)} OR ({same} AND {later}){more})", (place.value, place.value, place.id)


def _bound(field: Field) -> str:
    return "CAST(? AS REAL)" if field.type is FieldType.DECIMAL else "?"


def check_kept(field: Field) -> None:
    """`Misuse` for a field that has no column."""
    if not field.synced:
        raise Misuse(f"{field.name} is not kept here.", hint="Parts of an address or a place are fields of their own.")


def _check(field: Field, each: Filter) -> None:
    check_kept(field)
    if each.operator in _OF_TEXTS and field.type in _NO_TEXT:
        raise Misuse(f"{field.name} holds no text.", hint=f"{each.operator!r} is for texts; use eq, gt or lt.")


def may_use_index(field: Field, each: Filter) -> bool:
    """Whether an index on the field would answer this filter without reading every row."""
    texts = field.type in (FieldType.TEXT, FieldType.REFERENCE)
    return texts and field.name != "Id" and each.operator in _INDEXABLE and bool(each.value)


def _null(column: str, each: Filter) -> Condition:
    if each.operator not in ("eq", "ne"):
        raise Misuse(f"None cannot be compared with {each.operator!r}.", hint="Use field__isnull=True.")
    return f"{column} IS {'' if each.operator == 'eq' else 'NOT '}NULL", ()


def _in(field: Field, each: Filter) -> Condition:
    assert isinstance(each.value, tuple)
    values = tuple(value for value in each.value if value is not None)
    # One JSON parameter: a list of any length stays below SQLite's limit on parameters.
    marks = ", ".join("?" * len(values)) if len(values) <= 500 else "SELECT value FROM json_each(?)"
    parameters = values if len(values) <= 500 else (_json(values),)
    listed = f"{quote(field.name)}{collation(field)} IN ({marks})"
    if len(values) < len(each.value):
        return f"({listed} OR {quote(field.name)} IS NULL)", parameters
    return listed, parameters


def _json(values: tuple[object, ...]) -> str:
    import msgspec

    return msgspec.json.encode(values).decode()


def _compared(field: Field, each: Filter) -> Condition:
    column, sign = quote(field.name), _COMPARISONS[each.operator]
    if field.type is FieldType.DECIMAL:
        # Decimals too long for a double are stored as texts, which SQLite sorts after every number.
        return f"CAST({column} AS REAL) {sign} CAST(? AS REAL)", (each.value,)
    return f"{column} {sign} ?{collation(field)}", (each.value,)


def _pattern(field: Field, operator: str, value: str) -> Condition:
    column = quote(field.name)
    if "\0" in value and not collation(field):
        return _part(column, operator, value)
    if collation(field):
        escaped = value.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        pattern = {"contains": f"%{escaped}%", "startswith": f"{escaped}%", "endswith": f"%{escaped}"}[operator]
        if "\0" in value or len(pattern.encode()) > _LONGEST_PATTERN:
            return _part(f"lower({column})", operator, value.translate(_LOWER))
        return f"{column} LIKE ? ESCAPE '\\'", (pattern,)
    if operator == "contains":
        return f"instr({column}, ?) > 0", (value,)
    part = (
        f"substr({column}, 1, length(?))"
        if operator == "startswith"
        else f"substr({column}, length({column}) - length(?) + 1)"
    )
    return f"{part} = ?", (value, value)


def _part(text: str, operator: str, value: str) -> Condition:
    """For a value with a NUL, where LIKE and length() see the end of the text, or that is too long for LIKE.

    They are compared as bytes, of which none is special.
    """
    held, wanted = f"CAST({text} AS BLOB)", value.encode()
    if operator == "contains":
        return f"instr({held}, ?) > 0", (wanted,)
    part = f"substr({held}, 1, ?)" if operator == "startswith" else f"substr({held}, -?)"
    return f"length({held}) >= ? AND {part} = ?", (len(wanted), len(wanted), wanted)
