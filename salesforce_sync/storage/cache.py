"""`SchemaCache`: adopted schemas in memory, and the statements made from them, so that a read costs no look-up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec import Struct, field

from salesforce_sync.models.schema import ObjectSchema

LOOK_EVERY = 0.2
"""Seconds after which another process may have adopted something, or another SQLite of this one have removed the log:
a look takes about as long as a read of a record."""

Make = Callable[[ObjectSchema], str]


class _Known(Struct, frozen=True):
    """What was read at one moment. Replaced as a whole, so that a statement always belongs to its schema."""

    by_name: dict[str, ObjectSchema] = field(default_factory=dict)
    statements: dict[tuple[str, Make], str] = field(default_factory=dict)

    def schema(self, name: str) -> ObjectSchema | None:
        return self.by_name.get(name) or self.by_name.get(name.casefold())


class SchemaCache:
    """Schemas by API name, whatever its case.

    Read anew when `forget` was called, when an unknown name is asked for, and when the database has got another
    `version`; that may be None where it cannot be looked at just now.
    """

    def __init__(self, read: Callable[[], Iterable[ObjectSchema]], version: Callable[[], int | None]) -> None:
        self._read = read
        self._version = version
        self._seen: int | None = None
        self._look_at = 0.0
        self._lock = threading.Lock()
        self._known = _Known()
        self._forgotten = 0
        self._fixed = threading.local()
        self._fixings = 0

    @contextmanager
    def fixed(self, schemas: Iterable[ObjectSchema]) -> Iterator[None]:
        """A block in which this thread knows these, whatever is adopted meanwhile; its statements are not kept."""
        self._fixed.known = _Known(self._indexed([*schemas]))
        with self._lock:
            self._fixings += 1
        try:
            yield
        finally:
            self._fixed.known = None
            with self._lock:
                self._fixings -= 1

    @property
    def _mine(self) -> _Known | None:
        """What this thread knows within such a block."""
        return getattr(self._fixed, "known", None) if self._fixings else None

    def get(self, name: str) -> ObjectSchema | None:
        """The schema, or None if the store has none of this name (another process may have adopted it by now)."""
        if self._fixings and (mine := self._mine) is not None:
            return mine.schema(name)
        if time.monotonic() >= self._look_at:
            self._look()
        # As `schema` begins: nearly every read comes by here.
        return self._known.by_name.get(name) or self._known.schema(name) or self._refreshed().schema(name)

    def known(self, name: str) -> ObjectSchema | None:
        """The schema as it was last read; None if it was not read."""
        return (self._mine or self._known).schema(name)

    def those(self, names: Iterable[str]) -> list[ObjectSchema]:
        """Those of these names that are known: for one that is not, nothing is read anew."""
        known = self._mine or (self._known if self._known.by_name else self._refreshed())
        return [found for name in names if (found := known.schema(name)) is not None]

    def all(self) -> tuple[ObjectSchema, ...]:
        """Every schema, by name."""
        known = self._mine or self._refreshed()
        return tuple(sorted(set(known.by_name.values()), key=lambda schema: schema.name))

    def statement(self, name: str, make: Make) -> str | None:
        """`make(schema)`, made once; None if there is no such schema."""
        if self._fixings and (mine := self._mine) is not None:
            fixed = mine.schema(name)
            return None if fixed is None else make(fixed)
        if time.monotonic() >= self._look_at:
            self._look()
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

    def _look(self) -> None:
        self._look_at = time.monotonic() + LOOK_EVERY
        version = self._version()
        if version is None or version == self._seen:
            return
        if self._known.by_name:
            self._refreshed()
        self._seen = version

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
