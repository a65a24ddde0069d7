"""What an import has found so far, in a private temporary database: a workbook may have millions of rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import apsw
import msgspec
from msgspec.structs import replace

from salesforce_sync.workbook.changes import CellProblem, Kind, Reference, RowChange

_TABLES = """
CREATE TABLE seen (object TEXT, id TEXT, row INTEGER, sheet TEXT, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE wrote (key TEXT PRIMARY KEY, met INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE TABLE twice (object TEXT, id TEXT, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE change (
    number INTEGER PRIMARY KEY, kind TEXT, object TEXT, id TEXT, name TEXT, sheet TEXT, row INTEGER, body TEXT,
    cells INTEGER, looks INTEGER, outcome TEXT NOT NULL DEFAULT ''
);
CREATE INDEX change_id ON change (object, id) WHERE id <> '';
CREATE INDEX change_name ON change (name) WHERE name <> '';
CREATE INDEX change_kind ON change (kind, outcome);
CREATE INDEX change_place ON change (sheet, row);
CREATE TABLE named (name TEXT PRIMARY KEY, number INTEGER, object TEXT, made TEXT) WITHOUT ROWID;
CREATE INDEX named_number ON named (number);
CREATE TABLE external (object TEXT, field TEXT, value TEXT, name TEXT, PRIMARY KEY (object, field, value, name))
    WITHOUT ROWID;
CREATE TABLE only (object TEXT, field TEXT, value TEXT, PRIMARY KEY (object, field, value)) WITHOUT ROWID;
CREATE TABLE needs (number INTEGER, name TEXT, PRIMARY KEY (number, name)) WITHOUT ROWID;
CREATE INDEX needs_name ON needs (name);
"""
# `kind` with a plus is read in the order of the rows: of change_kind each page of rows would be sorted anew.
_CACHE_KIB = 4_096
_PUT = """
INSERT INTO change (kind, object, id, name, sheet, row, body, cells, looks) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_SPOIL = "UPDATE change SET kind = ?, id = ?, body = ?, cells = ? WHERE number = ?"


class Ledger:
    """Rows that were seen, and those that have changed, in the order of the workbook."""

    def __init__(self) -> None:
        self._db = apsw.Connection("")  # SQLite's name for a file that nobody else sees, gone when it is closed
        self._db.pragma("schema_version")
        self._db.pragma("cache_size", -_CACHE_KIB)
        self._db.pragma("synchronous", "off")
        self._db.pragma("journal_mode", "off")
        self._db.execute(_TABLES)
        self._db.execute("BEGIN")  # never to be committed: nothing of this is to outlive the process

    def close(self) -> None:
        """Forget everything."""
        self._db.close()

    # ── what was seen ────────────────────────────────────────────────────────────────────────────────────────────

    def saw(self, object_name: str, sheet: str, rows: Sequence[tuple[str, int]]) -> None:
        """Ids of exported records, and the rows they are in."""
        for record_id, row in rows:
            self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?)", (object_name, record_id, row, sheet))
            if not self._db.changes():
                self._db.execute("INSERT OR IGNORE INTO twice VALUES (?, ?)", (object_name, record_id))

    def seen(self, object_name: str) -> int:
        """How many records of an object have a row."""
        return int(self._db.execute("SELECT count(*) FROM seen WHERE object = ?", (object_name,)).get)

    def has_seen(self, object_name: str, record_id: str) -> bool:
        """Whether this record has a row."""
        return bool(self._db.execute("SELECT 1 FROM seen WHERE object = ? AND id = ?", (object_name, record_id)).get)

    # ── what earlier imports of the same export wrote ───────────────────────────────────────────────────────────────

    def wrote_before(self, key: str) -> None:
        """One of them has written to the record of this row."""
        self._db.execute("INSERT OR IGNORE INTO wrote (key) VALUES (?)", (key,))

    def has_written(self, key: str) -> bool:
        """Whether one of them has."""
        return bool(self._db.execute("SELECT 1 FROM wrote WHERE key = ?", (key,)).get)

    def met(self, key: str) -> None:
        """The row is there."""
        self._db.execute("UPDATE wrote SET met = 1 WHERE key = ?", (key,))

    def not_met(self, begins: str) -> Iterator[str]:
        """The rows that they wrote and that are not there, of which the keys begin so."""
        for (key,) in self._db.execute("SELECT key FROM wrote WHERE key GLOB ? || '*' AND NOT met", (begins,)):
            yield str(key)

    # ── changes ──────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, change: RowChange, *, looks: bool = False) -> None:
        """Keep this one. `looks`: its lookups name records in other ways than by their ids."""
        body = msgspec.json.encode(change).decode()
        what = (change.kind, change.object_name, change.record_id, change.name, change.sheet, change.row, body)
        self._db.execute(_PUT, (*what, len(change.cells), looks))
        number = self._db.last_insert_rowid()
        if change.name and (change.kind is not Kind.PROBLEM or change.record_id):
            made = change.record_id or None  # there is a record already, whatever is wrong with its row
            named = (change.name, number, change.object_name, made)
            self._db.execute("INSERT OR IGNORE INTO named VALUES (?, ?, ?, ?)", named)
        for reference in change.references:
            self._db.execute("INSERT OR IGNORE INTO needs VALUES (?, ?)", (number, reference.name))

    def counts(self) -> Iterator[tuple[str, Kind, int, int]]:
        """Of each object and kind: how many rows, and how many of their cells have another value."""
        counted = "SELECT object, kind, count(*), sum(cells) FROM change GROUP BY object, kind"
        for name, kind, rows, cells in self._db.execute(counted):
            yield str(name), Kind(str(kind)), int(rows), int(cells)

    def count(self, kind: Kind) -> int:
        """How many rows are of this kind."""
        return int(self._db.execute("SELECT count(*) FROM change WHERE kind = ?", (kind,)).get)

    def looking(self) -> Iterator[tuple[int, RowChange]]:
        """Good rows whose lookups name records in other ways than by their ids."""
        yield from self._changes("looks AND +kind IN ('new', 'edited')", ())

    def has_name(self, name: str) -> bool:
        """Whether a new row of this name is there already."""
        return bool(self._db.execute("SELECT 1 FROM change WHERE name = ?1 AND name <> ''", (name,)).get)

    def spoil(self, number: int, change: RowChange, problem: CellProblem) -> None:
        """The row cannot be taken in after all."""
        spoilt = replace(change, kind=Kind.PROBLEM, problems=(*change.problems, problem))
        self.rewrite(number, spoilt)
        self._db.execute("DELETE FROM named WHERE number = ?", (number,))

    def rewrite(self, number: int, change: RowChange) -> None:
        """The row is this, now that more is known."""
        body = msgspec.json.encode(change).decode()
        self._db.execute(_SPOIL, (change.kind, change.record_id, body, len(change.cells), number))

    def forget(self, number: int) -> None:
        """The row is no change after all."""
        self._db.execute("DELETE FROM change WHERE number = ?", (number,))

    def refer(self, number: int, change: RowChange, reference: Reference) -> None:
        """A lookup that named a record by a field of its own names a new row."""
        self.rewrite(number, replace(change, references=(*change.references, reference)))
        self._db.execute("INSERT OR IGNORE INTO needs VALUES (?, ?)", (number, reference.name))

    def changes(self, *kinds: Kind) -> Iterator[tuple[int, RowChange]]:
        """Those of these kinds, or all, with their numbers, in their order."""
        yield from self._changes(f"+kind IN ({', '.join('?' * len(kinds))})" if kinds else "1", kinds)

    def copies(self) -> Iterator[tuple[int, RowChange]]:
        """Edited rows whose record has another row."""
        twice = "EXISTS (SELECT 1 FROM twice t WHERE t.object = change.object AND t.id = change.id)"
        yield from self._changes(f"+kind IN ('edited', 'deleted') AND {twice}", ())

    def between(self, sheet: str, top: int, bottom: int) -> Iterator[tuple[int, RowChange]]:
        """Good rows of a sheet, from one of its rows to another."""
        within = "sheet = ? AND row BETWEEN ? AND ? AND +kind IN ('new', 'edited')"
        yield from self._changes(within, (sheet, top, bottom))

    def rows_of(self, object_name: str, record_id: str) -> int:
        """The row in which a record was seen first."""
        return int(
            self._db.execute("SELECT row FROM seen WHERE object = ? AND id = ?", (object_name, record_id)).get or 0
        )

    def lacking(self) -> Iterator[tuple[int, RowChange, str]]:
        """Good rows that refer to a new row which is not there, or cannot be taken in; with its name."""
        at = 0
        while True:
            found = self._db.execute(
                "SELECT c.number, c.body, n.name FROM change c JOIN needs n ON n.number = c.number"
                " WHERE +c.kind IN ('new', 'edited') AND c.number > ? AND NOT EXISTS"
                " (SELECT 1 FROM named d WHERE d.name = n.name) ORDER BY c.number LIMIT 1",
                (at,),
            ).fetchone()
            if found is None:
                return
            at = found[0]
            yield int(found[0]), msgspec.json.decode(found[1], type=RowChange), str(found[2])

    def has_lacking(self) -> bool:
        """Whether there is any."""
        return next(self.lacking(), None) is not None

    def object_of(self, name: str) -> str:
        """The object of the new row of this name; '' if there is none."""
        return str(self._db.execute("SELECT object FROM named WHERE name = ?", (name,)).get or "")

    # ── external ids of new rows ─────────────────────────────────────────────────────────────────────────────────

    def offer(self, object_name: str, field: str, value: str, name: str) -> None:
        """A new row can be named by this value of this field."""
        self._db.execute(
            "INSERT OR IGNORE INTO external VALUES (?, ?, ?, ?)",
            (object_name, field.casefold(), value.casefold(), name),
        )

    def offered(self, object_name: str, field: str, value: str) -> list[str]:
        """The names of the new rows that have this value; two at most."""
        found = self._db.execute(
            "SELECT name FROM external WHERE object = ? AND field = ? AND value = ? LIMIT 2",
            (object_name, field.casefold(), value.casefold()),
        )
        return [str(name) for (name,) in found]

    def is_first(self, object_name: str, field: str, value: str) -> bool:
        """Whether no new row before this one, that asked, has this value of a field that is unique."""
        self._db.execute("INSERT OR IGNORE INTO only VALUES (?, ?, ?)", (object_name, field, value))
        return bool(self._db.changes())

    # ── taking in ────────────────────────────────────────────────────────────────────────────────────────────────

    def ready(self, most: int) -> list[tuple[int, RowChange]]:
        """New rows, not taken in yet, whose lookups all name records that are there by now."""
        waits = (
            "EXISTS (SELECT 1 FROM needs n JOIN named d ON d.name = n.name WHERE n.number = change.number"
            " AND d.made IS NULL)"
        )
        return list(self._changes(f"kind = 'new' AND outcome = '' AND NOT {waits}", (), most))

    def stuck(self, most: int) -> list[tuple[int, RowChange]]:
        """New rows, not taken in yet, that wait for one another."""
        return list(self._changes("kind = 'new' AND outcome = ''", (), most))

    def waiting(self, kind: Kind, most: int) -> list[tuple[int, RowChange]]:
        """Rows of this kind that are not taken in yet."""
        return list(self._changes("kind = ? AND outcome = ''", (kind,), most))

    def made(self, name: str) -> str:
        """The id of the record that the new row of this name has become; '' as long as it has not."""
        return str(self._db.execute("SELECT made FROM named WHERE name = ?", (name,)).get or "")

    def settle(self, number: int, outcome: str, record_id: str = "") -> None:
        """A row was taken in, or refused."""
        self._db.execute("UPDATE change SET outcome = ? WHERE number = ?", (outcome, number))
        if record_id:
            self._db.execute("UPDATE named SET made = ? WHERE number = ?", (record_id, number))

    def messages(self, sheet: str, called: Callable[[str], str]) -> Iterator[tuple[int, str, str]]:
        """What to write into the rows of a sheet, in their order: row, message, and what a new row is called whose
        record is there; '' for what is not to be written. `called` is how the sheet's reader knows a field."""
        found = self._db.execute(
            "SELECT row, kind, body, outcome, name FROM change WHERE sheet = ? AND row > 0 ORDER BY row", (sheet,)
        )
        for row, kind, body, outcome, name in found:
            message = msgspec.json.decode(body, type=RowChange).told(called) if kind == Kind.PROBLEM else outcome
            made = str(name) if kind == Kind.KNOWN or (kind == Kind.NEW and outcome) else ""
            if message or made:
                yield int(row), str(message), made

    def _changes(
        self, condition: str, bindings: Sequence[object], most: int | None = None
    ) -> Iterator[tuple[int, RowChange]]:
        """Read so that rows may be altered meanwhile: by their numbers, some at a time."""
        at, left = 0, most
        while left is None or left > 0:
            some = 200 if left is None else min(200, left)
            select = f"SELECT number, body FROM change WHERE {condition} AND number > {at} ORDER BY number LIMIT {some}"
            found = list(self._db.execute(select, tuple(bindings)))
            for number, body in found:
                yield int(number), msgspec.json.decode(body, type=RowChange)
            if len(found) < some:
                return
            at = int(found[-1][0])
            left = None if left is None else left - len(found)
