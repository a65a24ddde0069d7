"""Tells what has happened: kept first, and then told in this process."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.models.outbox import Kind
from salesforce_sync.ports import Store
from salesforce_sync.signals import Bus, Signal, SyncStarted, news

log = logging.getLogger(__name__)

ITEMS_AT_ONCE = 1000
OF_PUSHES = frozenset((Kind.REJECTED, Kind.DUPLICATE, Kind.REPLACED))
"""Items that only a push can bring: it tells of them itself."""


@contextmanager
def run_begun(store: Store, bus: Bus, run_id: str, objects: Sequence[str]) -> Iterator[None]:
    """Tell that a run begins, which goes on until the block ends; and before it what has ended without a word."""
    with ExitStack() as held:
        signals: list[Signal] = []
        try:
            signals += store.tell_abandoned()
            held.enter_context(store.begun(run_id, objects))
        except StoreTrouble as trouble:
            log.warning("Signals could not be kept: %s", trouble)
        for signal in (*signals, SyncStarted(tuple(objects))):
            bus.emit(signal)
        yield


def tell(store: Store, bus: Bus, signals: Sequence[Signal], ended: str = "") -> None:
    """Keep what happened, then tell it in this process; `ended` is the run whose end it tells."""
    if not signals:
        return
    try:
        store.tell(signals, ended)
    except StoreTrouble as trouble:
        # A full disk must not hide what happened from who listens here; nor may the log fill it with tracebacks.
        log.warning("Signals could not be kept: %s", trouble)
    for signal in signals:
        bus.emit(signal)


class InboxNews:
    """Tells what has come into the inbox since it was made."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._last = store.newest_item()

    def tell(self) -> dict[str, int]:
        """One signal for each item that is new; of which object how many came without a push having met them."""
        found = Counter[str]()
        while items := self._store.inbox(self._last, ITEMS_AT_ONCE):
            for item in items:
                self._last = item.number
                found[item.object_name] += item.kind not in OF_PUSHES
                self._bus.emit(news(item))  # the store has kept it with the item
        return dict(+found)
