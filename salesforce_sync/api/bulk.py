"""Bulk API 2.0 query jobs: make one, wait for it, open its result pages. Every request is one API call."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import quote

import msgspec
from msgspec import Struct

from salesforce_sync.api.query import Query
from salesforce_sync.api.responses import CONFLICT, NOT_READY
from salesforce_sync.api.resume import END, BulkPoint
from salesforce_sync.api.route import first_wait, next_wait
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.api.wire import Incoming
from salesforce_sync.errors import (
    BulkRefused,
    ForeignAnswer,
    InsufficientAccess,
    JobFailed,
    JobLost,
    LoginRefused,
    ObjectNotFound,
    RequestRefused,
    SessionInvalid,
    Transient,
    Unreachable,
)
from salesforce_sync.models.page import Priority
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")

_GONE = (CONFLICT, "INVALIDJOBSTATE", "INVALIDJOB")
"""Codes by which the org says that it gives nothing of a job; it answers 404 for one that it has no more."""

PATIENCE_SECONDS = 2 * 60 * 60
"""How long a job may take."""


class _Reply(msgspec.Struct):
    id: str
    state: str
    createdDate: str | None = None
    numberRecordsProcessed: int | None = None
    errorMessage: str | None = None


# Made once, here: msgspec crashes when two threads meet a type at once that it has not seen before.
_REPLY = msgspec.json.Decoder(_Reply)


class Job(Struct, frozen=True):
    """A query job as the org shows it; `created` is the org's own time (UTC)."""

    id: str
    state: str
    created: datetime | None
    rows: int | None
    message: str

    @property
    def done(self) -> bool:
        return self.state == "JobComplete"

    @property
    def dead(self) -> bool:
        return self.state in ("Failed", "Aborted")

    @property
    def failure(self) -> JobFailed:
        """The error of a job that is dead, with the org's own reason."""
        return JobFailed(f"Bulk job {self.id} ended as {self.state}: {self.message or 'no reason was given'}.")


class Bulk:
    """The query jobs of one org, all for one priority."""

    def __init__(self, transport: Transport, clock: Clock, priority: Priority = Priority.PULL) -> None:
        self._transport = transport
        self._door = transport.bulk_door
        self._priority = priority
        self._clock = clock

    def create(self, query: Query, object_name: str) -> Job:
        """Begin a job; `BulkRefused` where the org takes none.

        If the answer is lost, or its reader dies before the id is durable, another one is made, which costs a call. The
        org lists its jobs, but not their queries: one that is found there may be another program's, of other rows.
        """
        self._door.enter()
        order = {
            "operation": query.resource,
            "query": query.soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        body = msgspec.json.encode(order)
        return self._job(self._transport.send(self._call(f"begin a Bulk query of {object_name}", "", body)).body)

    def ask(self) -> None:
        """Ask for the list of jobs: `BulkRefused` where the org takes none."""
        self._transport.send(self._call("ask whether there is a Bulk API", ""))

    def look(self, job_id: str) -> Job:
        """The job's state now; `JobLost` if the org no longer has it."""
        call = self._call(f"look at Bulk job {job_id}", f"/{quote(job_id, safe='')}")
        with _forgotten(job_id):
            return self._job(self._transport.send(call).body)

    def wait(self, job: Job, rows: int | None) -> Job:
        """The finished job; `rows` is how many it may bring. `JobFailed` if it fails or takes more than two hours."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        seconds = first_wait(rows)
        while not (job.done or job.dead):
            if self._clock.monotonic() >= deadline:
                raise JobFailed(f"Bulk job {job.id} is still {job.state} after two hours.", hint="Try again later.")
            self._clock.sleep(seconds)
            seconds = next_wait(seconds)
            job = self.look(job.id)
        if job.dead:
            raise job.failure
        return job

    def result(self, point: BulkPoint, most: int) -> Incoming:
        """The result page at this point, of so many rows at most; its body is still on its way."""
        path = f"/{quote(point.job_id, safe='')}/results?maxRecords={most}"
        if point.locator is not None:
            path += f"&locator={quote(point.locator, safe='')}"
        call = self._call(f"read the result of Bulk job {point.job_id}", path)
        try:
            return self._open(point.job_id, replace(call, headers=(("Accept", "text/csv"),)))
        except LoginRefused:
            raise
        except Transient as early:
            if early.code == NOT_READY and (job := self.look(point.job_id)).dead:
                raise job.failure from early
            raise
        except SessionInvalid as ended:
            self.look(point.job_id)  # which shows whether the session is good but for this result
            raise JobLost(f"The org does not go on with a result: {ended.message}") from ended

    def _open(self, job_id: str, call: Call) -> Incoming:
        """Twice, where the org's reason does not say that the job is gone: to make another one costs more."""
        with _forgotten(job_id):
            try:
                return self._transport.open(call)
            except RequestRefused as odd:
                if isinstance(odd, BulkRefused | ForeignAnswer) or odd.code in _GONE:
                    raise
                log.info("A result is asked for once more: %s", odd.message)
            return self._transport.open(call)

    def _call(self, doing: str, path: str, body: bytes | None = None) -> Call:
        method, refused = "GET" if body is None else "POST", self._door.error_for
        return Call(doing, f"jobs/query{path}", method, body=body, priority=self._priority, refused=refused)

    def _job(self, body: bytes) -> Job:
        try:
            told = _REPLY.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise Unreachable(f"The org's answer about a Bulk job cannot be read: {bad}.") from bad
        message = self._transport.said(told.errorMessage or "")
        return Job(told.id, told.state, read_time(told.createdDate), told.numberRecordsProcessed, message)


def next_point(point: BulkPoint, incoming: Incoming) -> BulkPoint:
    """Where the result goes on after this page; Salesforce says `null` after the last."""
    probed = point.probed if expected_rows(incoming) is None else None
    return BulkPoint(point.job_id, point.total, incoming.header("sforce-locator") or END, probed)


def expected_rows(incoming: Incoming) -> int | None:
    """How many rows the org says that this result page has."""
    told = incoming.header("sforce-numberofrecords") or ""
    return int(told) if told.isdecimal() else None


@contextmanager
def _forgotten(job_id: str) -> Iterator[None]:
    """A job lives seven days, and its results open only to the API version that made it (409), and to its own user.

    And the org, or the user, may have lost the Bulk API. Whatever the org's own reason is: to ask for the same again
    would be refused again, in this run and in all that follow. Asked anew, it tells what is really wrong.
    """
    try:
        yield
    except ForeignAnswer:
        raise  # nothing that the org has said
    except (ObjectNotFound, RequestRefused, InsufficientAccess) as refused:
        raise JobLost(f"The org no longer gives Bulk job {job_id}: {refused.message}") from refused


def read_time(text: str | None) -> datetime | None:
    """A time as the org writes it (`2018-12-10T17:50:19.000+0000`), in UTC; None where it is none."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
