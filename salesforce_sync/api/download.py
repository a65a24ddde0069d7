"""Bulk result pages on their way to disk: streamed, inflated, cut into CSV files at record boundaries.

A page that breaks off in its body is fetched again as long as none of its segments was handed out. Later, the error
goes to the caller, who takes up at the last `Page.resume`: everything after that is then given once more. Either way,
fewer rows are asked for after the second time (`PageSizes`).
"""

from __future__ import annotations

import csv
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from itertools import chain
from pathlib import Path

from msgspec import Struct

from salesforce_sync.api.bulk import expected_rows, next_point
from salesforce_sync.api.page_sizes import PageSizes
from salesforce_sync.api.resume import BulkPoint
from salesforce_sync.api.retry import pause
from salesforce_sync.api.route import RESULT_PAGE_ROWS, result_page_rows
from salesforce_sync.api.segment_file import SegmentFile
from salesforce_sync.api.segments import cut, split_header
from salesforce_sync.api.wire import Incoming
from salesforce_sync.errors import Incomplete, LocatorExpired, SchemaChanged, Unreachable
from salesforce_sync.models.page import CsvFile, Page, Rows
from salesforce_sync.models.schema import ObjectSchema

SEGMENT_BYTES = 8 << 20
"""Of a file: the first one is staged by itself, and the last one when all else is done, so that small ones let loading
begin early. Each is a transaction, which waits for the disk."""
_BOM = b"\xef\xbb\xbf"


class Source(Struct, frozen=True):
    """Where a job's result comes from, by so many rows a page, and how to wait between tries."""

    fetch: Callable[[BulkPoint, int], Incoming]
    sleep: Callable[[float], None]
    sizes: PageSizes


class Told(Struct, frozen=True):
    """What is known of the whole pull; it goes with each of its pages."""

    schema: ObjectSchema
    total: int | None
    server_time: datetime | None


class Download:
    """The pages of a job's result from a point on, in order. `abort` may be called from another thread."""

    def __init__(self, source: Source, point: BulkPoint, told: Told, directory: Path) -> None:
        self._source = source
        self._point = point
        self._told = told
        self._directory = directory
        self._incoming: Incoming | None = None
        self._aborted = False
        self._handed_out = 0
        self._fetched = {point.locator}

    def __iter__(self) -> Iterator[Page]:
        while not (self._point.finished or self._aborted):
            yield from self._with_retries()

    def abort(self) -> None:
        """End the transfer that is under way, and begin no other."""
        self._aborted = True
        if self._incoming is not None:
            self._incoming.abort()

    def _with_retries(self) -> Iterator[Page]:
        tried = self._handed_out = 0
        job_id, sizes = self._point.job_id, self._source.sizes
        while True:
            asked = sizes.rows(job_id, result_page_rows(len(self._told.schema.columns), RESULT_PAGE_ROWS))
            incoming = self._source.fetch(self._point, asked)  # which is tried again within, until an answer begins
            try:
                yield from self._result_page(incoming, asked)
                return
            except (Unreachable, Incomplete) as error:
                tried += 1
                if isinstance(error, Unreachable) and not self._aborted:
                    sizes.broke(job_id, expected_rows(incoming) or asked)
                seconds = pause(tried, None, random.random())
                if self._handed_out or seconds is None or self._aborted:
                    raise
            self._source.sleep(seconds)

    def _result_page(self, incoming: Incoming, asked: int) -> Iterator[Page]:
        body: CsvFile | Rows = Rows(())
        with closing(incoming):
            self._incoming = incoming
            if self._aborted:  # while the answer was still awaited, so that nothing could be ended
                return
            after, expected = next_point(self._point, incoming), expected_rows(incoming)
            if after.locator in self._fetched:
                raise LocatorExpired(f"The org sends the same result page of Bulk job {after.job_id} again and again.")
            for file, more in self._files(incoming, expected):
                if more:
                    self._handed_out += 1
                    yield self._page(file)
                else:
                    body = file
        self._point = after
        self._fetched.add(after.locator)
        self._source.sizes.whole(after.job_id, asked)
        if after.finished:
            self._source.sizes.forget(after.job_id)
        yield self._page(body, resume=str(after), expected=expected, last=after.finished)

    def _files(self, incoming: Incoming, expected: int | None) -> Iterator[tuple[CsvFile, bool]]:
        """The result page as files; with each, whether more may follow."""
        blocks = _whole(incoming)
        header, begun = split_header(blocks)
        header = header.removeprefix(_BOM)
        places = self._places(header, expected)
        writer: SegmentFile | None = None
        try:
            for piece, ends in cut(chain((begun,), blocks), SEGMENT_BYTES):
                writer = writer or SegmentFile(self._directory, self._told.schema.name, header)
                writer.write(piece)
                if ends:
                    finished, writer = writer.finish(places), None
                    yield finished, True
            if writer is not None:
                finished, writer = writer.finish(places), None
                yield finished, False
            elif expected and not self._handed_out:
                raise Incomplete(f"The org announced {expected:,} rows of {self._told.schema.name} and sent none.")
        finally:
            if writer is not None:
                writer.discard()

    def _places(self, header: bytes, expected: int | None) -> tuple[int, ...]:
        """Where each column stands in the file; empty: in the order of the query.

        The columns must be those that were asked for: nothing later looks at their names.
        """
        if not header and not expected:
            return ()
        wanted = [field.name.casefold() for field in self._told.schema.columns]
        text = header.decode("utf-8", "replace")
        found = [name.casefold() for name in next(csv.reader([text.rstrip("\r\n")]), [])]
        if found == wanted:
            return ()
        if sorted(found) != sorted(wanted):
            raise SchemaChanged(
                f"The Bulk result of {self._told.schema.name} has other columns than were asked for: {text[:200]!r}.",
                code="UNEXPECTED_COLUMNS",
                hint="Sync again: a field may have been hidden or renamed just now.",
            )
        return tuple(map(found.index, wanted))

    def _page(
        self, body: CsvFile | Rows, *, resume: str | None = None, expected: int | None = None, last: bool = False
    ) -> Page:
        told = self._told
        total = self._point.probed if told.total is None else told.total
        return Page(told.schema, body, resume, expected, total, told.server_time, last)


def _whole(incoming: Incoming) -> Iterator[bytes]:
    """The body's blocks; where the transfer has no end mark of its own, the last record's newline is one."""
    last = b"\n"
    for block in incoming.blocks():
        yield block
        last = block[-1:] or last
    if last != b"\n" and not incoming.framed:
        raise Unreachable("The result was cut off in the middle of a record.")
