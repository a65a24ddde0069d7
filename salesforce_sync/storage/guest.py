"""Somebody else's SQL: it can only read, and neither run for ever nor fill the memory."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import apsw

from salesforce_sync.errors import MalformedQuery, Misuse, NotText, QueryTimeout, near

SECONDS: Final = 30.0
"""How long a query may run unless the caller says otherwise."""

MOST_BYTES: Final = 64 * 1024 * 1024
"""What an answer may hold; a single value, a quarter of it."""

_MOST_CHARACTERS: Final = 200_000
"""What a query may have. Looked at here: SQLite's own limit would hold for the triggers' texts of wide objects too."""

_STEPS: Final = 20_000
"""Instructions of SQLite's between two looks at the clock: some milliseconds at most."""

_LIMITS: Final = (
    (apsw.SQLITE_LIMIT_LENGTH, MOST_BYTES // 4),
    (apsw.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500),  # a match takes its square, and cannot be stopped
    (apsw.SQLITE_LIMIT_COMPOUND_SELECT, 100),
    (apsw.SQLITE_LIMIT_ATTACHED, 0),
    (apsw.SQLITE_LIMIT_WORKER_THREADS, 0),
)

_READING: Final = {
    apsw.SQLITE_SELECT,
    apsw.SQLITE_READ,
    apsw.SQLITE_RECURSIVE,
}
_SAFE_PRAGMAS: Final = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "user_version"}
_UNSAFE_FUNCTIONS: Final = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer"}


def confine(connection: apsw.Connection) -> None:
    """Let this connection read the tables of its database, and nothing else."""
    connection.pragma("query_only", True)
    for limit, most in _LIMITS:
        connection.limit(limit, most)
    connection.authorizer = _Reading()


class Found(NamedTuple):
    """What a query gave: the names of its columns, its rows, and the tables that it has read."""

    columns: tuple[str, ...]
    rows: list[tuple[object, ...]]
    tables: frozenset[str]


def answered(connection: apsw.Connection, statement: str, limit: int, seconds: float) -> Found:
    """The answer, of at most `limit` rows."""
    import apsw.ext  # costs 8 ms, and only this needs it

    if len(statement) > _MOST_CHARACTERS:
        raise MalformedQuery(f"The query has more than {_MOST_CHARACTERS:,} characters.", hint="Ask for less at once.")
    until = time.monotonic() + seconds
    connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
    with _told(connection, statement, seconds):
        # Asked beforehand: a query without rows has no description to ask for later.
        asked = apsw.ext.query_info(connection, statement)
        _check_is_one(connection, asked)
        rows: list[tuple[object, ...]] = []
        size = 0
        for row in connection.execute(statement):
            rows.append(row)
            size += sum(map(_size, row))
            if size > MOST_BYTES:
                hint = "Ask for fewer rows or columns."
                raise MalformedQuery(f"The answer is larger than {MOST_BYTES // 2**20} MB.", hint=hint)
            if len(rows) >= limit:
                break
        reading = connection.authorizer
        tables = frozenset(reading.tables) if isinstance(reading, _Reading) else frozenset()
        return Found(tuple(name for name, _ in asked.description), rows, tables)


def _check_is_one(connection: apsw.Connection, asked: apsw.ext.QueryDetails) -> None:
    """Rows of two statements would stand under the columns of the first. What follows may be a comment."""
    if not asked.description:
        raise MalformedQuery("This is no query.", hint="Such as: SELECT count(*) FROM Contact.")
    further = asked.query_remaining
    if further and apsw.ext.query_info(connection, further).description:
        raise MalformedQuery("These are several statements.", hint="Ask one at a time.")


@contextmanager
def _told(connection: apsw.Connection, statement: str, seconds: float) -> Iterator[None]:
    try:
        yield
    except apsw.InterruptError as error:
        hint = "Ask for less, or allow more time."
        raise QueryTimeout(f"The query ran longer than {seconds:g} s.", hint=hint) from error
    except apsw.AuthError as error:
        raise Misuse("This query may only read.", hint="Use SELECT.") from error
    except (apsw.SQLError, apsw.BindingsError, apsw.ReadOnlyError, apsw.TooBigError) as error:
        hint = _nearest(connection, statement, str(error)) or "Tables and columns are named as in Salesforce."
        raise MalformedQuery(f"SQLite: {error}.", hint=hint) from error
    except UnicodeDecodeError as error:
        raise NotText.found(error.object) from error


def _nearest(connection: apsw.Connection, statement: str, problem: str) -> str:
    """A hint with the names closest to the table or column that there is not; empty if none is close."""
    unknown = re.match(r'no such (table|column): (?:\w+\.)*"?(\w+)', problem)
    if unknown is None:
        return ""
    listed = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite%'"
    tables = [str(name) for (name,) in connection.execute(listed)]
    if unknown[1] == "table":
        return near(unknown[2], tables)
    words = {word.casefold() for word in re.findall(r"\w+", statement)}
    asked = [name for name in tables if name.casefold() in words]
    columns = "SELECT name FROM pragma_table_info(?)"
    return near(unknown[2], [str(name) for table in asked for (name,) in connection.execute(columns, (table,))])


def _size(value: Any) -> int:
    return len(value) + 50 if isinstance(value, str | bytes) else 30


class _Reading:
    """Says to each thing that a statement does whether it may; `tables` are those that it reads."""

    def __init__(self) -> None:
        self.tables: set[str] = set()

    def __call__(
        self, action: int, name: str | None, argument: str | None, _schema: str | None, _trigger: str | None
    ) -> int:
        if action == apsw.SQLITE_PRAGMA:
            allowed = name in _SAFE_PRAGMAS
        elif action == apsw.SQLITE_FUNCTION:
            allowed = argument not in _UNSAFE_FUNCTIONS
        else:
            allowed = action in _READING
        if action == apsw.SQLITE_READ and name:
            self.tables.add(name)
        return apsw.SQLITE_OK if allowed else apsw.SQLITE_DENY
