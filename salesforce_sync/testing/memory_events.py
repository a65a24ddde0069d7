"""`MemoryEvents`: the change events of a `MemoryOrg`, kept in memory. Implements `ports.Events`."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping

from salesforce_sync.errors import ReplayRefused, Unreachable
from salesforce_sync.models.event import MODIFIED, Action, EventPage, Lack, RecordEvent
from salesforce_sync.models.values import Stored, format_datetime, from_rest
from salesforce_sync.testing.forms import to_rest
from salesforce_sync.testing.memory_org import MemoryOrg
from salesforce_sync.testing.memory_records import Saved

NOT_TOLD = frozenset({"Id", "IsDeleted", "SystemModstamp"})


class MemoryEvents:
    """Tells what is saved in the org while this is there. `cut` breaks the streams, `refuse` old places.

    Whoever waits is woken by every save, and by `ping`: it gets a page without events.
    """

    def __init__(self, org: MemoryOrg, page_events: int = 100) -> None:
        self._page_events = page_events
        self._log: list[tuple[str, RecordEvent]] = []
        self._commits = itertools.count(1)
        self._changed = threading.Condition()
        self._pings = self._cuts = self._first = 0
        self._open: list[MemorySubscription] = []
        org.listeners.append(self._note)

    def _note(self, saved: Saved) -> None:
        told = {each.name: each for each in saved.schema.columns if each.name not in NOT_TOLD and not each.calculated}
        was, is_ = _lives(saved.before), _lives(saved.after)
        action = {(False, True): Action.CREATE, (True, False): Action.DELETE}.get((was, is_), Action.UPDATE)
        if action is Action.CREATE and saved.before is not None:
            action = Action.UNDELETE
        before = saved.before if action is Action.UPDATE and saved.before is not None else {}
        values = {
            name: from_rest(field.type, to_rest(saved.after[name]))
            for name, field in told.items()
            if action is not Action.DELETE and (not before or name == MODIFIED or before.get(name) != saved.after[name])
        }
        self.happen(saved.schema.name, saved.record_id, action, values, format_datetime(saved.at))

    def happen(
        self,
        object_name: str,
        record_id: str,
        action: Action,
        values: Mapping[str, Stored],
        committed: str,
        lacks: Lack = Lack.NOTHING,
    ) -> None:
        """Tell this, whatever has happened in the org."""
        event = RecordEvent(record_id, action, values, committed, (next(self._commits), 1), lacks)
        with self._changed:
            self._log.append((object_name, event))
            self._changed.notify_all()

    def ping(self) -> None:
        """Send a keep-alive on every stream."""
        with self._changed:
            self._pings += 1
            self._changed.notify_all()

    def cut(self) -> None:
        """Break every stream."""
        with self._changed:
            self._cuts += 1
            self._changed.notify_all()

    def forget(self) -> None:
        """Keep nothing of what was told so far: its replay ids are refused."""
        with self._changed:
            self._first = len(self._log) + 1

    def subscribe(self, object_name: str, after: bytes | None) -> MemorySubscription:
        """Follow one object (`ports.Events.subscribe`)."""
        place = len(self._log) if after is None else int(after)
        made = MemorySubscription(self, object_name, place, after is None)
        self._open.append(made)
        return made

    def renew(self) -> None:
        """Nothing is between the org and who listens: there is no other way."""

    def close(self) -> None:
        """End all subscriptions."""
        for each in self._open:
            each.close()


class MemorySubscription:
    """One stream (`ports.Subscription`)."""

    def __init__(self, hub: MemoryEvents, object_name: str, place: int, fresh: bool) -> None:
        self._hub = hub
        self._object = object_name
        self._place = place
        self._fresh = fresh
        self._pings, self._cuts = hub._pings, hub._cuts
        self._closed = False

    def close(self) -> None:
        """End it."""
        with self._hub._changed:
            self._closed = True
            self._hub._changed.notify_all()

    def __iter__(self) -> Iterator[EventPage]:
        hub = self._hub
        while True:
            with hub._changed:
                if not self._fresh and self._place < hub._first:
                    raise ReplayRefused(f"{self._place} is no place to go on from.")
                hub._changed.wait_for(self._has_news)
                if self._closed:
                    return
                if hub._cuts != self._cuts:
                    raise Unreachable("The stream was cut.")
                self._pings, self._fresh = hub._pings, True
                news = hub._log[self._place : self._place + hub._page_events]
                self._place += len(news)
            events = tuple(event for name, event in news if name == self._object)
            yield EventPage(self._object, events, str(self._place).encode())

    def _has_news(self) -> bool:
        hub = self._hub
        return self._closed or hub._cuts != self._cuts or hub._pings != self._pings or len(hub._log) > self._place


def _lives(row: Mapping[str, object] | None) -> bool:
    return row is not None and not row.get("IsDeleted")
