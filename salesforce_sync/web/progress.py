"""How far a sync session and its objects are, as frozen data, in the words that were promised."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from salesforce_sync.models.run import Problem


class Status(StrEnum):
    """How far an object is; the words that were promised."""

    PENDING = "pending"
    SYNCING = "syncing"
    SYNCED = "synced"
    ERROR = "error"


class SessionState(StrEnum):
    """How far a session is."""

    RUNNING = "running"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"


class ObjectProgress(Struct, frozen=True):
    """How far one object is. `percent` is of its rows; `rows_per_second` since it was begun."""

    object_name: str
    status: Status = Status.PENDING
    record_count: int = 0
    total_size: int | None = None
    percent: float = 0.0
    rows_per_second: float = 0.0
    calls: int = 0
    waits_for: str = ""
    changed: int = 0
    synced_at: datetime | None = None
    problem: Problem | None = None


class Event(Struct, frozen=True):
    """What a session tells its listeners: how far one object is, or, at its end, how it ended."""

    number: int
    progress: ObjectProgress | None


def state_of(objects: Iterable[ObjectProgress], *, unsent: bool) -> SessionState:
    """How a session of these objects has ended; `unsent`: edits that should have gone out have not."""
    states = {each.status for each in objects}
    if states <= {Status.SYNCED}:
        return SessionState.PARTIAL if unsent else SessionState.COMPLETE
    return SessionState.PARTIAL if Status.SYNCED in states else SessionState.FAILED
