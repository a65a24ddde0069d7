"""`SFSync` and what waits for a person: conflicts, refused changes, and what is decided of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from salesforce_sync.app.wiring import Wiring
from salesforce_sync.errors import Misuse, RecordNotFound
from salesforce_sync.models.inbox import (
    CHANGED_SINCE,
    InboxItem,
    Resolution,
    Side,
    can_be_sent_again,
    dropped,
    sent_again,
)
from salesforce_sync.models.outbox import Kind


class Inbox(Wiring):
    """What waits for a person, and a person's decisions."""

    def inbox(
        self, *, after: int = 0, most: int | None = None, records: Sequence[str] | None = None
    ) -> tuple[InboxItem, ...]:
        """Conflicts, and changes that the org refused, oldest first: all, or those behind a number, at most so many.

        With `records`, of those ids alone.
        """
        return self._store.inbox(after, most, records)

    def inbox_count(self) -> int:
        """How many items wait for a person."""
        return self._store.count_inbox()

    def inbox_item(self, number: int) -> InboxItem:
        """The item of this number; `RecordNotFound` if there is none."""
        found = next(iter(self._store.inbox(number - 1, 1)), None)
        if found is None or found.number != number:
            raise RecordNotFound(f"There is no item {number} in the inbox.", hint="See 'salesforce-sync inbox'.")
        return found

    def resolve(self, number: int, resolution: Resolution) -> None:
        """Carry out a decision on an inbox item. What it leaves to send goes with the next push.

        `seen` of the methods below is the `version` of the item that was decided about: if something of it has changed
        since, that is a `Misuse`, and nothing is done.
        """
        self._store.resolve(number, resolution)

    def take(self, number: int, side: Side | str | None = None, seen: str | None = None, /, **values: Any) -> None:
        """Decide an item: for the side "org" or "local", or field by field: `take(3, phone="555-1234")`."""
        collection = self.objects[self.inbox_item(number).object_name]
        taken = None if side is None else _side(side)
        self.resolve(number, Resolution(taken, collection.stored(values) or None, seen=seen))

    def take_all(self, object_name: str, side: Side | str) -> int:
        """Decide every conflict of an object, in which both sides changed a field, for one side; gives how many.

        What was deleted, refused or told waits for a look of its own; so does a conflict that changes meanwhile.
        """
        name, taken = self.objects[object_name].schema.name, _side(side)
        found = [each for each in self.inbox() if each.object_name == name and _both_changed(each)]
        return sum(self._still_so(each, Resolution(taken, seen=each.version)) for each in found)

    def _still_so(self, item: InboxItem, resolution: Resolution) -> bool:
        """Carry the decision out, unless the item has gone or changed since it was read."""
        try:
            self.resolve(item.number, resolution)
        except RecordNotFound:
            return False
        except Misuse as refused:
            if refused.code != CHANGED_SINCE:
                raise
            return False
        return True

    def drop(self, number: int, seen: str | None = None) -> None:
        """Give up the local edit of this item."""
        self.resolve(number, replace(dropped(self.inbox_item(number)), seen=seen))

    def retry(self, number: int, seen: str | None = None, *, allow_duplicates: bool = False) -> None:
        """Let a refused change be sent again; with `allow_duplicates` past the org's duplicate rules."""
        item = self.inbox_item(number)
        again = sent_again(item, allow_duplicates=allow_duplicates)
        self.resolve(number, replace(again, seen=seen or again.seen))

    def retry_all(self, code: str) -> int:
        """Let every change be sent again that was refused with this code of Salesforce's; gives how many there are.

        One that has changed, or gone, since the inbox was read stays as it is.
        """
        again = [each for each in self.inbox() if each.code.casefold() == code.casefold() and can_be_sent_again(each)]
        return sum(self._still_so(each, sent_again(each)) for each in again)

    def link(self, number: int, record_id: str, side: Side | str = Side.ORG, seen: str | None = None) -> None:
        """The new record of this item is that one, which the org has already: it is not created.

        Or that one is what the record of this item was merged into. The org's values hold; with the side "local"
        those that were given here are sent.
        """
        self.resolve(number, Resolution(_side(side), link=record_id, seen=seen))


def _both_changed(item: InboxItem) -> bool:
    """Whether it is a conflict, and no field of it one that the org has only refused, and not changed."""
    return item.kind is Kind.CONFLICT and all(each.org != each.base for each in item.conflicts)


def _side(named: str) -> Side:
    try:
        return Side(named.casefold())
    except ValueError as error:
        raise Misuse(f"There is no side {named!r}.", hint="Take 'org' or 'local'.") from error
