"""What the memory store keeps of edits: `Pending` records in the outbox, inbox items, pushes. Pure."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from salesforce_sync.models.inbox import Conflict, InboxItem
from salesforce_sync.models.outbox import TOLD, Change, ChangeState, Edit, Kind, Operation
from salesforce_sync.models.outcome import Match
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.push import UNFINISHED, PushedChange
from salesforce_sync.models.run import Problem
from salesforce_sync.models.values import Stored
from salesforce_sync.signals import Signal, news_of

RELEASED_BY_AN_EDIT = (Kind.REJECTED, Kind.DUPLICATE)
"""What waits for one of the other reasons must not be sent because somebody went on typing."""


@dataclass
class Slot:
    """One edited field. `org` is what the org shows now: another value than `base` only where that is disputed."""

    base: Stored
    value: Stored
    org: Stored
    disputed: bool = False
    in_flight: bool = False
    sent: Stored = None
    edited_at: datetime | None = None

    @property
    def idle(self) -> bool:
        """Whether there is nothing to write: the value is the org's, and no other is on its way."""
        return not self.in_flight and self.value == self.org


@dataclass
class Sent:
    """What was handed to the org and has no answer yet."""

    operation: Operation
    edits: tuple[Edit, ...]
    push_id: str
    sent_at: datetime | None
    job: str | None
    sent_by: str | None = None


@dataclass
class Pending:
    """One record's place in the outbox: what the org has (`exists`, `org_dead`), and what is wanted (`want_dead`).

    `absent` says why the org does not show it any more, where a person has to decide about that.
    """

    number: int
    record_id: str
    exists: bool = True
    org_dead: bool = False
    want_dead: bool = False
    slots: dict[str, Slot] = field(default_factory=dict)
    sent: Sent | None = None
    touched: bool = False
    parked_for: Kind | None = None
    absent: Cause | None = None
    attempts: int = 0
    not_before: datetime | None = None
    allow_duplicates: bool = False
    edited_at: datetime | None = None

    @property
    def operation(self) -> Operation:
        """What has to be done to the org for it to be as it is wanted here."""
        if not self.exists:
            return Operation.CREATE
        if self.org_dead != self.want_dead:
            return Operation.DELETE if self.want_dead else Operation.UNDELETE
        return Operation.UPDATE

    @property
    def void(self) -> bool:
        """Whether nothing is left to be done."""
        if self.sent is not None:
            return False
        if not self.exists:
            return self.want_dead
        return self.org_dead == self.want_dead and (self.org_dead or not self.slots)

    @property
    def shown(self) -> bool:
        """Whether the org should show the record as live."""
        return self.exists and not self.org_dead and self.absent is None

    @property
    def state(self) -> ChangeState:
        """How far the change is. One with nothing but fields in conflict has nothing to send."""
        if self.sent is not None:
            return ChangeState.SENDING
        disputed = self.operation is Operation.UPDATE and all(each.disputed for each in self.slots.values())
        return ChangeState.PARKED if self.parked_for is not None or disputed else ChangeState.WAITING

    def all_edits(self) -> tuple[Edit, ...]:
        """Every local value that is not in the org."""
        return tuple(Edit(name, each.base, each.value) for name, each in self.slots.items())

    def judged_edits(self) -> tuple[Edit, ...]:
        """The same as the three-way merge wants to see them."""
        return tuple(Edit(name, each.base, each.value, each.in_flight, each.sent) for name, each in self.slots.items())

    def conflicts(self) -> tuple[Conflict, ...]:
        """The fields that both sides have changed."""
        disputed = ((name, each) for name, each in self.slots.items() if each.disputed)
        return tuple(Conflict(name, each.base, each.value, each.org) for name, each in disputed)

    def put(self, name: str, value: Stored, here: Stored, now: datetime) -> None:
        """A person gives the field this value; `here` is what it had."""
        slot = self.slots.setdefault(name, Slot(here, value, here))
        slot.value, slot.edited_at = value, now
        if slot.idle:
            del self.slots[name]

    def land(self) -> None:
        """Nothing is on its way any more."""
        self.sent = None
        for name, slot in list(self.slots.items()):
            slot.in_flight, slot.sent = False, None
            if slot.idle:
                del self.slots[name]

    def change(self, object_name: str, stamp: str | None) -> Change:
        """As others see it."""
        return Change(
            self.number,
            object_name,
            self.record_id,
            self.operation if self.sent is None else self.sent.operation,
            self._to_send() if self.sent is None else self.sent.edits,
            stamp,
            self.state,
            self.attempts,
            self.not_before,
            None if self.sent is None else self.sent.sent_at,
            None if self.sent is None else self.sent.job,
            self.allow_duplicates,
            self.edited_at,
            self._undisputed() if self.sent is None and self.operation is Operation.UNDELETE else (),
            None if self.sent is None else self.sent.sent_by,
        )

    def _to_send(self) -> tuple[Edit, ...]:
        return () if self.operation in (Operation.DELETE, Operation.UNDELETE) else self._undisputed()

    def _undisputed(self) -> tuple[Edit, ...]:
        return tuple(each for each in self.all_edits() if not self.slots[each.field].disputed)


@dataclass
class Item:
    """Something in the inbox. `replaced` is what a REPLACED one tells; a conflict's fields are those of the record."""

    number: int
    object_name: str
    record_id: str
    kind: Kind
    operation: Operation
    at: datetime
    code: str = ""
    message: str = ""
    fields: tuple[str, ...] = ()
    matches: tuple[Match, ...] = ()
    replaced: tuple[Conflict, ...] = ()

    def news(self) -> Signal:
        """What is told of it."""
        return news_of(self.object_name, self.record_id, self.kind, self.code)

    def shown(self, pending: Pending | None) -> InboxItem:
        """As others see it."""
        edits = () if pending is None or self.operation is Operation.DELETE else pending.all_edits()
        conflicts = self.replaced if self.kind in TOLD else ()
        if self.kind is Kind.CONFLICT and pending is not None:
            conflicts = pending.conflicts()
        return InboxItem(
            self.number,
            self.object_name,
            self.record_id,
            self.kind,
            self.operation,
            self.at,
            self.code,
            self.message,
            "",
            self.fields,
            conflicts,
            edits,
            self.matches,
        )


@dataclass
class PushLog:
    """What is known of one push: what of each record it has brought, and its last outcome; and what it cost."""

    changes: dict[tuple[str, str, int], PushedChange] = field(default_factory=dict)
    calls: int = 0
    seconds: float = 0.0
    problem: Problem | None = UNFINISHED
    besides: dict[str, int] = field(default_factory=dict)
    ended: datetime | None = None

    def note(self, told: PushedChange) -> None:
        """Keep it, in place of what became of the record before, unless that was taken."""
        taken = len(self.of(told.object_name, told.record_id, "applied"))
        self.changes.pop((told.object_name, told.record_id, taken), None)
        self.changes[told.object_name, told.record_id, taken] = told

    def of(self, name: str, key: str, outcome: str) -> list[tuple[str, str, int]]:
        """The keys of what became so of a record."""
        numbers = itertools.takewhile(lambda number: (name, key, number) in self.changes, itertools.count())
        return [(name, key, each) for each in numbers if self.changes[name, key, each].outcome == outcome]

    def rename(self, local: str, real: str) -> None:
        """A record has the org's id now."""
        self.changes = {
            (name, real if key == local else key, number): replace(each, record_id=real) if key == local else each
            for (name, key, number), each in self.changes.items()
        }
