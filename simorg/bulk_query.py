"""The HTTP doors of Bulk API 2.0 query jobs."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from simorg.bulk_jobs import (
    ABORTED,
    COMPLETE,
    DELIMITERS,
    FAILED,
    FINAL,
    QUERY,
    RUNNING,
    UPLOADED,
    Job,
    describe,
    jobs_of,
    listing,
)
from simorg.bulk_render import plain, render, result_of, zipped
from simorg.http import ApiError, Call, Response, Route, json_response, no_content, not_found, takes_gzip
from simorg.soql import Context, Csv, Plan, SoqlError, compile_csv, parse

if TYPE_CHECKING:
    from simorg.org import SimOrg

FIRST_VERSION = 47.0
PAGES_SINCE = 58.0
PAGE_ROWS = 100_000
PAGES_LISTED = 5


def routes(org: SimOrg) -> list[Route]:
    """The routes of this module."""
    door = _Door(org)
    root = "/services/data/v{version}/jobs/query"
    return [
        Route(root, {"POST": door.create, "GET": door.list}),
        Route(f"{root}/{{job}}", {"GET": door.get, "PATCH": door.patch, "DELETE": door.delete}),
        Route(f"{root}/{{job}}/results", {"GET": door.results}),
        Route(f"{root}/{{job}}/resultPages", {"GET": door.pages}),
    ]


class _Door:
    """The handlers of one org."""

    def __init__(self, org: SimOrg) -> None:
        self._org = org
        self._jobs = jobs_of(org)

    def create(self, call: Call) -> Response:
        """POST a query: errors of the query itself come at once."""
        if float(call.version) < FIRST_VERSION:
            raise not_found()
        body = call.json_object()
        operation = body.get("operation")
        if operation not in ("query", "queryAll"):
            raise ApiError(400, "INVALIDJOB", f"InvalidJob : operation must be query or queryAll, not {operation}")
        cap = self._jobs.jobs_per_day
        if self._jobs.made_today(QUERY) >= cap:
            raise ApiError(400, "LIMIT_EXCEEDED", f"Max bulk v2 query jobs ({cap}) per 24 hrs has been reached")
        plan = self._compile(call, body, operation)
        job = self._jobs.make(call, QUERY, operation, plan.schema.name, body)
        job.plan = plan
        answer = self._created(job)
        self._start(job)
        return json_response(answer)

    def list(self, call: Call) -> Response:
        """GET all query jobs."""
        return json_response(listing(call, QUERY, "jobs/query"))

    def get(self, call: Call) -> Response:
        """GET one job."""
        return json_response(self._info(self._jobs.find(call, QUERY)))

    def patch(self, call: Call) -> Response:
        """PATCH {"state":"Aborted"}."""
        job = self._jobs.find(call, QUERY)
        state = call.json_object().get("state")
        if state != ABORTED:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : a query job cannot be set to {state}")
        self._jobs.abort(job)
        return json_response(self._created(job))

    def delete(self, call: Call) -> Response:
        """DELETE a job that has ended."""
        job = self._jobs.find(call, QUERY)
        if self._jobs.state(job) not in FINAL:
            raise ApiError(400, "INVALIDJOBSTATE", "Deleting a Job that is not in a final state is not allowed")
        self._jobs.remove(job)
        return no_content()

    def results(self, call: Call) -> Response:
        """GET a page of the result as CSV."""
        job = self._ready(call)
        first, count = _locator(call, job)
        result = result_of(job, self._jobs.folder)
        begin, end = result.range(first, count)
        number = min(count, job.records - first)
        last = first + number >= job.records
        headers = {
            "Content-Type": "text/csv",
            "Sforce-NumberOfRecords": str(number),
            "Sforce-Locator": "null" if last else _encode(str(first + number)),
        }
        if takes_gzip(call.headers.get("accept-encoding", "")):
            headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
            return Response(200, zipped(job, result, begin, end), headers)
        return Response(200, plain(result, begin, end), headers)

    def pages(self, call: Call) -> Response:
        """GET resultPages: up to five URLs that may be read side by side."""
        if float(call.version) < PAGES_SINCE:
            raise not_found()
        job = self._ready(call)
        first, count = _locator(call, job)
        root = f"/services/data/v{call.version}/jobs/query/{job.id}"
        starts = range(first, max(job.records, 1), count)
        listed = [
            {"resultUrl": f"{root}/results?locator={_encode(f'{start}:{count}')}"} for start in starts[:PAGES_LISTED]
        ]
        rest = starts[PAGES_LISTED:]
        body: dict[str, Any] = {"resultPages": listed}
        if rest:
            body["nextRecordsUrl"] = f"{root}/resultPages?locator={_encode(f'{rest[0]}:{count}')}"
        return json_response(body | {"done": not rest})

    def _compile(self, call: Call, body: dict[str, Any], operation: str) -> Plan:
        delimiter = DELIMITERS.get(str(body.get("columnDelimiter", "COMMA")), ",")
        ending = "\r\n" if body.get("lineEnding") == "CRLF" else "\n"
        try:
            query = parse(str(body.get("query") or ""))
            with self._org.lock:
                context = Context(self._org, call.version, call.user_id, operation == "queryAll", plain_only=True)
                plan = compile_csv(query, context, Csv(delimiter, ending))
        except SoqlError as error:
            raise ApiError(400, error.code, error.message) from error
        if not plan.schema.bulk:
            raise ApiError(400, "INVALIDENTITY", f"Entity '{plan.schema.name}' is not supported by the Bulk API.")
        return plan

    def _start(self, job: Job) -> None:
        fault = self._org.faults.for_job(job.object)
        if fault == "stuck":
            job.state = RUNNING
        elif fault == "failed":
            self._jobs.finish(job, FAILED, "InternalServerError : Retried more than fifteen times")
        else:
            self._jobs.start(job, lambda one: render(self._org, self._jobs, one))

    def _created(self, job: Job) -> dict[str, Any]:
        return describe(job, self._jobs.state(job)) | {"lineEnding": job.ending, "columnDelimiter": job.delimiter}

    def _info(self, job: Job) -> dict[str, Any]:
        state = self._jobs.state(job)
        ended = state in FINAL
        info = describe(job, state) | {
            "jobType": QUERY,
            "lineEnding": job.ending,
            "columnDelimiter": job.delimiter,
            "numberRecordsProcessed": job.records if ended else 0,
            "retries": 0,
            "totalProcessingTime": job.spent_ms if ended else 0,
            "isPkChunkingSupported": _is_chunked(job),
        }
        return info | {"errorMessage": job.error} if job.error and ended else info

    def _ready(self, call: Call) -> Job:
        job = self._jobs.find(call, QUERY)
        if call.version != job.version:
            text = f"The API version {call.version} of the request differs from the job's, {job.version}"
            raise ApiError(409, "API_VERSION_CONFLICT", text)
        state = self._jobs.state(job)
        if state in (RUNNING, UPLOADED):
            raise ApiError(412, "JOB_NOT_COMPLETE", f"Job {job.id} is not complete: its state is {state}")
        if state != COMPLETE:
            raise ApiError(
                400, "INVALIDJOBSTATE", f"InvalidJobState : Job {job.id} has no results: its state is {state}"
            )
        return job


def _is_chunked(job: Job) -> bool:
    """Whether the work could be cut by ids: ORDER BY and LIMIT forbid it."""
    return job.plan is not None and not job.plan.query.order and job.plan.query.limit is None


def _encode(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _locator(call: Call, job: Job) -> tuple[int, int]:
    """First row and number of rows that a request asks for."""
    wanted = call.query.get("maxRecords", "")
    if wanted and (not wanted.isdigit() or int(wanted) == 0):
        raise ApiError(400, "INVALIDJOB", f"maxRecords must be a positive number, not {wanted}")
    locator = call.query.get("locator", "")
    first, size = _decode(locator) if locator else (0, None)
    if first is None or (first >= job.records and first > 0):
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    return first, int(wanted) if wanted else size or PAGE_ROWS


def _decode(locator: str) -> tuple[int | None, int | None]:
    try:
        text = base64.urlsafe_b64decode(locator + "=" * (-len(locator) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None, None
    first, _, size = text.partition(":")
    if not first.isdigit() or (size and not size.isdigit()):
        return None, None
    return int(first), int(size) if size else None
