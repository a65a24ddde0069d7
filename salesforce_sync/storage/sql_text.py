"""How SQL is put together: identifiers and literals, quoted; long expressions. Values are parameters."""

from __future__ import annotations

from collections.abc import Sequence


def quote(identifier: str) -> str:
    """An SQL identifier; the only way a name enters a statement."""
    return '"' + identifier.replace('"', '""') + '"'


def literal(text: str) -> str:
    """An SQL text literal, for the few places where SQLite takes no parameter."""
    return "'" + text.replace("'", "''") + "'"


def joined(parts: Sequence[str], operator: str) -> str:
    """Expressions joined by an associative operator, in groups: SQLite takes no chain of a thousand."""
    if len(parts) <= _GROUP:
        return operator.join(parts)
    groups = [parts[start : start + _GROUP] for start in range(0, len(parts), _GROUP)]
    return joined([f"({joined(group, operator)})" for group in groups], operator)


def concatenated(texts: Sequence[str]) -> str:
    """Texts one behind the other, in one call for each group: `||` copies what it has so far for each of them."""
    groups = [texts[start : start + _GROUP] for start in range(0, len(texts), _GROUP)]
    calls = [f"concat({', '.join(group)})" for group in groups]
    return calls[0] if len(calls) == 1 else concatenated(calls)


_GROUP = 50
