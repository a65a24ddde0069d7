"""The stores that the suite runs over, and rows to put into them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import apsw

from salesforce_sync.models.change import Merged
from salesforce_sync.models.page import CsvFile, Page, PullRequest, Rows
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.storage.sqlite import SqliteStore
from salesforce_sync.testing import FrozenClock, MemoryStore, make_schema
from salesforce_sync.testing.forms import write_csv
from tests.ready import Prepare, empty, store_on

WIDGET = make_schema("Widget__c", Name="string", Price__c="currency")
NOON = "2024-01-15T12:00:00.000+0000"


class MemoryWorld:
    """A MemoryStore, and what a restarted process would find."""

    def __init__(self, folder: Path, prepare: Prepare = empty) -> None:
        self.clock = FrozenClock()
        self.store: Store = MemoryStore(self.clock)
        prepare(self.store)

    def restart(self, **options: Any) -> Store:
        """`options`: policies and keeping, where others than the usual ones."""
        assert isinstance(self.store, MemoryStore)
        self.store = self.store.reopened(**options)
        return self.store

    def now(self) -> datetime:
        """What the clock shows by which edits are dated."""
        return self.clock.now()

    def pass_time(self, by: timedelta) -> None:
        """Let what has been edited so far lie so much longer ago."""
        self.clock.advance(by)

    def another(self) -> Store:
        """What another process has beside this one."""
        assert isinstance(self.store, MemoryStore)
        return self.store.reopened()


class SqliteWorld:
    """A SqliteStore on a file, and what a restarted process would find there."""

    def __init__(self, folder: Path, prepare: Prepare = empty) -> None:
        self.clock = FrozenClock()
        self.path = folder / "replica.db"
        self.store: Store = store_on(self.path, self.clock, prepare)

    def restart(self, **options: Any) -> Store:
        """`options`: policies and keeping, where others than the usual ones."""
        # The old one is not closed first: a killed process does not close either.
        old, self.store = self.store, SqliteStore(self.path, self.clock, **options)
        old.close()
        return self.store

    def now(self) -> datetime:
        """What the clock shows by which edits are dated: SQLite's own, in its triggers."""
        return datetime.now(UTC)

    def pass_time(self, by: timedelta) -> None:
        """Let what has been edited so far lie so much longer ago."""
        db = apsw.Connection(str(self.path))
        for own in ("_sync_edit", "_sync_outbox"):
            earlier = f"strftime('%Y-%m-%dT%H:%M:%fZ', edited_at, '-{by.total_seconds():.0f} seconds')"
            db.execute(f"UPDATE {own} SET edited_at = {earlier}")
        db.close()

    def another(self) -> Store:
        """What another process has beside this one; close it."""
        return SqliteStore(self.path, self.clock)


WORLDS = {"memory": MemoryWorld, "sqlite": SqliteWorld}
World = MemoryWorld | SqliteWorld


def id_of(number: int) -> str:
    return to_18(f"a00{number:012d}")


def widget(number: int, name: str | None = "Bolt", at: str = NOON, *, deleted: bool = False) -> tuple[object, ...]:
    """A row of WIDGET as REST gives it."""
    return (id_of(number), deleted, NOON, at, at, name, None)


def page(*rows: tuple[object, ...], schema: ObjectSchema = WIDGET, **more: object) -> Page:
    return Page(schema, Rows(rows), **more)  # type: ignore[arg-type]


def csv_page(path: Path, rows: Sequence[Sequence[str]], schema: ObjectSchema, **more: object) -> Page:
    """A page whose file holds exactly these texts."""
    write_csv(path, schema.columns, rows)
    return Page(schema, CsvFile(path), **more)  # type: ignore[arg-type]


def pull(
    store: Store,
    *rows: tuple[object, ...],
    schema: ObjectSchema = WIDGET,
    limit: datetime | None = None,
    at: str | None = None,
) -> Merged:
    """One whole pull of these rows; `at` is the org's time when they were asked for."""
    store.begin(PullRequest(schema))
    asked = None if at is None else datetime.fromisoformat(at)
    store.stage(page(*rows, schema=schema, resume="end", server_time=asked, last=True))
    return store.merge(schema.name, limit)


def names(store: Store) -> set[object]:
    return {row[5] for row in store.scan("Widget__c")}
