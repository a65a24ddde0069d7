"""Functions of the select list, GROUP BY and HAVING: dates, labels, formats and aggregates."""

from __future__ import annotations

from dataclasses import replace

from simorg.schema import NUMBER_TYPES, SField
from simorg.soql import ast
from simorg.soql.errors import at, malformed
from simorg.soql.expressions import Column, folded, is_text, literal
from simorg.soql.scope import Scope

_PARTS = {"YEAR": "%Y", "MONTH": "%m", "DAY_IN_MONTH": "%d", "DAY_IN_YEAR": "%j", "HOUR_IN_DAY": "%H"}
_FORMATTED = NUMBER_TYPES | {"int", "date", "datetime", "time"}
_NOT_SUMMED = frozenset({"SUM", "AVG"})


def date_function(scope: Scope, expr: ast.Func) -> tuple[SField, str]:
    """The type and SQL of CALENDAR_YEAR(…) and its like; datetimes count in UTC unless convertTimezone is inside."""
    kind, sql = _moment(scope, expr)
    if expr.name == "HOUR_IN_DAY" and kind != "datetime":
        raise _unsuitable(scope, expr)
    seconds = f"{sql} / 1000.0, 'unixepoch'" if kind == "datetime" else sql
    if expr.name == "DAY_ONLY":
        return SField(expr.name, "date", expr.name), f"strftime('%Y-%m-%d', {seconds})"
    return SField(expr.name, "int", expr.name), _part(expr.name, seconds)


def _part(name: str, seconds: str) -> str:
    # The fiscal year of the org is the calendar year.
    bare = name.removeprefix("CALENDAR_").removeprefix("FISCAL_")
    if bare == "QUARTER":
        return f"((CAST(strftime('%m', {seconds}) AS INTEGER) + 2) / 3)"
    if bare == "DAY_IN_WEEK":
        return f"(CAST(strftime('%w', {seconds}) AS INTEGER) + 1)"
    if bare == "WEEK_IN_MONTH":
        return f"((CAST(strftime('%d', {seconds}) AS INTEGER) + 6) / 7)"
    if bare == "WEEK_IN_YEAR":
        return f"((CAST(strftime('%j', {seconds}) AS INTEGER) + 6) / 7)"
    return f"CAST(strftime('{_PARTS[bare]}', {seconds}) AS INTEGER)"


def _moment(scope: Scope, expr: ast.Func) -> tuple[str, str]:
    inner = expr.arg
    local = isinstance(inner, ast.Func) and inner.name == "CONVERTTIMEZONE"
    path = inner.arg if isinstance(inner, ast.Func) else inner
    if not isinstance(path, ast.Path) or (isinstance(inner, ast.Func) and not local):
        raise malformed(scope.query.text, expr.at, f"unexpected token: '{expr.name}'")
    column = scope.column(path)
    if column.field.type not in ("date", "datetime") or (local and column.field.type != "datetime"):
        raise _unsuitable(scope, expr)
    if not local:
        return column.field.type, column.sql
    return "datetime", f"sf_local({column.sql}, {scope.context.param(scope.context.zone_name())})"


def _unsuitable(scope: Scope, expr: ast.Func) -> Exception:
    message = f"{expr.name} function is not supported on this type of field"
    return at(scope.query.text, expr.at, "INVALID_FIELD", message)


def aggregate(scope: Scope, expr: ast.Func) -> tuple[SField, str]:
    """The type and SQL of an aggregate."""
    if not isinstance(expr.arg, ast.Path):
        raise malformed(scope.query.text, expr.at, f"unexpected token: '{expr.name}'")
    column = scope.column(expr.arg)
    _check_aggregate(scope, expr, column)
    field, sql = column.field, column.sql
    if expr.name == "COUNT":
        return SField(expr.name, "int", ""), f"count({sql})"
    if expr.name == "COUNT_DISTINCT":
        return SField(expr.name, "int", ""), f"count(DISTINCT {distinct_key(field, sql)})"
    if field.type in NUMBER_TYPES:
        return replace(field, name=expr.name), f"sf_{expr.name.lower()}({sql})"
    if expr.name == "AVG":
        return SField(expr.name, "double", ""), f"sf_avg({sql})"
    if expr.name in ("MIN", "MAX") and is_text(field) and not field.case_sensitive:
        return field, f"{expr.name.lower()}({sql} COLLATE NOCASE)"
    return field, f"{expr.name.lower()}({sql})"


def distinct_key(field: SField, sql: str) -> str:
    """What makes two values the same: letter case does not; trailing zeros of a number do not."""
    if is_text(field) and not field.case_sensitive:
        return folded(sql)
    return f"CAST({sql} AS NUMERIC)" if field.type in NUMBER_TYPES else sql


def _check_aggregate(scope: Scope, expr: ast.Func, column: Column) -> None:
    kind = column.field.type
    countable = expr.name == "COUNT" and kind in ("id", "reference")
    wrong = not column.field.aggregatable and not countable
    if expr.name in _NOT_SUMMED and kind not in NUMBER_TYPES | {"int", "long"}:
        wrong = True
    if wrong:
        message = f"field {column.field.name} does not support aggregate operator {expr.name}"
        raise at(scope.query.text, expr.at, "MALFORMED_QUERY", message)


def formatted(scope: Scope, expr: ast.Func, field: SField, sql: str) -> tuple[SField, str]:
    """toLabel, FORMAT and convertCurrency of a value."""
    text = SField(field.name, "string", field.label)
    if expr.name == "TOLABEL" and is_text(field):
        return text, label_sql(field, sql)
    if expr.name == "FORMAT" and field.type in _FORMATTED:
        scale = field.scale if field.type in NUMBER_TYPES else 0
        return text, f"sf_format({sql}, {literal(field.type)}, {scale})"
    if expr.name == "CONVERTCURRENCY" and field.type == "currency":
        return field, sql
    raise _unsuitable(scope, expr)


def label_sql(field: SField, sql: str) -> str:
    """The label of a picklist value; a value without one is its own label."""
    whens = [
        f"WHEN {literal(one.value)} COLLATE NOCASE THEN {literal(one.label)}"
        for one in field.picklist
        if one.label != one.value
    ]
    return f"CASE {sql} {' '.join(whens)} ELSE {sql} END" if whens else sql
