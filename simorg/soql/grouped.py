"""Aggregate queries: GROUP BY with its ROLLUP and CUBE, HAVING, and overall aggregates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from simorg.schema import SField
from simorg.soql import ast
from simorg.soql.compare import Operand
from simorg.soql.errors import SoqlError, malformed
from simorg.soql.expressions import Piece, Sql, concat, json_of, sort_key
from simorg.soql.measures import aggregate, date_function, distinct_key, formatted
from simorg.soql.scope import Scope
from simorg.soql.where import having_sql, operand, source

_HEAD = '{"attributes":{"type":"AggregateResult"}'


@dataclass(frozen=True, slots=True)
class Group:
    """One GROUP BY term."""

    key: str  # what identifies it, whatever its spelling
    field: SField
    sql: str


def is_aggregate(query: ast.Query) -> bool:
    """Whether the rows of the result are groups."""
    items = (item for item in query.items if isinstance(item, ast.FieldItem))
    return query.group is not None or any(_holds_aggregate(item.expr) for item in items)


def _holds_aggregate(expr: ast.Expr) -> bool:
    """Whether an expression is an aggregate, or a FORMAT of one."""
    return isinstance(expr, ast.Func) and (expr.name in ast.AGGREGATES or _holds_aggregate(expr.arg))


def grouped_sql(scope: Scope) -> str:
    """The SQL whose rows are the JSON texts of the groups, in order."""
    query = scope.query
    if query.group is None and query.limit is not None:
        message = "Non-grouped query that uses overall aggregate functions cannot also use LIMIT"
        raise malformed(query.text, query.at, message)
    groups = tuple(_group(scope, item) for item in query.group.items) if query.group else ()
    builder = _Builder(scope, groups)
    branches = [builder.branch(kept) for kept in _sets(query.group, len(groups))]
    order = ", ".join(_direction(item, number) for number, item in enumerate(query.order))
    tail = f" ORDER BY {order}" if order else ""
    if query.limit is not None or query.offset is not None:
        tail += f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"
    return f"SELECT j FROM ({' UNION ALL '.join(branches)}){tail}"


def _direction(item: ast.OrderItem, number: int) -> str:
    way = "DESC" if item.descending else "ASC"
    return f"o{number} {way} NULLS {'LAST' if item.nulls_last else 'FIRST'}"


def _sets(group: ast.Grouping | None, count: int) -> Sequence[frozenset[int]]:
    """The grouping sets, as the places of the terms that are kept."""
    if group is None or group.kind == "PLAIN":
        return [frozenset(range(count))]
    if group.kind == "ROLLUP":
        return [frozenset(range(kept)) for kept in range(count, -1, -1)]
    return [frozenset(kept) for size in range(count, -1, -1) for kept in combinations(range(count), size)]


def _group(scope: Scope, item: ast.Path | ast.Func) -> Group:
    if isinstance(item, ast.Func):
        if item.name not in ast.DATE_FUNCTIONS:
            raise malformed(scope.query.text, item.at, f"unexpected token: '{item.name}'")
        field, sql = date_function(scope, item)
        return Group(f"{item.name}({sql})", field, sql)
    column = scope.column(item)
    if not column.field.groupable:
        message = f"field '{column.field.name}' can not be grouped in a query call"
        raise malformed(scope.query.text, item.at, message)
    return Group(column.sql, column.field, column.sql)


class _Builder:
    """Writes one SELECT per grouping set."""

    def __init__(self, scope: Scope, groups: tuple[Group, ...]) -> None:
        self.scope = scope
        self.groups = groups

    def branch(self, kept: frozenset[int]) -> str:
        query = self.scope.query
        columns = [f"{self._json(kept)} AS j"]
        for number, item in enumerate(query.order):
            columns.append(f"{self._order_key(item, kept)} AS o{number}")
        having = ""
        if query.having is not None:
            having = f" HAVING {having_sql(self.scope, query.having, lambda expr: self._operand(expr, kept))}"
        keys = [distinct_key(self.groups[place].field, self.groups[place].sql) for place in sorted(kept)]
        # With no term left, a rollup has its one total, but none when there is no row at all: that is GROUP BY NULL.
        by = f" GROUP BY {', '.join(keys) or 'NULL'}" if self.groups else ""
        return f"SELECT {', '.join(columns)} {source(self.scope, [])}{by}{having}"

    def _json(self, kept: frozenset[int]) -> str:
        pieces: list[Piece] = [_HEAD]
        unnamed = 0
        seen: set[str] = set()
        for item in self.scope.query.items:
            if not isinstance(item, ast.FieldItem):
                raise malformed(self.scope.query.text, getattr(item, "at", 0), "not allowed in an aggregate query")
            field, sql = self._value(item.expr, kept)
            key = item.alias or (field.name if isinstance(item.expr, ast.Path) else f"expr{unnamed}")
            unnamed += item.alias is None and not isinstance(item.expr, ast.Path)
            if key.lower() in seen:
                raise SoqlError("MALFORMED_QUERY", f"duplicate alias: {key}")
            seen.add(key.lower())
            pieces += [f',"{key}":', Sql(json_of(field.type, sql) if sql != "NULL" else "'null'")]
        return concat([*pieces, "}"])

    def _value(self, expr: ast.Expr, kept: frozenset[int]) -> tuple[SField, str]:
        if isinstance(expr, ast.Func) and expr.name in ast.AGGREGATES:
            return aggregate(self.scope, expr)
        if isinstance(expr, ast.Func) and expr.name in ast.FORMATTERS:
            return formatted(self.scope, expr, *self._value(expr.arg, kept))
        if isinstance(expr, ast.Func) and expr.name == "GROUPING":
            place = self._place(expr.arg)
            return SField("GROUPING", "int", ""), "0" if place in kept else "1"
        place = self._place(expr)
        group = self.groups[place]
        return group.field, group.sql if place in kept else "NULL"

    def _place(self, expr: ast.Expr) -> int:
        key, name = self._key(expr)
        for place, group in enumerate(self.groups):
            if group.key == key:
                return place
        raise malformed(self.scope.query.text, expr.at, f"Field must be grouped or aggregated: {name}")

    def _key(self, expr: ast.Expr) -> tuple[str, str]:
        if isinstance(expr, ast.Path):
            column = self.scope.column(expr)
            return column.sql, column.field.name
        if isinstance(expr, ast.Func) and expr.name in ast.DATE_FUNCTIONS:
            # The zone's parameter differs in each use of convertTimezone, so the name of the field decides.
            return self._date_key(expr), str(expr.name)
        raise malformed(self.scope.query.text, expr.at, f"unexpected token: '{getattr(expr, 'name', 'DISTANCE')}'")

    def _date_key(self, expr: ast.Func) -> str:
        items = self.scope.query.group.items if self.scope.query.group else ()
        for place, item in enumerate(items):
            if isinstance(item, ast.Func) and _same(self.scope, item, expr):
                return self.groups[place].key
        return ""

    def _operand(self, expr: ast.Expr, kept: frozenset[int]) -> Operand:
        if isinstance(expr, ast.Path) and len(expr.names) == 1:
            aliased = self._aliased(expr.names[0])
            if aliased is not None:
                expr = aliased
        if isinstance(expr, ast.Distance):
            return operand(self.scope, expr)
        field, sql = self._value(expr, kept)
        return Operand(field, sql, expr.at, field.name)

    def _aliased(self, name: str) -> ast.Expr | None:
        for item in self.scope.query.items:
            if isinstance(item, ast.FieldItem) and item.alias and item.alias.lower() == name.lower():
                return item.expr
        return None

    def _order_key(self, item: ast.OrderItem, kept: frozenset[int]) -> str:
        expr = item.expr
        if isinstance(expr, ast.Path) and len(expr.names) == 1:
            expr = self._aliased(expr.names[0]) or expr
        field, sql = self._value(expr, kept)
        return sort_key(field, sql) if sql != "NULL" else sql


def _same(scope: Scope, one: ast.Func, other: ast.Func) -> bool:
    if one.name != other.name:
        return False
    if isinstance(one.arg, ast.Func) and isinstance(other.arg, ast.Func):
        return _same(scope, one.arg, other.arg)
    if isinstance(one.arg, ast.Path) and isinstance(other.arg, ast.Path):
        return scope.column(one.arg).sql == scope.column(other.arg).sql
    return False
