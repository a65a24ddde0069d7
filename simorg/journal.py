"""What a transaction did to the rows of watched objects: their values before it began and after it was committed."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from simorg.database import Row


@dataclass(frozen=True, slots=True)
class Change:
    """A row before and after (None where there was none), and the fields that were written, if with equal values."""

    object_name: str
    record_id: str
    old: Row | None
    new: Row | None
    written: frozenset[str] = frozenset()


class Journal:
    """Collects the changes of one transaction at a time.

    What is compared are the values before and after, so work that was taken back within a transaction leaves nothing.
    """

    def __init__(self, get: Callable[[str, str], Row | None], publish: Callable[[Sequence[Change]], None]) -> None:
        self.watched: frozenset[str] = frozenset()
        self._get = get
        self._publish = publish
        self._before: dict[tuple[str, str], Row | None] = {}
        self._written: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def note(self, object_name: str, record_id: str, names: Iterable[str]) -> None:
        """Remember a row of which some fields are about to be written, as it was when the transaction began."""
        if object_name not in self.watched:
            return
        key = (object_name, record_id)
        self._written[key].update(names)
        if key not in self._before:
            self._before[key] = self._get(object_name, record_id)

    def forget(self) -> None:
        """Drop what was noted: the transaction was taken back."""
        self._before.clear()
        self._written.clear()

    def committed(self) -> None:
        """Hand on what the transaction has done."""
        if not self._before:
            return
        noted, self._before = self._before, {}
        written, self._written = self._written, defaultdict(set)
        changes = [
            Change(name, key, old, self._get(name, key), frozenset(written[name, key]))
            for (name, key), old in noted.items()
        ]
        done = [one for one in changes if one.old != one.new]
        if done:
            self._publish(done)
