"""Sync sessions and how far they are."""

from __future__ import annotations

from typing import Literal

from salesforce_sync.web.bodies.base import Body, Record


class SessionBegun(Body, frozen=True, kw_only=True):
    """A session was begun; the headers `Location` and `Link` (rel="events") say where to look how far it is."""

    success: bool = True
    session_id: str
    message: str = "Sync session initiated"


class ObjectBegun(SessionBegun, frozen=True, kw_only=True):
    """The same for one object, whose answer was not waited for; `statusUrl` tells how far it is."""

    object_api_name: str
    status_url: str
    events_url: str


class ObjectSynced(Body, frozen=True, kw_only=True):
    """One object after its sync, with the first records. `totalSize` counts the live rows of the replica."""

    success: bool = True
    object_api_name: str
    record_count: int
    records: list[Record]
    has_more: bool
    total_size: int
    done: bool
    next_records_url: str | None
    synced_at: str


class ProgressBody(Body, frozen=True, kw_only=True):
    """How far one object is."""

    object_api_name: str
    status: Literal["pending", "syncing", "synced", "error"]
    record_count: int
    total_size: int | None
    percent: float
    rows_per_second: float
    calls: int
    waits_for: str
    changed: int
    synced_at: str | None
    error: str | None
    details: str | None


class SessionBody(Body, frozen=True, kw_only=True):
    """A sync session. `pushed` counts the local edits that it sent; `percent` is of all its objects.

    It is `partial`, and no `success`, where an object failed, where an edit was not sent (refused, or new in the
    inbox), or where the workbook could not be made.

    `workbook` is where the workbook can be had that it made current, null as long as it has not.
    """

    success: bool = True
    session_id: str
    state: Literal["running", "complete", "partial", "failed", "cancelled"]
    started: str
    finished: str | None
    percent: float
    record_count: int
    pushed: int | None
    workbook: str | None
    objects: list[ProgressBody]


class SessionList(Body, frozen=True, kw_only=True):
    """The sessions that are known, newest first."""

    success: bool = True
    sessions: list[SessionBody]
