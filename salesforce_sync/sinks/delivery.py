"""`Delivery`: brings the store's log of signals to every sink, at least once, in order, each in a thread of its own."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import islice

from msgspec import Struct, field

from salesforce_sync.errors import SinkDown, SinkRefused, StoreTrouble, SyncError, Taken
from salesforce_sync.models.sinks import SinkState
from salesforce_sync.ports import SinkLog
from salesforce_sync.signals import SignalsDropped, Told
from salesforce_sync.sinks.backoff import pause, refusals
from salesforce_sync.sinks.sink import Sink, Wanted

log = logging.getLogger(__name__)

AT_ONCE = 500
LOOK = 1.0
"""Seconds between two looks for what other processes have told."""

TROUBLED = 5.0
"""The same, where the lock that deliveries need cannot be had (a full disk)."""

PATIENCE = 0.02
JOIN = 1.0
"""Seconds that all sinks together have to say good-bye."""


class Post(Struct):
    """One sink with its name, and what it wants. `refused` counts the refusals of one signal, `refusing` the dead
    letters in a row by their name; of so many dropped ones the log has been `warned`."""

    name: str
    sink: Sink
    wanted: Wanted
    wake: threading.Event = field(default_factory=threading.Event)
    refused: tuple[int, int] = (0, 0)
    refusing: dict[str, int] = field(default_factory=dict)
    warned: int = 0


class Delivery:
    """Of all processes with one replica, one delivers at a time: `duty` is held meanwhile."""

    def __init__(
        self,
        log: SinkLog,
        posts: Sequence[Post],
        duty: Callable[[], AbstractContextManager[None]],
        now: Callable[[], datetime],
    ) -> None:
        self._log = log
        self._posts = tuple(posts)
        self._duty = duty
        self._now = now
        self._stop = threading.Event()
        self._delivers = False
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin, in the background; sinks that are new begin with what happens from now on."""
        self._log.join([each.name for each in self._posts])
        self._delivers = True
        self._begin(self._take_turns, "signals")

    def _begin(self, work: Callable[[], None], name: str) -> threading.Thread:
        thread = threading.Thread(target=work, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def wake(self) -> None:
        """Something has been told."""
        for post in self._posts:
            post.wake.set()

    def settle(self, seconds: float) -> None:
        """Give every sink that takes signals so long to have them all."""
        if self._is_here():
            return
        until = time.monotonic() + seconds
        while self._delivers and time.monotonic() < until and self._is_behind():
            self.wake()
            time.sleep(PATIENCE)

    def finish(self, seconds: float) -> None:
        """Settle, then end. What a sink has not, it gets later."""
        self.settle(seconds)
        end((self,))

    def stop(self) -> None:
        """Begin nothing more."""
        self._stop.set()
        self.wake()

    def join(self, seconds: float) -> None:
        """Wait so long for what is under way; not where it is that which waits."""
        if self._is_here():
            return
        ends = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))

    def _is_here(self) -> bool:
        """Whether this is called by what is delivered to: a function that hears of a sync, and syncs, or closes all."""
        return threading.current_thread() in self._threads

    def _is_behind(self) -> bool:
        newest = self._log.newest()
        states = (self._log.sink(post.name) for post in self._posts)
        return any(state.number < newest and not state.failures for state in states)

    # ── in the background ────────────────────────────────────────────────────────────────────────────────────────

    def _take_turns(self) -> None:
        while not self._stop.is_set():
            try:
                with self._duty():
                    self._delivers = True
                    threads = [self._begin(partial(self._serve, each), f"sink-{each.name}") for each in self._posts]
                    for thread in threads:
                        thread.join()
            except Taken:
                self._delivers = False  # somebody else does it
                self._stop.wait(LOOK)
            except StoreTrouble as trouble:
                self._delivers = False
                log.warning("No signals are delivered for now: %s", trouble)
                self._stop.wait(TROUBLED)

    def _serve(self, post: Post) -> None:
        try:
            while not self._stop.is_set():
                post.wake.clear()
                post.wake.wait(self._guarded(post))
        finally:
            post.sink.close()

    def _guarded(self, post: Post) -> float:
        """One step; gives the seconds until the next. Nothing that a sink does ends its thread."""
        try:
            return self._step(post)
        except StoreTrouble as error:
            if not self._stop.is_set():
                log.warning("The signals for %s wait: %s", post.name, error)
            return LOOK
        except Exception:  # a sink's mistake must not end the deliveries
            if not self._stop.is_set():
                log.exception("The sink %s failed", post.name)
                self._failed(post, SinkDown("A mistake of ours; see the log."))
            return LOOK

    def _step(self, post: Post) -> float:
        state = self._log.sink(post.name)
        self._warn(post, state)
        wait = 0.0 if state.retry_at is None else (state.retry_at - self._now()).total_seconds()
        if 0 < wait <= 2 * 3600:  # more: the clock was set back
            return min(wait, LOOK)
        try:
            self._own_up(post, state)
            self._bring_again(post)
            told = self._log.told(state.number, AT_ONCE)
            self._bring(post, told)
            if not told:
                post.sink.look()
        except SinkDown as down:
            self._failed(post, down)
            return 0.0
        return 0.0 if told else LOOK

    def _warn(self, post: Post, state: SinkState) -> None:
        """Say in the log that signals are lost to a sink: once it is so, and each time that it is twice as many."""
        if state.dropped > max(2 * post.warned, state.dropped_told):
            post.warned = state.dropped
            log.warning("%s has not got %s signals: they were too old, or too many.", post.name, state.dropped)

    def _own_up(self, post: Post, state: SinkState) -> None:
        """Tell the sink how much has never come, so that its reader can look at the whole."""
        lost = SignalsDropped(post.name, state.dropped - state.dropped_told)
        if lost.count <= 0:
            return
        if lost in post.wanted:
            # By the number of the last one that was dropped: no other signal comes to it by that.
            with suppress(SinkRefused):
                post.sink.take((Told(state.number, self._now(), lost),))
        self._log.told_dropped(post.name, state.dropped)

    def _bring(self, post: Post, told: Sequence[Told]) -> None:
        wanted = (each for each in told if each.signal in post.wanted)
        while some := tuple(islice(wanted, post.sink.most)):
            if self._stop.is_set():
                return
            try:
                post.sink.take(some)
            except SinkRefused as refused:
                self._refused(post, some[0], refused)
                return
            for name in {each.signal.name for each in some}:
                post.refusing.pop(name, None)
            self._log.delivered(post.name, some[-1].number)
        if told:
            self._log.delivered(post.name, told[-1].number)

    def _bring_again(self, post: Post) -> None:
        for letter in self._log.wanted_again(post.name):
            try:
                post.sink.take((letter.told,))
            except SinkRefused as refused:
                self._log.bury(post.name, letter.told, refused.message)
            else:
                self._log.revived(letter.number)

    def _refused(self, post: Post, told: Told, refused: SinkRefused) -> None:
        number, times = post.refused
        times = times + 1 if number == told.number else 1
        post.refused = told.number, times
        name = told.signal.name
        in_a_row = post.refusing.get(name, 0)
        if times < refusals(in_a_row, self._log.sink(post.name).dead):
            self._failed(post, refused)
            return
        post.refusing[name] = in_a_row + 1
        if (in_a_row & (in_a_row + 1)) == 0:  # the first, the second, the fourth, the eighth
            log.warning("%s has refused signal %s, a %s, for good: %s", post.name, told.number, name, refused.message)
        self._log.bury(post.name, told, refused.message)

    def _failed(self, post: Post, error: SyncError) -> None:
        failures = self._log.sink(post.name).failures
        retry_after = error.retry_after if isinstance(error, SinkDown) else None
        wait = pause(failures, retry_after, random.random())
        log.log(logging.INFO if failures else logging.WARNING, "%s is tried again: %s", post.name, error.message)
        self._log.failed(post.name, error.message, self._now() + timedelta(seconds=wait))


def end(deliveries: Sequence[Delivery]) -> None:
    """End them all, within one second and not one for each."""
    for each in deliveries:
        each.stop()
    ends = time.monotonic() + JOIN
    for each in deliveries:
        each.join(max(0.0, ends - time.monotonic()))
