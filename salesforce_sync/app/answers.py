"""What `SFSync` answers when somebody looks: the budget, the status, the rows of a query."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from msgspec import Struct

from salesforce_sync.models.duty import DaemonState
from salesforce_sync.models.run import ObjectStatus
from salesforce_sync.models.sinks import SinkState
from salesforce_sync.models.usage import Forecast


class Budget(Struct, frozen=True):
    """The API calls of a rolling 24 hours, and what of them is to be expected.

    `used` and `limit` are the org's last word at `told_at`, None before its first; `ceiling` is where we stop, and
    `left` what pulls may still use before it. `next_sync` is what one sync will cost while little changes, `day` what
    24 hours will.
    """

    spent: int
    used: int | None
    limit: int | None
    ceiling: int
    left: int | None
    told_at: datetime | None
    near_the_wall: bool
    next_sync: Forecast
    day: int


class Status(Struct, frozen=True):
    """What `status` shows. `connected_to` is the instance URL, None without a connection."""

    database: Path
    connected_to: str | None
    objects: tuple[ObjectStatus, ...]
    budget: Budget
    outbox: int = 0
    """Records with edits that the org does not have."""
    inbox: int = 0
    """What waits for a person."""
    warnings: tuple[str, ...] = ()
    """Settings that say something of nothing that is here."""
    daemon: DaemonState | None = None
    """What the daemon last told of itself; None if there never was one."""
    sinks: tuple[SinkState, ...] = ()
    """How far the sinks for signals have got."""


class Answer(Struct, frozen=True):
    """What a read-only SQL query gave; `cut` when there were more rows than the limit.

    `unfinished` are objects it reads whose first sync has not come to its end: rows of theirs are missing here.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    cut: bool
    unfinished: tuple[str, ...] = ()
