"""`SFSync` and the edits that are made here: which wait, what a push sends, what it replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, overload

from salesforce_sync.app.syncing import Syncing
from salesforce_sync.models.history import Replaced
from salesforce_sync.models.outbox import EVERYTHING, Change, Wanted
from salesforce_sync.models.push import Diff, Push
from salesforce_sync.ports import MOST_LISTED

if TYPE_CHECKING:
    from salesforce_sync.sync.undo import Undone


class Edits(Syncing):
    """Edits on their way to the org, and back."""

    def outbox(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        """Every edit that the org has not taken yet, one change a record, in the order in which they were begun.

        Or only those that are `wanted`.
        """
        return self._store.changes(wanted)

    def outbox_count(self) -> int:
        """How many records have edits that the org has not taken yet."""
        return self._store.count_changes()

    def waiting(self, object_name: str, record_id: str) -> Change | None:
        """What of this record the org has not taken yet."""
        found = self._store.changes(Wanted(records=(record_id,)))
        return next((each for each in found if each.object_name.casefold() == object_name.casefold()), None)

    def along_with(self, change: Change) -> Mapping[str, int]:
        """How many records of which object the org deletes with the one that this deletes, as far as they are here."""
        from salesforce_sync.sync.along import along_with

        return along_with(self._store, (change,)).get(change.record_id, {})

    def referring(self, record_id: str) -> tuple[tuple[str, str, str], ...]:
        """What is edited here to refer to a record that was made here: object, record and field."""
        return self._store.referring(record_id)

    def diff(self) -> Diff:
        """What a push would send now, in its order, and what it would not. No API call."""
        return self._offline_engine().dry_run()

    @overload
    def push(self, *, dry_run: Literal[False] = False) -> Push: ...
    @overload
    def push(self, *, dry_run: Literal[True]) -> Diff: ...
    def push(self, *, dry_run: bool = False) -> Push | Diff:
        """Send every edit that can be sent, without a pull before; the result says what became of each.

        The dry run sends nothing and is the same as `diff`.
        """
        if dry_run:
            return self.diff()
        engine = self._asked()
        if self._store.count_changes():
            self._check_may_write()
        with self._told():
            return engine.push()

    def pushes(self, most: int = 20, listed: int = MOST_LISTED) -> tuple[Push, ...]:
        """The last pushes, newest first, with the first `listed` changes of each."""
        return self._store.pushes(most, listed)

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as far as nobody has changed them since."""
        engine = self._asked()
        self._check_may_write()
        with self._told():
            return engine.undo(push_id)

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """The record's values that were replaced by a pull, a push or a decision, newest first."""
        return self.objects[object_name].history(record_id)
