"""Reading rows: counted, by their ids, in their order, filtered and page by page."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from salesforce_sync.errors import StoreTrouble
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.ports import Filter, Selection
from salesforce_sync.storage import reading_sql
from salesforce_sync.storage.conditions import behind, condition, sort_key
from salesforce_sync.storage.connections import ONE_SQLITE, Connections
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.trouble import translated

COUNTS_KEPT = 100
SELECTS_KEPT = 200


class Reading:
    """The reading part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self, connections: Connections, schemas: Callable[[str], ObjectSchema | None], indexes: SearchIndexes
    ) -> None:
        self._connections = connections
        self._schemas = schemas
        self._indexes = indexes
        self._selects: dict[object, tuple[ObjectSchema, str]] = {}
        self._counts = threading.local()  # as each thread has its own reader, which knows what it has seen

    def count_shown(self, schema: ObjectSchema) -> int:
        with self._connections.looking() as db:
            counted: int = db.execute(reading_sql.count_shown(schema)).get
        return counted

    def count(self, schema: ObjectSchema, filters: Sequence[Filter] = ()) -> int:
        conditions, parameters = _conditions(schema, filters)
        if not conditions:
            self._indexes.give_dead(schema)
        with translated(self._connections.path):
            return self._counted(reading_sql.count_matching(schema, conditions), parameters)

    def _counted(self, statement: str, parameters: tuple[object, ...]) -> int:
        """A count, kept as long as nothing in the file has changed: each page of a list tells how many there are."""
        reader = self._connections.reader()
        version = reader.pragma("data_version")
        kept: tuple[object, dict[object, int]] | None = getattr(self._counts, "kept", None)
        if kept is None or kept[0] != (reader, version) or len(kept[1]) >= COUNTS_KEPT:
            kept = self._counts.kept = (reader, version), {}
        question = statement, parameters
        if question not in kept[1]:
            kept[1][question] = reader.execute(statement, parameters).get
        return kept[1][question]

    def rows(self, schema: ObjectSchema, ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        with self._connections.looking() as db:
            found = db.execute(reading_sql.select_ids(schema), (msgspec.json.encode(list(ids)).decode(),))
            return {str(row[0]): row for row in found}

    def scan(self, schema: ObjectSchema, filters: Sequence[Filter] = ()) -> Iterator[tuple[object, ...]]:
        self._indexes.serve(schema, filters)
        conditions, parameters = _conditions(schema, filters)
        with translated(self._connections.path):
            reader = self._connections.reader() if conditions else self._connections.reader_of_all()
            rows = reader.execute(reading_sql.scan(schema, conditions), parameters)
        return _told(rows, self._connections.path)

    def scan_named(self, schema: ObjectSchema, lookups: Sequence[str]) -> Iterator[tuple[object, ...]]:
        parents = [(schema.field(name), self._parents(schema.field(name))) for name in lookups]
        with translated(self._connections.path):
            # Asked once or twice: apsw would keep it ready, 0.2 MB for each wide object of an export.
            rows = self._connections.reader_of_all().execute(reading_sql.scan_named(schema, parents), can_cache=False)
        return _told(rows, self._connections.path)

    def _parents(self, lookup: Field) -> tuple[ObjectSchema, ...]:
        """The objects that are here and have a name, of those that the field may point to."""
        found = (self._schemas(name) for name in lookup.reference_to)
        return tuple(each for each in found if each is not None and each.name_field is not None)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._connections.pinned():
            yield

    def select(self, schema: ObjectSchema, selection: Selection) -> list[tuple[object, ...]]:
        field = schema.field(selection.sort)
        self._indexes.serve(schema, selection.filters)
        conditions, parameters = _conditions(schema, selection.filters)
        if selection.after is not None:
            behind_it, values = behind(field, selection.after, descending=selection.descending)
            conditions, parameters = [*conditions, behind_it], (*parameters, *values)
        with translated(self._connections.path):
            statement = self._statement(schema, field, selection, conditions)
            return self._connections.reader_of_few().execute(statement, (*parameters, selection.most)).fetchall()

    def _statement(self, schema: ObjectSchema, field: Field, selection: Selection, conditions: Sequence[str]) -> str:
        """The SELECT of a page, made once for all pages that differ in their parameters only."""
        key = schema.name, field.name, selection.descending, tuple(conditions), tuple(selection.fields)
        known = self._selects.get(key)
        if known is None or known[0] is not schema:
            if len(self._selects) >= SELECTS_KEPT:
                self._selects = {}
            way = " DESC" if selection.descending else ""
            order = dict.fromkeys((f"{sort_key(field)}{way}", f'"Id"{way}'))
            known = self._selects[key] = schema, reading_sql.select(schema, conditions, list(order), selection.fields)
        return known[1]


def _told(rows: Iterable[tuple[object, ...]], path: Path) -> Iterator[tuple[object, ...]]:
    with translated(path):
        try:
            yield from rows
        except (apsw.CursorClosedError, apsw.ConnectionClosedError, apsw.InterruptError) as error:
            raise StoreTrouble(
                f"{path} was closed before what was read from it had ended, here or by another SQLite in this process, "
                "such as Python's sqlite3.",
                hint=f"Read it to its end first, with list(...). {ONE_SQLITE}",
            ) from error


def _conditions(schema: ObjectSchema, filters: Sequence[Filter]) -> tuple[list[str], tuple[object, ...]]:
    pairs = [condition(schema.field(each.field), each) for each in filters]
    return [text for text, _ in pairs], tuple(itertools.chain.from_iterable(values for _, values in pairs))
