"""A pull in parts, for a query that takes the org longer than its two minutes, or than a session: by stamp, then by Id.

Windows that are too slow are halved; a window of one second, or of an object without a stamp, is read in the order of
its ids, some at a time. A row that changes meanwhile moves to the last window, which has no end.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.api import composite, query, rest
from salesforce_sync.api.query import Query
from salesforce_sync.api.resume import RestPoint, SplitPoint
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Transport
from salesforce_sync.errors import LocatorExpired, QueryTimeout
from salesforce_sync.models.page import Page, PullRequest, Rows
from salesforce_sync.models.schema import ObjectSchema

log = logging.getLogger("salesforce_sync.api")

MOST_TIMEOUTS = 60
"""Queries of one pull that may take too long before the pull is given up."""
IDS_AT_ONCE = 2000
FEWEST_AT_ONCE = 50

_SECOND = timedelta(seconds=1)
_FIRST_DAY = datetime(1999, 1, 1, tzinfo=UTC)
"""Before anything in Salesforce. Where windows are cut matters for the speed only: together they hold every stamp."""


class Window(Struct, frozen=True):
    """Stamps from `start` on and before `end`; None: no end at this side. `after`: only higher ids, in their order."""

    start: datetime | None = None
    end: datetime | None = None
    after: str | None = None

    def halves(self, now: datetime) -> tuple[Window, Window] | None:
        """The window as two; None where it cannot be cut by stamp any more. `now` is about the newest stamp."""
        low = _FIRST_DAY if self.start is None else self.start
        high = max(now, low + 2 * _SECOND) if self.end is None else self.end
        middle = (low + (high - low) / 2).replace(microsecond=0)
        # The newest second has no end; cutting on beyond it would never come to one.
        if middle <= low or (self.end is None and high - low <= 2 * _SECOND):
            return None
        return Window(self.start, middle), Window(middle, self.end)


def of_point(point: SplitPoint) -> list[Window]:
    """What is left to read after this durable point, in its order."""
    rest_of_it = [] if point.end is None else [Window(point.end)]
    return [Window(point.start, point.end, point.after), *rest_of_it]


class SplitPull:
    """One pull, window by window over REST."""

    def __init__(self, transport: Transport, request: PullRequest, purpose: rest.Purpose, now: datetime) -> None:
        self._transport = transport
        self._schema: ObjectSchema = request.schema
        self._since = request.since
        self._purpose = purpose
        self._now = now
        self._decoder = PageDecoder(request.schema)
        self._rows = 0
        self._timeouts = 0
        self._asked: datetime | None = None

    def begin(self) -> Iterator[Page]:
        """All rows of the request, which are known to take too long at once."""
        everything = Window(self._since)
        halves = None if self._schema.stamp is None else everything.halves(self._now)
        return self.pages([everything] if halves is None else list(halves))

    def by_id(self) -> Iterator[Page]:
        """All rows of the request in the order of their ids."""
        return self.pages([Window(self._since, after="")])

    def pages(self, windows: list[Window], rows: int = 0) -> Iterator[Page]:
        """The rows of these windows, after `rows` that are here already. The end of each is a durable point."""
        left = windows
        self._rows = rows
        while left:
            window, left = left[0], left[1:]
            try:
                pages = self._by_id(window) if self._in_order(window) else self._whole(window)
                yield from self._durable(pages, left)
            except QueryTimeout as slow:
                left = [*self._smaller(window, slow), *left]
            except LocatorExpired as lost:
                if self._in_order(window):
                    raise  # it has gone on by itself as long as rows came
                log.info("%s: a window is read again, in the order of ids: %s", self._schema.name, lost.message)
                left = [replace(window, after=""), *left]
        yield Page(self._schema, Rows(()), str(RestPoint(self._rows, None)), server_time=self._asked, last=True)

    def _in_order(self, window: Window) -> bool:
        return window.after is not None or self._schema.stamp is None

    def _smaller(self, window: Window, slow: QueryTimeout) -> tuple[Window, ...]:
        self._timeouts += 1
        if self._timeouts >= MOST_TIMEOUTS or self._in_order(window):
            raise slow
        log.info("%s is read in smaller windows: %s", self._schema.name, slow.message)
        return window.halves(self._now) or (replace(window, after=""),)

    def _durable(self, pages: Iterator[tuple[Page, Window | None]], left: list[Window]) -> Iterator[Page]:
        """The pages, with the point after each that ends something; `None`: the window goes on in the next page."""
        for page, rest_of_it in pages:
            assert isinstance(page.body, Rows)  # REST
            self._rows += len(page.body.values)
            self._asked = self._asked or page.server_time
            ahead = [*([] if rest_of_it is None else [rest_of_it]), *left]
            resume = self._point(ahead) if page.resume is not None else None
            yield replace(page, resume=resume, total=None, server_time=self._asked, last=False)

    def _point(self, ahead: list[Window]) -> str:
        """Where it goes on: the next window; what follows it has no end."""
        if not ahead:
            return str(RestPoint(self._rows, None))
        first = ahead[0]
        return str(SplitPoint(self._rows, first.start, first.end, first.after))

    def _whole(self, window: Window) -> Iterator[tuple[Page, Window | None]]:
        """A window by one query. Only its end is a durable point: a locator lives no longer than its session."""
        first = self._ask(self._query(window))
        pull = rest.RestPull(self._transport, self._schema, first.session, self._purpose)
        for page in pull.after(first):
            yield (page if page.last else replace(page, resume=None)), None

    def _by_id(self, window: Window) -> Iterator[tuple[Page, Window | None]]:
        """A window in the order of its ids, as many at a time as the org manages."""
        at_once, after = IDS_AT_ONCE, window.after or ""
        while True:
            limited = query.next_by_id(self._query(window), after, at_once)
            try:
                first = self._ask(limited)
            except QueryTimeout:
                self._timeouts += 1
                if at_once <= FEWEST_AT_ONCE or self._timeouts >= MOST_TIMEOUTS:
                    raise
                at_once //= 2
                continue
            rows = 0
            try:
                for page in rest.RestPull(self._transport, self._schema, first.session, self._purpose).after(first):
                    assert isinstance(page.body, Rows)  # REST
                    rows += len(page.body.values)
                    after = str(page.body.values[-1][0]) if page.body.values else after
                    ended = page.last and rows < at_once
                    ahead = None if ended else replace(window, after=after)
                    yield page, ahead
            except LocatorExpired as lost:
                if not rows:
                    raise
                log.info("%s goes on after %s: %s", self._schema.name, after, lost.message)
                continue
            if rows < at_once:
                return

    def _ask(self, asked: Query) -> rest.FirstPage:
        return composite.first_page(self._transport, asked, self._decoder, self._purpose)

    def _query(self, window: Window) -> Query:
        schema = self._schema
        if schema.stamp is None:
            return query.everything(schema)
        if self._since is None:
            asked = query.everything(schema)
        else:
            asked = query.changed_since(schema, schema.stamp, self._since)
        asked = query.within(asked, schema.stamp, window.start, window.end)
        return asked if window.after is not None else query.in_order(asked, schema, schema.stamp)
