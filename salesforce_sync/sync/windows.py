"""The outbox a part at a time, in its order: so many changes that may go now, with all that they have to wait for.

A push of hundreds of thousands of changes holds no more of them at once. What is planned from a part must see what its
changes depend on, wherever that stands in the outbox: the creates of parents, what leaves a record that goes, and the
standard prices of products that get others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from msgspec import Struct

from salesforce_sync.models.outbox import Change, Operation, Wanted, is_local
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Filter, Store
from salesforce_sync.sync.needs import PRICES, References, new_prices, parents
from salesforce_sync.sync.rows import named_rows

Schemas = Mapping[str, ObjectSchema]

ROWS_AT_ONCE = 500
"""Rows that are held while it is read what they refer to."""

NOBODY: AbstractSet[int] = frozenset()
_MOVED = (Operation.DELETE, Operation.UNDELETE)
_BROUGHT = (Operation.CREATE, Operation.UNDELETE)


class Window(Struct, frozen=True):
    """A part of the outbox, up to the number `last`.

    `references`: what the rows refer to that are deleted or brought back. `arrived`: records made here that are as good
    as in the org. `put_off`: deletions that have to wait for more than could be held at once. `standard_books`: the
    standard price books, where prices are waiting and the replica has the books.
    """

    changes: tuple[Change, ...]
    last: int
    references: References
    arrived: AbstractSet[str]
    put_off: AbstractSet[int]
    standard_books: AbstractSet[str] = frozenset()


class Windows:
    """The windows of one pass over the outbox, one after the other.

    `most` changes are chosen at a time; with what they depend on there are no more than `room`, if one is given.
    """

    def __init__(self, store: Store, schemas: Schemas, most: int, room: int | None) -> None:
        self._store = store
        self._schemas = schemas
        self._most = most
        self._room = room
        self._after = 0
        self._last: int | None = None

    def next(self, now: datetime, without: AbstractSet[int] = NOBODY) -> Window | None:
        """The next one; None behind the last. `without` are numbers of changes that are as good as sent."""
        if self._last is not None:
            self._after = self._last
        found = self._window(Wanted(self._after, most=self._most, due=now), without)
        self._last = None if found is None else found.last
        return found

    def again(self, now: datetime) -> Window | None:
        """The one that was given last, as it is by now."""
        return self._window(Wanted(self._after, until=self._last, most=self._most, due=now), NOBODY)

    def _window(self, wanted: Wanted, without: AbstractSet[int]) -> Window | None:
        chosen = self._store.changes(wanted)
        if not chosen:
            return None
        gathering = _Gathering(self._store, self._schemas, without, self._room)
        gathering.complete(chosen)
        ordered = sorted(gathering.found.values(), key=lambda each: each.number)
        found = gathering.references, gathering.arrived, gathering.put_off, gathering.standard_books
        return Window(tuple(ordered), chosen[-1].number, *found)


class _Gathering:
    """Changes, to which come the changes that they depend on."""

    def __init__(self, store: Store, schemas: Schemas, without: AbstractSet[int], room: int | None) -> None:
        self._store = store
        self._schemas = schemas
        self._without = without
        self._room = room
        self.found: dict[int, Change] = {}
        self.references: dict[str, tuple[str, ...]] = {}
        self.arrived: set[str] = set()
        self.put_off: set[int] = set()
        self.standard_books: frozenset[str] = frozenset()

    def complete(self, changes: Iterable[Change]) -> None:
        """Take these, and all that they depend on."""
        new = self._take(changes)
        while new:
            new = [*self._brought(new), *self._leaving(new), *self._standard_prices(new)]

    def _take(self, changes: Iterable[Change]) -> list[Change]:
        """Those of them that are new here, and not as good as sent."""
        new = [each for each in changes if each.number not in self.found and each.number not in self._without]
        self.found.update((each.number, each) for each in new)
        self.references |= _references(self._store, new)
        return new

    def _brought(self, changes: Sequence[Change]) -> list[Change]:
        """The creates and undeletions of what these refer to."""
        ids = {each for change in changes for each in self._pointed(change)}
        if not ids:
            return []
        found = [each for each in self._store.changes(Wanted(records=ids)) if each.operation in _BROUGHT]
        self.arrived |= {each.record_id for each in found if each.number in self._without}
        return self._take(found)

    def _standard_prices(self, changes: Sequence[Change]) -> list[Change]:
        """The creates of the standard prices without which the org does not take the prices among these."""
        products = {each.values.get("Product2Id") for each in new_prices(changes)} - {None}
        if not products or not self._know_books():
            return []
        wanted = Filter("Product2Id", "in", tuple(products)), Filter("Pricebook2Id", "in", tuple(self.standard_books))
        rows = self._store.scan(PRICES, wanted)
        # A row begins with its id.
        ids = [str(row[0]) for row in rows if is_local(str(row[0]))]
        return self._take(self._store.changes(Wanted(records=ids))) if ids else []

    def _know_books(self) -> bool:
        books = self._schemas.get("Pricebook2")
        if not self.standard_books and books is not None and books.has("IsStandard"):
            rows = self._store.scan(books.name, (Filter("IsStandard", "eq", 1),))
            self.standard_books = frozenset(str(row[0]) for row in rows)
        return bool(self.standard_books)

    def _pointed(self, change: Change) -> Iterable[str]:
        if change.operation is Operation.UNDELETE:
            return self.references.get(change.record_id, ())
        references = self._schemas[change.object_name].references
        values = (each.value for each in change.edits if each.field in references)
        return (each for each in values if isinstance(each, str) and each)

    def _leaving(self, changes: Sequence[Change]) -> list[Change]:
        """What has to be sent before the deletions among these, as far as there is room; the others are put off."""
        deleted = {each.record_id: each.number for each in changes if each.operation is Operation.DELETE}
        leaving = self._store.leaving(tuple(deleted)) if deleted else ()
        wanted = sorted({number for _, number in leaving} - self.found.keys() - self._without)
        free = len(wanted) if self._room is None else max(0, self._room - len(self.found))
        out = frozenset(wanted[free:])
        self.put_off |= {deleted[record_id] for record_id, number in leaving if number in out}
        return self._take(self._store.changes(Wanted(numbers=wanted[:free]))) if wanted[:free] else []


def _references(store: Store, changes: Sequence[Change]) -> dict[str, tuple[str, ...]]:
    """What the rows refer to that are deleted or brought back here."""
    found: dict[str, tuple[str, ...]] = {}
    moved = [each for each in changes if each.operation in _MOVED]
    for name in sorted({each.object_name for each in moved}):
        ids = [each.record_id for each in moved if each.object_name == name]
        for start in range(0, len(ids), ROWS_AT_ONCE):
            schema, rows = named_rows(store, name, ids[start : start + ROWS_AT_ONCE])
            found |= {key: parents(schema, row) for key, row in rows.items()}
    return found
