"""The outbox, as a push asks for it and settles it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from salesforce_sync.models.outbox import EVERYTHING, Change, Wanted
from salesforce_sync.models.outcome import Outcome, Settled
from salesforce_sync.models.push import Push, PushedChange

MOST_LISTED = 10_000
"""Changes of one push that are told one by one; of the others it is only counted how they ended."""


class Pushed(Struct, frozen=True):
    """A part of what became of a push's changes, the last first. `before`: where the next part ends; None: no more.

    `ended` is when the push had ended; when it began, where that is not known. This machine's time (UTC).
    """

    changes: tuple[PushedChange, ...]
    before: int | None
    ended: datetime


class Outbox(Protocol):
    """What the org does not have yet, and what became of it."""

    def changes(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        """What is wanted of the outbox, in order: waiting, sending and parked.

        A change that is sending has the edits as they were sent, and its operation; newer ones show when it is settled.
        Deletes and undeletes have none. An update of which every field is in conflict is parked, without edits.
        """

    def count_changes(self, wanted: Wanted = EVERYTHING) -> int:
        """How many there are of these, whatever `wanted.most` says."""

    def edited_objects(self) -> tuple[str, ...]:
        """The objects that have changes in the outbox, by name."""

    def leaving(self, ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """Of these records: who refers to them no more once the outbox is sent, as (id, number of the change).

        That is the deletion of a record that refers to one of them, and an edit whose base does.
        """

    def sending(
        self,
        changes: Sequence[Change],
        push_id: str,
        sent_at: datetime | None,
        job: str | None,
        sent_by: str | None = None,
    ) -> None:
        """Note, durably, that these changes (with just these edits) are about to be handed to the org, by this user.

        Told once more with a `job`, it only adds that; None leaves what was known. A change that a person has altered,
        or ended, since it was looked at is on its way all the same: what is wanted now shows when it is settled.
        """

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        """Take the org's answers into the store, all or none.

        Afterwards no applied change is in the outbox, except for what was edited since it was sent (or not handed over
        with the rest), which waits on the sent values as its new base. A created record has the org's id everywhere
        here (rows, edits, inbox, history, pushes; not texts that look like it), and its local id goes on resolving; if
        a pull has brought it already, one row remains, and enters as by `merge`. So does `Applied.row`.
        `Applied.replaced` goes to the history, and to the inbox as REPLACED unless the field's policy is `local`.
        Rejected changes are parked, with an inbox item (unless they were edited since they were sent: then they wait).
        Of one that is rejected for some fields only (`Rejected.apart`), these are disputed, and the rest waits.
        Deferred ones wait until a time that grows with their attempts, within bounds. Conflicted ones wait; their
        record must be read again. One that is Conflicted now and was Lost before, of the same push, has arrived if what
        was read since shows all of it (`Settled.arrived`). A deletion that was Lost before and is undone here, or an
        undelete, goes on being undone if what was read since left that to do. Lost ones stay as sending. Where the org
        did not take a change, a field that is back at its base is no edit, and a new record that was deleted meanwhile
        is gone.
        What is not sending is not touched: settling once more, after a kill, is harmless. A lost change may be settled
        under another `push_id` than it was sent with.
        """

    def pushes(self, most: int = 20, listed: int = MOST_LISTED) -> tuple[Push, ...]:
        """The last pushes, newest first, with what became of their changes: each record once, its last outcome.

        A record that was made here is named by the org's id. Of each push the first `listed` changes are there, and of
        all of them no more than `MOST_LISTED`; `Push.beyond` counts the others.
        """

    def pushed(self, push_id: str, before: int | None = None, most: int = MOST_LISTED) -> Pushed:
        """What became of a push's changes, the last first; `before` is the place that another part has told."""

    def knows_push(self, push_id: str) -> bool:
        """Whether it is one of the pushes that are kept."""

    def made_here(self, ids: Sequence[str]) -> frozenset[str]:
        """Those of these ids of the org that records have which were made here."""

    def record_push(self, push: Push) -> None:
        """Keep what a push cost and what stopped it. What became of its changes was kept when they were settled.

        Of those that were not settled so (`besides_settled`), it is kept how many there were: `beyond`.
        """
