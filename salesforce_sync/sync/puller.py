"""`Puller`: one object from the org into the store, whole pages at a time, resumable."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from salesforce_sync.errors import Incomplete, LocatorExpired, ObjectNotFound, SchemaChanged, Transient
from salesforce_sync.models.change import Merged
from salesforce_sync.models.page import Page, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.sync.schedule import needs_describe

log = logging.getLogger(__name__)

OVERLAP = timedelta(minutes=10)
"""How far a pull goes back before its checkpoint: a transaction may run 10 minutes before its rows can be seen."""
ATTEMPTS = 4
"""How often one pull is begun or taken up again before its error is reported."""

Report = Callable[[int, int | None], None]
"""Told the rows so far and, where the org has said it, how many there will be."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What a pull brought: rows that came, and what the merge made of them."""

    rows: int
    merged: Merged


class Puller:
    """Pulls objects. Holds nothing between pulls: what must last is in the store."""

    def __init__(self, org: Org, store: Store, clock: Clock) -> None:
        self._org = org
        self._store = store
        self._clock = clock

    def pull(self, object_name: str, report: Report) -> Pulled:
        """Bring what changed in the object, or everything if nothing is known of it. `report` hears of each page."""
        schema = self._schema(object_name)
        try:
            return self._pull_with_patience(schema, report)
        except SchemaChanged as changed:
            log.info("%s: %s; describing it again", schema.name, changed)
            return self._pull_with_patience(self._describe(schema.name), report)

    def _schema(self, object_name: str) -> ObjectSchema:
        known = self._store.schema(object_name)
        if known is None:
            return self._describe(object_name)
        if needs_describe(self._store.described_at(object_name), self._clock.now()):
            return self._describe(known.name)
        return known

    def _describe(self, object_name: str) -> ObjectSchema:
        try:
            schema = self._org.describe(object_name)
        except ObjectNotFound as error:
            known = [each.name for each in self._org.objects()]
            raise ObjectNotFound.named(object_name, known) from error
        gained = self._store.adopt(schema)
        if gained:
            log.info("%s has new fields: %s; all rows are read again", schema.name, ", ".join(gained))
        return schema

    def _pull_with_patience(self, schema: ObjectSchema, report: Report) -> Pulled:
        """Take the pull up again after a break, from its last durable page; begin anew where that does not help."""
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return self._pull_once(schema, report)
            except Transient as error:
                if attempt == ATTEMPTS:
                    raise
                if isinstance(error, LocatorExpired) or (isinstance(error, Incomplete) and attempt > 1):
                    log.info("%s: %s Reading it again.", schema.name, error)
                    self._store.begin(self._fresh_request(schema))
                else:
                    log.info("%s: %s Going on from the last whole page.", schema.name, error)
        raise AssertionError("the last attempt returns or raises")

    def _pull_once(self, schema: ObjectSchema, report: Report) -> Pulled:
        request, rows, server_time = self._take_up(schema)
        last = False
        # Closed at once when a page cannot be staged: downloads would otherwise go on behind it.
        with closing(self._org.pull(request)) as pages:
            for page in pages:
                rows += self._store.stage(page)
                server_time = server_time or page.server_time
                report(rows, page.total)
                if page.last:
                    self._check_total(page, rows)
                    last = True
        if not last:
            raise Incomplete(f"{schema.name}: the pull ended before its last page.")
        return Pulled(rows, self._store.merge(schema.name, server_time))

    def _take_up(self, schema: ObjectSchema) -> tuple[PullRequest, int, datetime | None]:
        """The request to send: the rest of an unfinished pull, or a fresh one; with the rows that are here already."""
        staged = self._store.staged(schema.name)
        if staged is not None:
            return PullRequest(schema, staged.since, staged.resume), staged.rows, staged.server_time
        request = self._fresh_request(schema)
        self._store.begin(request)
        return request, 0, None

    def _fresh_request(self, schema: ObjectSchema) -> PullRequest:
        checkpoint = self._store.checkpoint(schema.name)
        request = PullRequest(schema)
        if checkpoint is None or checkpoint.until is None or schema.stamp is None:
            return request
        return replace(request, since=checkpoint.until - OVERLAP)

    def _check_total(self, page: Page, rows: int) -> None:
        if page.total is not None and rows < page.total:
            raise Incomplete(f"{page.schema.name}: the org announced {page.total} rows, {rows} arrived.")
