"""`Change`: one record's local edits on their way to the org, and `Outcome`: what the org said to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, replace

from salesforce_sync.models.run import Problem, RunState
from salesforce_sync.models.values import Stored

LOCAL_PREFIX = "local-"
"""How the id of a record begins that the org does not have yet."""


def is_local(record_id: str) -> bool:
    """Whether this is the id of a record that was made here and that the org has not given an id yet."""
    return record_id.startswith(LOCAL_PREFIX)


class Operation(StrEnum):
    """What a change does to its record."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    UNDELETE = "undelete"


class ChangeState(StrEnum):
    """How far a change is."""

    WAITING = "waiting"
    """It may be sent, once `not_before` has passed."""
    SENDING = "sending"
    """It was handed to the org, and no answer is known: it may be there or not."""
    PARKED = "parked"
    """It waits in the inbox for a person."""


class Kind(StrEnum):
    """Why something waits in the inbox."""

    CONFLICT = "conflict"
    """Both sides changed a field since the base."""
    REJECTED = "rejected"
    """The org refused the change."""
    DUPLICATE = "duplicate"
    """A duplicate rule of the org found records like the new one."""
    DELETED_THERE = "deleted there"
    """Edited here, and deleted, merged away or no longer visible in the org."""
    CHANGED_THERE = "changed there"
    """Deleted here, and changed in the org since."""
    REPLACED = "replaced"
    """Our write took the place of a value that somebody else had written a moment before; what it was is kept."""
    DELETED_OVER = "deleted over"
    """Our deletion took with it what somebody else had changed a moment before; what it was is kept."""
    NOT_SHOWN = "not shown"
    """The org has taken the change, and does not show the record since: nobody here knows what became of it."""
    UNCERTAIN = "uncertain"
    """A create's answer was lost, and the org has a record that may or may not be it."""


TOLD = (Kind.REPLACED, Kind.DELETED_OVER, Kind.NOT_SHOWN)
"""What a person is told after a push has done it: no change of the outbox waits because of that."""


class Edit(Struct, frozen=True, gc=False):
    """One field's new value, and the base: what the org had when the edit was made (stored forms).

    `in_flight` says that `sent` was handed to the org and that its answer is not known; `value` may be newer.
    """

    field: str
    base: Stored
    value: Stored
    in_flight: bool = False
    sent: Stored = None


class Change(Struct, frozen=True, gc=False):
    """All edits of one record that the org has not acknowledged, folded into one.

    `edits` are those that may be sent: fields in conflict are not among them. References to records that were made
    here hold their local ids until the org has given real ones. `stamp` is the org's stamp of the row that the edits
    were made on (stored form), None where there is none. `sent_at` (the org's time) and `job` tell of an attempt
    whose answer is not known. `number` is the place in the outbox: older changes have smaller ones.
    """

    number: int
    object_name: str
    record_id: str
    operation: Operation
    edits: tuple[Edit, ...] = ()
    stamp: str | None = None
    state: ChangeState = ChangeState.WAITING
    attempts: int = 0
    not_before: datetime | None = None
    sent_at: datetime | None = None
    job: str | None = None
    allow_duplicates: bool = False
    edited_at: datetime | None = None

    @property
    def values(self) -> dict[str, Stored]:
        """What would be sent: API name → stored value."""
        return {each.field: each.value for each in self.edits}

    @property
    def local(self) -> bool:
        """Whether the org has not given the record an id yet."""
        return is_local(self.record_id)


def is_sendable(change: Change, now: datetime) -> bool:
    """Whether it may be sent, as far as it tells itself."""
    due = change.not_before is None or change.not_before <= now
    # All fields of an update without edits are in conflict.
    nothing = change.operation is Operation.UPDATE and not change.edits
    return change.state is ChangeState.WAITING and due and not nothing


def _is_put_off(change: Change, now: datetime) -> bool:
    return change.state is ChangeState.WAITING and change.not_before is not None and change.not_before > now


class Wanted(Struct, frozen=True):
    """Which changes of the outbox are asked for: those that meet everything that is given, the first `most` of them.

    `after` and `until` are numbers (the second is within). `due`: what is sendable at that moment. `held`: what is
    neither sendable at that moment nor on its way. `put_off`: what the org did not take, and may be sent again only
    after that moment. `sending`: what is on its way. `numbers`, `records`: only these.
    """

    after: int = 0
    until: int | None = None
    most: int | None = None
    due: datetime | None = None
    held: datetime | None = None
    put_off: datetime | None = None
    sending: bool = False
    numbers: Collection[int] | None = None
    records: Collection[str] | None = None

    def takes(self, change: Change) -> bool:
        """Whether the change is one of these, `most` apart."""
        is_sending = change.state is ChangeState.SENDING
        return (
            self.after < change.number
            and (self.until is None or change.number <= self.until)
            and (self.due is None or is_sendable(change, self.due))
            and (self.held is None or not (is_sending or is_sendable(change, self.held)))
            and (self.put_off is None or (not is_sending and _is_put_off(change, self.put_off)))
            and (not self.sending or is_sending)
            and (self.numbers is None or change.number in self.numbers)
            and (self.records is None or change.record_id in self.records)
        )


