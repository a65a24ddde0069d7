"""One pull of an object's rows: by REST or by Bulk, whichever costs fewer calls, from its start or a durable point."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from msgspec.structs import replace

from salesforce_sync.api import composite, query, rest, route
from salesforce_sync.api.ahead import ahead
from salesforce_sync.api.bulk import Bulk, Job
from salesforce_sync.api.by_id import ById
from salesforce_sync.api.download import Download, Source, Told
from salesforce_sync.api.query import Query
from salesforce_sync.api.resume import BulkPoint, RestPoint, SplitPoint, parse
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.api.windows import SplitPull, of_point
from salesforce_sync.errors import BulkRefused, JobFailed, ObjectTrouble, QueryTimeout, RequestRefused
from salesforce_sync.models.connection import Session
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.ports import Clock

log = logging.getLogger("salesforce_sync.api")

_SEGMENTS_AHEAD = 2
"""Segments that wait on disk for their merge, beside the one that is being written."""


class Pull:
    """What `ports.Org.pull` does for one request. Result files go to `work_dir`."""

    def __init__(
        self,
        transport: Transport,
        request: PullRequest,
        work_dir: Path,
        clock: Clock,
        first: rest.Glance | None = None,
    ) -> None:
        """`first` is the first page of the request's query, where it has been asked already."""
        self._transport = transport
        self._request = request
        self._first = first
        self._schema = request.schema
        self._work_dir = work_dir
        self._clock = clock
        self._slow = False
        self._bulk = Bulk(transport, clock, request.priority)
        self._purpose = rest.Purpose(f"read {request.schema.name}", request.priority)

    def pages(self) -> Generator[Page, None, None]:
        """The pages, from the request's durable point or from the start."""
        if self._request.resume is not None:
            yield from self._go_on(parse(self._request.resume))
        elif not self._schema.queryable:
            raise query.not_queryable(self._schema)
        elif self._request.ids:
            yield from ById(self._transport, self._schema, self._request.ids, self._purpose).pages()
        else:
            yield from self._begin()

    def _go_on(self, point: BulkPoint | RestPoint | SplitPoint) -> Iterator[Page]:
        if isinstance(point, BulkPoint):
            return self._resume_job(point)
        if isinstance(point, SplitPoint):
            return self._split().pages(of_point(point), point.rows)
        return self._rest(self._transport.session()).go_on(point)

    def _begin(self) -> Iterator[Page]:
        """Ask the first REST page: small results are then complete, and large ones have told their size."""
        for_bulk, for_rest = queries(self._request)
        if self._first is None and begins_with_job(self._request):
            job = self._cheaper_job(for_bulk)
            if job is not None:
                yield from self._job_pages(job, self._request.rows)
                return
        first, self._first = self._first or self._probe(for_rest), None
        if first is None:
            yield from self._only_by_job(for_bulk)
            return
        probe = route.Probe(first.outline.total, first.outline.rows, first.outline.done)
        by_job = self._request.jobs and route.choose(probe) is route.Route.BULK
        job = self._cheaper_job(for_bulk) if by_job else None
        if job is None and self._request.by_id and not first.outline.done:
            yield from self._split().by_id()
            return
        if job is None:
            pages = self._rest(first.session).after(first.first_page(PageDecoder(self._schema)))
            del first  # it is not held while the others come
            yield from pages
            return
        del first  # its rows come again
        yield from self._job_pages(job, probe.total)

    def _probe(self, asked: Query) -> rest.Glance | None:
        """The first page; None where a GET does not do: the query is too long for one, or too slow."""
        too_long = query.too_long(self._schema, asked)
        if too_long is not None:
            raise too_long
        if not rest.query_fits(self._transport, asked):
            return None
        try:
            return rest.glance(self._transport, asked, PageDecoder(self._schema), self._purpose)
        except QueryTimeout as slow:
            self._note_slow(slow)
        except RequestRefused as refused:
            if refused.code != "URI_TOO_LONG":
                raise
        return None

    def _note_slow(self, slow: QueryTimeout) -> None:
        log.info("%s goes another way: %s", self._schema.name, slow.message)
        self._slow = True

    def _cheaper_job(self, asked: Query) -> Job | None:
        """A Bulk job; None where Bulk does not take what REST has just taken (some objects, a used-up job quota)."""
        try:
            return self._bulk.create(asked, self._schema.name)
        except BulkRefused:
            return None  # which has been told once for all objects
        except QueryTimeout as slow:
            self._note_slow(slow)
            return None
        except ObjectTrouble as refused:
            log.warning("%s goes by REST, with more calls: %s", self._schema.name, refused.message)
            return None

    def _only_by_job(self, asked: Query) -> Iterator[Page]:
        """By Bulk what a GET cannot answer; by composite, or in windows, where Bulk does not take it."""
        try:
            job = self._promised_job(asked)
        except (RequestRefused, QueryTimeout) as refused:
            log.info("%s goes without Bulk: %s", self._schema.name, refused.message)
            slow = self._slow or isinstance(refused, QueryTimeout)
            yield from self._split().begin() if slow else self._within_post(refused)
            return
        yield from self._job_pages(job, None)

    def _promised_job(self, asked: Query) -> Job:
        if self._request.jobs:
            return self._bulk.create(asked, self._schema.name)
        raise RequestRefused(f"Bulk jobs for {self._schema.name} have failed.", code="JOBS_FAILED")

    def _within_post(self, refused: RequestRefused | QueryTimeout) -> Iterator[Page]:
        """The pages of a query that is too long for a GET; what follows the first has short addresses."""
        _, asked = queries(self._request)
        try:
            first = composite.first_page(self._transport, asked, PageDecoder(self._schema), self._purpose)
        except ObjectTrouble as neither:
            raise RequestRefused(
                f"{self._schema.name} fits no way in: it is too wide for a GET, {refused.message} {neither.message}",
                code=refused.code,
                hint="Leave the object out, or hide fields that are not needed from the connected user.",
            ) from neither
        if self._request.by_id and not first.page.done:
            yield from self._split().by_id()
            return
        yield from self._rest(first.session).after(first)

    def _split(self) -> SplitPull:
        return SplitPull(self._transport, self._request, self._purpose, self._clock.now())

    def _rest(self, session: Session) -> rest.RestPull:
        return rest.RestPull(self._transport, self._schema, session, self._purpose)

    def _job_pages(self, job: Job, rows: int | None) -> Iterator[Page]:
        """The job's result. An empty page comes first, so that whoever is killed now does not pay for the job again."""
        schema = self._schema
        begun = BulkPoint(job.id, probed=rows)
        first = Page(schema, Rows(()), resume=str(begun), total=rows, server_time=job.created)
        yield first if job.done else replace(first, waits_for="the org's job")
        try:
            job = self._bulk.wait(job, self._request.expected if rows is None else rows)
        except JobFailed as failed:
            if not (self._slow or is_too_slow(failed)):
                raise
            log.info("%s is read in windows: %s", schema.name, failed.message)
            yield from self._split().begin()
            return
        point = replace(begun, total=job.rows)
        yield Page(schema, Rows(()), resume=str(point), total=job.rows, server_time=job.created)
        yield from self._results(point, Told(schema, job.rows, job.created))

    def _resume_job(self, point: BulkPoint) -> Iterator[Page]:
        if point.finished:
            total = point.probed if point.total is None else point.total
            yield Page(self._schema, Rows(()), resume=str(point), total=total, last=True)
        elif point.total is not None or point.locator is not None:
            yield from self._results(point, Told(self._schema, point.total, None))
        else:
            job = self._bulk.look(point.job_id)
            if job.dead:
                raise job.failure
            yield from self._job_pages(job, point.probed if job.rows is None else job.rows)

    def _results(self, point: BulkPoint, told: Told) -> Iterator[Page]:
        source = Source(self._bulk.result, self._clock.sleep, self._transport.page_sizes)
        download = Download(source, point, told, self._work_dir)
        return ahead(download, _SEGMENTS_AHEAD, Page.drop, download.abort)


def queries(request: PullRequest) -> tuple[Query, Query]:
    """What to ask of Bulk and of REST: the latter in order, so that what is cut has a clear end."""
    schema = request.schema
    if request.since is None or schema.stamp is None:
        asked = query.everything(schema)
        return asked, asked
    asked = query.changed_since(schema, schema.stamp, request.since)
    return asked, query.in_order(asked, schema, schema.stamp)


def begins_with_job(request: PullRequest) -> bool:
    """Whether so many rows are to come that a first page would only tell their number."""
    return request.jobs and request.expected is not None and route.surely_bulk(request.expected)


def is_too_slow(failed: JobFailed) -> bool:
    """Whether a job failed for the time that its query takes: another one would, too."""
    text = failed.message.casefold().replace("_", "").replace(" ", "")
    return "querytimeout" in text or "toolong" in text
