"""Expressions and conditions of SOQL: the part of the parser below WHERE, HAVING and the select list."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from simorg.soql import ast
from simorg.soql.dates import is_literal
from simorg.soql.errors import SoqlError, malformed
from simorg.soql.lexer import Token, plain, unescape

_FUNCTIONS = ast.AGGREGATES | ast.DATE_FUNCTIONS | ast.FORMATTERS | {"GROUPING"}
_OPERATORS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_CURRENCY = re.compile(r"[A-Za-z]{3}\d+(\.\d+)?\Z")
_MAX_DEPTH = 100


class Cursor:
    """A place in a token list, and the errors that tell of it."""

    def __init__(self, text: str, found: tuple[Token, ...]) -> None:
        self.text = text
        self._tokens = found
        self._next = 0

    @property
    def peek(self) -> Token:
        """The next token, not taken."""
        return self._tokens[self._next]

    def ahead(self, count: int) -> Token:
        """The token `count` after the next."""
        return self._tokens[min(self._next + count, len(self._tokens) - 1)]

    def take(self) -> Token:
        """The next token, taken; the end stays."""
        token = self._tokens[self._next]
        if token.kind != "end":
            self._next += 1
        return token

    def skip(self, symbol: str) -> bool:
        """Take a symbol if it comes next."""
        if self.peek.kind == "symbol" and self.peek.text == symbol:
            self.take()
            return True
        return False

    def skip_word(self, word: str) -> bool:
        """Take a keyword if it comes next."""
        if self.peek.kind == "name" and self.peek.upper == word:
            self.take()
            return True
        return False

    def take_symbol(self, symbol: str) -> Token:
        """Take a symbol that must come next."""
        if self.peek.kind != "symbol" or self.peek.text != symbol:
            raise self.unexpected()
        return self.take()

    def take_word(self, word: str) -> Token:
        """Take a keyword that must come next."""
        if self.peek.kind != "name" or self.peek.upper != word:
            raise self.unexpected()
        return self.take()

    def take_name(self) -> Token:
        """Take a name that must come next."""
        if self.peek.kind != "name":
            raise self.unexpected()
        return self.take()

    def unexpected(self, token: Token | None = None) -> SoqlError:
        """The error for a token that does not fit here."""
        token = token or self.peek
        return malformed(self.text, token.at, f"unexpected token: '{token.text}'")

    def wrong(self, at: int, message: str) -> SoqlError:
        """A syntax error with its own words."""
        return malformed(self.text, at, message)


class ConditionParser(Cursor):
    """Paths, functions, values and conditions."""

    _depth = 0

    @abstractmethod
    def query(self) -> ast.Query:
        """A whole query; semi-joins need it."""

    def path(self) -> ast.Path:
        """name {. name}."""
        first = self.take_name()
        names = [first.text]
        while self.skip("."):
            names.append(self.take_name().text)
        return ast.Path(tuple(names), first.at)

    @contextmanager
    def nested(self) -> Iterator[None]:
        """Go one level down; far below everything sensible, the query is refused."""
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self.wrong(self.peek.at, f"the query is nested more than {_MAX_DEPTH} levels deep")
        yield
        self._depth -= 1

    def expression(self) -> ast.Expr:
        """A path, or a function of one."""
        token = self.peek
        if token.kind == "name" and self.ahead(1).text == "(" and self.ahead(1).kind == "symbol":
            if token.upper == "DISTANCE":
                return self._distance()
            return self._function()
        return self.path()

    def _function(self) -> ast.Func:
        token = self.take_name()
        if token.upper not in _FUNCTIONS:
            raise self.wrong(token.at, f"Invalid function: {token.text}")
        self.take_symbol("(")
        with self.nested():
            arg = self.expression()
        if isinstance(arg, ast.Distance):
            raise self.unexpected(token)
        self.take_symbol(")")
        return ast.Func(token.upper, arg, token.at)

    def _distance(self) -> ast.Distance:
        at = self.take().at
        self.take_symbol("(")
        field = self.path()
        self.take_symbol(",")
        self.take_word("GEOLOCATION")
        self.take_symbol("(")
        latitude = self._number()
        self.take_symbol(",")
        longitude = self._number()
        self.take_symbol(")")
        self.take_symbol(",")
        unit = self.take()
        if unit.kind != "string" or unit.text[1:-1].lower() not in {"mi", "km"}:
            raise self.unexpected(unit)
        self.take_symbol(")")
        return ast.Distance(field, latitude, longitude, unit.text[1:-1].lower(), at)

    def _number(self) -> str:
        if self.peek.kind != "number":
            raise self.unexpected()
        return self.take().text

    def condition(self) -> ast.Condition:
        """Predicates joined by AND or by OR; a mix of both needs parentheses."""
        with self.nested():
            parts = [self._predicate()]
            op = self.peek.upper if self.peek.upper in {"AND", "OR"} else ""
            while op and self.skip_word(op):
                parts.append(self._predicate())
        if self.peek.upper in {"AND", "OR"}:
            raise self.unexpected()
        return ast.Junction(op, tuple(parts)) if op else parts[0]

    def _predicate(self) -> ast.Condition:
        if self.skip_word("NOT"):
            with self.nested():
                return ast.Not(self._predicate())
        if self.skip("("):
            inner = self.condition()
            self.take_symbol(")")
            return inner
        return self._comparison()

    def _comparison(self) -> ast.Condition:
        left = self.expression()
        token = self.take()
        if token.text in _OPERATORS and token.kind == "symbol":
            return ast.Comparison(left, _OPERATORS[token.text], self._value(), token.at)
        if token.upper == "LIKE":
            value = self._value(pattern=True)
            return ast.Comparison(left, "LIKE", value, token.at)
        if token.upper in {"INCLUDES", "EXCLUDES"}:
            return ast.Includes(left, token.upper == "EXCLUDES", self._values(), token.at)
        negated = token.upper == "NOT"
        if negated:
            token = self.take()
        if token.upper == "IN":
            return self._in(left, negated, token.at)
        raise self.unexpected(token)

    def _in(self, left: ast.Expr, negated: bool, at: int) -> ast.Condition:
        if self.peek.text == "(" and self.ahead(1).upper == "SELECT":
            self.take()
            query = self.query()
            self.take_symbol(")")
            return ast.SemiJoin(left, negated, query, at)
        return ast.InList(left, negated, self._values(), at)

    def _values(self) -> tuple[ast.Literal, ...]:
        if self.peek.text == ":":
            raise self.wrong(self.peek.at, "Bind variables only allowed in Apex code")
        self.take_symbol("(")
        values = [self._value()]
        while self.skip(","):
            values.append(self._value())
        self.take_symbol(")")
        return tuple(values)

    def _value(self, pattern: bool = False) -> ast.Literal:
        token = self.take()
        if token.kind == "string":
            text = unescape(self.text, token)
            return ast.Literal("string", text if pattern else plain(text), token.at)
        if token.kind in {"number", "date", "datetime", "time"}:
            return ast.Literal(token.kind, token.text, token.at)
        if token.kind == "name":
            return self._word_value(token)
        if token.text == ":":
            raise self.wrong(token.at, "Bind variables only allowed in Apex code")
        raise self.unexpected(token)

    def _word_value(self, token: Token) -> ast.Literal:
        word = token.upper
        if word in {"TRUE", "FALSE"}:
            return ast.Literal("boolean", word, token.at)
        if word == "NULL":
            return ast.Literal("null", word, token.at)
        if _CURRENCY.match(token.text):
            return ast.Literal("currency", token.text, token.at)
        counted = self.peek.text == ":"
        if is_literal(word, counted):
            return ast.Literal("dateliteral", word, token.at, self._literal_n() if counted else None)
        if word in {"AND", "OR", "FROM", "SELECT"}:
            raise self.unexpected(token)
        raise self.wrong(token.at, "Bind variables only allowed in Apex code")

    def _literal_n(self) -> int:
        self.take_symbol(":")
        token = self.take()
        if token.kind != "number" or not token.text.isdigit():
            raise self.unexpected(token)
        return int(token.text)
