"""`SFSync`, telling: signals on their way out, to listeners and sinks, and those that come in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from salesforce_sync.app.process import me
from salesforce_sync.app.wiring import Wiring
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

    def on(self, signal: str, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call `listener` with each signal of this name (`"*"`: all), after it is durable; call the result to end.

        It is called in a thread of its own, where it may take its time; a sync that returns has waited a second for it
        at most. It hears what this object does; `signals` has what every process has told.
        """
        return self._callbacks.on(signal, listener)

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
            self._callbacks.settle(LISTENERS)

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
        """How far each sink of the settings has got."""
        named = {each.name for each in self.config.signals.sinks}
        return tuple(each for each in self._store.log.sinks() if each.name in named)

    def _end_telling(self) -> None:
        self._callbacks.end(LISTENERS)
        if self._delivery is not None:
            self._delivery.finish(0.0 if self.stopping else SINKS)
