"""`SFSync`, telling: signals on their way out, to listeners and sinks, and those that come in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from salesforce_sync.app.process import me
from salesforce_sync.app.wiring import Wiring
from salesforce_sync.errors import Misuse
from salesforce_sync.models.sinks import SinkState
from salesforce_sync.signals import DeadLetter, SignalRefused, SyncRequested, Told

if TYPE_CHECKING:
    from salesforce_sync.sinks.delivery import Delivery
    from salesforce_sync.sinks.inbound import NotUnderstood, Reply, Wish

LISTENERS = 1.0
"""Seconds that a sync waits at its end for functions that want to hear its signals."""

SINKS = 5.0
"""Seconds that sinks get when all is closed. What they have not then, they get from whoever comes next."""


class Telling(Wiring):
    """What has happened, for whoever wants to hear it."""

    _delivery: Delivery | None = None
    _listening: Mapping[str, Delivery] = MappingProxyType({})

    def on(self, signal: str, listener: Callable[[Any], None], *, name: str | None = None) -> Callable[[], None]:
        """Call `listener` with each signal of this name (`"*"`: all), after it is durable; call the result to end.

        It is called in a thread of its own, where it may take its time; a sync that returns has waited a second for it
        at most. It hears what this object does; `signals` has what every process has told.

        With a `name` of its own it hears what any process does, and at its next start what happened meanwhile: from
        its first start on each signal comes at least once, and in order. One that it fails with comes again, five times
        in all, then it is a dead letter of `on:NAME`; while it raises `SinkDown`, for as long as it takes. Of several
        processes with one name one is called at a time. `Misuse` if this object has one of that name.
        """
        if name is None:
            return self._callbacks.on(signal, listener)
        return self._listen(name, signal, listener)

    def _listen(self, name: str, signal: str, listener: Callable[[Any], None]) -> Callable[[], None]:
        from salesforce_sync.sinks.delivery import Delivery
        from salesforce_sync.sinks.listeners import duty_name, listener_post

        post = listener_post(name, signal, listener)
        duty = duty_name(name)
        delivery = Delivery(self._store.log, (post,), lambda: self._store.claims.duty(duty, me()), self._clock.now)
        with self._lock:
            if post.name in self._listening:
                raise Misuse(f"There is a listener named {name!r} here already.", hint="End it first, or name it else.")
            self._listening = {**self._listening, post.name: delivery}
        off_bus = self._bus.on("*", lambda _: delivery.wake())
        delivery.start()

        def off() -> None:
            off_bus()
            with self._lock:
                self._listening = {key: each for key, each in self._listening.items() if each is not delivery}
            delivery.finish(0.0)

        return off

    def forget_listener(self, name: str) -> bool:
        """Forget where the listener of this name is, and what it has failed with; gives whether there was one.

        `Misuse` while somebody listens under it.
        """
        from salesforce_sync.sinks.listeners import duty_name, sink_name

        known = sink_name(name)
        if self._store.claims.is_held(duty_name(name)):
            raise Misuse(f"Somebody listens as {name!r} now.", hint="End that process first.")
        return self._store.log.leave(known)

    def watch(self, signal: str, listener: Callable[[Any], None]) -> Callable[[], None]:
        """As `on`, but in the thread of the run, which waits for it: for what must not come late, and is quick."""
        return self._bus.on(signal, listener)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Within the block, what happens goes to the sinks; behind it the listeners have heard it."""
        self._begin_delivery()
        try:
            yield
        finally:
            self._settle_listeners()

    def _settle_listeners(self) -> None:
        until = time.monotonic() + LISTENERS
        self._callbacks.settle(LISTENERS)
        for each in self._listening.values():
            each.settle(until - time.monotonic())

    def _begin_delivery(self) -> None:
        with self._lock:
            if self._delivery is None and self.config.signals.enabled and self.config.signals.sinks:
                self._delivery = delivery = self._make_delivery()
                self._bus.on("*", lambda _: delivery.wake())
                delivery.start()

    def _make_delivery(self) -> Delivery:
        from salesforce_sync.sinks.build import build
        from salesforce_sync.sinks.delivery import Delivery

        log = self._store.log
        posts = build(self.config, log.replica_id(), self.receive)
        return Delivery(log, posts, lambda: self._store.claims.duty("delivery", me()), self._clock.now)

    def signals(self, after: int = 0, most: int = 1000) -> tuple[Told, ...]:
        """What has happened behind this number, in whatever process, oldest first: go on behind the last one's."""
        return self._store.told(after, most)

    def newest_signal(self) -> int:
        """The number of the last signal, 0 before the first."""
        return self._store.log.newest()

    def signal_document(self, told: Told) -> dict[str, Any]:
        """A signal as JSON: `ts`, `signal`, `from`, `to`, `msg`, `data`."""
        return told.signal.to_json(told.at, self.config.signals.target, self.config.signals.source)

    def receive(self, text: bytes | str) -> Reply:
        """Take a signal that came in: `🔄 OS → FND` asks the daemon for a sync; what is not understood is answered.

        As a line or as JSON; `msg` of the answer is a line too.
        """
        from salesforce_sync.sinks.inbound import NotUnderstood, Reply

        names = self.config.signals.source, self.config.signals.target
        wish = self.understand(text)
        if isinstance(wish, NotUnderstood):
            refused = SignalRefused(wish.why)
            return Reply(False, refused.name, refused.line(names[1], names[0]))
        asked = self._store.desk.ask(names[1], wish.objects)
        told = SyncRequested(asked.number, asked.who, asked.objects)
        return Reply(True, told.name, told.line(names[1], names[0]), asked.number)

    def understand(self, text: bytes | str) -> Wish | NotUnderstood:
        """What somebody wants who sends this, or why that is not clear. Nothing follows from it."""
        from salesforce_sync.sinks.inbound import understood

        names = self.config.signals.source, self.config.signals.target
        return understood(text.encode() if isinstance(text, str) else text, *names)

    def dead_letters(self, sink: str | None = None) -> tuple[DeadLetter, ...]:
        """Signals that this sink, or any, has refused."""
        return self._store.log.dead(sink)

    def retry_dead_letters(self, sink: str | None = None) -> int:
        """Let them be tried again, by whoever delivers; gives how many there are."""
        return self._store.log.again(sink)

    def sinks(self) -> tuple[SinkState, ...]:
        """How far each sink of the settings has got, and each listener that has a name (`on:NAME`)."""
        named = {each.name for each in self.config.signals.sinks}
        return tuple(each for each in self._store.log.sinks() if each.name in named or each.is_listener)

    def _end_telling(self) -> None:
        if not self.stopping:
            self._settle_listeners()
        self._callbacks.end(LISTENERS)
        with self._lock:
            listening, self._listening = self._listening, MappingProxyType({})
            delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.settle(0.0 if self.stopping else SINKS)
        ending = (*listening.values(), *(() if delivery is None else (delivery,)))
        if ending:
            from salesforce_sync.sinks.delivery import end

            end(ending)
