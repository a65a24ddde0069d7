"""Serial numbers for ids and auto-number fields."""

import threading

from simorg import ids
from simorg.schema import SField, SObject


class Numbering:
    """Counts up per key prefix and per auto-number field; seeded rows take theirs in one go."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last: dict[str, int] = {}

    def new_id(self, prefix: str) -> str:
        """Return the next id of a key prefix."""
        return ids.make(prefix, self._next(prefix))

    def new_number(self, schema: SObject, one: SField) -> str:
        """Return the next value of an auto-number field."""
        return auto_number(one.auto_number or "{0}", self._next(f"{schema.name}.{one.name}"))

    def reserve_ids(self, prefix: str, count: int) -> None:
        """Take the serials 1 to `count` of a key prefix."""
        self._last[prefix] = count

    def reserve_numbers(self, schema: SObject, one: SField, count: int) -> None:
        """Take the numbers 1 to `count` of an auto-number field."""
        self._last[f"{schema.name}.{one.name}"] = count

    def given(self) -> dict[str, int]:
        """Return the last number of each count."""
        with self._lock:
            return dict(self._last)

    def go_on(self, given: dict[str, int]) -> None:
        """Go on behind the numbers that another org has given."""
        with self._lock:
            self._last = dict(given)

    def rename(self, key: str, new_key: str) -> None:
        """Let the count of an auto-number field (`Object.Field`) go on under its new name."""
        with self._lock:
            if key in self._last:
                self._last[new_key] = self._last.pop(key)

    def _next(self, key: str) -> int:
        with self._lock:
            self._last[key] = self._last.get(key, 0) + 1
            return self._last[key]


def auto_number(pattern: str, number: int) -> str:
    """Write an auto-number: `W-{0000}` and 12 give `W-0012`."""
    before, _, rest = pattern.partition("{")
    digits, _, after = rest.partition("}")
    return f"{before}{number:0{len(digits)}d}{after}"
