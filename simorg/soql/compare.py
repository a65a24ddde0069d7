"""One comparison to SQL, by the type of the field on its left."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from simorg import ids, times
from simorg.folding import fold
from simorg.schema import NUMBER_TYPES, SField
from simorg.soql import ast
from simorg.soql.dates import midnight_ms, span
from simorg.soql.errors import SoqlError, at
from simorg.soql.expressions import folded, is_text
from simorg.soql.scope import Scope

_WORDS = {"datetime": "dateTime", "int": "int", "boolean": "boolean", "date": "date", "time": "time"}
_LITERALS = {
    "boolean": {"boolean"},
    "date": {"date", "dateliteral"},
    "datetime": {"datetime", "dateliteral"},
    "time": {"time"},
    "int": {"number"},
    "long": {"number"},
    "double": {"number"},
    "percent": {"number"},
    "currency": {"number", "currency"},
}
_FLAT = 16
_ORDER = {"<", "<=", ">", ">="}


@dataclass(frozen=True, slots=True)
class Operand:
    """The left side: `field` gives the type, `sql` the value, `at` and `name` the place and name for errors."""

    field: SField
    sql: str
    at: int
    name: str


def comparison(scope: Scope, left: Operand, op: str, right: ast.Literal) -> str:
    """`left op literal`."""
    if right.kind == "null" or (right.kind == "string" and right.value == "" and _holds_text(left.field)):
        return _null(scope, left, op)
    _check_type(scope, left, right)
    if left.field.type in ("id", "reference"):
        return _id(scope, left, op, right)
    if is_text(left.field):
        return _text(scope, left, op, right.value)
    if op == "LIKE":
        raise _operator(scope, left)
    if right.kind == "dateliteral":
        return _span(scope, left, op, right)
    if left.field.type in NUMBER_TYPES or right.kind in ("number", "currency"):
        return _number(scope, left, op, right)
    return _plain(scope, left, op, right)


def in_list(scope: Scope, left: Operand, condition: ast.InList) -> str:
    """`left [NOT] IN (…)`; a row without a value is not in any list."""
    texts = [value.value for value in condition.values]
    simple = all(value.kind == "string" and value.value for value in condition.values)
    if simple and left.field.type in ("id", "reference"):
        marks = [scope.context.param(_whole_id(scope, left, value)) for value in condition.values]
        inside = f"{left.sql} IN ({', '.join(marks)})"
    elif simple and is_text(left.field) and all(text.isascii() for text in texts):
        collate = "" if left.field.case_sensitive else " COLLATE NOCASE"
        inside = f"{left.sql}{collate} IN ({', '.join(scope.context.param(text) for text in texts)})"
    else:
        inside = joined("OR", [f"({comparison(scope, left, '=', value)})" for value in condition.values])
    return f"NOT coalesce(({inside}), 0)" if condition.negated else inside


def includes(scope: Scope, left: Operand, condition: ast.Includes) -> str:
    """`left INCLUDES ('A;B', 'C')`: (A and B) or C."""
    if left.field.type != "multipicklist":
        raise _operator(scope, left)
    sets = []
    for value in condition.values:
        if value.kind != "string":
            raise _wrong_type(scope, left)
        parts = [fold(part.strip()) for part in value.value.split(";")]
        has = [f"instr(';' || {folded(left.sql)} || ';', {scope.context.param(f';{part};')}) > 0" for part in parts]
        sets.append(f"({joined('AND', has)})")
    inside = joined("OR", sets)
    return f"NOT coalesce(({inside}), 0)" if condition.negated else inside


def joined(op: str, parts: Sequence[str]) -> str:
    """Conditions joined by one operator, as a balanced tree: SQLite refuses one that is 1,000 levels deep."""
    if len(parts) <= _FLAT:
        return f" {op} ".join(parts)
    middle = len(parts) // 2
    return f"({joined(op, parts[:middle])}) {op} ({joined(op, parts[middle:])})"


def _holds_text(field: SField) -> bool:
    return is_text(field) or field.type in ("id", "reference")


def _null(scope: Scope, left: Operand, op: str) -> str:
    if left.field.type == "boolean":
        # A boolean is never null: `= null` reads as `= false`.
        return {"=": f"NOT {left.sql}", "!=": left.sql}.get(op, "0")
    if op == "=":
        return f"{left.sql} IS NULL"
    if op == "!=":
        return f"{left.sql} IS NOT NULL"
    return "0"


def _check_type(scope: Scope, left: Operand, right: ast.Literal) -> None:
    wanted = _LITERALS.get(left.field.type, {"string"})
    if right.kind not in wanted:
        raise _wrong_type(scope, left)


def _wrong_type(scope: Scope, left: Operand) -> SoqlError:
    kind = left.field.type
    quoted = "should" if kind not in _LITERALS else "should not"
    word = _WORDS.get(kind, "double" if kind in NUMBER_TYPES else "string")
    message = (
        f"value of filter criterion for field '{left.name}' must be of type {word} and {quoted} be enclosed in quotes"
    )
    return at(scope.query.text, left.at, "INVALID_FIELD", message)


def _operator(scope: Scope, left: Operand) -> SoqlError:
    message = f"invalid operator on {left.field.type} field"
    return at(scope.query.text, left.at, "INVALID_QUERY_FILTER_OPERATOR", message)


def _whole_id(scope: Scope, left: Operand, right: ast.Literal) -> str:
    whole = ids.normalize(right.value)
    if whole is None:
        message = f"invalid ID field: {right.value}"
        raise at(scope.query.text, left.at, "INVALID_QUERY_FILTER_OPERATOR", message)
    return whole


def _id(scope: Scope, left: Operand, op: str, right: ast.Literal) -> str:
    if op == "LIKE":
        raise _operator(scope, left)
    mark = scope.context.param(_whole_id(scope, left, right))
    return f"{left.sql} IS NOT {mark}" if op == "!=" else f"{left.sql} {op} {mark}"


def _text(scope: Scope, left: Operand, op: str, value: str) -> str:
    if left.field.type == "multipicklist" and op in (*_ORDER, "LIKE"):
        raise _operator(scope, left)
    if op == "LIKE":
        return _like(scope, left, value)
    if left.field.case_sensitive:
        mark = scope.context.param(value)
        return f"{left.sql} IS NOT {mark}" if op == "!=" else f"{left.sql} {op} {mark}"
    if op in _ORDER or not value.isascii():
        sql, mark, collate = folded(left.sql), scope.context.param(fold(value)), ""
    else:
        # NOCASE can use the index of the column; for an ASCII value it finds the same rows as folding.
        sql, mark, collate = left.sql, scope.context.param(value), " COLLATE NOCASE"
    return f"{sql} IS NOT {mark}{collate}" if op == "!=" else f"{sql} {op} {mark}{collate}"


def _like(scope: Scope, left: Operand, pattern: str) -> str:
    if left.field.case_sensitive:
        return f"{left.sql} GLOB {scope.context.param(_glob(pattern))}"
    if pattern.isascii():
        return f"{left.sql} LIKE {scope.context.param(pattern)} ESCAPE '\\'"
    return f"{folded(left.sql)} LIKE {scope.context.param(fold(pattern))} ESCAPE '\\'"


def _glob(pattern: str) -> str:
    """A LIKE pattern as one for GLOB, which heeds letter case."""
    parts = re.findall(r"\\.|.", pattern, flags=re.DOTALL)
    wild = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return "".join(
        wild.get(part, part) if len(part) == 1 else wild.get(part[1], part[1]) if part[1] in "*?[" else part[1]
        for part in parts
    )


def _number(scope: Scope, left: Operand, op: str, right: ast.Literal) -> str:
    text = right.value[3:] if right.kind == "currency" else right.value
    mark = scope.context.param(text.removeprefix("+"))
    if op == "LIKE":
        raise _operator(scope, left)
    sql, value = f"CAST({left.sql} AS REAL)", f"CAST({mark} AS REAL)"
    near = f"{sql} {'=' if op == '!=' else op} {value}"
    exact = near
    if left.field.precision > 15:
        # Two 18-digit amounts may be one REAL: only then are the digits themselves compared.
        exact = f"iif({sql} = {value}, sf_decimal({left.sql}, {mark}) {'=' if op == '!=' else op} 0, {near})"
    return f"NOT coalesce({exact}, 0)" if op == "!=" else exact


def _plain(scope: Scope, left: Operand, op: str, right: ast.Literal) -> str:
    mark = scope.context.param(_stored(scope, left, right))
    if left.field.type == "boolean" and op in _ORDER:
        raise _operator(scope, left)
    return f"{left.sql} IS NOT {mark}" if op == "!=" else f"{left.sql} {op} {mark}"


def _stored(scope: Scope, left: Operand, right: ast.Literal) -> str | int:
    """A literal in the form in which the org stores values of the field's type."""
    if right.kind == "boolean":
        return int(right.value == "TRUE")
    read = {"date": times.parse_date, "datetime": times.parse_datetime, "time": times.parse_time}[right.kind]
    value = read(right.value)
    if value is None or (
        right.kind == "datetime" and not re.search(r"(Z|[+-]\d\d:?\d\d)\Z", right.value, re.IGNORECASE)
    ):
        raise at(scope.query.text, right.at, "MALFORMED_QUERY", f"Invalid {right.kind}: {right.value}")
    return value


def _span(scope: Scope, left: Operand, op: str, right: ast.Literal) -> str:
    """A date literal is a run of days: `=` means within it, `<` before its start, `>` after its end."""
    zone = scope.context.zone()
    today = times.from_ms(scope.context.org.clock.now_ms()).astimezone(zone).date()
    first, after = span(right.value, right.n, today)
    bounds: list[str | int] = [first.isoformat(), after.isoformat()]
    if left.field.type == "datetime":
        bounds = [midnight_ms(first, zone), midnight_ms(after, zone)]
    start, end = (scope.context.param(bound) for bound in bounds)
    within = f"{left.sql} >= {start} AND {left.sql} < {end}"
    return {
        "=": within,
        "!=": f"NOT coalesce(({within}), 0)",
        "<": f"{left.sql} < {start}",
        "<=": f"{left.sql} < {end}",
        ">": f"{left.sql} >= {end}",
        ">=": f"{left.sql} >= {start}",
    }[op]
