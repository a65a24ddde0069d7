"""The inbox in SQLite: what waits for a person, and what a person decided."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import apsw
from msgspec.structs import replace

from salesforce_sync.errors import RecordNotFound
from salesforce_sync.models.inbox import InboxItem, Resolution, check_seen
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.decision import Decision
from salesforce_sync.storage.edits import check_value
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox_rows import ITEMS, ItemRow, decided_about, edits_of, item_of
from salesforce_sync.storage.watch import in_outbox, unseen


class Inbox:
    """The inbox part of the SQLite store; `ports.Store` says what each call promises."""

    def __init__(
        self,
        connections: Connections,
        schema: Callable[[str], ObjectSchema | None],
        history: HistoryWriter,
        now: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._schema = schema
        self._history = history
        self._now = now

    def items(self, after: int, most: int | None) -> tuple[InboxItem, ...]:
        with self._connections.looking() as db:
            asked = f"{ITEMS} WHERE i.number > ? ORDER BY i.number LIMIT ?"
            rows = [ItemRow(*row) for row in db.execute(asked, (after, -1 if most is None else most))]
            return tuple(item_of(row, edits_of(db, row)) for row in rows)

    def count(self) -> int:
        with self._connections.looking() as db:
            return int(db.execute("SELECT count(*) FROM _sync_inbox").get)

    def newest(self) -> int:
        with self._connections.looking() as db:
            return int(db.execute("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '_sync_inbox'").get)

    def resolve(self, number: int, resolution: Resolution) -> None:
        with self._connections.writing() as db:
            self._resolve(db, number, resolution)

    def _resolve(self, db: apsw.Connection, number: int, resolution: Resolution) -> None:
        row = db.execute(f"{ITEMS} WHERE i.number = ?", (number,)).fetchone()
        if row is None:
            raise RecordNotFound(f"There is no item {number} in the inbox.", hint="See 'salesforce-sync inbox'.")
        asked = ItemRow(*row)
        check_seen(item_of(asked, edits_of(db, asked)), resolution)
        item = decided_about(db, asked)
        schema = self._schema(item.object_name)
        if schema is None:
            raise RecordNotFound(f"{item.object_name} is not in this replica any more.")
        checked = self._checked(db, schema, item, resolution)
        with unseen(db, {schema.name, *in_outbox(db)}):
            Decision(db, self._schema, schema, item, self._history, self._now()).carry_out(checked)
        self._history.trim(db, schema.name)

    def _checked(self, db: apsw.Connection, schema: ObjectSchema, item: ItemRow, resolution: Resolution) -> Resolution:
        """The decision with its values as an edit would store them; `Misuse` if an edit would be refused."""
        if not resolution.values:
            return resolution
        values = {
            schema.field(name).name: check_value(db, schema, item.record_id, name, value)
            for name, value in resolution.values.items()
        }
        return replace(resolution, values=values)
