"""`Stream`: the change events of one object, merged as they come; what they do not tell of its records is read."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from salesforce_sync.errors import (
    BudgetSpent,
    EventsSpent,
    NeedsPerson,
    ObjectTrouble,
    ReplayRefused,
    Stopped,
    SyncError,
)
from salesforce_sync.models.event import EventPage, EventsMerged, Lack
from salesforce_sync.models.page import Page, Priority, PullRequest, Rows
from salesforce_sync.ports import Clock, Events, Org, Store, Subscription
from salesforce_sync.sync.pace import Pace
from salesforce_sync.sync.savings import Savings
from salesforce_sync.sync.telling import InboxNews

log = logging.getLogger(__name__)

READ_TOGETHER = 2000
"""Records that are read again at once: what one call brings."""

KEPT_FOR_VALUES = 3
"""One in so many of the calls that may be saved up is not spent on formulas."""


class Following(Protocol):
    """What a stream asks of whoever follows several of them."""

    @property
    def stopping(self) -> bool:
        """Whether it is to end."""

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until it is to end; whether it is."""

    def unsure(self, name: str) -> None:
        """Have the object polled."""

    def begins(self, name: str) -> None:
        """Have the object polled that is followed from now on."""

    def ask(self) -> None:
        """Have what is unsure polled soon."""

    def tell(self, merged: EventsMerged, news: InboxNews) -> None:
        """Tell what has been changed here, after it is durable."""

    def news(self) -> InboxNews:
        """What waits for a person now, so that `tell` can say what has come to it."""


