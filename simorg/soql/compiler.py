"""A parsed query to SQL over the org's tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from simorg.database import Value, quote
from simorg.schema import SField, SObject
from simorg.soql import ast
from simorg.soql.errors import SoqlError, malformed, no_such_relation, no_such_type
from simorg.soql.expressions import Sql, concat, sort_key
from simorg.soql.grouped import grouped_sql, is_aggregate
from simorg.soql.measures import date_function
from simorg.soql.scope import Child, Context, Scope
from simorg.soql.select import row_csv, row_json, select
from simorg.soql.where import distance, source

MAX_OFFSET = 2000
MAX_SUBQUERIES = 20
MAX_DEPTH = 5
_DEEP_SINCE = 58.0
_MODES = ("SECURITY_ENFORCED", "USER_MODE", "SYSTEM_MODE", "RECORDVISIBILITYCONTEXT")
SEPARATOR = "CAST(x'FF' AS TEXT)"  # never part of UTF-8 text


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled query. `kind` is rows, count or aggregate; all SQL takes `params` by name.

    Of `rows`: `ids_sql` gives the ids in order as one text, 18 characters each (for Bulk: SQLite's row numbers with
    commas between); `page_sql` the inside of the JSON array for the JSON list of ids `:ids`; `counts_sql` a JSON list
    of how many child rows each of them has.
    Of `count`: `ids_sql` gives the number. Of `aggregate`: `ids_sql` gives the JSON text of each row.
    """

    query: ast.Query
    schema: SObject
    kind: str
    params: dict[str, Value]
    ids_sql: str
    page_sql: str = ""
    counts_sql: str = ""
    header: tuple[str, ...] = ()
    long_texts: int = 0
    children: tuple[Child, ...] = ()
    all_rows: bool = False


@dataclass(frozen=True, slots=True)
class Csv:
    """How Bulk writes rows; `ending` is the line ending itself."""

    delimiter: str = ","
    ending: str = "\n"


def compile_query(query: ast.Query, context: Context, child_limit: int = 2000) -> Plan:
    """Compile for REST; raises SoqlError.

    Children of one parent beyond `child_limit` are left out of the page, and the SQL function
    `sf_child(place, parent id)` is asked for the URL of the rest; `place` is an index of the plan's `children`.
    """
    schema = root_object(query, context)
    scope = Scope(context, query, schema)
    _check(query, context)
    if len(query.items) == 1 and isinstance(query.items[0], ast.CountAll):
        return _count(scope)
    if is_aggregate(query):
        return Plan(query, schema, "aggregate", context.params, grouped_sql(scope))
    return rows_plan(scope, child_limit, depth=1)


def compile_csv(query: ast.Query, context: Context, csv: Csv) -> Plan:
    """Compile for Bulk: `page_sql` gives the CSV lines of the row numbers in the array `:ids`, cut by the byte 0xFF."""
    schema = root_object(query, context)
    scope = Scope(context, query, schema)
    _check(query, context)
    _check_bulk(query)
    chosen = select(scope, {})
    if chosen.compound:
        raise SoqlError("API_ERROR", "Selecting compound data not supported in Bulk Query")
    if chosen.binary:
        raise SoqlError("API_ERROR", "Selecting binary data not supported in Bulk Query")
    line = row_csv(chosen.columns, csv.delimiter, csv.ending)
    page = (
        f"SELECT CAST(string_agg({line}, {SEPARATOR}) AS BLOB) FROM carray(:ids) ids"
        f" CROSS JOIN {quote(schema.name)} {scope.root_alias} ON {scope.root_alias}.rowid = ids.value{scope.joins()}"
    )
    rowids = _one_text(_ids(Scope(context, query, schema), "rowid"), ",")
    header = tuple(name for name, _ in chosen.columns)
    return Plan(query, schema, "rows", context.params, rowids, page, header=header)


def root_object(query: ast.Query, context: Context) -> SObject:
    """The object in FROM, or INVALID_TYPE."""
    schema = context.org.object(query.object)
    if schema is None or not schema.queryable:
        raise no_such_type(query.text, query.object_at, query.object)
    return schema


