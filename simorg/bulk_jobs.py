"""Bulk API 2.0 jobs: their life, what is told of them, and where their files lie."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, proxy

from simorg import ids, origins
from simorg.http import ApiError, Call, not_found
from simorg.origins import INSIDE, Origin
from simorg.soql import Plan
from simorg.times import DAY_MS, rest_time

if TYPE_CHECKING:
    from simorg.org import SimOrg

LOG = logging.getLogger("simorg")
QUERY, INGEST = "V2Query", "V2Ingest"
OPEN, UPLOADED, RUNNING = "Open", "UploadComplete", "InProgress"
COMPLETE, FAILED, ABORTED = "JobComplete", "Failed", "Aborted"
FINAL = frozenset({COMPLETE, FAILED, ABORTED})
KEPT_MS = 7 * DAY_MS
OPEN_MS = DAY_MS
LIST_PAGE = 1000
AT_ONCE = 4
DELIMITERS = {"COMMA": ",", "TAB": "\t", "PIPE": "|", "SEMICOLON": ";", "CARET": "^", "BACKQUOTE": "`"}
ENDINGS = {"LF": "\n", "CRLF": "\r\n"}


@dataclass(slots=True)
class Job:
    """One job; times are the org's milliseconds; `plan` is the compiled query of a query job."""

    id: str
    kind: str
    operation: str
    object: str
    version: str
    user_id: str
    created_ms: int
    delimiter: str
    ending: str
    state: str
    stamp_ms: int
    external_id: str | None = None
    ready_ms: int = 0
    records: int = 0
    failed: int = 0
    spent_ms: int = 0
    error: str | None = None
    plan: Plan | None = None
    files: set[Path] = field(default_factory=set)
    origin: Origin = INSIDE

    @property
    def separator(self) -> str:
        """The character between values."""
        return DELIMITERS[self.delimiter]

    @property
    def newline(self) -> str:
        """The characters between rows."""
        return ENDINGS[self.ending]


