"""`Outcome`: what the org said to one change, as a value; and what is found out, later, about one that it has taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from msgspec import Struct

from salesforce_sync.models.outbox import Change, Kind
from salesforce_sync.models.run import Problem
from salesforce_sync.models.values import Stored


class Applied(Struct, frozen=True):
    """The org has taken the change; `record_id` is the record's id there.

    `replaced` are values of written fields that somebody else had put there between our reading and our writing.
    `row` is the record as the org shows it now, one value a column of the schema in REST's form (`models/page.Rows`),
    where the answer brought it, and `stamp` what the record's stamp was right before (stored form), if that was read.
    `was_gone`: a deletion found that somebody else had deleted the record before.
    """

    change: Change
    record_id: str
    replaced: Mapping[str, Stored] | None = None
    row: tuple[object, ...] | None = None
    was_gone: bool = False
    stamp: Stored = None


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

    `overwrote`: by a change's number, the fields whose `Applied.replaced` waits in the inbox. `arrived` are the numbers
    of Conflicted changes to which this push had lost the answer, and which the org shows by now.
    """

    applied: tuple[Applied, ...] = ()
    parked: tuple[Change, ...] = ()
    created: Mapping[str, str] | None = None
    overwrote: Mapping[int, tuple[str, ...]] = msgspec.field(default_factory=dict)
    arrived: frozenset[int] = frozenset()


OVERWROTE = "OVERWROTE"
"""Our code for a change that the org has taken, and that took the place of a value that nobody here had seen."""


def overwriting(fields: Collection[str]) -> Problem:
    """What is to be told of a change that overwrote somebody else's values of these fields."""
    names = ", ".join(fields)
    message = f"Somebody had changed {names} in the moment before it was written; it holds the local value now."
    return Problem(OVERWROTE, message, "The value that was there waits in the inbox.")


EDITED_TWICE = "EDITED_TWICE"
"""Our code for a record that was made here, was shown by a row of the org's too, and was edited in both."""


def edited_twice(fields: Collection[str]) -> Problem:
    """What is to be told of a record whose two rows had other values in these fields."""
    message = f"Both rows that showed this record were edited: {', '.join(fields)} holds the later value."
    return Problem(EDITED_TWICE, message, "The earlier one waits in the inbox.")


def linked_over(fields: Collection[str]) -> Problem:
    """What is to be told of a record whose own edits of these fields gave way to what was linked to it."""
    message = f"This record had been edited, too: {', '.join(fields)} holds what was linked to it since."
    return Problem(EDITED_TWICE, message, "Its own edit waits in the inbox.")


NOT_DELETED = "NOT_DELETED"
"""Our code for a record that one row of it was deleted of, and another one edited, before they were known to be one."""


def not_deleted() -> Problem:
    """What is to be told of it."""
    message = "Of the two rows that showed this record one was edited and the other one deleted: it was not deleted."
    return Problem(NOT_DELETED, message, "Delete it again if it is to go.")


DELETED_OVER = "DELETED_OVER"
"""Our code for a deletion that took with it what somebody had changed, and nobody here had seen."""


def went_with(with_it: str) -> str:
    """How a record was deleted that the org took along with this one."""
    return f"with {with_it}, which was deleted here, and comes back with that one"


def deleted_over(fields: Collection[str], came: Mapping[str, Stored], with_it: str = "") -> Problem:
    """What is to be told of a deletion that took somebody's values of these fields; `came` is the deleted row.

    `with_it`: the record with which it went, where that is not the one that was deleted here.
    """
    names, who, at = ", ".join(fields), came.get("LastModifiedById"), came.get("LastModifiedDate")
    message = f"Somebody had changed {names} in the org in the moment before the record was deleted from here."
    if with_it:
        message = f"Somebody had changed {names} in the org before the record was deleted {went_with(with_it)}."
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
