"""`Takers`: changes that want a value which another record of the push gives away in a later wave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.models.outbox import Change, Operation
from salesforce_sync.models.schema import ObjectSchema

MOST_WAITS = 3
"""How often one push lets a change wait so: for each of its unique fields, say, or from window to window."""


class Takers(Struct):
    """Who waits for whom, by the numbers of their changes, and in which field it wants the value.

    They go with the change that they wait for, in one call if that can be: so chains and circles are seen as such.
    """

    _after: dict[int, tuple[int, str]] = field(default_factory=dict)
    _waits: Counter[int] = field(default_factory=Counter)

    @property
    def waiting(self) -> frozenset[int]:
        """Those that are not to be sent yet."""
        return frozenset(self._after)

    def may_wait(self, change: Change) -> bool:
        """Whether it has not waited too often."""
        return self._waits[change.number] < MOST_WAITS

    def wait(self, number: int, after: int, name: str) -> None:
        """Let this one wait for that one, of which it wants the value of this field."""
        self._after[number] = after, name
        self._waits[number] += 1

    def waiting_for(self, going: Collection[int]) -> frozenset[int]:
        """Those that wait for one of these."""
        return frozenset(number for number, (after, _) in self._after.items() if after in going)

    def join(self, going: Collection[int]) -> bool:
        """Let those go that wait for one of these; whether there is any."""
        return self.let_go(self.waiting_for(going))

    def give_up(self, last: int) -> bool:
        """Let those go that wait for what does not go; whether there is any. What comes after `last` may go yet."""
        return self.let_go([number for number in self._after if self._end(number) <= last])

    def _end(self, number: int) -> int:
        """What it waits for in the end: those that it waits for may wait themselves, perhaps for each other."""
        seen = set()
        while number in self._after and number not in seen:
            seen.add(number)
            number, _ = self._after[number]
        return number

    def let_go(self, numbers: Collection[int]) -> bool:
        """Let these go; whether there is any."""
        for number in numbers:
            del self._after[number]
        return bool(numbers)

    def clear(self) -> None:
        """Let all go."""
        self._after.clear()

    def without_value(self, change: Change, schemas: Mapping[str, ObjectSchema]) -> Change | None:
        """The change as it waits, without the value that it wants; None where it cannot be sent so."""
        if change.number not in self._after:
            return None
        name = self._after[change.number][1]
        schema = schemas[change.object_name]
        rest = tuple(each for each in change.edits if each.field != name)
        one = schema.field(name)
        may = one.updateable and not one.required if change.operation is Operation.CREATE else bool(rest)
        return replace(change, edits=rest) if may else None
