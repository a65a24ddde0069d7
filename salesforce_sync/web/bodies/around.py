"""Proofs, budget, connections, users, the audit log."""

from __future__ import annotations

from typing import Literal

from salesforce_sync.web.bodies.base import Body


class BudgetBody(Body, frozen=True, kw_only=True):
    """The API calls of a rolling 24 hours, and what is to be expected."""

    success: bool = True
    used: int | None
    limit: int | None
    ceiling: int
    left: int | None
    told_at: str | None
    near_the_wall: bool
    spent: int
    next_sync: int
    next_sync_by_object: dict[str, int | None]
    day: int


class ConnectionBody(Body, frozen=True, kw_only=True):
    """One connection that the caller may use. `id` is what X-Connection-Id takes."""

    id: str
    name: str
    instance_url: str | None
    connected: bool
    owner: str
    outbox: int
    inbox: int


class ConnectionList(Body, frozen=True, kw_only=True):
    """The caller's connections."""

    success: bool = True
    connections: list[ConnectionBody]


class Me(Body, frozen=True, kw_only=True):
    """Who is asking. `csrfToken` goes into X-CSRF-Token with each change that a page makes."""

    success: bool = True
    user: str
    role: Literal["viewer", "editor", "admin"]
    csrf_token: str | None


class Done(Body, frozen=True, kw_only=True):
    """It is done."""

    success: bool = True


class Health(Body, frozen=True, kw_only=True):
    """The server answers."""

    status: str = "ok"
    version: str


class AuditEntry(Body, frozen=True, kw_only=True):
    """Who did what, when, on what, from where. `begun` is the number of the entry whose deed ended with this one."""

    number: int
    at: str
    who: str
    action: str
    subject: str
    origin: str
    outcome: str
    detail: str
    begun: int | None


class AuditBody(Body, frozen=True, kw_only=True):
    """The newest entries of the audit log, newest first."""

    success: bool = True
    entries: list[AuditEntry]


class AuditVerdict(Body, frozen=True, kw_only=True):
    """Whether the log is whole: `sound` entries from the first on, and the first `broken` one."""

    success: bool
    sound: int
    broken: int | None
    why: str
    head: str
