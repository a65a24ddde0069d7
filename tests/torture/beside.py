"""Change events followed beside a replica's own work, in threads of its own, as a daemon does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, RLock
from typing import Any

from salesforce_sync.app import SFSync
from salesforce_sync.sync.follow import Follower
from salesforce_sync.sync.following import Following
from salesforce_sync.sync.pace import Pace
from simorg.org import SimOrg

PACE = Pace(first_wait=0.01, longest_wait=0.1, calls=1000, look_every=0.05)


class Beside:
    """What follows events beside a replica's own work; `still` holds it back, so that a person sees one moment."""

    def __init__(self, sync: SFSync, objects: tuple[str, ...]) -> None:
        self._lock = RLock()
        self._stop = Event()
        self.store = store = sync._store
        store.merge_events = self._held_back(store.merge_events)  # type: ignore[method-assign]
        store.merge_again = self._held_back(store.merge_again)  # type: ignore[method-assign]
        sync._catch_up = self._held_back(sync._catch_up)  # type: ignore[method-assign]
        self.following = Following(lambda: self._follower(sync), objects, self._stop, first_wait=0.02)
        self.following.start()

    def _follower(self, sync: SFSync) -> Follower:
        return sync.follow(PACE)

    def _held_back(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def later(*given: Any) -> Any:
            with self._lock:
                return work(*given)

        return later

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing that events bring, enters."""
        with self._lock:
            yield

    def end(self) -> None:
        """No more is tried; who has begun ends with the replica."""
        self._stop.set()

    def lags(self, org: SimOrg, objects: tuple[str, ...]) -> str:
        """What of the events is not here yet; '' if all is."""
        for name in objects:
            with org.events.changed:
                newest = max((each.position for each in org.events._log if each.object_name == name), default=0)
            replay = self.store.replay(name)
            if replay is None or int.from_bytes(replay[:8]) < newest:
                return f"{name} is followed up to {replay!r} of {newest}"
            if self.store.unsure(name) or self.store.to_read_again(name, 1):
                return f"{name} waits for a poll, or a reading"
        return ""
