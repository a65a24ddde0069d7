"""`MemoryOrg`: an org in memory that does what a test tells it, with its own clock and its own mishaps."""

from __future__ import annotations

import itertools
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from msgspec.structs import replace

from salesforce_sync.errors import (
    LimitExceeded,
    LocatorExpired,
    RequestRefused,
    SchemaChanged,
    SyncError,
)
from salesforce_sync.models.page import CsvFile, Deletions, Page, Poll, Polled, PullRequest, Rows
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import Described, ObjectSchema, ObjectSummary
from salesforce_sync.ports import Usage
from salesforce_sync.testing.deletion_log import Window
from salesforce_sync.testing.faults import Call, Fault, Faults
from salesforce_sync.testing.forms import to_rest, write_csv
from salesforce_sync.testing.memory_records import Values
from salesforce_sync.testing.memory_writes import MemoryWrites

POLLS_A_CALL = 5


@dataclass(frozen=True)
class _Result:
    """A query's answer: which rows, as they were when it was asked."""

    rows: tuple[Values, ...]
    total: int


class MemoryOrg(MemoryWrites):
    """The Salesforce side, scripted. Implements `ports.Org`.

    What people do to its records is in `MemoryRecords`, what changes do to them in `MemoryWrites`. A pull costs one
    call a page of `page_rows` rows; with `csv_folder` the pages are files, each result page in `segments` of them, of
    which only the last is a durable point. A poll gives the newest `poll_rows`.
    """

    def __init__(
        self, *schemas: ObjectSchema, page_rows: int = 2000, csv_folder: Path | None = None, segments: int = 1
    ) -> None:
        super().__init__(*schemas)
        self.page_rows = page_rows
        self.csv_folder = csv_folder
        self.segments = segments
        self.poll_rows = 200
        self.call_limit = 15_000
        self.used_by_others = 0
        self.refused: dict[str, set[str]] = {}
        """By object the columns, in small letters, that describe goes on telling and no query may name."""
        self.faults = Faults()
        self._results: dict[str, _Result] = {}
        self._spent = 0

    # ── the script: what goes wrong ──────────────────────────────────────────────────────────────────────────────────

    def expire_locators(self) -> None:
        """Forget all results that are not read to their end."""
        with self._lock:
            self._results.clear()

    def fail(self, error: Exception, object_name: str | None = None, *, call: Call = "pull", page: int = 1) -> None:
        """Raise this error once, instead of giving that page (counted from 1 in each pull) or answer.

        The error of a poll is raised if it has no `object_name`; with one it is the problem of that object's answer.
        """
        self.faults.add(Fault("raise", call, object_name, page, error))

    def mishap(self, kind: Literal["cut", "short"], object_name: str | None = None, *, page: int = 1) -> None:
        """Once, end a pull without an error after that page ("cut"), or leave out that page's last row ("short")."""
        self.faults.add(Fault(kind, "pull", object_name, page))

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

    def describe_together(self, object_names: Sequence[str]) -> tuple[Described | None, ...]:
        described: list[Described | None] = []
        for start in range(0, len(object_names), POLLS_A_CALL):
            self._answer("describe", None)
            described += map(self._counted, object_names[start : start + POLLS_A_CALL])
        return tuple(described)

    def _counted(self, object_name: str) -> Described | None:
        if self.faults.waits("describe", object_name):
            return None  # which is met by whoever asks for this object alone
        try:
            schema = self._schema(object_name)
        except SyncError:
            return None
        return Described(schema, len(self.live(schema.name)))

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        locator, offset, server_time = self._take_up(request)
        for number in itertools.count(1):
            fault = self._answer("pull", request.schema.name, number)
            with self._lock:
                result = self._result(locator)
            end = min(offset + self.page_rows, result.total)
            rows = [self._current(request.schema, row) for row in result.rows[offset:end]]
            kind = None if fault is None else fault.kind
            shown = rows[:-1] if kind == "short" else rows
            resume = f"{locator}:{end}"
            last = end == result.total
            # Only Bulk says how many rows a result page has; REST tells the total of them all.
            expected = end - offset if self._as_files(request) else None
            page = Page(request.schema, Rows(()), resume, expected, result.total, server_time, last)
            yield from self._pages(request, shown, page)
            if last or kind == "cut":
                return
            offset = end

    def pull_together(self, requests: Sequence[PullRequest]) -> tuple[Generator[Page, None, None], ...]:
        return tuple(map(self.pull, requests))

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        answers: list[Polled] = []
        for start in range(0, len(polls), POLLS_A_CALL):
            self._answer("poll", None)
            answers += map(self._polled, polls[start : start + POLLS_A_CALL])
        return tuple(answers)

    def deletions(self, object_name: str, start: datetime, end: datetime) -> Deletions:
        self._answer("deletions", object_name)
        with self._lock:
            schema = next((each for each in self._schemas.values() if each.name == object_name), None)
            if schema is None:
                raise RequestRefused(f"There is no object {object_name!r}.", code="NOT_FOUND")
            if not schema.replicateable:
                raise RequestRefused(f"{object_name} is not replicateable.", code="INVALID_TYPE")
            return self.deletion_log.read(object_name, Window(start, end), self.clock.now(), self._oldest_open())

    @property
    def usage(self) -> Usage:
        return Usage(self._spent, self._spent + self.used_by_others, self.call_limit, self.call_limit)

    def close(self) -> None:
        """Nothing to give up."""

    # ── within ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, call: Call, object_name: str | None, page: int = 1) -> Fault | None:
        """Count one call; raise what was scripted for it, or give another mishap."""
        with self._lock:
            if self._spent + self.used_by_others >= self.call_limit:
                raise LimitExceeded("TotalRequests Limit exceeded.")
            self._spent += 1
            fault = self.faults.take(call, object_name, page)
        if fault is not None and fault.error is not None:
            raise fault.error
        return fault

    def _take_up(self, request: PullRequest) -> tuple[str, int, datetime | None]:
        if request.resume is not None:
            locator, _, offset = request.resume.rpartition(":")
            if not offset.isdecimal():
                raise LocatorExpired(f"The pull cannot go on from {request.resume!r}.")
            return locator, int(offset), None
        with self._lock:
            rows = self._ask(request)
            locator = f"memory-{next(self._numbers)}"
            self._results[locator] = _Result(rows, len(rows))
        return locator, 0, self.clock.now()

    def _polled(self, poll: Poll) -> Polled:
        """The answer for one object; what was scripted for it alone, or is wrong with it, is its problem."""
        name = poll.schema.name
        with self._lock:
            known = self._described.get(name)
            told = self._schemas.get(name)
            told = None if known == poll.described_as or told == poll.schema else told
            known = known or poll.described_as
            try:
                fault = self.faults.take("poll", name, 1)
                if fault is not None and fault.error is not None:
                    raise fault.error
                if poll.schema.stamp is None:
                    raise RequestRefused(f"{name} has no field that tells what changed.", code="NO_STAMP")
                found = self._ask(PullRequest(poll.schema, poll.since))
            except SyncError as problem:
                return Polled(name, Rows(()), 0, self.clock.now(), told, known, problem)
            newest = [self._current(poll.schema, row) for row in found[: -self.poll_rows - 1 : -1]]
            rows = Rows([tuple(map(to_rest, row)) for row in newest])
            return Polled(name, rows, len(found), self.clock.now(), told, known)

    def _ask(self, request: PullRequest) -> tuple[Values, ...]:
        schema = self._schema(request.schema.name)
        if not request.schema.queryable:
            raise RequestRefused(f"{schema.name} cannot be queried.", code="NOT_QUERYABLE")
        for column in request.schema.columns:
            if not schema.has(column.name) or column.name.casefold() in self.refused.get(schema.name, ()):
                text = f"No such column '{column.name}' on entity '{schema.name}'."
                raise SchemaChanged(text, column=column.name)
        table = self._rows[schema.name]
        if request.ids:
            ids = dict.fromkeys(map(to_18, request.ids))
            return tuple(dict(table[each]) for each in ids if each in table)
        stamp = request.schema.stamp
        if request.since is None or stamp is None:
            return tuple(dict(row) for row in table.values() if not row.get("IsDeleted"))
        changed = [dict(row) for row in table.values() if _moment(row[stamp]) >= request.since]
        return tuple(sorted(changed, key=lambda row: (_moment(row[stamp]), str(row["Id"]))))

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

    def _as_files(self, request: PullRequest) -> bool:
        """Records that are asked for by id come as rows whatever way the rest goes: Bulk is for many."""
        return self.csv_folder is not None and not request.ids

    def _pages(self, request: PullRequest, rows: list[tuple[object, ...]], page: Page) -> Iterator[Page]:
        """The result page, whole or in segments; `page` tells what its last part carries."""
        size = max(1, -(-len(rows) // self.segments))
        parts = [rows[start : start + size] for start in range(0, len(rows), size)] or [[]]
        for part in parts[:-1]:
            body = self._body(request, part)
            yield replace(page, body=body, resume=None, expected=None, last=False)
        yield replace(page, body=self._body(request, parts[-1]))

    def _body(self, request: PullRequest, rows: list[tuple[object, ...]]) -> CsvFile | Rows:
        schema = request.schema
        if self.csv_folder is None or not self._as_files(request):
            return Rows([tuple(map(to_rest, row)) for row in rows])
        path = self.csv_folder / f"{schema.name}-{next(self._numbers)}.csv"
        write_csv(path, schema.columns, rows)
        return CsvFile(path)


def _moment(value: Any) -> datetime:
    assert isinstance(value, datetime)
    return value
