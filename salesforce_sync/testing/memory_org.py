"""`MemoryOrg`: an org in memory that does what a test tells it, with its own clock and its own mishaps."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from salesforce_sync.errors import LimitExceeded, LocatorExpired, Misuse, ObjectNotFound, SchemaChanged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema, ObjectSummary
from salesforce_sync.ports import Usage
from salesforce_sync.testing.clock import FrozenClock
from salesforce_sync.testing.faults import Call, Fault, Faults
from salesforce_sync.testing.forms import to_rest, write_csv

Values = dict[str, object]


@dataclass(frozen=True)
class _Result:
    """A query's answer: which rows, as they were when it was asked."""

    rows: tuple[Values, ...]
    total: int


class MemoryOrg:
    """The Salesforce side, scripted. Implements `ports.Org`.

    Values are Python's (`Decimal`, `datetime`, …). Nothing moves by itself: two writes share a stamp unless `clock` is
    moved between them. A pull costs one call a page of `page_rows` rows; with `csv_folder` the pages are files, each
    result page in `segments` of them, of which only the last is a durable point.
    """

    def __init__(
        self, *schemas: ObjectSchema, page_rows: int = 2000, csv_folder: Path | None = None, segments: int = 1
    ) -> None:
        self.clock = FrozenClock()
        self.page_rows = page_rows
        self.csv_folder = csv_folder
        self.segments = segments
        self.call_limit = 15_000
        self.used_by_others = 0
        self.faults = Faults()
        self._lock = threading.RLock()
        self._schemas: dict[str, ObjectSchema] = {}
        self._rows: dict[str, dict[str, Values]] = {}
        self._results: dict[str, _Result] = {}
        self._numbers = itertools.count(1)
        self._uncommitted: list[Callable[[], None]] | None = None
        self._spent = 0
        for schema in schemas:
            self.define(schema)

    # ── the script: what people and time do to the org ───────────────────────────────────────────────────────────

    def define(self, schema: ObjectSchema) -> None:
        """Add the object, or change it: a field that is gone takes its values with it, a new one is null."""
        names = {each.name for each in schema.columns}
        with self._lock:
            self._schemas[schema.name] = schema
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
        self._write(lambda moment: self._save(object_name, record_id, {"IsDeleted": True}, moment))

    def undelete(self, object_name: str, record_id: str) -> None:
        """Bring a record back from the recycle bin."""
        self._write(lambda moment: self._save(object_name, record_id, {"IsDeleted": False}, moment))

    def purge(self, object_name: str, record_id: str) -> None:
        """Remove a record without a trace, as emptying the recycle bin does."""
        with self._lock:
            del self._rows[object_name][record_id]

    @contextmanager
    def late_commit(self) -> Iterator[Callable[[], None]]:
        """Writes in this block carry the stamps of their moment, and are seen when the given function is called."""
        writes: list[Callable[[], None]] = []

        def commit() -> None:
            with self._lock:
                for write in writes:
                    write()
                writes.clear()

        self._uncommitted = writes
        try:
            yield commit
        finally:
            self._uncommitted = None

    def tick(self, seconds: float = 1.0) -> None:
        """Let time pass in the org."""
        self.clock.advance(timedelta(seconds=seconds))

    def expire_locators(self) -> None:
        """Forget all results that are not read to their end."""
        with self._lock:
            self._results.clear()

    def fail(self, error: Exception, object_name: str | None = None, *, call: Call = "pull", page: int = 1) -> None:
        """Raise this error once, instead of giving that page (counted from 1 in each pull) or answer."""
        self.faults.add(Fault("raise", call, object_name, page, error))

    def mishap(self, kind: Literal["cut", "short"], object_name: str | None = None, *, page: int = 1) -> None:
        """Once, end a pull without an error after that page ("cut"), or leave out that page's last row ("short")."""
        self.faults.add(Fault(kind, "pull", object_name, page))

    def live(self, object_name: str) -> dict[str, Values]:
        """The records that are not deleted, by id: what a replica has to equal."""
        with self._lock:
            return {key: dict(row) for key, row in self._rows[object_name].items() if not row.get("IsDeleted")}

    # ── the port ─────────────────────────────────────────────────────────────────────────────────────────────────

    def objects(self) -> tuple[ObjectSummary, ...]:
        self._answer("objects", None)
        schemas = sorted(self._schemas.values(), key=lambda schema: schema.name)
        return tuple(
            ObjectSummary(each.name, each.label, each.queryable, each.custom, each.key_prefix) for each in schemas
        )

    def describe(self, object_name: str) -> ObjectSchema:
        self._answer("describe", object_name)
        return self._schema(object_name)

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        locator, offset, server_time = self._take_up(request)
        for number in itertools.count(1):
            fault = self._answer("pull", request.schema.name, number)
            with self._lock:
                result = self._result(locator)
            end = min(offset + self.page_rows, result.total)
            rows = [self._current(request.schema, row) for row in result.rows[offset:end]]
            shown = rows[:-1] if fault == "short" else rows
            resume = f"{locator}:{end}"
            last = end == result.total
            yield from self._pages(request.schema, shown, Page(
                request.schema, Rows(()), resume, end - offset, result.total, server_time, last
            ))  # fmt: skip
            if last or fault == "cut":
                return
            offset = end

    @property
    def usage(self) -> Usage:
        return Usage(self._spent, self._spent + self.used_by_others, self.call_limit)

    def close(self) -> None:
        """Nothing to give up."""

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _schema(self, object_name: str) -> ObjectSchema:
        for name, schema in self._schemas.items():
            if name.casefold() == object_name.casefold():
                return schema
        raise ObjectNotFound(f"There is no object {object_name!r}.")

    def _new_id(self, schema: ObjectSchema) -> str:
        prefix = schema.key_prefix or f"a{list(self._schemas).index(schema.name):02d}"
        return to_18(f"{prefix}{next(self._numbers):012d}")

    def _write(self, write: Callable[[datetime], None]) -> None:
        moment = self.clock.now()
        with self._lock:
            if self._uncommitted is not None:
                self._uncommitted.append(lambda: write(moment))
            else:
                write(moment)

    def _save(self, object_name: str, key: str, values: Values, moment: datetime) -> None:
        schema, table = self._schemas[object_name], self._rows[object_name]
        blank: Values = {each.name: None for each in schema.columns}
        born: Values = {"Id": key, "IsDeleted": False, "CreatedDate": moment}
        stamps: Values = {"LastModifiedDate": moment, "SystemModstamp": moment}
        row = {**(table.get(key) or {**blank, **born}), **values, **stamps}
        table[key] = {name: value for name, value in row.items() if name in blank}

    def _answer(self, call: Call, object_name: str | None, page: int = 1) -> str | None:
        """Count one call; raise what was scripted for it, or give the mishap's kind."""
        with self._lock:
            if self._spent + self.used_by_others >= self.call_limit:
                raise LimitExceeded("TotalRequests Limit exceeded.")
            self._spent += 1
            fault = self.faults.take(call, object_name, page)
        if fault is not None and fault.error is not None:
            raise fault.error
        return None if fault is None else fault.kind

    def _take_up(self, request: PullRequest) -> tuple[str, int, datetime | None]:
        if request.resume is not None:
            locator, _, offset = request.resume.rpartition(":")
            return locator, int(offset), None
        with self._lock:
            rows = self._ask(request)
            locator = f"memory-{next(self._numbers)}"
            self._results[locator] = _Result(rows, len(rows))
        return locator, 0, self.clock.now()

    def _ask(self, request: PullRequest) -> tuple[Values, ...]:
        schema = self._schema(request.schema.name)
        for column in request.schema.columns:
            if not schema.has(column.name):
                raise SchemaChanged(f"No such column '{column.name}' on entity '{schema.name}'.")
        rows = self._rows[schema.name].values()
        if request.since is None:
            return tuple(dict(row) for row in rows if not row.get("IsDeleted"))
        if schema.stamp is None:
            raise Misuse(f"{schema.name} has no field to tell what changed.")
        changed = [dict(row) for row in rows if _moment(row[schema.stamp]) >= request.since]
        return tuple(sorted(changed, key=lambda row: (_moment(row[schema.stamp or ""]), str(row["Id"]))))

    def _result(self, locator: str) -> _Result:
        found = self._results.get(locator)
        if found is None:
            raise LocatorExpired("invalid query locator")
        return found

    def _current(self, schema: ObjectSchema, asked: Values) -> tuple[object, ...]:
        """A row's values now: which rows come is decided when a query is asked, what they hold when it is read."""
        with self._lock:
            row = self._rows.get(schema.name, {}).get(str(asked["Id"]), asked)
            return tuple(row.get(each.name) for each in schema.columns)

    def _pages(self, schema: ObjectSchema, rows: list[tuple[object, ...]], page: Page) -> Iterator[Page]:
        """The result page, whole or in segments; `page` tells what its last part carries."""
        size = max(1, -(-len(rows) // self.segments))
        parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [[]]
        for part in parts[:-1]:
            body = self._body(schema, part)
            yield replace(page, body=body, resume=None, expected=None, last=False)
        yield replace(page, body=self._body(schema, parts[-1]))

    def _body(self, schema: ObjectSchema, rows: list[tuple[object, ...]]) -> CsvFile | Rows:
        if self.csv_folder is None:
            return Rows([tuple(map(to_rest, row)) for row in rows])
        path = self.csv_folder / f"{schema.name}-{next(self._numbers)}.csv"
        write_csv(path, schema.columns, rows)
        return CsvFile(path)


def _moment(value: Any) -> datetime:
    assert isinstance(value, datetime)
    return value
