"""`SchemaCache`: adopted schemas in memory, and the statements made from them, so that a read costs no look-up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable

from salesforce_sync.models.schema import ObjectSchema


class SchemaCache:
    """Schemas by API name, whatever its case. Read anew when `forget` was called or an unknown name is asked for."""

    def __init__(self, read: Callable[[], Iterable[ObjectSchema]]) -> None:
        self._read = read
        self._lock = threading.Lock()
        self._by_name: dict[str, ObjectSchema] = {}
        self._statements: dict[tuple[str, Callable[[ObjectSchema], str]], str] = {}

    def get(self, name: str) -> ObjectSchema | None:
        """The schema, or None if the store has none of this name (another process may have adopted it by now)."""
        found = self._by_name.get(name) or self._by_name.get(name.casefold())
        if found is None:
            self._refresh()
            found = self._by_name.get(name.casefold())
        return found

    def all(self) -> tuple[ObjectSchema, ...]:
        """Every schema, by name."""
        self._refresh()
        return tuple(sorted(set(self._by_name.values()), key=lambda schema: schema.name))

    def statement(self, name: str, make: Callable[[ObjectSchema], str]) -> str | None:
        """`make(schema)`, made once; None if there is no such schema."""
        found = self._statements.get((name, make))
        if found is None:
            schema = self.get(name)
            if schema is None:
                return None
            found = self._statements[name, make] = make(schema)
        return found

    def forget(self) -> None:
        """Read everything anew when it is next asked for."""
        with self._lock:
            self._by_name = {}
            self._statements = {}

    def _refresh(self) -> None:
        schemas = list(self._read())
        with self._lock:
            folded = {schema.name.casefold(): schema for schema in schemas}
            self._by_name = folded | {schema.name: schema for schema in schemas}
            self._statements = {}
