"""Late commits: writes with the stamp of their making that are seen only later, as after a long transaction.

While such a transaction is open, others cannot write its rows, delete rows that these refer to, refer to rows that it
deletes (UNABLE_TO_LOCK_ROW), nor take a unique key that it has taken (DUPLICATE_VALUE).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from simorg.clock import OrgClock
from simorg.database import Database, Row, Value, Write, quote
from simorg.folding import fold
from simorg.results import Refused
from simorg.schema import SField, SObject

Key = tuple[str, str, Value]
TAKEN = "duplicate value found: <unknown> duplicates value on record with id: <unknown>"


@dataclass(frozen=True, slots=True)
class Late:
    """Writes stamped at `started_ms` that become visible at `commit_ms`, and what they keep from others."""

    started_ms: int
    commit_ms: int
    writes: Sequence[Write]
    tables: frozenset[str]
    rows: frozenset[str]
    leaving: frozenset[str]
    needed: frozenset[str]
    keys: frozenset[Key]


class LateCommits:
    """The open transactions of an org."""

    def __init__(self, database: Database, clock: OrgClock, schema: Callable[[str], SObject | None]) -> None:
        self._database = database
        self._clock = clock
        self._schema = schema
        self._open: list[Late] = []
        database.guard = self._check_row

    @contextmanager
    def hold(self, seconds: float) -> Iterator[None]:
        """Keep the writes of the block back until the clock has gone on by `seconds`; an error drops them."""
        started = self._clock.now_ms()
        with self._database.lock:
            with self._database.recording() as writes:
                yield
            self._open.append(self._late(started, started + round(seconds * 1000), list(writes)))

    def _late(self, started: int, due: int, writes: Sequence[Write]) -> Late:
        known = [(write, str(write.record_id)) for write in writes if write.table is not None]
        rows = frozenset(key for _, key in known)
        needed = frozenset(target for write, _ in known for target in self._targets(write))
        return Late(
            started,
            due,
            writes,
            frozenset(str(write.table) for write, _ in known),
            rows,
            frozenset(key for write, key in known if write.values is None or write.values.get("IsDeleted") == 1),
            needed - rows,
            frozenset(key for write, _ in known for key in self._keys(write)),
        )

    def _targets(self, write: Write) -> Iterator[str]:
        schema = self._schema(write.table or "")
        for name, value in (write.values or {}).items():
            one = schema.field(name) if schema else None
            if one is not None and one.type == "reference" and isinstance(value, str):
                yield value

    def _keys(self, write: Write) -> Iterator[Key]:
        schema = self._schema(write.table or "")
        for name, value in (write.values or {}).items():
            one = schema.field(name) if schema else None
            if schema is not None and one is not None and one.unique and value is not None:
                yield _key(schema, one, value)

    def _check_row(self, table: str, record_id: str, values: Mapping[str, Value]) -> None:
        """Refuse to write a row of an open transaction, or to delete one that its rows refer to."""
        goes = not values or values.get("IsDeleted") == 1
        for late in self._open:
            if record_id in late.rows or (goes and record_id in late.needed):
                raise locked(record_id)

    def check_parents(self, schema: SObject, row: Row) -> None:
        """Refuse a row that refers to one which an open transaction deletes."""
        for late in self._open if self._open else ():
            for one in schema.stored_fields:
                target = row.get(one.name)
                if one.type == "reference" and isinstance(target, str) and target in late.leaving:
                    raise locked(target)

    def check_key(self, schema: SObject, one: SField, value: Value) -> None:
        """Refuse a unique value that an open transaction has taken."""
        if any(_key(schema, one, value) in late.keys for late in self._open):
            raise Refused("DUPLICATE_VALUE", TAKEN)

    def touches(self, table: str) -> bool:
        """Return whether an open transaction writes to an object."""
        return any(table in late.tables for late in self._open)

    def commit_due(self) -> None:
        """Do the writes whose time has come, in the order of their times."""
        now = self._clock.now_ms()
        if not any(late.commit_ms <= now for late in self._open):
            return
        with self._database.lock:
            due = sorted((late for late in self._open if late.commit_ms <= now), key=lambda late: late.commit_ms)
            self._open = [late for late in self._open if late.commit_ms > now]
            for late in due:
                with self._database.transaction():
                    for write in late.writes:
                        self._database.do_again(write, *self._now(write))

    def _now(self, write: Write) -> tuple[str, Sequence[Value] | Mapping[str, Value]]:
        """Return a recorded write as it is done at its commit: no stamp goes back, a deleted row stays as it is."""
        schema = self._schema(write.table or "")
        if schema is None or write.is_new or write.values is None:
            return write.sql, write.bindings
        changes = ", ".join(_change(name) for name in write.values)
        alive = ' AND "IsDeleted" = 0' if schema.soft_delete and "IsDeleted" not in write.values else ""
        sql = f'UPDATE {quote(schema.name)} SET {changes} WHERE "Id" = ?{alive}'
        return sql, (*write.values.values(), write.record_id)

    def oldest_ms(self) -> int | None:
        """Return when the oldest open transaction began, or None."""
        return min((late.started_ms for late in self._open), default=None)


def _change(name: str) -> str:
    return f"{quote(name)} = max({quote(name)}, ?)" if name == "SystemModstamp" else f"{quote(name)} = ?"


def _key(schema: SObject, one: SField, value: Value) -> Key:
    folded = fold(value) if isinstance(value, str) and not one.case_sensitive else value
    return schema.name, one.name, folded


def locked(record_id: str) -> Refused:
    """Return the refusal of a row that somebody else holds."""
    text = f"unable to obtain exclusive access to this record or 1 records: {record_id}"
    return Refused("UNABLE_TO_LOCK_ROW", text)
