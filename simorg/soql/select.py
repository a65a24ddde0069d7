"""The select list of a query of rows: as a JSON object per row, and as CSV columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from simorg.schema import SField, SObject
from simorg.soql import ast
from simorg.soql.errors import SoqlError, malformed, no_such_relation, no_such_type
from simorg.soql.errors import at as error_at
from simorg.soql.expressions import Column, Piece, Sql, concat, csv_value, json_of, json_value, read
from simorg.soql.measures import date_function, formatted
from simorg.soql.scope import Node, Scope
from simorg.soql.where import distance

FIELDS_LIMIT = 200
LONG_TEXT = 255
_NOT_IN_CSV = frozenset({"address", "location", "base64"})


@dataclass(slots=True)
class Entry:
    """One key of the JSON object: its SQL, or a parent object with keys of its own."""

    sql: str = ""
    parent: Branch | None = None


@dataclass(slots=True)
class Branch:
    """The JSON object of one row: keys in select order."""

    node: Node
    entries: dict[str, Entry] = field(default_factory=dict)


@dataclass(slots=True)
class Selection:
    """What a select list became."""

    branch: Branch
    columns: list[tuple[str, Column]]  # header and column, for CSV
    long_texts: int = 0
    compound: bool = False
    binary: bool = False


def select(scope: Scope, children: dict[int, str]) -> Selection:
    """Resolve the select list; `children` holds the SQL of each child subquery by its place in the list."""
    found = Selection(Branch(scope.root), [])
    for number, item in enumerate(scope.query.items):
        if isinstance(item, ast.SubqueryItem):
            _put(scope, found.branch, _child_name(scope, item), Entry(children[number]), item.at)
        elif isinstance(item, ast.TypeofItem):
            _put(scope, found.branch, *_typeof(scope, item), item.at)
        elif isinstance(item, ast.FieldsItem):
            for name in fields_of(scope, item):
                _field(scope, found, ast.Path((name,), item.at))
        elif isinstance(item, ast.FieldItem):
            _item(scope, found, item)
    return found


def row_json(scope: Scope, branch: Branch) -> str:
    """The SQL of a row's JSON text."""
    return _object(scope, branch)


def row_csv(columns: Iterable[tuple[str, Column]], delimiter: str, ending: str) -> str:
    """The SQL of a row's CSV line, every value in quotes."""
    pieces: list[Piece] = []
    for number, (_, column) in enumerate(columns):
        pieces += ['"' if number == 0 else f'"{delimiter}"', Sql(csv_value(column))]
    return concat([*pieces, f'"{ending}'])


def fields_of(scope: Scope, item: ast.FieldsItem) -> list[str]:
    """The names that FIELDS() stands for; ALL and CUSTOM need a LIMIT of at most 200 or that few ids."""
    if float(scope.context.version) < 51:
        raise malformed(scope.query.text, item.at, "FIELDS() is supported from API version 51.0 on")
    if item.group != "STANDARD" and not _bounded(scope.query):
        message = f"The SOQL FIELDS function must have a LIMIT of at most {FIELDS_LIMIT}"
        raise malformed(scope.query.text, item.at, message)
    wanted = {"ALL": (True, False), "STANDARD": (False,), "CUSTOM": (True,)}[item.group]
    unfit = _NOT_IN_CSV if scope.context.plain_only else frozenset()
    names = [one.name for one in scope.schema.fields if one.custom in wanted and one.type not in unfit]
    if not names:
        raise malformed(scope.query.text, item.at, "The SOQL FIELDS function must return at least one field")
    return names


def _bounded(query: ast.Query) -> bool:
    if query.limit is not None and query.limit <= FIELDS_LIMIT:
        return True
    where = query.where
    parts = where.parts if isinstance(where, ast.Junction) and where.op == "AND" else (where,)
    return any(_few_ids(part) for part in parts)


def _few_ids(part: ast.Condition | None) -> bool:
    if isinstance(part, ast.Comparison):
        return isinstance(part.left, ast.Path) and part.op == "=" and part.left.names[-1].lower() == "id"
    if not isinstance(part, ast.InList) or part.negated or not isinstance(part.left, ast.Path):
        return False
    return part.left.names[-1].lower() == "id" and len(part.values) <= FIELDS_LIMIT


def _item(scope: Scope, found: Selection, item: ast.FieldItem) -> None:
    if isinstance(item.expr, ast.Path):
        if item.alias is not None:
            raise malformed(scope.query.text, item.expr.at, "only aggregate expressions use field aliasing")
        _field(scope, found, item.expr)
        return
    sql_field, sql, names = _expression(scope, item.expr)
    key = item.alias or (names[-1] if names else f"expr{_unnamed(found.branch)}")
    branch = _descend(scope, found.branch, names[:-1], item.expr.at) if not item.alias else found.branch
    _put(scope, branch, key, Entry(json_of(sql_field.type, sql)), item.expr.at)
    prefix = ".".join(names[:-1]) + "." if names[:-1] and not item.alias else ""
    found.columns.append((prefix + key, Column(sql_field, sql, scope.schema, scope.root_alias)))


