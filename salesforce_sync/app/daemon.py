"""`SFSync` and the daemon: to be it, to ask it, to see what it does."""

from __future__ import annotations

import os
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from salesforce_sync.app.process import me, owner
from salesforce_sync.app.syncing import Syncing
from salesforce_sync.errors import Misuse
from salesforce_sync.models.duty import DaemonState, SyncRequest

if TYPE_CHECKING:
    from salesforce_sync.sync.duty import Duty, Onlooker


class DaemonDesk(Syncing):
    """The daemon of this replica, here or in another process."""

    def run_daemon(self, onlooker: Onlooker, *, tick: float = 0.5) -> None:
        """Sync and push until `stop`; `Taken` tells who does so already.

        Every `tick` seconds it looks whether something was edited, or asked for.
        """
        from salesforce_sync.sync.daemon import Daemon
        from salesforce_sync.sync.following import Following

        self._connected()  # or it would say only after a while that it has nobody to log in as
        with self._store.claims.duty("daemon", me()):
            self._begin_delivery()
            follow = partial(self.follow, caught_up=onlooker.caught_up)
            following = Following(follow, self.followed_objects, self._stop)
            if self.followed_objects:
                following.start()
            told = following.told if self.followed_objects else dict[str, str]
            Daemon(self._duty(tick), self._engine, self._store, self._store.desk, self._clock, self._stop, told).run(
                onlooker
            )

    def _duty(self, tick: float) -> Duty:
        from salesforce_sync.sync.duty import Duty

        settings = self.config.sync
        return Duty(
            {name: timedelta(minutes=settings.minutes(name)) for name in settings.objects},
            self._rules(),
            settings.api_calls_per_day,
            owner=owner(),
            pid=os.getpid(),
            seed=self._store.log.replica_id(),
            tick=tick,
        )

    def ask_daemon(self, *objects: str) -> SyncRequest:
        """Ask the daemon for a sync of these objects, or of the configured ones; `Misuse` if none is running."""
        if not self.daemon_runs:
            raise Misuse("No daemon is running for this replica.", hint="Start one: salesforce-sync daemon")
        return self._store.desk.ask(owner(), objects)

    def asked_of_daemon(self, number: int) -> SyncRequest | None:
        """What has become of a request."""
        return self._store.desk.request(number)

    def daemon_state(self) -> DaemonState | None:
        """What the daemon last told of itself; `running` is whether it lives."""
        state = self._store.desk.state()
        return None if state is None else replace(state, running=self.daemon_runs)

    @property
    def daemon_runs(self) -> bool:
        """Whether a daemon of this replica is alive, in whatever process."""
        return self._store.claims.is_held("daemon")
