"""The HTTP doors of Bulk API 2.0 ingest jobs."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from simorg.bulk_jobs import (
    ABORTED,
    FINAL,
    INGEST,
    OPEN,
    RUNNING,
    UPLOADED,
    Job,
    describe,
    jobs_of,
    listing,
)
from simorg.bulk_load import REFUSED, SUCCESSFUL, UNPROCESSED, load, result_path, upload_path
from simorg.http import ApiError, Call, Response, Route, decode_json, json_response, no_content, not_found

if TYPE_CHECKING:
    from simorg.org import SimOrg

FIRST_VERSION = 41.0
OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete"})
MAX_MULTIPART = 100_000
MAX_UPLOAD = 150_000_000
BLOCK = 1024 * 1024


def routes(org: SimOrg) -> list[Route]:
    """The routes of this module."""
    door = _Door(org)
    root = "/services/data/v{version}/jobs/ingest"
    return [
        Route(root, {"POST": door.create, "GET": door.list}, takes="application/json multipart/form-data"),
        Route(f"{root}/{{job}}", {"GET": door.get, "PATCH": door.patch, "DELETE": door.delete}),
        Route(f"{root}/{{job}}/batches", {"PUT": door.upload}, takes="text/csv"),
        Route(f"{root}/{{job}}/successfulResults", {"GET": lambda call: door.results(call, SUCCESSFUL)}),
        Route(f"{root}/{{job}}/failedResults", {"GET": lambda call: door.results(call, REFUSED)}),
        # simple-salesforce asks for unprocessedRecords; the guide writes unprocessedrecords.
        Route(f"{root}/{{job}}/unprocessedrecords", {"GET": lambda call: door.results(call, UNPROCESSED)}),
        Route(f"{root}/{{job}}/unprocessedRecords", {"GET": lambda call: door.results(call, UNPROCESSED)}),
    ]


class _Door:
    """The handlers of one org."""

    def __init__(self, org: SimOrg) -> None:
        self._org = org
        self._jobs = jobs_of(org)

    def create(self, call: Call) -> Response:
        """POST a job, alone or with its data in a multipart body."""
        if float(call.version) < FIRST_VERSION:
            raise not_found()
        boundary = re.search(r'boundary="?([^";]+)', call.headers.get("content-type", ""))
        if not call.headers.get("content-type", "").startswith("multipart/form-data") or boundary is None:
            return json_response(self._created(self._make(call, call.json_object())))
        parts = read_parts(call.body.read(), boundary[1].encode())
        if len(parts.get("content", b"")) > MAX_MULTIPART:
            raise ApiError(400, "INVALIDJOB", f"InvalidJob : content is longer than {MAX_MULTIPART} characters")
        settings = decode_json(parts.get("job", b""))
        job = self._make(call, settings if isinstance(settings, dict) else {})
        with self._new_upload(job) as file:
            file.write(parts.get("content", b""))
        return json_response(self._close(job))

    def list(self, call: Call) -> Response:
        """GET all ingest jobs."""
        return json_response(listing(call, INGEST, "jobs/ingest"))

    def get(self, call: Call) -> Response:
        """GET one job."""
        return json_response(self._info(self._jobs.find(call, INGEST)))

    def upload(self, call: Call) -> Response:
        """PUT the CSV, once."""
        job = self._jobs.find(call, INGEST)
        if upload_path(self._jobs.folder, job).exists():
            text = (
                f"Found multiple contents for job: <{job.id}>, please 'Close' / 'Abort' / 'Delete' the current Job "
                "then create a new Job and make sure you only do 'PUT' once on a given Job."
            )
            raise ApiError(400, "CLIENT_ERROR", text)
        if job.state != OPEN:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : the job is {job.state}, not {OPEN}")
        with self._new_upload(job) as file:
            shutil.copyfileobj(call.body.rewound(), file, BLOCK)
            size = file.tell()
        if size > MAX_UPLOAD:
            upload_path(self._jobs.folder, job).unlink()
            raise ApiError(400, "CLIENT_ERROR", f"The uploaded data is larger than {MAX_UPLOAD} bytes")
        return Response(201)

    def patch(self, call: Call) -> Response:
        """PATCH {"state":"UploadComplete"} or {"state":"Aborted"}."""
        job = self._jobs.find(call, INGEST)
        state = call.json_object().get("state")
        if state == UPLOADED:
            return json_response(self._close(job))
        if state != ABORTED:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : a job cannot be set to {state}")
        self._jobs.abort(job)
        return json_response(self._created(job))

    def delete(self, call: Call) -> Response:
        """DELETE a job that is not at work and not open."""
        job = self._jobs.find(call, INGEST)
        state = self._jobs.state(job)
        if state not in FINAL | {UPLOADED}:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : a job that is {state} cannot be deleted")
        self._jobs.remove(job)
        return no_content()

    def results(self, call: Call, kind: str) -> Response:
        """GET one of the three result files."""
        job = self._jobs.find(call, INGEST)
        state = self._jobs.state(job)
        if state not in FINAL:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : the job is still {state}")
        path = result_path(self._jobs.folder, job, kind)
        body = _blocks(path) if path.exists() else _blocks_of_upload(upload_path(self._jobs.folder, job), kind)
        return Response(200, body, {"Content-Type": "text/csv"})

    def _make(self, call: Call, body: dict[str, Any]) -> Job:
        operation, name = body.get("operation"), str(body.get("object") or "")
        if operation not in OPERATIONS:
            raise ApiError(400, "INVALIDJOB", f"InvalidJob : unknown operation: {operation}")
        schema = self._org.object(name)
        if schema is None:
            raise ApiError(400, "INVALIDJOB", f"InvalidJob : Unable to find object: {name}")
        if not schema.bulk:
            raise ApiError(400, "INVALIDENTITY", f"Entity '{schema.name}' is not supported by the Bulk API.")
        key = body.get("externalIdFieldName")
        found = schema.field(str(key)) if key else None
        if operation == "upsert" and (found is None or not (found.external_id or found.id_lookup)):
            raise ApiError(400, "INVALIDJOB", f"InvalidJob : externalIdFieldName is no external id field: {key}")
        job = self._jobs.make(call, INGEST, str(operation), schema.name, body)
        job.external_id = found.name if found and operation == "upsert" else None
        return job

    def _new_upload(self, job: Job) -> IO[bytes]:
        path = upload_path(self._jobs.folder, job)
        job.files.add(path)
        return path.open("wb")

    def _close(self, job: Job) -> dict[str, Any]:
        """Let the work begin; the answer is of the moment before it."""
        if job.state != OPEN:
            raise ApiError(400, "INVALIDJOBSTATE", f"InvalidJobState : the job is {job.state}, not {OPEN}")
        upload_path(self._jobs.folder, job).touch()
        job.state, job.stamp_ms = UPLOADED, self._org.clock.now_ms()
        answer = self._created(job)
        fault = self._org.faults.for_job(job.object)
        if fault == "stuck":
            job.state = RUNNING
        else:
            self._jobs.start(job, lambda one: load(self._org, self._jobs, one, break_off=fault == "failed"))
        return answer

    def _created(self, job: Job) -> dict[str, Any]:
        info = describe(job, self._jobs.state(job))
        if job.external_id:
            info["externalIdFieldName"] = job.external_id
        info["contentUrl"] = f"services/data/v{job.version}/jobs/ingest/{job.id}/batches"
        return info | {"lineEnding": job.ending, "columnDelimiter": job.delimiter}

    def _info(self, job: Job) -> dict[str, Any]:
        info = self._created(job) | {
            "jobType": INGEST,
            "numberRecordsProcessed": job.records,
            "numberRecordsFailed": job.failed,
            "retries": 0,
            "totalProcessingTime": job.spent_ms,
            "apiActiveProcessingTime": job.spent_ms,
            "apexProcessingTime": 0,
        }
        return info | {"errorMessage": job.error} if job.error and info["state"] in FINAL else info


def read_parts(body: bytes, boundary: bytes) -> dict[str, bytes]:
    """The parts of a multipart body by their names."""
    found: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary)[1:]:
        head, _, content = part.replace(b"\r\n\r\n", b"\n\n", 1).partition(b"\n\n")
        name = re.search(rb'name="([^"]+)"', head)
        if name is not None:
            ending = b"\r\n" if content.endswith(b"\r\n") else b"\n"
            found[name[1].decode()] = content.removesuffix(ending)
    return found


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block


def _blocks_of_upload(path: Path, kind: str) -> Iterator[bytes]:
    # A job that ended before its first row has nothing but unprocessed rows.
    if kind == UNPROCESSED and path.exists():
        yield from _blocks(path)
