"""`SchemaCache`: adopted schemas in memory, and the statements made from them, so that a read costs no look-up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from msgspec import Struct, field

from salesforce_sync.models.schema import ObjectSchema

Make = Callable[[ObjectSchema], str]


class _Known(Struct, frozen=True):
    """What was read at one moment. Replaced as a whole, so that a statement always belongs to its schema."""

    by_name: dict[str, ObjectSchema] = field(default_factory=dict)
    statements: dict[tuple[str, Make], str] = field(default_factory=dict)

    def schema(self, name: str) -> ObjectSchema | None:
        return self.by_name.get(name) or self.by_name.get(name.casefold())


class SchemaCache:
    """Schemas by API name, whatever its case. Read anew when `forget` was called or an unknown name is asked for."""

    def __init__(self, read: Callable[[], Iterable[ObjectSchema]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._known = _Known()
        self._forgotten = 0

    def get(self, name: str) -> ObjectSchema | None:
        """The schema, or None if the store has none of this name (another process may have adopted it by now)."""
        # As `schema` begins: nearly every read comes by here.
        return self._known.by_name.get(name) or self._known.schema(name) or self._refreshed().schema(name)

    def known(self, name: str) -> ObjectSchema | None:
        """The schema as it was last read; None if it was not read."""
        return self._known.schema(name)

    def all(self) -> tuple[ObjectSchema, ...]:
        """Every schema, by name."""
        return tuple(sorted(set(self._refreshed().by_name.values()), key=lambda schema: schema.name))

    def statement(self, name: str, make: Make) -> str | None:
        """`make(schema)`, made once; None if there is no such schema."""
        known = self._known
        found = known.statements.get((name, make))
        if found is not None:
            return found
        schema = self.get(name)
        if schema is None:
            return None
        statement = make(schema)
        known = self._known
        if known.schema(name) is schema:
            known.statements[name, make] = statement
        return statement

    def forget(self) -> None:
        """Read everything anew when it is next asked for."""
        with self._lock:
            self._forgotten += 1
            self._known = _Known()

    def _refreshed(self) -> _Known:
        while True:
            before = self._forgotten
            read = list(self._read())
            with self._lock:
                # What was read before somebody adopted something must not be kept after it.
                if before == self._forgotten:
                    self._known = _Known(self._indexed(read))
                    return self._known

    def _indexed(self, read: list[ObjectSchema]) -> dict[str, ObjectSchema]:
        # A schema that is as it was stays the same object: whoever made something from it can keep that.
        old = self._known.by_name
        schemas = [old[each.name] if old.get(each.name) == each else each for each in read]
        return {each.name.casefold(): each for each in schemas} | {each.name: each for each in schemas}
