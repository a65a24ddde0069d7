"""What the daemon and the processes beside it tell each other, as data."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field


class SyncRequest(Struct, frozen=True):
    """Somebody wants a sync now, of these objects (none named: of all that are configured)."""

    number: int
    at: datetime
    who: str
    objects: tuple[str, ...] = ()
    taken_at: datetime | None = None
    done_at: datetime | None = None
    state: str | None = None


class DaemonState(Struct, frozen=True):
    """The daemon as it last told: who runs it, what it does, when each object is due, its last error."""

    owner: str
    pid: int
    started_at: datetime
    told_at: datetime
    doing: str
    next: Mapping[str, datetime] = field(default_factory=dict)
    not_before: datetime | None = None
    problem: str = ""
    problem_at: datetime | None = None
    events: Mapping[str, str] = field(default_factory=dict)
    """The objects whose change events are to be followed: '' while one is, or why it is not."""
    running: bool = False
    """Whether it lives: what it told last may be all that a killed one has left."""


class Waiting(Struct, frozen=True):
    """What of the outbox could be sent.

    `edited` is another whenever somebody has edited something, and `mark` also when something else has become of it;
    `ready` says that something can go now; `at` is when the next of those that the org has put off may go.
    """

    edited: str = ""
    mark: str = ""
    ready: bool = False
    at: datetime | None = None
