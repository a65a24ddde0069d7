"""The daemon and the processes beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from salesforce_sync.models.duty import DaemonState, SyncRequest, Waiting


class Desk(Protocol):
    """What the daemon and the processes beside it tell each other. May be called from several threads at once."""

    def version(self) -> int:
        """Another number whenever somebody has committed since, in whatever process."""

    def ask(self, who: str, objects: Sequence[str]) -> SyncRequest:
        """Ask the daemon for a sync of these objects, of all that are configured if there are none; it is told."""

    def asked(self) -> tuple[SyncRequest, ...]:
        """What was asked for and is not done, oldest first; what a killed daemon had taken too."""

    def request(self, number: int) -> SyncRequest | None:
        """What became of one."""

    def take(self, requests: Sequence[SyncRequest]) -> None:
        """The daemon has begun with these."""

    def done(self, requests: Sequence[SyncRequest], state: str) -> None:
        """And has ended them so."""

    def note(self, state: DaemonState) -> None:
        """Keep what the daemon tells of itself."""

    def state(self) -> DaemonState | None:
        """What it told last."""

    def waiting(self) -> Waiting:
        """What of the outbox could be sent now, and later."""

    def last_tries(self) -> Mapping[str, tuple[datetime, str]]:
        """When the last pull of each object was begun and how it ended (`RunState`), by its name in lower case."""
