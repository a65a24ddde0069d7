"""`Follower`: change events merged as they come. Polling stays the truth; events only make it sooner.

One thread an object follows its events; one polls what events have not told; one reads records again, and watches over
streams that say nothing. Everything that must last is in the store.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import closing

from msgspec import Struct

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
from salesforce_sync.signals import Bus, news_of_events
from salesforce_sync.sync.savings import Savings
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.sync.telling import InboxNews

log = logging.getLogger(__name__)

READ_TOGETHER = 2000
"""Records that are read again at once: what one call brings."""

KEPT_FOR_VALUES = 3
"""One in so many of the calls that may be saved up is not spent on formulas."""

POLLS_TO_BEGIN = 2
"""Polls that a subscription needs which begins anew: one behind it, and one once the org has said something on it."""

CatchUp = Callable[[Sequence[str], threading.Event], Collection[str]]
"""Poll these objects, until the event is set; gives the names of those that are complete."""


class Pace(Struct, frozen=True):
    """How long things are waited for, in seconds.

    A stream that has said nothing for `silence` is begun anew (the org says something every 270 s at least), and so are
    all where this machine was suspended for longer than `sleep`. Broken
    streams are taken up after `first_wait`, then twice that, up to `longest_wait`; and up to a half of it sooner, so
    that not all come back at once; so do polls that have failed. Records are read again, what events left unsure is
    polled, and what begins anew is polled, at once as long as `calls` are saved up, for each of these so many, of which
    one comes back every `call_every`.
    """

    silence: float = 300.0
    sleep: float = 5.0
    first_wait: float = 0.5
    longest_wait: float = 300.0
    calls: int = 10
    call_every: float = 60.0
    look_every: float = 0.1


class Followed(Struct, frozen=True):
    """How an object is followed: whether its stream is open, and what broke it last."""

    object_name: str
    connected: bool
    problem: SyncError | None

    @property
    def trouble(self) -> str:
        """Why it is not followed, in words; '' while it is."""
        if self.problem is not None:
            return f"{self.problem.code}: {self.problem.message}"
        return "" if self.connected else "not connected yet"


class Follower:
    """Follows the events of some objects between `start` and `stop`."""

    def __init__(
        self,
        events: Events,
        org: Org,
        store: Store,
        clock: Clock,
        bus: Bus,
        catch_up: CatchUp,
        pace: Pace | None = None,
    ) -> None:
        """`catch_up` polls; it is called from one thread only."""
        self._stop = threading.Event()
        self._events = events
        self._org = StoppableOrg(org, self._stop)
        self._store = store
        self._clock = clock
        self._bus = bus
        self._catch_up = catch_up
        self._pace = pace or Pace()
        self._ask = threading.Event()
        self._polls = Savings(self._pace.calls, self._pace.call_every, clock.monotonic)
        self._beginnings = Savings(self._pace.calls, self._pace.call_every, clock.monotonic)
        self._streams: list[_Stream] = []
        self._threads: list[threading.Thread] = []

    def start(self, *object_names: str) -> None:
        """Begin to follow these objects, once. Returns at once."""
        names = dict.fromkeys(object_names)
        self._streams = [_Stream(name, self._events, self._store, self._clock, self._pace, self) for name in names]
        for stream in self._streams:
            self._begin(stream.run, f"events-{stream.name}")
        self._begin(self._poll, "events-poll")
        self._begin(self._keep, "events-keep")

    def _begin(self, work: Callable[[], None], name: str) -> None:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self, seconds: float = 3.0) -> None:
        """Stop following, within so many seconds. What was merged is kept, and so is the place to go on from."""
        self._stop.set()
        self._ask.set()
        self._events.close()
        ends = self._clock.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - self._clock.monotonic()))

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait so long, or until `stop` is called; whether it was."""
        return self._stop.wait(seconds)

    def followed(self) -> tuple[Followed, ...]:
        """How each object is followed just now."""
        return tuple(Followed(each.name, each.connected, each.problem) for each in self._streams)

    # ── what the streams say ─────────────────────────────────────────────────────────────────────────────────────

    def unsure(self, name: str) -> None:
        """Have the object polled."""
        self._store.note_unsure(name)
        self._ask.set()

    def begins(self, name: str) -> None:
        """Have the object polled that is followed from now on: what it has missed waits for nothing else."""
        if not self._beginnings.wait():
            self._beginnings.spend()
            self._polls.give(POLLS_TO_BEGIN)
        self.unsure(name)

    def ask(self) -> None:
        """Have what is unsure polled soon."""
        self._ask.set()

    def tell(self, merged: EventsMerged, news: InboxNews) -> None:
        """Tell what has been changed here, after it is durable. Our own writes are no news."""
        for signal in news_of_events(merged):
            self._bus.emit(signal)  # the store has kept it with the rows
        news.tell()

    def news(self) -> InboxNews:
        """What waits for a person now, so that `tell` can say what has come to it."""
        return InboxNews(self._store, self._bus)

    # ── polls ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _poll(self) -> None:
        """Poll what is unsure, together, as five objects share a call."""
        rest = self._pace.longest_wait
        while not self.stopping:
            self._ask.wait(rest)
            # Several objects become unsure at once when the connection breaks, or at the start.
            if self.wait(self._pace.look_every):
                return
            self._ask.clear()
            rest = self._polls.wait() or self._polled()

    def _polled(self) -> float:
        """Poll what is unsure; gives the seconds until it is time to look again, unless somebody asks.

        An object whose poll has failed rests for itself: one object's trouble is no other's.
        """
        now = self._clock.monotonic()
        for stream, done in self._caught_up([each for each in self._streams if each.polls_after <= now]).items():
            stream.polled(done=done)
        now = self._clock.monotonic()
        rests = (each.polls_after - now for each in self._streams if each.polls_after > now)
        return min(rests, default=self._pace.longest_wait)

    def _caught_up(self, streams: Sequence[_Stream]) -> dict[_Stream, bool]:
        """Those of them that were to be polled, and whether that is done."""
        polled = dict.fromkeys(streams, False)
        try:
            unsure = {each: times for each in streams if (times := self._to_poll(each.name)) is not None}
            polled = dict.fromkeys(unsure, False)
            if not polled:
                return {}
            self._polls.spend()
            complete = {name.casefold() for name in self._catch_up([each.name for each in polled], self._stop)}
            for each, times in unsure.items():
                if each.name.casefold() in complete:
                    self._store.note_sure(each.name, times)
                    polled[each] = True
        except Stopped:
            return {}
        except SyncError as error:
            log.warning("Objects that events have left unsure could not be polled: %s", error)
        except Exception:  # the engine's loop: events go on, and the next poll may do better
            log.exception("A poll failed")
        return polled

    def _to_poll(self, name: str) -> int | None:
        """How often the object was left unsure, if it is to be polled; else None."""
        times = self._store.unsure(name)
        return times if times or self._store.checkpoint(name) is None else None

    # ── reading again, and watching ──────────────────────────────────────────────────────────────────────────────

    def _keep(self) -> None:
        slept = self._clock.suspended()
        while not self.wait(self._pace.look_every):
            before, slept = slept, self._clock.suspended()
            has_slept = slept - before > self._pace.sleep
            if has_slept:
                log.info("The machine has slept: the streams of events are begun anew.")
            for stream in self._streams:
                stream.look_after(self._org, has_slept=has_slept)


class _Stream:
    """One object: its subscription, taken up again as often as it breaks."""

    def __init__(self, name: str, events: Events, store: Store, clock: Clock, pace: Pace, follower: Follower) -> None:
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
        return _wait(self._pace, self._failures) * random.uniform(0.5, 1.0)

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
                if page.events or self._heard - began > _wait(self._pace, self._failures):
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
        self.polls_after = self._clock.monotonic() + (0.0 if done else _wait(self._pace, self._poll_failures))

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
        self._reads_after = self._clock.monotonic() + _wait(self._pace, self._read_failures)

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


def _wait(pace: Pace, failures: int) -> float:
    """How long to wait after so many failures in a row."""
    return min(pace.longest_wait, pace.first_wait * 2.0 ** min(30, max(0, failures - 1)))
