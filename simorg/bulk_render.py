"""Bulk query results on disk: written once as CSV, read back as byte ranges that end where a record ends."""

from __future__ import annotations

import os
import time
from array import array
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import apsw
from isal import isal_zlib

from simorg import decimals
from simorg.bulk_jobs import ABORTED, COMPLETE, BulkJobs, Job
from simorg.soql import functions

if TYPE_CHECKING:
    from simorg.org import SimOrg

ROWS_AT_ONCE = 1000
BLOCK = 1024 * 1024
GZIP_LEVEL = 1
_ENTRY = array("Q").itemsize
_CUT = b"\xff"


@dataclass(frozen=True, slots=True)
class Result:
    """A rendered result: the rows in `path` without header, and in `index` where each row ends."""

    path: Path
    index: Path
    header: bytes
    count: int

    def range(self, first: int, count: int) -> tuple[int, int]:
        """The bytes of `count` rows from row `first` on."""
        return self._end_of(first), self._end_of(min(first + count, self.count))

    def _end_of(self, rows: int) -> int:
        if rows == 0:
            return 0
        with self.index.open("rb") as file:
            file.seek((rows - 1) * _ENTRY)
            return array("Q", file.read(_ENTRY))[0]


def result_of(job: Job, folder: Path) -> Result:
    """Where a query job's result is, or will be."""
    names = job.plan.header if job.plan else ()
    columns = job.separator.join(f'"{name}"' for name in names)
    return Result(folder / f"{job.id}.csv", folder / f"{job.id}.idx", (columns + job.newline).encode(), job.records)


def render(org: SimOrg, jobs: BulkJobs, job: Job) -> None:
    """Write a job's result and end the job; SQLite makes the lines, in one moment of the data."""
    started = time.monotonic()
    target = result_of(job, jobs.folder)
    job.files |= {target.path, target.index}
    try:
        with closing(org.snapshot()) as connection:
            functions.register(connection)
            decimals.register(connection)
            connection.execute("BEGIN")
            job.records = _write(connection, job, target)
    finally:
        job.spent_ms = round((time.monotonic() - started) * 1000)
    jobs.finish(job, COMPLETE)


def _write(connection: apsw.Connection, job: Job, target: Result) -> int:
    plan = job.plan
    if plan is None:
        raise ValueError(f"job {job.id} is no query job")
    found = next(iter(connection.execute(plan.ids_sql, plan.params)))[0]
    rows = array("q", map(int, found.split(","))) if found else array("q")
    done = written = 0
    with target.path.open("wb") as lines, target.index.open("wb") as ends:
        for at in range(0, len(rows), ROWS_AT_ONCE):
            if job.state == ABORTED:
                break
            params = plan.params | {"ids": apsw.carray(rows[at : at + ROWS_AT_ONCE])}
            block = next(iter(connection.execute(plan.page_sql, params)))[0]
            pieces = block.split(_CUT)
            places = array("Q", accumulate(map(len, pieces), initial=written))
            ends.write(memoryview(places)[1:])
            written = places[-1]
            lines.write(b"".join(pieces))
            done += len(pieces)
    return done


def plain(result: Result, begin: int, end: int) -> Iterator[bytes]:
    """The header and the bytes of a range, in blocks."""
    with result.path.open("rb", buffering=0) as file:
        yield result.header + os.pread(file.fileno(), min(BLOCK, end - begin), begin)
        for at in range(begin + BLOCK, end, BLOCK):
            yield os.pread(file.fileno(), min(BLOCK, end - at), at)


def zipped(job: Job, result: Result, begin: int, end: int) -> Iterator[bytes]:
    """The same in gzip; made at the first request for this range and kept for the next."""
    twin = result.path.with_name(f"{job.id}-{begin}-{end}.gz")
    if twin.exists():
        yield from _read(twin)
        return
    draft = twin.with_suffix(f".{uuid4().hex}")
    job.files |= {twin, draft}
    packer = isal_zlib.compressobj(GZIP_LEVEL, isal_zlib.DEFLATED, 31)
    with draft.open("wb") as file:
        for block in plain(result, begin, end):
            packed = packer.compress(block)
            if packed:
                file.write(packed)
                yield packed
        rest = packer.flush()
        file.write(rest)
    os.replace(draft, twin)
    yield rest


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            yield block
