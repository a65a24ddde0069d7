"""Edits on their way, pushes, the inbox and its decisions."""

from __future__ import annotations

from typing import Any, Literal

from salesforce_sync.web.bodies.base import Body
from salesforce_sync.web.bodies.records import ChangeBody, EditBody, ProblemBody, ProofBody


class OutboxBody(Body, frozen=True, kw_only=True):
    """The edits that the org has not taken yet, oldest first: a page of `total`. `nextUrl` leads to the next one."""

    success: bool = True
    total: int
    changes: list[ChangeBody]
    next_url: str | None


class DiffBody(Body, frozen=True, kw_only=True):
    """What a push would send now, in its order and at a cost of `calls`, and what it would not (with `why`)."""

    success: bool = True
    calls: int
    changes: list[ChangeBody]
    held: list[ChangeBody]


class PushedBody(Body, frozen=True, kw_only=True):
    """What became of one change of a push."""

    object_api_name: str
    id: str
    operation: str
    outcome: str
    fields: dict[str, EditBody]
    problem: ProblemBody | None


class NotUndoneBody(Body, frozen=True, kw_only=True):
    """What an undo left as it is."""

    object_api_name: str
    id: str
    field: str
    why: str


class PushBody(Body, frozen=True, kw_only=True):
    """A push. `success` says whether everything that was to be sent is in the org, overwrote nobody, and is shown.

    `overwrote`: how many replaced, or deleted, what somebody had written a moment before; `hidden`: of how many the
    org does not show the record since. The inbox tells of both.
    `again_at`: when the first of those that the org did not take for the moment may be sent again.
    """

    success: bool
    push_id: str
    state: Literal["complete", "partial", "failed"]
    at: str | None
    seconds: float
    calls: int
    applied: int
    overwrote: int
    hidden: int
    again_at: str | None
    changes: list[PushedBody]
    problem: ProblemBody | None
    left: list[NotUndoneBody]


class PushList(Body, frozen=True, kw_only=True):
    """The last pushes, newest first."""

    success: bool = True
    pushes: list[PushBody]


class ConflictBody(Body, frozen=True, kw_only=True):
    """One field that both sides changed."""

    field: str
    base: Any
    local: Any
    org: Any


class MatchBody(Body, frozen=True, kw_only=True):
    """A record that the org named."""

    object_api_name: str
    id: str
    title: str


class ItemBody(Body, frozen=True, kw_only=True):
    """A record that waits for a person, and the decisions that can be taken; `version` changes with what is told."""

    number: int
    version: str
    object_api_name: str
    id: str
    title: str
    kind: str
    operation: str
    at: str
    code: str
    message: str
    hint: str
    fields: list[str]
    conflicts: list[ConflictBody]
    edits: dict[str, EditBody]
    matches: list[MatchBody]
    actions: list[str]


class InboxBody(Body, frozen=True, kw_only=True):
    """What waits for a person, oldest first: a page of `total`. `nextUrl` leads to the next one."""

    success: bool = True
    total: int
    items: list[ItemBody]
    next_url: str | None


class Decided(Body, frozen=True, kw_only=True):
    """An item is decided; what of its record waits to be sent now."""

    success: bool = True
    number: int
    pending: ChangeBody | None


class Released(Body, frozen=True, kw_only=True):
    """How many changes are sent again."""

    success: bool = True
    released: int


class DecidedAll(Body, frozen=True, kw_only=True):
    """How many conflicts are decided."""

    success: bool = True
    decided: int


class VerifyBody(Body, frozen=True, kw_only=True):
    """A verify: each object's proof, or why there is none."""

    success: bool
    calls: int
    proofs: dict[str, ProofBody]
    problems: dict[str, ProblemBody]
