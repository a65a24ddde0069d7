"""`Following`: a daemon follows change events as soon as that can be begun: it may start before the network does."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread

from salesforce_sync.errors import ConfigError, Misuse, SyncError
from salesforce_sync.sync.follow import Follower

log = logging.getLogger(__name__)

FIRST_WAIT, LONGEST_WAIT = 1.0, 300.0


class Following:
    """`begin` gives the follower, or raises why there is none yet; `stop` ends the tries."""

    def __init__(
        self, begin: Callable[[], Follower], objects: Sequence[str], stop: Event, first_wait: float = FIRST_WAIT
    ) -> None:
        self._begin = begin
        self._objects = tuple(objects)
        self._stop = stop
        self._wait = first_wait
        self._follower: Follower | None = None
        self._trouble = "not connected yet"

    def start(self) -> None:
        """Begin now, or in a thread as soon as it is possible; `Misuse` and `ConfigError` say that it never will be."""
        try:
            self._try()
        except (Misuse, ConfigError):
            raise
        except SyncError as error:
            self._put_off(error)
            Thread(target=self._keep_trying, name="events-begin", daemon=True).start()

    def told(self) -> Mapping[str, str]:
        """The objects, each with '' while it is followed, or why it is not."""
        if self._follower is None:
            return dict.fromkeys(self._objects, self._trouble)
        return {each.object_name: each.trouble for each in self._follower.followed()}

    def _try(self) -> None:
        follower = self._begin()
        follower.start(*self._objects)
        self._follower = follower

    def _put_off(self, error: SyncError) -> None:
        self._trouble = f"{error.code}: {error.message}"
        log.warning("Change events are not followed yet: %s", error)

    def _keep_trying(self) -> None:
        while not self._stop.wait(self._wait):
            self._wait = min(LONGEST_WAIT, self._wait * 2)
            try:
                return self._try()
            except SyncError as error:
                self._put_off(error)
            except Exception:  # the engine's loop: polls go on, and the next try may do better
                log.exception("Change events could not be followed")
