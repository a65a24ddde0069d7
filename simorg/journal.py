"""What a transaction did to the rows of watched objects: their values before it began and after it was committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simorg.database import Row


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after; None where there was none."""

    object_name: str
    record_id: str
    old: Row | None
    new: Row | None


class Journal:
    """Collects the changes of one transaction at a time.

    What is compared are the values before and after, so work that was taken back within a transaction leaves nothing.
    """

    def __init__(self, get: Callable[[str, str], Row | None], publish: Callable[[Sequence[Change]], None]) -> None:
        self.watched: frozenset[str] = frozenset()
        self._get = get
        self._publish = publish
        self._before: dict[tuple[str, str], Row | None] = {}

    def note(self, object_name: str, record_id: str) -> None:
        """Remember a row that is about to be written, as it was when the transaction began."""
        if object_name in self.watched and (object_name, record_id) not in self._before:
            self._before[object_name, record_id] = self._get(object_name, record_id)

    def forget(self) -> None:
        """Drop what was noted: the transaction was taken back."""
        self._before.clear()

    def committed(self) -> None:
        """Hand on what the transaction has done."""
        if not self._before:
            return
        noted, self._before = self._before, {}
        changes = [Change(name, key, old, self._get(name, key)) for (name, key), old in noted.items()]
        done = [one for one in changes if one.old != one.new]
        if done:
            self._publish(done)
