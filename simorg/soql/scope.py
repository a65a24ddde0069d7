"""Names of a query to columns: aliases, parent paths and the joins they need."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from simorg.database import Value, quote
from simorg.schema import SField, SObject
from simorg.soql import ast
from simorg.soql.errors import SoqlError, malformed, no_such_column, no_such_relation
from simorg.soql.expressions import Column, read
from simorg.soql.functions import zone_of

if TYPE_CHECKING:
    from simorg.org import SimOrg

MAX_LEVELS = 5
MAX_RELATIONSHIPS = 55


@dataclass(frozen=True, slots=True)
class Child:
    """A child subquery: the object it reads, its field that points to the parent, its level and its number."""

    query: ast.Query
    schema: SObject
    link: str
    depth: int
    place: int


@dataclass(slots=True)
class Context:
    """What one compilation shares: the org, who asks, and the parameters collected so far.

    `all_rows` shows deleted rows; `plain_only` leaves what CSV cannot hold out of FIELDS().
    """

    org: SimOrg
    version: str
    user_id: str
    all_rows: bool = False
    plain_only: bool = False
    params: dict[str, Value] = field(default_factory=dict)
    children: list[Child] = field(default_factory=list)
    aliases: int = 0

    def param(self, value: Value) -> str:
        """Add a value and return its mark in the SQL."""
        name = f"p{len(self.params)}"
        self.params[name] = value
        return f":{name}"

    def alias(self) -> str:
        """A new table alias."""
        self.aliases += 1
        return f"t{self.aliases}"

    def zone(self) -> ZoneInfo:
        """The time zone of the running user."""
        return zone_of(self.zone_name())

    def zone_name(self) -> str:
        """The name of the running user's time zone."""
        sql = 'SELECT "TimeZoneSidKey" FROM "User" WHERE "Id" = ?'
        found = self.org.database.value(sql, (self.user_id,))
        return str(found) if found else "UTC"


@dataclass(slots=True)
class Node:
    """A row of the query: the root, or a parent; a polymorphic parent has several targets, one of them present."""

    targets: tuple[tuple[SObject, str], ...]
    optional: bool
    parents: dict[str, Node] = field(default_factory=dict)

    @property
    def entity(self) -> str:
        """The object's name for errors and attributes; a polymorphic parent is called Name."""
        return self.targets[0][0].name if len(self.targets) == 1 else "Name"

    @property
    def id_sql(self) -> str:
        """The id of the row that is present."""
        ids = [f'{alias}."Id"' for _, alias in self.targets]
        return ids[0] if len(ids) == 1 else f"coalesce({', '.join(ids)})"

    @property
    def type_sql(self) -> str:
        """The name of the object that is present, as an SQL expression."""
        whens = " ".join(f"WHEN {alias}.\"Id\" IS NOT NULL THEN '{schema.name}'" for schema, alias in self.targets)
        return f"CASE {whens} END"

    def column(self, name: str) -> Column | None:
        """The column of a field, or None when no target has it."""
        found = [(one, schema, alias) for schema, alias in self.targets if (one := schema.field(name)) is not None]
        if len(self.targets) > 1 and name.lower() == "type":
            return Column(_TYPE, self.type_sql, *self.targets[0])
        if not found:
            return None
        first, owner, alias = found[0]
        if len(found) == 1:
            return Column(first, read(first, alias), owner, alias)
        return Column(first, f"coalesce({', '.join(read(one, at) for one, _, at in found)})", owner, alias)

    def relationship(self, name: str) -> SField | None:
        """The reference field of a relationship name; polymorphic parents lead no further."""
        return self.targets[0][0].relationship(name) if len(self.targets) == 1 else None


_TYPE = SField("Type", "string", "Type", length=40)


