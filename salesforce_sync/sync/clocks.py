"""The org's clock beside this machine's."""

from __future__ import annotations

from contextlib import suppress

from salesforce_sync.errors import Stopped
from salesforce_sync.ports import Clock, Org, Store


def compare_clocks(org: Org, store: Store, clock: Clock) -> None:
    """Tell the store by how much they differ, by the org's last answer: before anything is judged by its time."""
    with suppress(Stopped):
        told = org.time()
        store.note_clock(None if told is None else told - clock.now())
