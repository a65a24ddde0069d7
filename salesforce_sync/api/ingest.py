"""Bulk API 2.0 ingest jobs: make one, fill it, let it run, read what it did. Every request is one API call.

Nothing of a job is done before it is closed, so everything up to there may be given up without harm.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from urllib.parse import quote

import msgspec
from msgspec import Struct

from salesforce_sync.api.route import first_wait, next_wait
from salesforce_sync.api.transport import Call, Transport
from salesforce_sync.errors import JobFailed, SyncError, Transient, Unreachable
from salesforce_sync.models.page import Priority
from salesforce_sync.ports import Clock

PATIENCE_SECONDS = 30 * 60
"""How long a job is waited for; what it has not done then is asked for later."""

_CLOSE = b'{"state":"UploadComplete"}'
_ABORT = b'{"state":"Aborted"}'
_CSV = (("Content-Type", "text/csv; charset=UTF-8"),)
_AS_CSV = (("Accept", "text/csv"),)
_LONGEST_FIELD = 1 << 24


class _Reply(msgspec.Struct):
    id: str
    state: str
    numberRecordsProcessed: int | None = None
    numberRecordsFailed: int | None = None
    errorMessage: str | None = None


_REPLY = msgspec.json.Decoder(_Reply)
"""Made at import, when there is one thread."""


class IngestJob(Struct, frozen=True):
    """A job as the org shows it. `processed` has the failed rows too."""

    id: str
    state: str
    processed: int | None
    failed: int | None
    message: str

    @property
    def open(self) -> bool:
        return self.state == "Open"

    @property
    def over(self) -> bool:
        return self.state in ("JobComplete", "Failed", "Aborted")

    @property
    def complete(self) -> bool:
        """Whether it came to its end; some rows may have failed all the same."""
        return self.state == "JobComplete"


class Ingest:
    """The ingest jobs of one org."""

    def __init__(self, transport: Transport, clock: Clock) -> None:
        self._transport = transport
        self._door = transport.bulk_door
        self._clock = clock

    def create(self, object_name: str, operation: str) -> IngestJob:
        """Begin a job; `BulkRefused` where the org takes none.

        If the answer is lost another one is made: one that is never filled does nothing.
        """
        self._door.enter()
        order = {
            "object": object_name,
            "operation": operation,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        }
        return self._job(
            self._call(f"begin a Bulk {operation} of {object_name}", "", "POST", msgspec.json.encode(order))
        )

    def upload(self, job: IngestJob, content: bytes) -> None:
        """Fill the job. Sent once: a second upload to one job is refused."""
        path = f"{_path(job.id)}/batches"
        doing = f"upload to Bulk job {job.id}"
        call = Call(doing, path, "PUT", _CSV, content, repeatable=False, priority=Priority.PUSH)
        self._transport.send(replace(call, refused=self._door.error_for))

    def close(self, job: IngestJob) -> IngestJob:
        """Let the job run. If the answer is lost, the job's state tells whether it runs."""
        try:
            return self._job(self._patch(job.id, f"start Bulk job {job.id}", _CLOSE))
        except Transient:
            now = self.look(job.id)
            return self._job(self._patch(job.id, f"start Bulk job {job.id}", _CLOSE)) if now.open else now

    def abort(self, job: IngestJob) -> None:
        """Give up a job, if the org can be told; one that was not closed would be forgotten by itself too."""
        try:
            self._patch(job.id, f"abort Bulk job {job.id}", _ABORT)
        except SyncError:
            return

    def look(self, job_id: str) -> IngestJob:
        """The job's state now."""
        return self._job(self._call(f"look at Bulk job {job_id}", f"/{quote(job_id, safe='')}"))

    def wait(self, job: IngestJob, rows: int) -> IngestJob:
        """The job when it is over; `JobFailed` if it takes longer than half an hour."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        seconds = first_wait(rows)
        while not job.over:
            if self._clock.monotonic() >= deadline:
                raise JobFailed(f"Bulk job {job.id} is still {job.state}.", hint="It is looked at again later.")
            self._clock.sleep(seconds)
            seconds = next_wait(seconds)
            job = self.look(job.id)
        return job

    def rows(self, job: IngestJob, kind: str) -> Iterator[dict[str, str]]:
        """The rows of a result: `successfulResults`, `failedResults` or `unprocessedrecords`."""
        path = f"{_path(job.id)}/{kind}"
        refused = self._door.error_for
        call = Call(
            f"read the {kind} of Bulk job {job.id}", path, headers=_AS_CSV, priority=Priority.PUSH, refused=refused
        )
        yield from read_csv(self._transport.send(call).body)

    def _patch(self, job_id: str, doing: str, body: bytes) -> bytes:
        path, refused = _path(job_id), self._door.error_for
        call = Call(doing, path, "PATCH", body=body, repeatable=False, priority=Priority.PUSH, refused=refused)
        return self._transport.send(call).body

    def _call(self, doing: str, path: str, method: str = "GET", body: bytes | None = None) -> bytes:
        path, refused = f"jobs/ingest{path}", self._door.error_for
        call = Call(doing, path, method, body=body, priority=Priority.PUSH, refused=refused)
        return self._transport.send(call).body

    def _job(self, body: bytes) -> IngestJob:
        try:
            told = _REPLY.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as bad:
            raise Unreachable(f"The org's answer about a Bulk job cannot be read: {bad}.") from bad
        message = self._transport.said(told.errorMessage or "")
        return IngestJob(told.id, told.state, told.numberRecordsProcessed, told.numberRecordsFailed, message)


def _path(job_id: str) -> str:
    return f"jobs/ingest/{quote(job_id, safe='')}"


def write_csv(columns: Sequence[str], rows: Iterable[dict[str, str]]) -> bytes:
    """The upload: an empty cell leaves a field as it is."""
    body = io.BytesIO()
    with io.TextIOWrapper(body, "utf-8", newline="") as text:
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        text.flush()
        return body.getvalue()


def read_csv(body: bytes) -> Iterator[dict[str, str]]:
    """The rows of a result file; `Unreachable` if it cannot be read to its end."""
    csv.field_size_limit(_LONGEST_FIELD)
    try:
        text = io.TextIOWrapper(io.BytesIO(body), "utf-8-sig", newline="")
        for row in csv.DictReader(text, strict=True):
            if None in row or None in row.values():
                raise Unreachable("A row of a Bulk result has another number of values than its header.")
            yield row
    except (csv.Error, UnicodeDecodeError) as bad:
        raise Unreachable(f"A Bulk result cannot be read: {bad}.") from bad
