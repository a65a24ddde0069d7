"""`Change`: one record's local edits on their way to the org, and which of them are asked for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

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

    `edits` are those that may be sent: fields in conflict are not among them. `later`: those of a record that is to be
    brought back; they may be sent once it is there. References to records that were made here hold their local ids
    until the org has given real ones. `stamp` is the org's stamp of the row that the edits were made on (stored form),
    None where there is none. `sent_at` (the org's time), `sent_by` (a user's id, as far as a login told it) and `job`
    tell of an attempt whose answer is not known. `number` is the place in the outbox: older changes have smaller ones.
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
    later: tuple[Edit, ...] = ()
    sent_by: str | None = None

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
    return change.state is ChangeState.WAITING and due and not is_asked_about(change)


def is_asked_about(change: Change) -> bool:
    """Whether nothing of it is sent before a person decides, as far as it tells itself."""
    # All fields of an update without edits are in conflict.
    return change.state is ChangeState.PARKED or (change.operation is Operation.UPDATE and not change.edits)


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