def rows_plan(scope: Scope, child_limit: int, depth: int, link: str | None = None) -> Plan:
    """Compile a query of rows; `link` is a further condition of a child query, with `{alias}` for its row."""
    query, context = scope.query, scope.context
    children = _children(scope, depth)
    inline = {number: _child_json(scope, child, child_limit) for number, child in children.items()}
    chosen = select(scope, inline)
    given = f"json_each(:ids) ids CROSS JOIN {quote(scope.schema.name)} {scope.root_alias}"
    given += f' ON {scope.root_alias}."Id" = ids.value'
    page = f"SELECT CAST(string_agg({row_json(scope, chosen.branch)}, ',') AS BLOB) FROM {given}{scope.joins()}"
    counts = ""
    if children:
        counted = " + ".join(f"(SELECT count(*) FROM ({_child_ids(scope, child)}))" for child in children.values())
        counts = f"SELECT json_group_array({counted}) FROM {given}"
    ids = _ids(Scope(context, query, scope.schema), '"Id"', link)
    return Plan(
        query,
        scope.schema,
        "rows",
        context.params,
        _one_text(ids, ""),
        page_sql=page,
        counts_sql=counts,
        long_texts=chosen.long_texts,
        children=tuple(context.children),
        all_rows=context.all_rows,
    )


def child_plan(child: Child, context: Context, child_limit: int) -> Plan:
    """Compile a child subquery for one parent, whose id is the parameter `parent`."""
    scope = Scope(context, child.query, child.schema)
    return rows_plan(scope, child_limit, child.depth, f"{{alias}}.{quote(child.link)} = :parent")


def _one_text(sql: str, separator: str) -> str:
    # One text and so one step: row by row, each step would wait for Python's lock.
    return f"SELECT string_agg(id, '{separator}') FROM ({sql})"


def _count(scope: Scope) -> Plan:
    query = scope.query
    if query.order:
        raise malformed(query.text, query.order[0].expr.at, "count() cannot be used with ORDER BY")
    if query.group is not None:
        raise malformed(query.text, query.at, "count() cannot be used with GROUP BY; use COUNT(Id)")
    inner = f"SELECT 1 {source(scope, [])}{_window(query)}"
    return Plan(query, scope.schema, "count", scope.context.params, f"SELECT count(*) FROM ({inner})")


def _ids(scope: Scope, column: str, link: str | None = None) -> str:
    keys = ", ".join(_order_term(scope, item) for item in scope.query.order)
    order = f" ORDER BY {keys}" if keys else ""
    more = [link.replace("{alias}", scope.root_alias)] if link else []
    where = source(scope, more)
    return f"SELECT {scope.root_alias}.{column} AS id {where}{order}{_window(scope.query)}"


def _order_term(scope: Scope, item: ast.OrderItem) -> str:
    way = "DESC" if item.descending else "ASC"
    # NULLS LAST is not kept for fields of a parent (salesforce-api 4.3).
    last = item.nulls_last and not (isinstance(item.expr, ast.Path) and scope.relations(item.expr))
    return f"{_order_sql(scope, item)} {way} NULLS {'LAST' if last else 'FIRST'}"


def _order_sql(scope: Scope, item: ast.OrderItem) -> str:
    expr = item.expr
    if isinstance(expr, ast.Distance):
        return distance(scope, expr)
    if isinstance(expr, ast.Func):
        if expr.name in ast.DATE_FUNCTIONS:
            return date_function(scope, expr)[1]
        if expr.name not in ast.FORMATTERS or not isinstance(expr.arg, ast.Path):
            raise malformed(scope.query.text, expr.at, f"Ordered field must be grouped or aggregated: {expr.name}")
        expr = expr.arg
    column = scope.column(expr)
    _check_sortable(scope, expr, column.field)
    return sort_key(column.field, column.sql)


def _check_sortable(scope: Scope, path: ast.Path, field: SField) -> None:
    if not field.sortable:
        message = f"field '{field.name}' can not be sorted in a query call"
        raise malformed(scope.query.text, path.at, message)


def _window(query: ast.Query) -> str:
    # Always written: without LIMIT, SQLite may leave the ORDER BY of an inner query out.
    return f" LIMIT {-1 if query.limit is None else query.limit} OFFSET {query.offset or 0}"


def _children(scope: Scope, depth: int) -> dict[int, Child]:
    """The child subqueries by their place in the select list."""
    items = enumerate(scope.query.items)
    return {number: _child(scope, item, depth) for number, item in items if isinstance(item, ast.SubqueryItem)}


