"""`Follower`: change events merged as they come. Polling stays the truth; events only make it sooner.

One thread an object follows its events; one polls what events have not told; one reads records again, and watches over
streams that say nothing. Everything that must last is in the store.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from salesforce_sync.errors import Stopped, SyncError
from salesforce_sync.models.event import EventsMerged
from salesforce_sync.ports import Clock, Events, Org, Store
from salesforce_sync.signals import Bus, news_of_events
from salesforce_sync.sync.pace import Pace
from salesforce_sync.sync.savings import Savings
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.sync.stream import Stream
from salesforce_sync.sync.telling import InboxNews

log = logging.getLogger(__name__)

POLLS_TO_BEGIN = 2
"""Polls that a subscription needs which begins anew: one behind it, and one once the org has said something on it."""

CatchUp = Callable[[Sequence[str], threading.Event], Collection[str]]
"""Poll these objects, until the event is set; gives the names of those that are complete."""


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
        self._streams: list[Stream] = []
        self._threads: list[threading.Thread] = []

    def start(self, *object_names: str) -> None:
        """Begin to follow these objects, once. Returns at once."""
        names = dict.fromkeys(object_names)
        self._streams = [Stream(name, self._events, self._store, self._clock, self._pace, self) for name in names]
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

    def _caught_up(self, streams: Sequence[Stream]) -> dict[Stream, bool]:
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