def _expression(scope: Scope, expr: ast.Expr) -> tuple[SField, str, tuple[str, ...]]:
    """Type, SQL and default key path of a selected function."""
    if isinstance(expr, ast.Distance):
        return SField("DISTANCE", "double", ""), distance(scope, expr), ()
    if isinstance(expr, ast.Path):
        column = scope.column(expr)
        return column.field, column.sql, (*scope.relations(expr), column.field.name)
    if expr.name in ast.DATE_FUNCTIONS:
        return *date_function(scope, expr), ()
    if expr.name in ast.FORMATTERS and expr.name != "CONVERTTIMEZONE":
        inner_field, sql, names = _expression(scope, expr.arg)
        return *formatted(scope, expr, inner_field, sql), names
    raise malformed(scope.query.text, expr.at, f"unexpected token: '{expr.name}'")


def _unnamed(branch: Branch) -> int:
    return sum(1 for key in branch.entries if key.startswith("expr"))


def _field(scope: Scope, found: Selection, path: ast.Path) -> None:
    column = scope.column(path)
    relations = scope.relations(path)
    branch = _descend(scope, found.branch, relations, path.at)
    _put(scope, branch, column.field.name, Entry(json_value(column, scope.context.version)), path.at)
    found.columns.append((".".join((*relations, column.field.name)), column))
    found.compound = found.compound or column.field.type in ("address", "location")
    found.binary = found.binary or column.field.type == "base64"
    found.long_texts += column.field.type == "textarea" and column.field.length > LONG_TEXT


def _descend(scope: Scope, branch: Branch, relations: Iterable[str], at: int) -> Branch:
    for name in relations:
        entry = branch.entries.get(name)
        if entry is None:
            node = branch.node.parents.get(name.lower())
            if node is None:
                raise no_such_relation(scope.query.text, at, name)
            entry = branch.entries[name] = Entry(parent=Branch(node))
        if entry.parent is None:
            raise _duplicate(scope, name, at)
        branch = entry.parent
    return branch


def _put(scope: Scope, branch: Branch, key: str, entry: Entry, at: int) -> None:
    if key in branch.entries:
        raise _duplicate(scope, key, at)
    branch.entries[key] = entry


def _duplicate(scope: Scope, name: str, at: int) -> SoqlError:
    return error_at(scope.query.text, at, "INVALID_FIELD", f"duplicate field selected: {name}")


def _object(scope: Scope, branch: Branch) -> str:
    pieces: list[Piece] = list(attributes(scope, branch.node))
    for key, entry in branch.entries.items():
        value = entry.sql if entry.parent is None else _object(scope, entry.parent)
        pieces += [f',"{key}":', Sql(value)]
    whole = concat([*pieces, "}"])
    return f"iif({branch.node.id_sql} IS NULL, 'null', {whole})" if branch.node.optional else whole


def attributes(scope: Scope, node: Node) -> Iterator[Piece]:
    """The opening of a row's object with its `attributes`."""
    if len(node.targets) == 1:
        yield f'{{"attributes":{{"type":"{node.entity}","url":"{_url(scope, node.entity)}'
    else:
        yield '{"attributes":{"type":"'
        yield Sql(node.type_sql)
        yield f'","url":"/services/data/v{scope.context.version}/sobjects/'
        yield Sql(node.type_sql)
        yield "/"
    yield Sql(node.id_sql)
    yield '"}'


def _url(scope: Scope, name: str) -> str:
    return f"/services/data/v{scope.context.version}/sobjects/{name}/"


def _child_name(scope: Scope, item: ast.SubqueryItem) -> str:
    found = scope.schema.child(item.query.object)
    return (found.name if found else None) or item.query.object


def _typeof(scope: Scope, item: ast.TypeofItem) -> tuple[str, Entry]:
    """The key and SQL of TYPEOF: the fields depend on the object that the reference points to."""
    reference = scope.schema.relationship(item.relation)
    if reference is None:
        raise no_such_relation(scope.query.text, item.at, item.relation)
    if not reference.polymorphic:
        message = f"'{item.relation}' is not a polymorphic relationship; TYPEOF cannot be used on it"
        raise malformed(scope.query.text, item.at, message)
    node = scope.node(ast.Path((item.relation, "Id"), item.at))
    chosen = {name.lower(): paths for name, paths in item.whens}
    for name, _ in item.whens:
        if name.lower() not in {schema.name.lower() for schema, _ in node.targets}:
            raise no_such_type(scope.query.text, item.at, name)
    whens = []
    for schema, alias in node.targets:
        paths = chosen.get(schema.name.lower(), item.otherwise)
        whens.append(f'WHEN {alias}."Id" IS NOT NULL THEN {_target_json(scope, schema, alias, paths)}')
    return reference.relationship_name or item.relation, Entry(f"CASE {' '.join(whens)} ELSE 'null' END")


def _target_json(scope: Scope, schema: SObject, alias: str, paths: tuple[ast.Path, ...]) -> str:
    node = Node(((schema, alias),), optional=False)
    branch = Branch(node)
    for path in paths:
        if len(path.names) > 1:
            raise malformed(scope.query.text, path.at, f"TYPEOF allows only fields of the object itself: {path}")
        one = schema.field(path.names[0])
        if one is None:
            raise error_at(
                scope.query.text, path.at, "INVALID_FIELD", f"No such column '{path}' on entity '{schema.name}'"
            )
        column = Column(one, read(one, alias), schema, alias)
        branch.entries[one.name] = Entry(json_value(column, scope.context.version))
    return _object(scope, branch)