def _child(scope: Scope, item: ast.SubqueryItem, depth: int) -> Child:
    relation = scope.schema.child(item.query.object)
    schema = scope.context.org.object(relation.child) if relation else None
    if relation is None or schema is None or schema.field(relation.field) is None:
        text, place = item.query.text, item.query.object_at
        raise no_such_relation(text, place, item.query.object, "FROM part of query call")
    deepest = MAX_DEPTH if float(scope.context.version) >= _DEEP_SINCE else 2
    if depth >= deepest:
        raise malformed(item.query.text, item.at, f"SOQL subqueries may go down at most {deepest - 1} levels")
    _check(item.query, scope.context)
    if is_aggregate(item.query) or any(isinstance(one, ast.CountAll) for one in item.query.items):
        raise malformed(item.query.text, item.at, "aggregate functions are not allowed in a child subquery")
    made = Child(item.query, schema, relation.field, depth + 1, len(scope.context.children))
    scope.context.children.append(made)
    return made


def _child_ids(scope: Scope, child: Child) -> str:
    inner = Scope(scope.context, child.query, child.schema)
    return _ids(inner, '"Id"', f'{{alias}}.{quote(child.link)} = {scope.root_alias}."Id"')


def _child_json(scope: Scope, child: Child, limit: int) -> str:
    """The JSON text of a parent's child rows, `null` when there are none."""
    inner = Scope(scope.context, child.query, child.schema)
    below = {number: _child_json(inner, one, limit) for number, one in _children(inner, child.depth).items()}
    row = row_json(inner, select(inner, below).branch)
    alias = inner.root_alias
    numbered = f"SELECT id, row_number() OVER () AS n FROM ({_child_ids(scope, child)})"
    given = f'FROM ({numbered}) ids CROSS JOIN {quote(child.schema.name)} {alias} ON {alias}."Id" = ids.id'
    rows = f"SELECT string_agg({row}, ',' ORDER BY ids.n) {given}{inner.joins()} WHERE ids.n <= {limit}"
    more = f'sf_child({child.place}, {scope.root_alias}."Id")'
    done = f'iif(n > {limit}, concat(\',"done":false,"nextRecordsUrl":"\', {more}, \'"\'), \',"done":true\')'
    body = concat(['{"totalSize":', Sql("n"), Sql(done), ',"records":[', Sql(f"({rows})"), "]}"])
    total = f"(SELECT count(*) FROM ({_child_ids(scope, child)}))"
    return f"(SELECT iif(n = 0, 'null', {body}) FROM (SELECT {total} AS n))"


def _check(query: ast.Query, context: Context) -> None:
    subqueries = [item for item in query.items if isinstance(item, ast.SubqueryItem)]
    if len(subqueries) > MAX_SUBQUERIES:
        message = f"SOQL allows at most {MAX_SUBQUERIES} subqueries in a query"
        raise malformed(query.text, subqueries[MAX_SUBQUERIES].at, message)
    if query.offset is not None and query.offset > MAX_OFFSET:
        raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {MAX_OFFSET}")
    if query.with_ is not None and not query.with_.upper().startswith(_MODES):
        raise SoqlError("MALFORMED_QUERY", f"unexpected token: {query.with_.split()[0]}")
    if query.having is not None and query.group is None:
        raise malformed(query.text, query.at, "unexpected token: 'HAVING'")


def _check_bulk(query: ast.Query) -> None:
    """Bulk queries are of plain rows (salesforce-api 7.1)."""
    refusals: Sequence[tuple[bool, str]] = (
        (
            any(isinstance(item, ast.SubqueryItem) for item in query.items),
            "Aggregate Relationships not supported in Bulk Query",
        ),
        (is_aggregate(query), "Aggregate functions and GROUP BY not supported in Bulk Query"),
        (
            any(isinstance(item, ast.CountAll) for item in query.items),
            "Aggregate functions and GROUP BY not supported in Bulk Query",
        ),
        (any(isinstance(item, ast.TypeofItem) for item in query.items), "TYPEOF not supported in Bulk Query"),
        (query.offset is not None, "OFFSET not supported in Bulk Query"),
        (
            any(isinstance(item, ast.FieldsItem) and item.group != "STANDARD" for item in query.items),
            "The SOQL FIELDS function is not supported with an unbounded set of fields in this API",
        ),
    )
    for refused, message in refusals:
        if refused:
            raise SoqlError("API_ERROR", message)
