"""The Salesforce side."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from salesforce_sync.models.outbox import Change
from salesforce_sync.models.outcome import Outcome
from salesforce_sync.models.page import Deletions, Page, Poll, Polled, PullRequest
from salesforce_sync.models.schema import Described, ObjectSchema, ObjectSummary
from salesforce_sync.models.values import Stored, same


class Usage(Struct, frozen=True):
    """API calls: `used` and `limit` as the org last said (rolling 24 hours, every application); `spent` by us.

    `ceiling` is where we stop: the limit that a person set, or the org's, whichever is smaller.
    """

    spent: int = 0
    used: int | None = None
    limit: int | None = None
    ceiling: int | None = None


class Order(Struct, frozen=True):
    """A change to send, with the schema of its object. Its edits are what to send now, with real ids only."""

    schema: ObjectSchema
    change: Change

    def replaced(self, there: Mapping[str, Stored]) -> dict[str, Stored]:
        """Of what the org has in the fields that are written: the values that are neither the base nor ours."""
        found = {}
        for each in self.change.edits:
            if each.field in there:
                kind, now = self.schema.field(each.field).type, there[each.field]
                known = (each.base, each.value, *((each.sent,) if each.in_flight else ()))
                if not any(same(kind, now, one) for one in known):
                    found[each.field] = now
        return found


Announce = Callable[[Sequence[Change], str | None], None]
"""Told which changes are about to be handed over, before they are; and once more with the id of a Bulk job that has
them, which does nothing before this returns. What a job leaves over is announced anew, for another way."""


class Org(Protocol):
    """The Salesforce side. May be called from several threads at once."""

    def objects(self) -> tuple[ObjectSummary, ...]:
        """Every object that the connected user may see. One API call."""

    def describe(self, object_name: str) -> ObjectSchema:
        """The object's fields and rights; `ObjectNotFound` or `InsufficientAccess` where there are none. One call."""

    def describe_together(self, object_names: Sequence[str]) -> tuple[Described | None, ...]:
        """Several objects at once, in the order of their names; up to five share an API call.

        None where an object's part was not answered: `describe` then says why. An error is raised only where the call
        as a whole failed, and would fail again.
        """

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        """Bring the rows, by the route that costs the fewest calls.

        Without `since`: every row that is not deleted (archived ones too). With it: every row whose stamp is at or
        after it, soft-deleted ones too, in the order of (stamp, Id) where the route can. A page may be empty (it then
        tells the `total`). The final page, and only it, has `last`. With `request.resume` the pull goes on after that
        point without paying again for what is behind it; `LocatorExpired` where the org has forgotten it.
        Closing the iterator ends the downloads. Raises errors of `salesforce_sync.errors` only.
        """

    def pull_together(self, requests: Sequence[PullRequest]) -> tuple[Generator[Page, None, None], ...]:
        """Several pulls at once, in the order of the requests; what they begin with shares calls where it can.

        Each is as `pull` gives it, and may be read in a thread of its own. This call raises nothing: what it met is
        raised by the pull that it concerns.
        """

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        """Ask several objects at once what is new; the answers are in the order of the questions.

        Up to five objects share one API call. What an object's part of the call met is that answer's `problem`; an
        error is raised only where the call as a whole failed.
        """

    def deletions(self, object_name: str, start: datetime, end: datetime) -> Deletions:
        """What the org says was deleted in this window (UTC). One call; an `ObjectTrouble` where it cannot say."""

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[tuple[Outcome, ...], None, None]:
        """Send these changes by the cheapest safe route; gives the outcomes of each call as it is answered.

        Every order gets exactly one outcome. Their order is kept within one record's parent: siblings are not sent
        side by side. `announce` is called with the changes of a call before it is sent; if it raises, nothing is sent.
        A change that was not announced and is not in an outcome was not sent. Changes are told apart by their numbers.
        An update or delete is written only if the org's row is as it was when the edits were made (`change.stamp`):
        `Conflicted` otherwise. Where the org cannot be asked that in the same call, what was replaced is told
        (`Applied.replaced`). One row's failure is an outcome; an error is raised only for what stops all of them
        (`NeedsPerson`, `LimitExceeded`), and then every announced change has had its outcome: `Lost` if no answer came.
        """

    def recover(self, orders: Sequence[Order], job: str) -> tuple[Outcome, ...]:
        """What became of orders that this Bulk job has: their outcomes.

        `Lost` with the job for those that it has not done yet, and without it for those of which it does not tell.
        """

    def created(self, schema: ObjectSchema, since: datetime, by: str | None = None) -> tuple[tuple[object, ...], ...]:
        """The records that the user `by` has created at or after `since` (the org's time, UTC), deleted ones too.

        None is the connected user.

        Salesforce's times have whole seconds, so up to one second more is looked at. Records of everybody where the
        org does not tell who is connected; `RequestRefused` where the object does not tell when records were made.
        One tuple a record, one value a column of `schema`, in the form of `models.page.Rows`.
        """

    def user_id(self) -> str | None:
        """The connected user's id; None where the org does not tell it. One API call, the first time."""

    def told_user(self) -> str | None:
        """The same, as far as the login has told it. No call."""

    def cost(self, orders: Sequence[Order]) -> int:
        """API calls that writing these would take if every answer were a good one. No call."""

    def time(self) -> datetime | None:
        """The org's own time now (UTC), as its last answer told; asked for, without an API call, if none came yet."""

    @property
    def usage(self) -> Usage:
        """Calls so far, from the org's own header."""

    def close(self) -> None:
        """Give up all connections."""
