"""Does the work of a Bulk 2.0 ingest job: reads its CSV, writes the rows, keeps the three result files."""

from __future__ import annotations

import csv
import itertools
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from simorg import ids
from simorg.bulk_jobs import ABORTED, COMPLETE, ENDINGS, FAILED, BulkJobs, Job
from simorg.results import Failure, Result, Saved
from simorg.schema import SObject

if TYPE_CHECKING:
    from simorg.org import SimOrg

CHUNK = 200
MAX_ROW, MAX_COLUMNS = 400_000, 5_000
NULL = "#N/A"
DELETES = frozenset({"delete", "hardDelete"})
SUCCESSFUL, REFUSED, UNPROCESSED = "successfulResults", "failedResults", "unprocessedrecords"
_HEADS: dict[str, tuple[str, ...]] = {
    SUCCESSFUL: ("sf__Id", "sf__Created"),
    REFUSED: ("sf__Id", "sf__Error"),
    UNPROCESSED: (),
}

Row = list[str]


class InvalidBatch(Exception):
    """The uploaded file cannot be worked on; the job fails with this text."""


@dataclass(frozen=True, slots=True)
class Header:
    """One column: the field it sets, or the relationship and the external id of the parent it names."""

    name: str
    relationship: str | None = None
    parent_type: str | None = None

    def put(self, row: dict[str, Any], value: str) -> None:
        """Add a value to a row as REST JSON has it; an empty one is left out, `#N/A` is null."""
        if value == "":
            return
        given = None if value == NULL else value
        if self.relationship is None:
            row[self.name] = given
            return
        key: dict[str, Any] = {self.name: given}
        if self.parent_type is not None:
            key["attributes"] = {"type": self.parent_type}
        row[self.relationship] = None if given is None else key


def upload_path(folder: Path, job: Job) -> Path:
    """Where the uploaded CSV lies."""
    return folder / f"{job.id}.upload"


def result_path(folder: Path, job: Job, kind: str) -> Path:
    """Where a result file lies."""
    return folder / f"{job.id}.{kind}"


def load(org: SimOrg, jobs: BulkJobs, job: Job, *, break_off: bool = False) -> None:
    """Write the rows of a job and end it; with `break_off` it fails half-way."""
    started = time.monotonic()
    upload = upload_path(jobs.folder, job)
    try:
        total = _check(upload, job)
        stop = total // 2 if break_off else total
        _Loader(org, jobs, job).run(upload, stop)
    except InvalidBatch as problem:
        jobs.finish(job, FAILED, f"InvalidBatch : {problem}")
        return
    finally:
        job.spent_ms = round((time.monotonic() - started) * 1000)
    if break_off:
        jobs.finish(job, FAILED, "InternalServerError : Unable to process the batch")
    else:
        jobs.finish(job, COMPLETE)


def read_rows(text: TextIO, job: Job) -> Iterator[Row]:
    """The rows of a CSV file, header first."""
    try:
        yield from csv.reader(text, delimiter=job.separator, strict=True)
    except (csv.Error, UnicodeDecodeError) as problem:
        raise InvalidBatch(f"Unable to read the CSV: {problem}") from problem


def _open(upload: Path) -> TextIO:
    return upload.open(encoding="utf-8-sig", newline="")


def _check(upload: Path, job: Job) -> int:
    """Check the shape of the whole file before any row is written; return the number of rows."""
    _check_ending(upload, job)
    with _open(upload) as text:
        rows = read_rows(text, job)
        header = next(rows, None)
        if not header:
            raise InvalidBatch("The file has no header row")
        if len(header) > MAX_COLUMNS:
            raise InvalidBatch(f"The file has more than {MAX_COLUMNS} columns")
        return _check_rows(rows, len(header))


def _check_rows(rows: Iterator[Row], columns: int) -> int:
    total = 0
    for row in rows:
        total += bool(row)
        if row and len(row) != columns:
            raise InvalidBatch(f"Row {total} has {len(row)} values, but the header has {columns}")
        if sum(map(len, row)) > MAX_ROW:
            raise InvalidBatch(f"Row {total} is longer than {MAX_ROW} characters")
    return total


def _check_ending(upload: Path, job: Job) -> None:
    with upload.open("rb") as file:
        first = file.readline(MAX_ROW)
    if first.endswith(b"\n") and first.endswith(b"\r\n") != (ENDINGS[job.ending] == "\r\n"):
        raise InvalidBatch(f"LineEnding is invalid on user data. Current LineEnding setting is {job.ending}")


