"""Conditions to SQL. Each gives SQL that is true for matching rows and false or NULL for the others."""

from __future__ import annotations

import math
from collections.abc import Callable

from simorg.database import quote
from simorg.schema import SField
from simorg.soql import ast, compare
from simorg.soql.compare import Operand
from simorg.soql.errors import SoqlError, at, malformed, no_such_type
from simorg.soql.expressions import read
from simorg.soql.measures import date_function
from simorg.soql.scope import Scope, visible

MAX_JOINS = 2
ARCHIVING = frozenset({"Task", "Event"})
"""Objects whose archived rows only queryAll shows (REST guide, QueryAll)."""
_EARTH = {"mi": 3958.7613, "km": 6371.0088}
_COMPOUND = frozenset({"address", "location"})

Resolve = Callable[[ast.Expr], Operand]


def where_sql(scope: Scope, condition: ast.Condition) -> str:
    """The WHERE condition of a query."""
    _check_joins(scope, condition)
    return _sql(scope, condition, lambda expr: operand(scope, expr))


def having_sql(scope: Scope, condition: ast.Condition, resolve: Resolve) -> str:
    """The HAVING condition; `resolve` knows aggregates and grouped fields."""
    return _sql(scope, condition, resolve)


def operand(scope: Scope, expr: ast.Expr) -> Operand:
    """The left side of a comparison in WHERE."""
    if isinstance(expr, ast.Distance):
        return Operand(SField("DISTANCE", "double", ""), distance(scope, expr), expr.at, "DISTANCE")
    if isinstance(expr, ast.Func):
        return _function(scope, expr)
    column = scope.column(expr)
    if not column.field.filterable or column.field.type in _COMPOUND:
        message = f"field '{column.field.name}' can not be filtered in a query call"
        if column.field.type in _COMPOUND:
            message = f"{column.field.type.capitalize()} fields can only be filtered using Distance expressions"
        raise at(scope.query.text, expr.at, "INVALID_FIELD", message)
    return Operand(column.field, column.sql, expr.at, column.field.name)


def distance(scope: Scope, expr: ast.Distance) -> str:
    """The great-circle distance from a location field to a point."""
    column = scope.column(expr.field)
    if column.field.type not in _COMPOUND:
        message = f"field '{column.field.name}' is not a location and cannot be used in DISTANCE"
        raise at(scope.query.text, expr.at, "INVALID_FIELD", message)
    parts = {one.name.strip("_cs").rsplit("_", 1)[-1]: one for one in column.owner.parts_of(column.field.name)}
    latitude, longitude = (_part(parts, ending, column.alias) for ending in ("Latitude", "Longitude"))
    here = math.radians(float(expr.latitude)), math.radians(float(expr.longitude))
    lat, lon = (scope.context.param(repr(value)) for value in here)
    north = f"sin((radians({latitude}) - CAST({lat} AS REAL)) / 2)"
    east = f"sin((radians({longitude}) - CAST({lon} AS REAL)) / 2)"
    square = f"{north} * {north} + cos(radians({latitude})) * cos(CAST({lat} AS REAL)) * {east} * {east}"
    return f"({2 * _EARTH[expr.unit]} * asin(min(1.0, sqrt({square}))))"


def _part(parts: dict[str, SField], ending: str, alias: str) -> str:
    field = next(one for name, one in parts.items() if name.endswith(ending))
    return f"CAST({read(field, alias)} AS REAL)"


def _function(scope: Scope, expr: ast.Func) -> Operand:
    if expr.name in ast.AGGREGATES or expr.name == "GROUPING":
        raise malformed(scope.query.text, expr.at, f"aggregate functions are not allowed in WHERE: {expr.name}")
    if expr.name in ast.DATE_FUNCTIONS:
        field, sql = date_function(scope, expr)
        return Operand(field, sql, expr.at, expr.name)
    if expr.name in ("CONVERTCURRENCY", "TOLABEL") and isinstance(expr.arg, ast.Path):
        return operand(scope, expr.arg)
    raise malformed(scope.query.text, expr.at, f"unexpected token: '{expr.name}'")


def _sql(scope: Scope, condition: ast.Condition, resolve: Resolve) -> str:
    if isinstance(condition, ast.Junction):
        return compare.joined(condition.op, [f"({_sql(scope, part, resolve)})" for part in condition.parts])
    if isinstance(condition, ast.Not):
        # Two-valued: what does not match, null or not, matches the opposite.
        return f"NOT coalesce(({_sql(scope, condition.part, resolve)}), 0)"
    if isinstance(condition, ast.SemiJoin):
        return _semi_join(scope, condition, resolve)
    left = resolve(condition.left)
    if isinstance(condition, ast.Comparison):
        return compare.comparison(scope, left, condition.op, condition.right)
    if isinstance(condition, ast.InList):
        return compare.in_list(scope, left, condition)
    return compare.includes(scope, left, condition)


