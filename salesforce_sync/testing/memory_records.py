"""`MemoryRecords`: the records of an org in memory, and what people and time do to them."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from salesforce_sync.errors import ObjectNotFound
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.testing.clock import FrozenClock
from salesforce_sync.testing.deletion_log import DeletionLog

Values = dict[str, object]
Write = Callable[[datetime], None]


@dataclass(frozen=True, slots=True)
class Saved:
    """A record before (None: it was made) and after a write that has just been committed."""

    schema: ObjectSchema
    record_id: str
    before: Values | None
    after: Values
    at: datetime


class MemoryRecords:
    """Objects and their records. Values are Python's (`Decimal`, `datetime`, …).

    Nothing moves by itself: two writes share a stamp unless `clock` is moved between them.
    """

    def __init__(self, *schemas: ObjectSchema) -> None:
        self.clock = FrozenClock()
        self.deletion_log = DeletionLog()
        self.listeners: list[Callable[[Saved], None]] = []
        self._lock = threading.RLock()
        self._schemas: dict[str, ObjectSchema] = {}
        self._rows: dict[str, dict[str, Values]] = {}
        self._numbers = itertools.count(1)
        self._versions = itertools.count(1)
        self._described: dict[str, str] = {}
        self._uncommitted: list[tuple[datetime, Write]] | None = None
        self._open: list[list[tuple[datetime, Write]]] = []
        for schema in schemas:
            self.define(schema)

    def define(self, schema: ObjectSchema) -> None:
        """Add the object, or change it: a field that is gone takes its values with it, a new one is null."""
        names = {each.name for each in schema.columns}
        with self._lock:
            self._schemas[schema.name] = schema
            self._described[schema.name] = f"described-{next(self._versions)}"
            table = self._rows.setdefault(schema.name, {})
            for key, row in table.items():
                table[key] = {name: row.get(name) for name in names}

    def undefine(self, object_name: str) -> None:
        """Take the object away, or hide it."""
        with self._lock:
            del self._schemas[object_name], self._rows[object_name]

    def put(self, object_name: str, record_id: str | None = None, /, **values: object) -> str:
        """Create a record, or change these values of one. Gives its 18-character id."""
        schema = self._schema(object_name)
        key = to_18(record_id) if record_id else self._new_id(schema)
        # As Salesforce does, an empty text is kept as null.
        fresh = {schema.field(name).name: None if value == "" else value for name, value in values.items()}
        self._write(lambda moment: self._save(schema.name, key, fresh, moment))
        return key

    def delete(self, object_name: str, record_id: str) -> None:
        """Move a record to the recycle bin."""

        def write(moment: datetime) -> None:
            self._save(object_name, record_id, {"IsDeleted": True}, moment)
            self.deletion_log.note(object_name, record_id, moment)

        self._write(write)

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring a record back from the recycle bin."""

        def write(moment: datetime) -> None:
            self._save(object_name, record_id, {"IsDeleted": False}, moment)
            self.deletion_log.strike(object_name, record_id)

        self._write(write)

    def purge(self, object_name: str, record_id: str) -> None:
        """Remove a record, as emptying the recycle bin does: only the log of deletions still knows it."""
        with self._lock:
            row = self._rows[object_name].pop(record_id)
            if not row.get("IsDeleted"):
                self.deletion_log.note(object_name, record_id, self.clock.now())

    @contextmanager
    def late_commit(self) -> Iterator[Callable[[], None]]:
        """Writes in this block carry the stamps of their moment, and are seen when the given function is called."""
        writes: list[tuple[datetime, Write]] = []

        def commit() -> None:
            with self._lock:
                for moment, write in writes:
                    write(moment)
                writes.clear()

        self._uncommitted = writes
        self._open.append(writes)
        try:
            yield commit
        finally:
            self._uncommitted = None

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass in the org."""
        self.clock.advance(timedelta(seconds=seconds))

    def live(self, object_name: str) -> dict[str, Values]:
        """The records that are not deleted, by id: what a replica has to equal."""
        with self._lock:
            return {key: dict(row) for key, row in self._rows[object_name].items() if not row.get("IsDeleted")}

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _schema(self, object_name: str) -> ObjectSchema:
        for name, schema in self._schemas.items():
            if name.casefold() == object_name.casefold():
                return schema
        raise ObjectNotFound(f"There is no object {object_name!r}.")

    def _new_id(self, schema: ObjectSchema) -> str:
        prefix = schema.key_prefix or f"a{list(self._schemas).index(schema.name):02d}"
        return to_18(f"{prefix}{next(self._numbers):012d}")

    def _write(self, write: Write) -> None:
        moment = self.clock.now()
        with self._lock:
            if self._uncommitted is not None:
                self._uncommitted.append((moment, write))
            else:
                write(moment)

    def _save(self, object_name: str, key: str, values: Values, moment: datetime) -> None:
        schema, table = self._schemas[object_name], self._rows[object_name]
        blank: Values = {each.name: None for each in schema.columns}
        born: Values = {"Id": key, "IsDeleted": False, "CreatedDate": moment}
        stamps: Values = {"LastModifiedDate": moment, "SystemModstamp": moment}
        before = table.get(key)
        row = {**(before or {**blank, **born}), **values, **stamps}
        table[key] = {name: value for name, value in row.items() if name in blank}
        for tell in self.listeners:
            tell(Saved(schema, key, before, table[key], self.clock.now()))

    def _oldest_open(self) -> datetime | None:
        """When the oldest transaction began whose writes are not seen yet."""
        return min((moment for writes in self._open for moment, _ in writes), default=None)