class _Loader:
    """The rows of one job on their way into the org."""

    def __init__(self, org: SimOrg, jobs: BulkJobs, job: Job) -> None:
        self._org = org
        self._job = job
        self._folder = jobs.folder
        self._files: dict[str, Any] = {}
        self._headers: list[Header] = []
        self._chunk = 0

    def run(self, upload: Path, stop: int) -> None:
        """Write the first `stop` rows; the rest is unprocessed, as is everything after an abort."""
        with ExitStack() as stack:
            rows = read_rows(stack.enter_context(_open(upload)), self._job)
            names = next(rows)
            self._open_results(stack, names)
            filled = (row for row in rows if row)
            try:
                self._headers = read_headers(self._org, self._job, names)
                for chunk in _chunks(itertools.islice(filled, stop)):
                    if self._job.state == ABORTED:
                        self._files[UNPROCESSED].writerows(chunk)
                    else:
                        self._write(chunk)
            finally:
                self._files[UNPROCESSED].writerows(filled)

    def _open_results(self, stack: ExitStack, names: Row) -> None:
        for kind, head in _HEADS.items():
            path = result_path(self._folder, self._job, kind)
            self._job.files.add(path)
            file = stack.enter_context(path.open("w", encoding="utf-8", newline=""))
            self._files[kind] = _writer(file, self._job)
            self._files[kind].writerow([*head, *names])

    def _write(self, chunk: Sequence[Row]) -> None:
        records = []
        for row in chunk:
            record: dict[str, Any] = {}
            for header, value in zip(self._headers, row, strict=True):
                header.put(record, value)
            records.append(record)
        for row, record, result in zip(chunk, records, self._save(records), strict=True):
            self._note(row, record, result)

    def _note(self, row: Row, record: dict[str, Any], result: Result) -> None:
        self._job.records += 1
        if isinstance(result, Saved):
            self._files[SUCCESSFUL].writerow([result.id, str(result.created).lower(), *row])
            return
        self._job.failed += 1
        known = ids.normalize(record.get("Id")) if self._job.operation != "insert" else None
        self._files[REFUSED].writerow([result.id or known or "", error_text(result), *row])

    def _save(self, records: list[dict[str, Any]]) -> list[Result]:
        org, job = self._org, self._job
        org.tick()
        self._chunk += 1
        with org.transaction(), org.rules.in_chunk(job.id, self._chunk):
            if job.operation == "insert":
                return _each_without_id(org, job, records)
            if job.operation == "update":
                return org.update(job.object, records, user=job.user_id, trim=False)
            if job.operation == "upsert":
                return org.upsert(job.object, job.external_id or "Id", records, user=job.user_id, trim=False)
            return [self._delete(record) for record in records]

    def _delete(self, record: dict[str, Any]) -> Result:
        given = str(record.get("Id") or "")
        whole = ids.normalize(given)
        found = self._org.object_of_id(whole) if whole else None
        if whole is None or found is None or found.name.lower() != self._job.object.lower():
            return Failure("MALFORMED_ID", f"bad id {given}" if given else "Id not specified in a delete call", ("Id",))
        act = self._org.purge if self._job.operation == "hardDelete" else self._org.delete
        return act([whole])[0]


def _each_without_id(org: SimOrg, job: Job, records: list[dict[str, Any]]) -> list[Result]:
    wrong = Failure("INVALID_FIELD_FOR_INSERT_UPDATE", "cannot specify Id in an insert call", ("Id",))
    given = {number for number, record in enumerate(records) if record.get("Id")}
    others = [record for number, record in enumerate(records) if number not in given]
    rest = iter(org.create(job.object, others, user=job.user_id, trim=False))
    return [wrong if number in given else next(rest) for number in range(len(records))]


def read_headers(org: SimOrg, job: Job, names: Iterable[str]) -> list[Header]:
    """The columns of a file, or InvalidBatch for one that names no field."""
    schema = org.object(job.object)
    if schema is None:
        raise InvalidBatch(f"Unable to find object: {job.object}")
    found = [_header(org, schema, name) for name in names]
    repeated = {one.name for one in found if sum(1 for other in found if other == one) > 1}
    if repeated:
        raise InvalidBatch(f"Duplicate header : {', '.join(sorted(repeated))}")
    if job.operation in DELETES and [one.name for one in found] != ["Id"]:
        raise InvalidBatch("The 'delete' batch must contain only ids")
    return found


def _header(org: SimOrg, schema: SObject, name: str) -> Header:
    if "." not in name:
        one = schema.field(name)
        if one is None:
            raise InvalidBatch(f"Field name not found : {name}")
        return Header(one.name)
    path, _, key = name.partition(".")
    kind, _, relation = path.rpartition(":")
    reference = schema.relationship(relation)
    if reference is None:
        raise InvalidBatch(f"Field name not found : {name}")
    parent_name = kind or reference.reference_to[0]
    parent = org.object(parent_name) if parent_name.lower() in map(str.lower, reference.reference_to) else None
    field = parent.field(key) if parent else None
    if parent is None or field is None:
        raise InvalidBatch(f"Field name not found : {name}")
    return Header(field.name, reference.relationship_name, parent.name if kind or reference.polymorphic else None)


def error_text(failure: Failure) -> str:
    """A failure as `sf__Error` has it: `CODE:message:fields --`."""
    fields = f"{','.join(failure.fields)} " if failure.fields else ""
    return f"{failure.code}:{failure.message}:{fields}--"


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while chunk := list(itertools.islice(rows, CHUNK)):
        yield chunk


def _writer(file: Any, job: Job) -> Any:
    return csv.writer(file, delimiter=job.separator, lineterminator=job.newline, quoting=csv.QUOTE_ALL)