class Stream:
    """One object: its subscription, taken up again as often as it breaks."""

    def __init__(self, name: str, events: Events, store: Store, clock: Clock, pace: Pace, follower: Following) -> None:
        self.name = name
        self.connected = False
        self.problem: SyncError | None = None
        self._events = events
        self._store = store
        self._clock = clock
        self._pace = pace
        self._follower = follower
        self._subscription: Subscription | None = None
        self._heard = clock.monotonic()
        self._merging = threading.Lock()
        self._touched: set[str] | None = None
        self._calls = Savings(pace.calls, pace.call_every, clock.monotonic)
        self._failures = 0
        self._may_lack = True  # it may have been so when this process began
        self._read_failures = 0
        self._reads_after = clock.monotonic()
        self._poll_failures = 0
        self.polls_after = clock.monotonic()

    # ── following ────────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Follow until the follower stops."""
        while not self._follower.stopping:
            try:
                self._attempt()
                self._failures += 1
            except SyncError as error:
                self._failed(error)
            except Exception:  # the engine's loop: one object's bug must not take the others down
                if not self._follower.stopping:
                    log.exception("Following %s failed", self.name)
                self._failures += 1
            finally:
                self.connected = False
            if self._follower.wait(self._next_wait()):
                return

    def _attempt(self) -> None:
        if not self._is_known():
            self._failures = 0
            return
        try:
            self._follow()
        except ReplayRefused as refused:
            log.warning("%s: %s", self.name, refused)
            self._store.forget_replay(self.name)

    def _is_known(self) -> bool:
        """An object that was never pulled is pulled first: its events would say little."""
        if self._store.checkpoint(self.name) is not None:
            return True
        self._follower.ask()
        return False

    def _failed(self, error: SyncError) -> None:
        if self._follower.stopping:
            return
        told = self.problem is not None and self.problem.code == error.code
        self.problem = error
        self._failures += 1
        lasting = isinstance(error, NeedsPerson | ObjectTrouble | EventsSpent)
        log.log(logging.INFO if told else logging.WARNING, "%s: %s", self.name, error)
        if lasting:
            self._failures = 1000

    def _next_wait(self) -> float:
        return self._pace.wait(self._failures) * random.uniform(0.5, 1.0)

    def _follow(self) -> None:
        after = self._store.replay(self.name)
        fresh = after is None
        if fresh:
            # First the subscription, then the poll, so that nothing falls between.
            self._follower.begins(self.name)
        elif self._store.unsure(self.name):
            self._follower.ask()
        began = self._heard = self._clock.monotonic()
        self._subscription = self._events.subscribe(self.name, after)
        self.connected = True
        try:
            for page in self._subscription:
                self._heard = self._clock.monotonic()
                self.problem = None
                # A stream that only ever begins is no better than one that does not.
                if page.events or self._heard - began > self._pace.wait(self._failures):
                    self._failures = 0
                if fresh:
                    # Only now it is sure that the org was listening: what came before this page is polled. Noted
                    # before there is a place to go on from, as a kill may come between.
                    fresh = False
                    self._follower.unsure(self.name)
                self._merge(page)
                self._heard = self._clock.monotonic()
                if self._follower.stopping:
                    return
        finally:
            self._subscription.close()

    def _merge(self, page: EventPage) -> None:
        with self._merging:
            if self._touched is not None:
                self._touched.update(each.record_id for each in page.events)
            news = self._follower.news() if page.events else None
            merged = self._store.merge_events(page)
            self._may_lack = self._may_lack or merged.again > 0
        if page.unsure:
            self._follower.ask()
        if news is not None:
            self._follower.tell(merged, news)

    def look_after(self, org: Org, *, has_slept: bool) -> None:
        """Begin the stream anew, and read again, where that is to be done. One object's trouble is no other's."""
        try:
            if has_slept:
                self._wake()
            self._watch()
            self._keep(org)
        except Exception:  # without this thread nothing would be read again, and no silent stream be noticed
            self._put_off()
            log.exception("%s: looking after its events failed", self.name)

    def _watch(self) -> None:
        """Begin the stream anew if it has said nothing for too long."""
        subscription = self._subscription
        silent = self._clock.monotonic() - self._heard > self._pace.silence
        busy = self._merging.locked()  # a store that is slow is no stream that is silent
        if subscription is not None and self.connected and silent and not busy:
            log.warning("%s: the stream of events has been silent; it is begun anew.", self.name)
            self._begin_anew(subscription)

    def _wake(self) -> None:
        """Begin the stream anew: the machine has slept, and the org may have forgotten it."""
        subscription = self._subscription
        if subscription is not None and self.connected:
            self._begin_anew(subscription)

    def _begin_anew(self, subscription: Subscription) -> None:
        # The connection, too: one that is dead would carry the next stream as silently as this one.
        self._events.renew()
        self._heard = self._clock.monotonic()
        subscription.close()

    def polled(self, *, done: bool) -> None:
        """Its poll has ended. One that failed is made again, later and later."""
        self._poll_failures = 0 if done else self._poll_failures + 1
        self.polls_after = self._clock.monotonic() + (0.0 if done else self._pace.wait(self._poll_failures))

    # ── reading again ────────────────────────────────────────────────────────────────────────────────────────────

    def _keep(self, org: Org) -> None:
        """Read again what is to be read, unless that has failed just now."""
        if not self._may_lack or self._clock.monotonic() < self._reads_after:
            return
        try:
            self._read_again(org)
            self._read_failures = 0
        except Stopped:
            return
        except SyncError as error:
            self._put_off()
            log.log(
                _level(error), "%s: records whose events did not tell everything are read later: %s", self.name, error
            )
            if isinstance(error, ObjectTrouble):
                self._follower.unsure(self.name)  # its fields may be others by now: a poll describes it anew

    def _put_off(self) -> None:
        self._read_failures += 1
        self._reads_after = self._clock.monotonic() + self._pace.wait(self._read_failures)

    def _read_again(self, org: Org) -> None:
        """Read what events have not told, in one call, as far as calls are saved up."""
        schema = self._store.schema(self.name)
        if schema is None or self._calls.wait():
            return
        with self._merging:
            wanted = self._store.to_read_again(schema.name, READ_TOGETHER)
            self._may_lack = bool(wanted)
        values = any(lacks is Lack.VALUES for _, lacks in wanted)
        # Formulas change with nearly every event: they leave some calls to what somebody has written.
        if not wanted or (not values and self._calls.wait(self._pace.calls // KEPT_FOR_VALUES)):
            return
        self._calls.spend()
        ids = tuple(key for key, _ in wanted)
        request = PullRequest(schema, ids=ids, priority=Priority.PULL if values else Priority.REFRESH)
        self._touched = set()
        try:
            rows: list[tuple[object, ...]] = []
            with closing(org.pull(request)) as pages:
                for page in pages:
                    assert isinstance(page.body, Rows)  # records by their ids come so
                    rows += page.body.values
            self._take(Page(schema, Rows(rows)), ids)
        finally:
            self._touched = None

    def _take(self, page: Page, ids: Sequence[str]) -> None:
        with self._merging:
            # What an event has changed since it was read is read once more.
            touched = self._touched or set()
            body = page.body
            assert isinstance(body, Rows)
            rows = [row for row in body.values if row[0] not in touched]
            news = self._follower.news()
            merged = self._store.merge_again(Page(page.schema, Rows(rows)), [key for key in ids if key not in touched])
        self._follower.tell(merged, news)


def _level(error: SyncError) -> int:
    return logging.INFO if isinstance(error, BudgetSpent) else logging.WARNING