def _semi_join(scope: Scope, condition: ast.SemiJoin, resolve: Resolve) -> str:
    left = resolve(condition.left)
    inner = condition.query
    if left.field.type not in ("id", "reference"):
        message = "The left operand field in the where expression for outer query should be an id field, cannot use: "
        raise malformed(scope.query.text, left.at, f"{message}'{left.name}'")
    schema = scope.context.org.object(inner.object)
    if schema is None:
        raise no_such_type(scope.query.text, inner.object_at, inner.object)
    path = _inner_path(scope, inner)
    below = Scope(scope.context, inner, schema)
    column = below.column(path)
    if column.field.type not in ("id", "reference"):
        message = "The selected field in the semi join sub-select should be an id or reference field, cannot use: "
        raise malformed(scope.query.text, path.at, f"{message}'{column.field.name}'")
    if schema.name == scope.schema.name:
        message = "The inner and outer selects should not be on the same object type"
        raise malformed(scope.query.text, inner.object_at, message)
    sql = f"SELECT {column.sql} {source(below, [f'{column.sql} IS NOT NULL'])}"
    if condition.negated:
        return f"{left.sql} IS NULL OR {left.sql} NOT IN ({sql})"
    return f"{left.sql} IN ({sql})"


def _inner_path(scope: Scope, inner: ast.Query) -> ast.Path:
    only = inner.items[0]
    if len(inner.items) != 1 or not isinstance(only, ast.FieldItem) or not isinstance(only.expr, ast.Path):
        raise malformed(scope.query.text, inner.at, "Semi join sub-selects can only select one field")
    if inner.order or inner.limit is not None or inner.offset is not None or inner.group:
        raise malformed(scope.query.text, inner.at, "Semi join sub-selects cannot use ORDER BY, LIMIT or GROUP BY")
    if inner.where is not None and _joins_in(inner.where):
        raise malformed(scope.query.text, inner.at, "Nesting of semi join sub-selects is not supported")
    return only.expr


def source(scope: Scope, more: list[str]) -> str:
    """FROM, joins and WHERE of a scope: its own condition, what the user may see and `query` hides, and `more`."""
    conditions = list(more)
    if scope.query.where is not None:
        conditions.append(f"({where_sql(scope, scope.query.where)})")
    if not scope.context.all_rows and scope.schema.soft_delete:
        conditions.append(f'NOT {scope.root_alias}."IsDeleted"')
    if not scope.context.all_rows and scope.schema.name in ARCHIVING and scope.schema.field("IsArchived"):
        conditions.append(f'NOT {scope.root_alias}."IsArchived"')
    hidden = visible(scope.context, scope.schema, scope.root_alias)
    if hidden:
        conditions.append(hidden)
    if (scope.query.scope or "everything").lower() != "everything":
        conditions.append(_mine(scope))
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return f"FROM {quote(scope.schema.name)} {scope.root_alias}{scope.joins()}{where}"


def _mine(scope: Scope) -> str:
    name = scope.query.scope or ""
    if name.lower() != "mine" or scope.schema.field("OwnerId") is None:
        raise SoqlError("MALFORMED_QUERY", f"Unsupported scope: {name}")
    return f'{scope.root_alias}."OwnerId" = {scope.context.param(scope.context.user_id)}'


def _check_joins(scope: Scope, condition: ast.Condition) -> None:
    found = _joins_in(condition)
    if len(found) > MAX_JOINS:
        message = f"Maximum {MAX_JOINS} semi join sub-selects are allowed"
        raise malformed(scope.query.text, found[MAX_JOINS].at, message)
    beneath_or = _joins_in(condition, only_beneath_or=True)
    if beneath_or:
        message = "Semi join sub-selects are only allowed at the top level WHERE expressions and not in nested ones"
        raise malformed(scope.query.text, beneath_or[0].at, message)


def _joins_in(condition: ast.Condition, *, only_beneath_or: bool = False, beneath: bool = False) -> list[ast.SemiJoin]:
    if isinstance(condition, ast.SemiJoin):
        return [condition] if beneath or not only_beneath_or else []
    if isinstance(condition, ast.Not):
        return _joins_in(condition.part, only_beneath_or=only_beneath_or, beneath=True)
    if isinstance(condition, ast.Junction):
        inside = beneath or condition.op == "OR"
        parts = [_joins_in(part, only_beneath_or=only_beneath_or, beneath=inside) for part in condition.parts]
        return [one for part in parts for one in part]
    return []