class Scope:
    """The rows that one SELECT may name, and the joins that naming them needed."""

    def __init__(self, context: Context, query: ast.Query, schema: SObject) -> None:
        self.context = context
        self.query = query
        self.schema = schema
        self.root_alias = context.alias()
        self.root = Node(((schema, self.root_alias),), optional=False)
        self._joins: list[str] = []
        self._names: dict[str, Node] = {}
        if query.alias:
            self._names[query.alias.lower()] = self.root
        for path, alias in query.aliases:
            self._names[alias.lower()] = self._walk(path, path.names)

    def joins(self) -> str:
        """The LEFT JOINs, to be put after the root table."""
        return "".join(self._joins)

    def column(self, path: ast.Path) -> Column:
        """Resolve a path, or raise INVALID_FIELD at its place."""
        node = self._walk(path, path.names[:-1])
        found = node.column(path.names[-1])
        if found is None or not self.context.org.permissions.may_query(found.owner.name, found.field.name):
            raise no_such_column(self.query.text, path.at, path.names[-1], node.entity)
        return self._masked(found)

    def _masked(self, column: Column) -> Column:
        """An encrypted value as asterisks, for a user who may not see it."""
        if not column.field.encrypted or self.context.org.permissions.can_view_encrypted:
            return column
        return replace(column, sql=f"replace(hex(zeroblob(length({column.sql}))), '00', '*')")

    def node(self, path: ast.Path) -> Node:
        """The row that a path's last name is a field of."""
        return self._walk(path, path.names[:-1])

    def relations(self, path: ast.Path) -> tuple[str, ...]:
        """The relationship names of a path in describe's spelling, without an alias in front."""
        names: list[str] = []
        node, rest = self._start(path.names[:-1])
        if node is not self.root:
            names += self._route_to(node)
        for name in rest:
            reference = node.relationship(name)
            if reference is None or reference.relationship_name is None:
                raise no_such_relation(self.query.text, path.at, name)
            names.append(reference.relationship_name)
            node = self._parent(node, name, path)
        return tuple(names)

    def _route_to(self, wanted: Node) -> list[str]:
        stack: list[tuple[Node, list[str]]] = [(self.root, [])]
        while stack:
            node, names = stack.pop()
            if node is wanted:
                return names
            stack += [(parent, [*names, self._spelling(node, key)]) for key, parent in node.parents.items()]
        return []

    def _spelling(self, node: Node, key: str) -> str:
        reference = node.relationship(key)
        return (reference.relationship_name if reference else None) or key

    def _start(self, names: tuple[str, ...]) -> tuple[Node, tuple[str, ...]]:
        if not names:
            return self.root, ()
        first = names[0].lower()
        if first in self._names:
            return self._names[first], names[1:]
        if self.root.relationship(names[0]) is None and first == self.schema.name.lower():
            return self.root, names[1:]
        return self.root, names

    def _walk(self, path: ast.Path, names: tuple[str, ...]) -> Node:
        node, rest = self._start(names)
        if len(rest) > MAX_LEVELS:
            message = f"SOQL relationship path may not be more than {MAX_LEVELS} levels: {path}"
            raise malformed(self.query.text, path.at, message)
        for name in rest:
            node = self._parent(node, name, path)
        return node

    def _parent(self, node: Node, name: str, path: ast.Path) -> Node:
        known = node.parents.get(name.lower())
        if known is not None:
            return known
        reference = node.relationship(name)
        if reference is None:
            raise no_such_relation(self.query.text, path.at, name)
        targets = self._visible(reference.reference_to)
        if not targets:
            raise no_such_relation(self.query.text, path.at, name)
        if len(self._joins) >= MAX_RELATIONSHIPS:
            raise SoqlError(
                "MALFORMED_QUERY", f"SOQL allows at most {MAX_RELATIONSHIPS} parent relationships in a query"
            )
        key = read(reference, node.targets[0][1])
        made = Node(tuple((schema, self._join(schema, key)) for schema in targets), optional=True)
        node.parents[name.lower()] = made
        return made

    def _visible(self, names: Iterable[str]) -> list[SObject]:
        return [found for name in names if (found := self.context.org.object(name)) is not None]

    def _join(self, schema: SObject, key: str) -> str:
        alias = self.context.alias()
        hidden = visible(self.context, schema, alias)
        extra = f" AND {hidden}" if hidden else ""
        self._joins.append(f' LEFT JOIN {quote(schema.name)} {alias} ON {alias}."Id" = {key}{extra}')
        return alias


def visible(context: Context, schema: SObject, alias: str) -> str | None:
    """The condition that keeps rows the user may not see out, or None when there are none."""
    sql = "SELECT 1 FROM _invisible WHERE object = ? LIMIT 1"
    if context.org.database.value(sql, (schema.name,)) is None:
        return None
    return f'{alias}."Id" NOT IN (SELECT id FROM _invisible WHERE object = {context.param(schema.name)})'