class BulkJobs:
    """All Bulk 2.0 jobs of one org.

    `folder` holds their files. `processing_seconds` of the org's clock pass at least before a job is complete;
    `jobs_per_day` is the cap on query jobs in 24 hours.
    """

    def __init__(self, org: SimOrg) -> None:
        self._org: SimOrg = proxy(org)  # weak: else an org that is done with would live as long as its jobs
        # Beside the rows, so that both go when the org is closed.
        self.folder = org.database.path.with_name("bulk")
        self.folder.mkdir()
        self._jobs: dict[str, Job] = {}
        self._serial = 0
        self._lock = threading.Lock()
        self._places = threading.Semaphore(AT_ONCE)
        self.processing_seconds = 0.0
        self.jobs_per_day = 10_000

    def make(self, call: Call, kind: str, operation: str, object_name: str, body: dict[str, Any]) -> Job:
        """A new job from the body of its create request; raises ApiError for settings that do not exist."""
        self.check_allowed()
        delimiter = _choice(body, "columnDelimiter", DELIMITERS, "COMMA")
        ending = _choice(body, "lineEnding", ENDINGS, "LF")
        _choice(body, "contentType", {"CSV": ","}, "CSV")
        now = self._org.clock.now_ms()
        state = OPEN if kind == INGEST else UPLOADED
        with self._lock:
            self._forget(now)
            self._serial += 1
            made = Job(
                ids.make("750", self._serial),
                kind,
                operation,
                object_name,
                call.version,
                call.user_id,
                now,
                delimiter,
                ending,
                state,
                now,
                origin=origins.here(),
            )
            self._jobs[made.id] = made
        return made

    def find(self, call: Call, kind: str) -> Job:
        """The job of a request's path, or 404 when it is unknown, deleted or older than seven days."""
        self.check_allowed()
        now = self._org.clock.now_ms()
        with self._lock:
            self._forget(now)
            found = self._jobs.get(ids.normalize(call.params["job"]) or "")
        if found is None or found.kind != kind:
            raise not_found()
        return found

    def check_allowed(self) -> None:
        """Raise ApiError where the org, or the user, has no Bulk API."""
        code = self._org.permissions.no_bulk
        if code is not None:
            raise ApiError(403, code, "Async API not enabled")

    def remove(self, job: Job) -> None:
        """Delete a job with its files."""
        with self._lock:
            self._drop(job)

    def listed(self, kind: str) -> list[Job]:
        """The jobs of a kind, oldest first."""
        self.check_allowed()
        with self._lock:
            self._forget(self._org.clock.now_ms())
            return [job for job in self._jobs.values() if job.kind == kind]

    def made_today(self, kind: str) -> int:
        """How many jobs of a kind were made in the last 24 hours."""
        since = self._org.clock.now_ms() - DAY_MS
        return sum(1 for job in self.listed(kind) if job.created_ms > since)

    def start(self, job: Job, work: Callable[[Job], None]) -> None:
        """Let a job's work be done in a thread; a fault may leave it stuck."""
        job.ready_ms = self._org.clock.now_ms() + round(self.processing_seconds * 1000)
        threading.Thread(target=self._run, args=(job, work), name=f"simorg-{job.id}", daemon=True).start()

    def state(self, job: Job) -> str:
        """The state as the API tells it: complete only when the processing time has passed on the org's clock."""
        if job.state in (COMPLETE, FAILED) and self._org.clock.now_ms() < job.ready_ms:
            return RUNNING
        return job.state

    def finish(self, job: Job, state: str, error: str | None = None) -> None:
        """End a job, unless it was aborted meanwhile."""
        with self._lock:
            if job.state != ABORTED:
                job.error = error
                job.stamp_ms = self._org.clock.now_ms()
                job.state = state

    def abort(self, job: Job) -> None:
        """Stop a job; its work ends at the next block."""
        if self.state(job) in FINAL:
            word = "Completed" if job.state == COMPLETE else job.state
            raise ApiError(400, "INVALIDJOBSTATE", f"Aborting already {word} Job not allowed")
        with self._lock:
            job.state, job.stamp_ms = ABORTED, self._org.clock.now_ms()

    def _run(self, job: Job, work: Callable[[Job], None]) -> None:
        with self._places:
            with self._lock:
                if job.state == ABORTED:
                    return
                job.state = RUNNING
            try:
                with origins.writing(job.origin):
                    work(job)
            except Exception as problem:  # a thread has nobody above it: the job must not stay at work for ever
                if not self.folder.exists():
                    return  # the org was closed meanwhile
                LOG.exception("job %s failed", job.id)
                self.finish(job, FAILED, f"InternalServerError : {problem}")

    def _forget(self, now: int) -> None:
        for job in [one for one in self._jobs.values() if now - one.created_ms > KEPT_MS]:
            self._drop(job)
        for job in self._jobs.values():
            if job.state == OPEN and now - job.created_ms > OPEN_MS:
                job.state, job.error = FAILED, "Job was open for more than 24 hours"

    def _drop(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        job.state = job.state if job.state in FINAL else ABORTED
        for path in job.files:
            path.unlink(missing_ok=True)


_ALL: WeakKeyDictionary[SimOrg, BulkJobs] = WeakKeyDictionary()
_MAKING = threading.Lock()


def jobs_of(org: SimOrg) -> BulkJobs:
    """The one BulkJobs of an org."""
    with _MAKING:
        found = _ALL.get(org)
        if found is None:
            found = _ALL[org] = BulkJobs(org)
        return found


def describe(job: Job, state: str) -> dict[str, Any]:
    """The keys that every answer about a job has, in Salesforce's order; apiVersion is a number."""
    return {
        "id": job.id,
        "operation": job.operation,
        "object": job.object,
        "createdById": job.user_id,
        "createdDate": rest_time(job.created_ms // 1000 * 1000),
        "systemModstamp": rest_time(job.stamp_ms // 1000 * 1000),
        "state": state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
    }


def listing(call: Call, kind: str, path: str) -> dict[str, Any]:
    """The answer to a list of jobs, 1,000 at a time."""
    jobs = jobs_of(call.org)
    start = call.query.get("queryLocator", "0")
    first = int(start) if start.isdigit() else 0
    found = jobs.listed(kind)
    page = found[first : first + LIST_PAGE]
    done = first + LIST_PAGE >= len(found)
    following = None if done else f"/services/data/v{call.version}/{path}?queryLocator={first + LIST_PAGE}"
    records = [
        describe(job, jobs.state(job))
        | {"jobType": job.kind, "lineEnding": job.ending, "columnDelimiter": job.delimiter}
        for job in page
    ]
    return {"done": done, "records": records, "nextRecordsUrl": following}


def _choice(body: dict[str, Any], key: str, known: dict[str, str], default: str) -> str:
    value = body.get(key)
    if value is None:
        return default
    if value not in known:
        allowed = ", ".join(known)
        raise ApiError(400, "INVALIDJOB", f"InvalidJob : {key} must be one of {allowed}, not {value}")
    return str(value)
