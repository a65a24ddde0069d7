"""The org's rows in a private SQLite file: one table per object, one column per stored field."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import apsw

from simorg import decimals, folding
from simorg.folder import PrivateFolder
from simorg.schema import TEXT_TYPES, SField, SObject

if TYPE_CHECKING:
    from simorg.journal import Journal

COLUMN_TYPES = {"boolean": "INTEGER", "int": "INTEGER", "long": "INTEGER", "datetime": "INTEGER", "base64": "BLOB"}
Value = str | int | bytes | None
Row = dict[str, Value]
Bindings = Sequence[Value] | Mapping[str, Value]
Guard = Callable[[str, str, Mapping[str, Value]], None]


@dataclass(frozen=True, slots=True)
class Write:
    """A recorded statement; one about a single row tells its table, id and values too (None: the row goes)."""

    sql: str
    bindings: Bindings
    table: str | None = None
    record_id: str | None = None
    values: Mapping[str, Value] | None = None
    is_new: bool = False


def _no_guard(table: str, record_id: str, values: Mapping[str, Value]) -> None:
    """Let every row be changed."""


@lru_cache(10_000)  # each row that is written asks for all its columns
def quote(name: str) -> str:
    """Write an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def column_sql(one: SField) -> str:
    """Write the column of a field."""
    return f"{quote(one.name)} {COLUMN_TYPES.get(one.type, 'TEXT')}"