EVERYTHING = Wanted()


# ── outcomes: one row's failure is a value ───────────────────────────────────────────────────────────────────────


class Applied(Struct, frozen=True):
    """The org has taken the change; `record_id` is the record's id there.

    `replaced` are values of written fields that somebody else had put there between our reading and our writing.
    `row` is the record as the org shows it now, one value a column of the schema in REST's form (`models/page.Rows`),
    where the answer brought it. `was_gone`: a deletion found that somebody else had deleted the record before.
    """

    change: Change
    record_id: str
    replaced: Mapping[str, Stored] | None = None
    row: tuple[object, ...] | None = None
    was_gone: bool = False


class Match(Struct, frozen=True):
    """A record that the org's duplicate rule found."""

    object_name: str
    record_id: str


class Rejected(Struct, frozen=True):
    """The org refused this change and will refuse it again: Salesforce's code, message and fields.

    `kind` is REJECTED, DUPLICATE (`matches`: what the org's rule found) or UNCERTAIN (`matches`: what it may be).
    `apart` are the fields that are refused whatever is in them: only they wait, and the other edits may be sent.
    """

    change: Change
    code: str
    message: str
    fields: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    kind: Kind = Kind.REJECTED
    apart: tuple[str, ...] = ()


class Deferred(Struct, frozen=True):
    """The org did not take the change now (a lock, a time-out that left nothing): the same may work later."""

    change: Change
    code: str
    message: str


class Conflicted(Struct, frozen=True):
    """The org did not write: the record is no longer as it was when the edits were made (or is gone).

    `code` and `message` are the org's, where it said that something is gone: the record, or one that it refers to.
    """

    change: Change
    code: str = ""
    message: str = ""


class Lost(Struct, frozen=True):
    """No answer came: the org may have taken the change or not. `job` is the Bulk job that has it, if one does.

    `code` is Salesforce's own, where it answered that it had failed over the call (500): it is not at work any more.
    """

    change: Change
    message: str
    job: str | None = None
    code: str = ""


Outcome = Applied | Rejected | Deferred | Conflicted | Lost


class Settled(Struct, frozen=True):
    """What became of a push's changes here. `created` maps local ids to the org's.

    `overwrote`: by a change's number, the fields whose `Applied.replaced` waits in the inbox.
    """

    applied: tuple[Applied, ...] = ()
    parked: tuple[Change, ...] = ()
    created: Mapping[str, str] | None = None
    overwrote: Mapping[int, tuple[str, ...]] = msgspec.field(default_factory=dict)


class Blocked(Struct, frozen=True):
    """A change that cannot be sent before another one: `by` is the local id of the parent it waits for."""

    change: Change
    by: str


class Diff(Struct, frozen=True):
    """What a push would do now, and what it would leave where it is.

    `orders` are sent in this order, at a cost of `calls` API calls; of `unknown` ones the last answer was lost, and
    the org is asked first; `held` ones wait: for a person (parked), or for a later moment. Of very many of a kind only
    some are told; `beyond` says how many there are besides, by the names of these fields.
    """

    orders: tuple[Change, ...]
    calls: int
    blocked: tuple[Blocked, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    unknown: tuple[Change, ...] = ()
    held: tuple[Change, ...] = ()
    beyond: Mapping[str, int] = msgspec.field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many changes would be sent, a create that goes in two parts twice."""
        return len(self.orders) + self.beyond.get("orders", 0)


# ── what a push did, for people ──────────────────────────────────────────────────────────────────────────────────


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

OVERWROTE = "OVERWROTE"
"""Our code for a change that the org has taken, and that took the place of a value that nobody here had seen."""


def overwriting(fields: Collection[str]) -> Problem:
    """What is to be told of a change that overwrote somebody else's values of these fields."""
    names = ", ".join(fields)
    message = f"Somebody had changed {names} in the moment before it was written; it holds the local value now."
    return Problem(OVERWROTE, message, "The value that was there waits in the inbox.")


DELETED_OVER = "DELETED_OVER"
"""Our code for a deletion that took with it what somebody had changed, and nobody here had seen."""


def deleted_over(fields: Collection[str], came: Mapping[str, Stored]) -> Problem:
    """What is to be told of a deletion that took somebody's values of these fields; `came` is the deleted row."""
    names, who, at = ", ".join(fields), came.get("LastModifiedById"), came.get("LastModifiedDate")
    message = f"Somebody had changed {names} in the org in the moment before the record was deleted from here."
    if who and at:
        message += f" The org names {who}, at {at}, as the last to touch it, which may be the deletion itself."
    return Problem(DELETED_OVER, message, "The deletion may stay, or the record be brought back: see the inbox.")


NOT_SHOWN = "NOT_SHOWN"
"""Our code for a change that the org has taken, and whose record it does not show since."""


def not_shown(record_id: str) -> Problem:
    """What is to be told of a change that the org has taken, and whose record it does not show."""
    message = (
        f"The org has taken it, and does not show {record_id} to the connected user: it was shared with somebody else, "
        "moved on by automation, or purged at once. It is not in the replica, and is not made again."
    )
    return Problem(NOT_SHOWN, message, "Let the connected user see the record; the next verify then brings it.")


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
