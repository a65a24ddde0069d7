"""`Bringer`: brings a whole pull into staging, or records by their ids into their table, over all breaks.

A sweep (some columns of all rows) goes on in another run where an earlier one broke off.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Sequence
from contextlib import closing
from datetime import timedelta

from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, JobFailed, LocatorExpired, Transient
from salesforce_sync.models.change import Staged
from salesforce_sync.models.page import Page, Priority, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Org, Store
from salesforce_sync.sync.patience import Patience
from salesforce_sync.sync.schedule import DEFAULTS
from salesforce_sync.sync.staging import stage_all

log = logging.getLogger(__name__)

Pages = Generator[Page, None, None]

SWEEP_LIVES = timedelta(days=1)
"""How old a sweep may be that an earlier run has left unfinished. The org keeps its job for seven days; but rows that
have been purged or hidden since are in it still, and what has changed since is read once more."""


class Bringer:
    """Brings all of what is asked for, or raises; the caller holds the claim on the object."""

    def __init__(self, org: Org, store: Store, overlap: timedelta = DEFAULTS.overlap) -> None:
        """`overlap`: how late a row may become visible."""
        self._org = org
        self._store = store
        self._overlap = overlap

    def begun(self, request: PullRequest) -> Staged | None:
        """The sweep that an earlier run has begun for the request, if it is young enough to go on."""
        kept, now = self._store.kept(request), self._org.time()
        if kept is None or kept.server_time is None or now is None:
            return None
        return kept if now - kept.server_time < SWEEP_LIVES else None

    def age(self, request: PullRequest) -> timedelta:
        """How long ago the sweep was begun that is kept for the request: it knows nothing of what has gone since."""
        kept, now = self._store.kept(request), self._org.time()
        if kept is None or kept.server_time is None or now is None:
            return timedelta(0)
        return max(now - kept.server_time, timedelta(0))

    def go_on(self, request: PullRequest, kept: Staged, stamp: str | None, begun: Pages | None = None) -> None:
        """Stage the rest of a sweep, and then once more what has changed since, by its `stamp` where it has one.

        `begun` is the pull of the rest, where somebody has begun it already.
        """
        assert kept.server_time is not None  # `begun` gives no other
        self.stage(replace(request, resume=kept.resume), begun)
        if stamp is not None:
            columns = self._store.schema(request.schema.name)
            assert columns is not None
            changed = columns.only(*(field.name for field in request.schema.columns), stamp)
            self.stage(replace(request, schema=changed, since=kept.server_time - self._overlap))
            self._store.amend(request)

    def stage(self, request: PullRequest, begun: Pages | None = None) -> list[Page]:
        """Stage a whole pull, or one that somebody has begun for the request; gives its pages without their rows.

        Where it broke off it is begun again, some times, or goes on where it is a sweep; after jobs that failed it
        comes by REST.
        """
        patience = Patience()
        if begun is None and not request.ids:
            request = self.sized(request)
        while True:
            try:
                return self._stage_once(replace(request, jobs=patience.jobs, by_id=patience.by_id), begun)
            except Transient as error:
                kept = self._store.kept(request)
                patience.bear(error, None if kept is None else kept.resume)
                begun, request = None, replace(request, resume=self._way_on(request, error, patience))
                log.info("%s: %s Reading %s.", request.schema.name, error, "on" if request.resume else "it again")

    def _way_on(self, request: PullRequest, error: Transient, patience: Patience) -> str | None:
        """Where a pull that broke off goes on, if it does."""
        gone = isinstance(error, LocatorExpired | JobFailed) or (isinstance(error, Incomplete) and patience.errors > 1)
        kept = None if gone else self._store.kept(request)
        return None if kept is None else kept.resume

    def _stage_once(self, request: PullRequest, begun: Pages | None) -> list[Page]:
        self._store.begin(request)
        kept = self._store.kept(request) if request.resume is not None else None
        told, rows = [], 0 if kept is None else kept.rows
        with closing(begun or self._org.pull(request)) as pages, closing(stage_all(self._store, pages)) as staged:
            for page, count in staged:
                rows += count
                told.append(replace(page, body=Rows(())))
        _check_whole(told, rows)
        return told

    def sized(self, request: PullRequest) -> PullRequest:
        """With the number of such rows that are here: of many, no page is asked for only to learn it."""
        name, since = request.schema.name, request.since
        return replace(request, here=self._store.count(name) if since is None else self._store.count_since(name, since))

    def records(self, schema: ObjectSchema, ids: Sequence[str], priority: Priority) -> set[str]:
        """Read these records whole and merge them; gives the ids of those that the org still shows."""
        request, patience = PullRequest(schema, ids=tuple(ids), priority=priority), Patience()
        while True:
            try:
                return self._records_once(request)
            except Transient as error:
                patience.bear(error)
                log.info("%s: %s Reading the records again.", schema.name, error)

    def _records_once(self, request: PullRequest) -> set[str]:
        schema = request.schema
        self._store.begin(request)
        shown: set[str] = set()
        told, rows = [], 0
        with closing(self._org.pull(request)) as pages:
            for page in pages:
                assert isinstance(page.body, Rows)  # records that are asked for by id never come as a file
                shown.update(str(row[0]) for row in page.body.values)
                rows += self._store.stage(page)
                told.append(replace(page, body=Rows(())))
        # A record that only did not arrive would be taken for one that is gone.
        _check_whole(told, rows)
        self._store.merge(schema.name, None)
        return shown


def _check_whole(told: Sequence[Page], rows: int) -> None:
    """`Incomplete` unless the last page came, and as many rows as the org announced."""
    if not (told and told[-1].last):
        raise Incomplete("A pull ended before its last page.", hint="Sync again.")
    total = told[-1].total
    if total is not None and rows < total:
        raise Incomplete(f"The org announced {total:,} rows of {told[-1].schema.name}, and {rows:,} arrived.")
