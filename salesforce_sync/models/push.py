"""`Diff`: what a push would do; `Push`: what one has done, for people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from salesforce_sync.models.outbox import Change, Edit, Operation
from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.run import Problem, RunState


class Blocked(Struct, frozen=True):
    """A change that cannot be sent before another one: `by` is the local id of the parent it waits for."""

    change: Change
    by: str


class Diff(Struct, frozen=True):
    """What a push would do now, and what it would leave where it is.

    `orders` are sent in this order, at a cost of `calls` API calls; of `unknown` ones the last answer was lost, and
    the org is asked first; `held` ones wait: for a person (parked), or for a later moment. Of very many of a kind only
    some are told; `beyond` says how many there are besides, by the names of these fields. `along`: by the id of a
    record that is deleted, how many others of which object the org deletes with it, as far as they are here.
    """

    orders: tuple[Change, ...]
    calls: int
    blocked: tuple[Blocked, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    unknown: tuple[Change, ...] = ()
    held: tuple[Change, ...] = ()
    beyond: Mapping[str, int] = msgspec.field(default_factory=dict)
    along: Mapping[str, Mapping[str, int]] = msgspec.field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many changes would be sent, a create that goes in two parts twice."""
        return len(self.orders) + self.beyond.get("orders", 0)


class PushedChange(Struct, frozen=True):
    """One change of a push.

    `outcome`: `applied`, `rejected`, `deferred`, `conflicted`, `lost`, `blocked`; `left` where the push ended before it
    came to it; `held` where the org did not take it in an earlier push, and its time has not come. An applied one has a
    `problem` if it took the place of somebody else's value (`overwriting`).
    """

    object_name: str
    record_id: str
    operation: Operation
    edits: tuple[Edit, ...]
    outcome: str
    problem: Problem | None = None


NOT_SETTLED = frozenset(("blocked", "left", "held"))
"""Outcomes of what a push did not hand over: no answer of the org settles them."""

UNFINISHED = Problem(
    "UNFINISHED",
    "The push has not come to its end: it is still at work, or was ended from outside.",
    "What it left is in the outbox; the next push finds out about it and goes on.",
)
"""Stands with a push from its beginning on, until its end is kept."""


class Push(Struct, frozen=True):
    """One push: its changes, and what it cost of the org's daily API calls.

    Of a very large push `changes` holds only a part; `beyond` says how many others ended in which way.
    """

    push_id: str
    changes: tuple[PushedChange, ...]
    calls: int
    seconds: float
    problem: Problem | None = None
    """What stopped the push before its end, if anything did."""
    at: datetime | None = None
    """When it was kept, by this machine's clock; None until then. It makes no other push of it."""
    beyond: Mapping[str, int] = msgspec.field(default_factory=dict)
    overwrote: int = 0
    """How many of the applied changes replaced, or deleted, what nobody here had seen: it waits in the inbox."""
    again_at: datetime | None = None
    """When the first of those that the org did not take for the moment may be sent again (UTC)."""
    not_undone: int = 0
    """Of an undo: how many values and records it left as they are."""
    hidden: int = 0
    """How many of the applied changes are of records that the org does not show since; the inbox tells them."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Push):
            return NotImplemented
        return astuple(replace(self, at=None)) == astuple(replace(other, at=None))

    __hash__ = None  # type: ignore[assignment]  # `beyond` may be a dict

    def count(self, outcome: str) -> int:
        """How many changes ended so."""
        return sum(each.outcome == outcome for each in self.changes) + self.beyond.get(outcome, 0)

    @property
    def total(self) -> int:
        """How many changes there were."""
        return len(self.changes) + sum(self.beyond.values())

    @property
    def attempted(self) -> bool:
        """Whether there was anything to do, apart from what has to wait."""
        return self.problem is not None or self.total > self.count("held")

    @property
    def complete(self) -> bool:
        """Whether everything that was to be done is in the org now, and nothing has come to wait for a person."""
        done = self.problem is None and self.count("applied") == self.total
        return done and not (self.overwrote or self.hidden or self.not_undone)

    @property
    def state(self) -> RunState:
        """Complete, partial, or failed: nothing was answered for good, and not because all has to wait."""
        if self.complete:
            return RunState.COMPLETE
        answered = any(self.count(each) for each in ("applied", "rejected", "conflicted"))
        waits = self.problem is None and self.count("blocked") + self.count("held") == self.total
        return RunState.PARTIAL if answered or waits else RunState.FAILED


def besides_settled(push: Push, settled: Mapping[str, int]) -> dict[str, int]:
    """How many of the push's changes ended how beside those that were settled.

    What was not sent, and the conflicts of what went on without them: it was settled as applied.
    """
    found = {each: push.count(each) for each in NOT_SETTLED}
    found["conflicted"] = push.count("conflicted") - settled.get("conflicted", 0)
    return {each: count for each, count in sorted(found.items()) if count > 0}
