"""Change events: as the org tells them, and as the store takes them in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from salesforce_sync.models.event import EventPage, EventsMerged, Lack
from salesforce_sync.models.page import Page


class Subscription(Protocol):
    """One object's events as they come. Iterating waits for them; it ends when `close` is called, from any thread."""

    def __iter__(self) -> Iterator[EventPage]:
        """The pages, without end. Another is only asked for while there is room for it: at most some hundred events
        wait. `ReplayRefused` where the org does not know the place to go on from; `EventsSpent`, `Unreachable` and
        other errors of `salesforce_sync.errors` where the stream breaks. A session that has ended is renewed before.
        """

    def close(self) -> None:
        """End it at once."""


class Events(Protocol):
    """The org's change events: what was committed there, told within moments. May be used by several threads."""

    def subscribe(self, object_name: str, after: bytes | None) -> Subscription:
        """Follow the object's events from after this replay id on, or (None) those that come from now on.

        The schema is the one that the store has adopted. Sure to be told is what is committed after the first page
        has come; events may come twice, and transactions in another order than they were committed in.
        """

    def renew(self) -> None:
        """Reach the org in a new way from the next subscription on: over the present one nothing seems to come."""

    def close(self) -> None:
        """End all subscriptions."""


class Following(Protocol):
    """What change events ask of the store."""

    def replay(self, object_name: str) -> bytes | None:
        """Where the events of this object have been merged up to; None where they have to be followed anew."""

    def forget_replay(self, object_name: str) -> None:
        """The org does not know the replay id any more. The object is unsure until it has been polled."""

    def merge_events(self, page: EventPage) -> EventsMerged:
        """Let the changes that events tell enter the object's table in one transaction, with the replay id.

        What enters is the row as the org has it then (`models.event.changed`): local edits are held against it as by
        `merge`, and events that are known already (`models.event.standing`) change nothing, however often they come.
        A record whose event does not tell everything, or comes after a later one, or that is not here, is to be read
        again. The checkpoint stays where it is. Told is each record that is not as it was.
        """

    def to_read_again(self, object_name: str, most: int) -> tuple[tuple[str, Lack], ...]:
        """At most so many ids of records whose events did not tell everything, those that lack values first."""

    def merge_again(self, page: Page, ids: Sequence[str]) -> EventsMerged:
        """Let the rows of these records enter as by `merge`; afterwards they need not be read again.

        Ids without a row are left as they are here: the org does not show them, and a verify will say why.
        """

    def unsure(self, object_name: str) -> int:
        """How often the object has become unsure and needed a poll; 0 when it is sure."""

    def note_unsure(self, object_name: str) -> None:
        """More of the object has changed than its events have told: it has to be polled."""

    def note_sure(self, object_name: str, times: int) -> None:
        """It has been polled since it was unsure so many times; if it has not become so once more, it is sure."""
