"""The inbox and the history."""

from __future__ import annotations

from typing import Protocol

from salesforce_sync.models.history import Replaced
from salesforce_sync.models.inbox import InboxItem, Resolution


class Deciding(Protocol):
    """What waits for a person, and what values were before."""

    def inbox(self, after: int = 0, most: int | None = None) -> tuple[InboxItem, ...]:
        """What waits for a person, oldest first: items of a greater number than `after`, at most so many."""

    def count_inbox(self) -> int:
        """How many items wait."""

    def newest_item(self) -> int:
        """The greatest number that an item has or had; every later item gets a greater one."""

    def resolve(self, number: int, resolution: Resolution) -> None:
        """Carry out a person's decision on an inbox item; `RecordNotFound` if there is no such item.

        The org's side ends the local edits (their fields show the org's values again; a create is gone). The local
        side, or a value, goes to the outbox on the org's present value as its base. In a conflict only the disputed
        fields are decided, and those that a decision does not name go on waiting. `again` is the local side.
        A record that was deleted in the org, and is wanted, is undeleted before it is edited; one that is only hidden
        is tried as it is. With `link` the org's record holds, and the local values are sent only if the local side is
        wanted too; so it is with the record that another one was merged into, which cannot be brought back. The org's
        side of a REPLACED item writes its value back, as an edit.
        `Misuse`, and nothing is changed, for a decision on what was `seen` and is not so any more (CHANGED_SINCE), one
        that says nothing, a `link` that is no id of the org or that is
        given to a record it has (and has not merged away), and values that an edit could not write.
        """

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """The record's values that were replaced by a pull, a push or a decision, newest first.

        A push replaces what the org had. What the org moves with every save (its stamps) is not kept, nor what fresh
        columns (`merge_columns`) replace.
        """