class Database:
    """The connection, its lock, and row-level writes, which can be recorded to be done again later."""

    def __init__(self, content: bytes | None = None, *, page_bytes: int = 16_384) -> None:
        self._folder = PrivateFolder()
        self.path = self._folder.path / "org.db"
        if content is not None:
            self.path.write_bytes(content)
        self.lock = threading.RLock()
        self.connection = apsw.Connection(str(self.path))
        decimals.register(self.connection)
        folding.register(self.connection)
        self._recording: list[Write] | None = None
        self.journal: Journal | None = None  # told which rows are written, where somebody wants to know
        self.guard: Guard = _no_guard  # asked before a row is changed; raises when it is locked
        self.connection.execute(f"PRAGMA page_size = {page_bytes}")
        self.connection.execute("PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32000")
        self.connection.execute("PRAGMA wal_autocheckpoint = 4000")
        self.connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # the file goes with the connection
        if content is None:
            self._create_own_tables()

    def _create_own_tables(self) -> None:
        self.connection.execute(
            "CREATE TABLE _invisible (object TEXT, id TEXT, PRIMARY KEY (object, id)) WITHOUT ROWID;"
            # root: the row whose deletion took this one along (itself, when deleted by hand); NULL once purged
            "CREATE TABLE _deleted (object TEXT, id TEXT, at INTEGER, root TEXT, PRIMARY KEY (object, id))"
            " WITHOUT ROWID;"
            "CREATE INDEX _deleted_at ON _deleted (object, at); CREATE INDEX _deleted_root ON _deleted (root);"
            "CREATE TABLE _nulled (parent TEXT, child TEXT, id TEXT, field TEXT);"
            "CREATE INDEX _nulled_parent ON _nulled (parent)"
        )

    def close(self) -> None:
        """Close and remove the file."""
        with self.lock:
            self.connection.close()
        self._folder.remove()

    def content(self) -> bytes:
        """Return the file as it would be if all that is committed were written into it."""
        with self.lock:
            return self.connection.serialize("main")

    def begin_load(self) -> None:
        """Prepare for a large load, which needs no journal: a new org that is cut off is thrown away."""
        self.connection.execute("PRAGMA journal_mode = OFF")

    def end_load(self) -> None:
        """Go over to the write-ahead log, so that snapshots can be read while rows are written."""
        self.connection.execute("PRAGMA journal_mode = WAL")

    def snapshot(self) -> apsw.Connection:
        """Open a second, read-only connection; the caller closes it. Within BEGIN it sees one moment of the data."""
        connection = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        decimals.register(connection)
        folding.register(connection)
        return connection

    def create_table(self, schema: SObject) -> None:
        """Make the empty table of an object."""
        columns = ", ".join(column_sql(one) for one in schema.stored_fields)
        self.connection.execute(f"CREATE TABLE {quote(schema.name)} ({columns})")
        self.create_index(schema.name, "Id", unique=True)

    def create_indexes(self, schema: SObject) -> None:
        """Make the indexes that look-ups need; after a large load, since that is faster."""
        if schema.soft_delete:
            name, table = quote(f"_{schema.name}_bin"), quote(schema.name)
            self.connection.execute(f'CREATE INDEX IF NOT EXISTS {name} ON {table} ("IsDeleted") WHERE "IsDeleted" = 1')
        for one in schema.stored_fields:
            if one.type == "reference" and one.name not in ("CreatedById", "LastModifiedById", "OwnerId"):
                self.create_index(schema.name, one.name)
            elif one.external_id or one.unique or one.name == "SystemModstamp":
                self.create_key_index(schema.name, one)

    def create_key_index(self, table: str, one: SField) -> None:
        """Make the indexes with which rows are found by a value of a field, whatever its letter case."""
        nocase = not one.case_sensitive and one.type != "datetime"
        self.create_index(table, one.name, nocase=nocase)
        if nocase and one.type in TEXT_TYPES:
            self._create_wide_index(table, one.name)

    def _create_wide_index(self, table: str, column: str) -> None:
        name = quote(f"_{table}_{column}_wide")
        self.connection.execute(
            f"CREATE INDEX IF NOT EXISTS {name} ON {quote(table)} {folding.wide_index(quote(column))}"
        )

    def create_index(self, table: str, column: str, *, unique: bool = False, nocase: bool = False) -> None:
        """Make an index on one column, without its nulls."""
        name, kind = quote(f"_{table}_{column}"), "UNIQUE INDEX" if unique else "INDEX"
        collate = " COLLATE NOCASE" if nocase else ""
        where = "" if unique else f" WHERE {quote(column)} IS NOT NULL"
        self.connection.execute(
            f"CREATE {kind} IF NOT EXISTS {name} ON {quote(table)} ({quote(column)}{collate}){where}"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes inside happen or, on an exception, none; may be nested."""
        with self.lock:
            outermost = not self.connection.in_transaction
            try:
                with self.connection:
                    yield
            except BaseException:
                if outermost and self.journal is not None:
                    self.journal.forget()
                raise
            if outermost and self.journal is not None:
                self.journal.committed()

    def rows(self, sql: str, bindings: Bindings = ()) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with self.lock:
            return self.connection.execute(sql, bindings).fetchall()

    def value(self, sql: str, bindings: Bindings = ()) -> Any:
        """Run a statement and return the first value, or None without a row."""
        found = self.rows(sql, bindings)
        return found[0][0] if found else None

    def get(self, schema: SObject, record_id: str) -> Row | None:
        """Return a row's stored values by field name, deleted or not, or None."""
        names = [one.name for one in schema.stored_fields]
        columns = ", ".join(quote(name) for name in names)
        found = self.rows(f'SELECT {columns} FROM {quote(schema.name)} WHERE "Id" = ?', (record_id,))
        return dict(zip(names, found[0], strict=True)) if found else None

    def insert(self, table: str, row: Mapping[str, Value]) -> None:
        """Write a new row."""
        columns = ", ".join(quote(name) for name in row)
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO {quote(table)} ({columns}) VALUES ({marks})"
        self._do(Write(sql, tuple(row.values()), table, str(row["Id"]), dict(row), is_new=True))

    def update(self, table: str, record_id: str, values: Mapping[str, Value]) -> None:
        """Change some values of a row; the guard may refuse."""
        if values:
            self.guard(table, record_id, values)
            changes = ", ".join(f"{quote(name)} = ?" for name in values)
            sql = f'UPDATE {quote(table)} SET {changes} WHERE "Id" = ?'
            self._do(Write(sql, (*values.values(), record_id), table, record_id, dict(values)))

    def remove(self, table: str, record_id: str) -> None:
        """Remove a row for good; the guard may refuse."""
        self.guard(table, record_id, {})
        self._do(Write(f'DELETE FROM {quote(table)} WHERE "Id" = ?', (record_id,), table, record_id))

    def write(self, sql: str, bindings: Bindings = ()) -> None:
        """Run a writing statement that is not about one row, and note it while recording."""
        self._do(Write(sql, bindings))

    def do_again(self, write: Write, sql: str, bindings: Bindings) -> None:
        """Do a recorded write at its time, which may need another statement by then."""
        self._do(replace(write, sql=sql, bindings=bindings))

    def _do(self, write: Write) -> None:
        with self.lock:
            if self.journal is None or write.table is None or self._recording is not None:
                self._execute(write)
            else:  # a write outside of a transaction is one of its own
                with self.transaction():
                    self.journal.note(write.table, str(write.record_id), write.values or ())
                    self._execute(write)

    def _execute(self, write: Write) -> None:
        self.connection.execute(write.sql, write.bindings)
        if self._recording is not None:
            self._recording.append(write)

    @property
    def is_recording(self) -> bool:
        """Whether the writes of now are kept for later."""
        return self._recording is not None

    @contextmanager
    def recording(self) -> Iterator[list[Write]]:
        """Collect the writes of the block and take them back at its end, so that they can be done later."""
        with self.lock:
            self._recording, before = [], self._recording
            collected = self._recording
            self.connection.execute("SAVEPOINT recording")
            try:
                yield collected
            finally:
                self.connection.execute("ROLLBACK TO recording; RELEASE recording")
                self._recording = before
