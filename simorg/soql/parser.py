"""SOQL tokens to a Query (the grammar of salesforce-api 4.2)."""

from __future__ import annotations

from simorg.soql import ast
from simorg.soql.conditions import ConditionParser
from simorg.soql.errors import SoqlError
from simorg.soql.lexer import tokens

_CLAUSES = frozenset({"USING", "WHERE", "WITH", "GROUP", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE", "HAVING"})
_RESERVED = _CLAUSES - {"USING", "ORDER", "OFFSET", "FOR", "UPDATE"} | {
    *("AND", "ASC", "DESC", "EXCLUDES", "FIRST", "FROM", "IN", "INCLUDES", "LAST", "LIKE", "NOT", "NULL", "NULLS"),
    *("OR", "SELECT"),
}
_DIGITS = 9
_FOR = frozenset({"VIEW", "REFERENCE", "UPDATE"})
_TRACK = frozenset({"TRACKING", "VIEWSTAT"})
_GROUPS = frozenset({"ALL", "STANDARD", "CUSTOM"})


def parse(text: str) -> ast.Query:
    """Parse one query; raises SoqlError with Salesforce's code, text and position."""
    if not text.strip():
        raise SoqlError("MALFORMED_QUERY", "SOQL statements cannot be empty or null")
    parser = _Parser(text)
    if parser.peek.upper != "SELECT":
        raise SoqlError("MALFORMED_QUERY", f"unexpected token: {parser.peek.text}")
    query = parser.query()
    if parser.peek.kind != "end":
        raise parser.unexpected()
    return query


class _Parser(ConditionParser):
    """Items, FROM and the clauses around the conditions."""

    def __init__(self, text: str) -> None:
        super().__init__(text, tokens(text))

    def query(self) -> ast.Query:
        """SELECT … up to what does not belong to it."""
        start = self.take_word("SELECT").at
        items = self._items()
        self.take_word("FROM")
        name = self.take_name()
        alias = self._object_alias()
        aliases = self._more_from()
        scope = self._scope()
        where = self.condition() if self.skip_word("WHERE") else None
        with_ = self._with() if self.skip_word("WITH") else None
        group = self._group()
        having = self.condition() if self.skip_word("HAVING") else None
        order = self._order()
        limit = self._integer() if self.skip_word("LIMIT") else None
        offset = self._integer() if self.skip_word("OFFSET") else None
        for_, update = self._tail()
        return ast.Query(
            text=self.text,
            items=items,
            object=name.text,
            object_at=name.at,
            alias=alias,
            aliases=aliases,
            scope=scope,
            where=where,
            with_=with_,
            group=group,
            having=having,
            order=order,
            limit=limit,
            offset=offset,
            for_=for_,
            update=update,
            at=start,
        )

    def _items(self) -> tuple[ast.Item, ...]:
        items = [self._item()]
        while self.skip(","):
            items.append(self._item())
        counts = [item for item in items if isinstance(item, ast.CountAll)]
        if counts and len(items) > 1:
            raise self.wrong(counts[0].at, "count() must be the only element in the select list")
        return tuple(items)

    def _item(self) -> ast.Item:
        token = self.peek
        if token.text == "(":
            return self._subquery()
        if token.upper == "TYPEOF" and self.ahead(1).kind == "name":
            return self._typeof()
        called = self.ahead(1).text == "("
        if token.upper == "FIELDS" and called:
            return self._fields()
        if token.upper == "COUNT" and called and self.ahead(2).text == ")":
            self.take(), self.take(), self.take()
            return ast.CountAll(token.at)
        if token.upper == "FROM" and self.ahead(1).text != ".":
            raise self.unexpected()
        return ast.FieldItem(self.expression(), self._item_alias())

    def _subquery(self) -> ast.SubqueryItem:
        at = self.take().at
        with self.nested():
            query = self.query()
        self.take_symbol(")")
        return ast.SubqueryItem(query, at)

    def _fields(self) -> ast.FieldsItem:
        at = self.take().at
        self.take_symbol("(")
        group = self.take_name()
        if group.upper not in _GROUPS:
            raise self.unexpected(group)
        self.take_symbol(")")
        return ast.FieldsItem(group.upper, at)

    def _typeof(self) -> ast.TypeofItem:
        at = self.take().at
        relation = self.take_name().text
        whens = []
        while self.skip_word("WHEN"):
            name = self.take_name().text
            self.take_word("THEN")
            whens.append((name, self._paths()))
        if not whens:
            raise self.unexpected()
        otherwise = self._paths() if self.skip_word("ELSE") else ()
        self.take_word("END")
        return ast.TypeofItem(relation, tuple(whens), otherwise, at)

    def _paths(self) -> tuple[ast.Path, ...]:
        paths = [self.path()]
        while self.skip(","):
            paths.append(self.path())
        return tuple(paths)

    def _item_alias(self) -> str | None:
        token = self.peek
        if token.kind != "name" or token.upper == "FROM":
            return None
        if token.upper in _RESERVED:
            raise self.unexpected()
        return self.take().text

    def _object_alias(self) -> str | None:
        token, after = self.peek, self.ahead(1)
        if token.kind != "name":
            return None
        if token.upper == "AS" and after.kind == "name":
            self.take()
            return self.take_name().text
        if token.upper in _CLAUSES or token.upper in _RESERVED:
            return None
        return self.take().text

    def _more_from(self) -> tuple[tuple[ast.Path, str], ...]:
        more = []
        while self.skip(","):
            path = self.path()
            alias = self._object_alias()
            more.append((path, alias or path.names[-1]))
        return tuple(more)

    def _scope(self) -> str | None:
        if not self.skip_word("USING"):
            return None
        self.take_word("SCOPE")
        return self.take_name().text

    def _with(self) -> str:
        # Sharing and data-category filters: kept as text, their meaning is decided by the compiler.
        words = []
        depth = 0
        while self.peek.kind != "end":
            token = self.peek
            if depth == 0 and (
                token.upper in {"GROUP", "ORDER", "LIMIT", "OFFSET", "FOR", "UPDATE"} or token.text == ")"
            ):
                break
            depth += {"(": 1, ")": -1}.get(token.text, 0)
            words.append(self.take().text)
        if not words:
            raise self.unexpected()
        return " ".join(words)

    def _group(self) -> ast.Grouping | None:
        if not self.skip_word("GROUP"):
            return None
        self.take_word("BY")
        kind = self.peek.upper
        if kind in {"ROLLUP", "CUBE"} and self.ahead(1).text == "(":
            self.take(), self.take()
            items = self._group_items()
            self.take_symbol(")")
            return ast.Grouping(kind, items)
        return ast.Grouping("PLAIN", self._group_items())

    def _group_items(self) -> tuple[ast.Path | ast.Func, ...]:
        items = [self._group_item()]
        while self.skip(","):
            items.append(self._group_item())
        return tuple(items)

    def _group_item(self) -> ast.Path | ast.Func:
        item = self.expression()
        if isinstance(item, ast.Distance):
            raise self.wrong(item.at, "Grouping on DISTANCE is not supported")
        return item

    def _order(self) -> tuple[ast.OrderItem, ...]:
        if not self.skip_word("ORDER"):
            return ()
        self.take_word("BY")
        items = [self._order_item()]
        while self.skip(","):
            items.append(self._order_item())
        return tuple(items)

    def _order_item(self) -> ast.OrderItem:
        expr = self.expression()
        descending = self.skip_word("DESC")
        if not descending:
            self.skip_word("ASC")
        last = False
        if self.skip_word("NULLS"):
            last = self.skip_word("LAST")
            if not last:
                self.take_word("FIRST")
        return ast.OrderItem(expr, descending, last)

    def _integer(self) -> int:
        token = self.take()
        if token.kind == "number" and token.text.isdigit() and len(token.text) <= _DIGITS:
            return int(token.text)
        if token.text == ":":
            raise self.wrong(token.at, "Bind variables only allowed in Apex code")
        raise self.unexpected(token)

    def _tail(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        found: dict[str, list[str]] = {"FOR": [], "UPDATE": []}
        while self.peek.upper in found:
            words = found[self.take().upper]
            allowed = _FOR if words is found["FOR"] else _TRACK
            words.append(self._one_of(allowed))
            while self.skip(","):
                words.append(self._one_of(allowed))
        return tuple(found["FOR"]), tuple(found["UPDATE"])

    def _one_of(self, allowed: frozenset[str]) -> str:
        token = self.take()
        if token.upper not in allowed:
            raise self.unexpected(token)
        return token.upper
