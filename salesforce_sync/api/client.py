"""`SalesforceOrg`: the Org that speaks to Salesforce."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from pathlib import Path

from salesforce_sync.api import query, rest, route
from salesforce_sync.api.ahead import ahead
from salesforce_sync.api.auth import Keys, Sessions
from salesforce_sync.api.bulk import Bulk, Job
from salesforce_sync.api.download import Download, Source, Told
from salesforce_sync.api.meter import Meter
from salesforce_sync.api.query import Query
from salesforce_sync.api.resume import BulkPoint, RestPoint, parse
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.api.wire import Wire
from salesforce_sync.errors import LocatorExpired, ObjectTrouble, QueryTimeout, RequestRefused
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema, ObjectSummary
from salesforce_sync.ports import Clock, Usage

log = logging.getLogger("salesforce_sync.api")

_SEGMENTS_AHEAD = 2
"""Segments that wait on disk for their merge, beside the one that is being written."""


class SalesforceOrg:
    """One Salesforce org over HTTP (`ports.Org`). Result files go to `work_dir`; tokens are kept through `keys`."""

    def __init__(self, connection: Connection, *, api_version: str, work_dir: Path, keys: Keys, clock: Clock) -> None:
        self._connection = connection
        self._work_dir = work_dir
        self._clock = clock
        self._wire = Wire()
        self._meter = Meter()
        self._sessions = Sessions(connection, self._wire, keys, clock)
        self._transport = Transport(self._wire, self._sessions, self._meter, clock, api_version)
        self._bulk = Bulk(self._transport, clock)

    def login(self) -> Session:
        """A session that the org has just confirmed; `LoginRefused` or `SessionInvalid` says why there is none."""
        session = self._sessions.login()
        if self._connection.method is LoginMethod.PASTED_SESSION:
            self.objects()  # nothing was asked of the org yet
        return session

    def objects(self) -> tuple[ObjectSummary, ...]:
        """Every object that the connected user may see. One call."""
        return rest.objects(self._transport)

    def describe(self, object_name: str) -> ObjectSchema:
        """The object's fields and rights. One call."""
        return rest.describe(self._transport, object_name)

    @property
    def usage(self) -> Usage:
        """Calls spent by us, and what the org last said of the last 24 hours."""
        return self._meter.usage

    def close(self) -> None:
        """Give up all connections."""
        self._wire.close()

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        """Bring the rows (`ports.Org.pull`).

        A broken transfer is tried again here where that gives no row twice; otherwise `Unreachable` or `Incomplete`
        is raised, and the caller takes up at the last page that had a `resume`.
        """
        if request.resume is None:
            yield from self._begin(request)
            return
        match parse(request.resume):
            case BulkPoint() as point:
                yield from self._resume_job(request.schema, point)
            case RestPoint() as point:
                yield from self._rest(request.schema, self._sessions.current()).go_on(point)

    def _begin(self, request: PullRequest) -> Generator[Page, None, None]:
        """Ask the first REST page: small results are then complete, and large ones have told their size."""
        schema = request.schema
        if not schema.queryable:
            raise RequestRefused(f"{schema.name} cannot be queried.", code="NOT_QUERYABLE")
        for_bulk, for_rest = _queries(request)
        first = self._probe(schema, for_rest)
        if first is None:
            yield from self._job_pages(schema, self._only_job(schema, for_bulk), None)
            return
        probe = route.Probe(first.page.total, len(first.page.rows), first.page.done)
        job = self._cheaper_job(schema, for_bulk) if route.choose(probe) is route.Route.BULK else None
        if job is None:
            yield from self._rest(schema, first.session).after(first)
            return
        del first  # its rows come again
        yield from self._job_pages(schema, job, probe.total)

    def _probe(self, schema: ObjectSchema, asked: Query) -> rest.FirstPage | None:
        """The first page; None where only Bulk can answer: the query is too long for a GET, or too slow."""
        if len(asked.soql) > query.MAX_SOQL:
            size = f"{len(asked.soql):,} characters, and {query.MAX_SOQL:,} is the most"
            raise RequestRefused(f"{schema.name} has too many fields for one query: {size}.", code="QUERY_TOO_LONG")
        if not rest.query_fits(self._transport, asked):
            return None
        try:
            return rest.ask(self._transport, asked, PageDecoder(schema), _doing(schema))
        except QueryTimeout as slow:
            log.info("%s goes by Bulk: %s", schema.name, slow.message)
        except RequestRefused as refused:
            if refused.code != "URI_TOO_LONG":
                raise
        return None

    def _cheaper_job(self, schema: ObjectSchema, asked: Query) -> Job | None:
        """A Bulk job; None where Bulk does not take what REST has just taken (some objects, a used-up job quota)."""
        try:
            return self._bulk.create(asked, schema.name)
        except ObjectTrouble as refused:
            log.warning("%s goes by REST, with more calls: %s", schema.name, refused.message)
            return None

    def _only_job(self, schema: ObjectSchema, asked: Query) -> Job:
        """A Bulk job for what REST cannot answer."""
        try:
            return self._bulk.create(asked, schema.name)
        except RequestRefused as refused:
            raise RequestRefused(
                f"{schema.name} fits neither way in: it is too wide or too slow for REST, and {refused.message}",
                code=refused.code,
                hint="Leave the object out, or hide fields that are not needed from the connected user.",
            ) from refused

    def _rest(self, schema: ObjectSchema, session: Session) -> rest.RestPull:
        return rest.RestPull(self._transport, schema, session, _doing(schema))

    def _job_pages(self, schema: ObjectSchema, job: Job, rows: int | None) -> Generator[Page, None, None]:
        """The job's result. An empty page comes first, so that whoever is killed now does not pay for the job again."""
        yield Page(schema, Rows(()), resume=str(BulkPoint(job.id)), total=rows, server_time=job.created)
        job = self._bulk.wait(job, rows)
        point = BulkPoint(job.id, job.rows)
        yield Page(schema, Rows(()), resume=str(point), total=job.rows, server_time=job.created)
        yield from self._results(point, Told(schema, job.rows, job.created))

    def _resume_job(self, schema: ObjectSchema, point: BulkPoint) -> Generator[Page, None, None]:
        if point.finished:
            yield Page(schema, Rows(()), resume=str(point), total=point.total, last=True)
        elif point.total is not None:
            yield from self._results(point, Told(schema, point.total, None))
        else:
            job = self._bulk.look(point.job_id)
            if job.dead:
                raise LocatorExpired(f"Bulk job {job.id} ended as {job.state}: {job.message}")
            yield from self._job_pages(schema, job, job.rows)

    def _results(self, point: BulkPoint, told: Told) -> Iterator[Page]:
        download = Download(Source(self._bulk.result, self._clock.sleep), point, told, self._work_dir)
        return ahead(download, _SEGMENTS_AHEAD, _remove_file, download.abort)


def _queries(request: PullRequest) -> tuple[Query, Query]:
    """What to ask of Bulk and of REST: the latter in order, so that what is cut has a clear end."""
    schema = request.schema
    if request.since is None or schema.stamp is None:
        asked = query.everything(schema)
        return asked, asked
    asked = query.changed_since(schema, schema.stamp, request.since)
    return asked, query.in_order(asked, schema, schema.stamp)


def _doing(schema: ObjectSchema) -> str:
    return f"read {schema.name}"


def _remove_file(page: Page) -> None:
    if isinstance(page.body, CsvFile):
        page.body.path.unlink(missing_ok=True)
