"""A real replica in a history: made, synced, closed, opened again, and read by its public names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

import apsw

from salesforce_sync.app import SFSync
from salesforce_sync.config import Config
from salesforce_sync.models.outcome import EDITED_TWICE
from salesforce_sync.models.run import Run, RunState
from salesforce_sync.models.schema import FieldType
from salesforce_sync.models.values import decode, readable
from salesforce_sync.ports import Clock
from simorg.clients import CLIENT_ID, CLIENT_SECRET
from tests import ready
from tests.torture.beside import Beside
from tests.torture.ledger import Ledger, folded, texts_among


def config_of(url: str, path: Path, objects: tuple[str, ...], events_url: str = "", policy: str = "ask") -> Config:
    """The settings of a replica, from nothing but these."""
    return Config.load(
        environ={},
        instance_url=url,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        storage_path=str(path),
        sync_objects=",".join(objects),
        sync_conflicts=policy,
        **({"events_url": events_url} if events_url else {}),
    )


_OF_LOST_FIELDS = """
SELECT e.record_id, e.value, l.type FROM _sync_edit e
JOIN _sync_lost_field l ON l.object_name = e.object_name AND l.field = e.field WHERE e.value IS NOT NULL
"""
"""Edits of fields that the org has no more: the type that each had tells what stands there."""


@dataclass
class Book:
    """A workbook of a replica: the rows as they were exported, and what was typed since and is not taken in."""

    path: Path
    rows: dict[str, dict[str, Mapping[str, object]]] = field(default_factory=dict)
    typed: dict[tuple[str, str], dict[str, object]] = field(default_factory=dict)


class Replica:
    """One replica file. `settled` holds, for each object, the fields that a complete run has filled; `books` is the
    last workbook that was written of it."""

    def __init__(self, config: Config, clock: Clock, *, follows: bool) -> None:
        """If it `follows`, change events are followed beside (`beside`)."""
        self.path = path = config.storage.path
        self.objects = objects = config.sync.objects
        self.config = config
        self.follows = follows
        self.beside: Beside | None = None
        self.settled: dict[str, set[str]] = {name: set() for name in objects}
        self._known_types: dict[str, dict[str, FieldType]] = {}
        self._clock = clock
        path.parent.mkdir(mode=0o700)
        ready.place(path)
        self.said: list[str] = []
        self.ledger = Ledger(self._resolved)
        self.book = Book(path.parent / "book.xlsx")
        self._tool: apsw.Connection | None = None
        self._elsewhere = False
        self._to_note: list[Callable[[], None]] = []
        self.sync = self._opened()

    def _opened(self) -> SFSync:
        opened = SFSync(self.config, clock=self._clock)
        opened.on("*", lambda signal: self.said.append(type(signal).__name__))
        self.beside = Beside(opened, self.objects) if self.follows else None
        return opened

    def _resolved(self, record_id: str) -> str:
        name = next(iter(self.sync.objects), None)
        return record_id if name is None else self.sync.objects[name].full_id(record_id)

    def edited(self) -> set[str]:
        """The records that were ever edited here: what they show need not be what the org had."""
        waiting = {each.record_id for each in (*self.sync.outbox(), *self.sync.inbox())}
        return waiting | self.ledger.touched

    def refreshed(self) -> dict[str, datetime | None]:
        """When each object's formulas were last read."""
        return {each.object_name: each.refreshed_at for each in self.sync.status().objects}

    def waiting(self) -> set[tuple[str, object]]:
        """Record and value of everything that waits here for the org or for a person.

        While a change is on its way, what was edited since is seen in its row.
        """
        changes, items = self.sync.outbox(), self.sync.inbox()
        found = {
            (each.record_id, self._decoded(each.object_name, field, value))
            for each in changes
            for field, value in each.values.items()
        }
        for item in items:
            name, key = item.object_name, item.record_id
            found |= {(key, self._decoded(name, each.field, each.value)) for each in item.edits}
            found |= {(key, self._decoded(name, each.field, each.local)) for each in item.conflicts}
            if item.code == EDITED_TWICE:  # the earlier edit, of a record that was shown by two rows
                found |= {(key, self._decoded(name, each.field, each.org)) for each in item.conflicts}
        # What was edited since is kept beside what is on its way, whatever the org still shows of its field.
        found |= set(self._rows("SELECT record_id, value FROM _sync_edit WHERE value IS NOT NULL"))
        found |= {
            (key, decode(FieldType(kind), value))
            for key, value, kind in self._rows(_OF_LOST_FIELDS)
            if readable(FieldType(kind), value)
        }
        open_ = {(each.object_name, each.record_id) for each in changes}
        for name, key in open_:
            row = self.visible(name).get(key, {})
            found |= {(key, value) for value in row.values() if value is not None}
        return {(key, folded(value)) for key, value in found}

    def replaced(self) -> set[tuple[str, object]]:
        """Record and value of everything that the history keeps of records that were ever edited here."""
        found: set[tuple[str, object]] = set()
        for name in self.sync.objects:
            for key in self.ledger.touched:
                found |= {
                    (key, folded(self.ledger.meant(self._decoded(name, each.field, value))))
                    for each in self.sync.history(name, key)
                    for value in (each.old, each.new)
                }
        return found

    def _decoded(self, name: str, field: str, stored: object) -> object:
        kind = self._types(name).get(field)
        if kind is FieldType.BOOLEAN and stored not in (None, 0, 1):
            return stored  # of the type that the field had
        try:
            return stored if kind is None else decode(kind, stored)
        except (ArithmeticError, TypeError, ValueError):
            return stored

    @contextmanager
    def still(self) -> Iterator[None]:
        """What events bring waits, so that what is looked at is of one moment."""
        with self.beside.still() if self.beside is not None else nullcontext():
            yield

    def close(self) -> None:
        if self.beside is not None:
            self.beside.end()
        if self._tool is not None:
            self._tool.close()
            self._tool = None
        self.sync.close()

    def reopen(self) -> None:
        """As after a restart of the machine."""
        self.close()
        self.sync = self._opened()

    @contextmanager
    def handed_over(self) -> Iterator[None]:
        """Closed here, so that another process can have it."""
        self.close()
        self._elsewhere = True
        try:
            yield
        finally:
            self.sync = self._opened()
            self._elsewhere = False
            while self._to_note:
                self._to_note.pop(0)()

    def note(self, act: Callable[[], None]) -> None:
        """Write something into the ledger: now, or once the replica is open here again."""
        if self._elsewhere:
            self._to_note.append(act)
        else:
            act()

    def run(self, *objects: str, accept_loss: tuple[str, ...] = (), stop: Event | None = None) -> Run:
        """A sync; afterwards `settled` is as it says."""
        self.said.clear()
        run = self.sync.sync(*objects, accept_loss=accept_loss, stop=stop)
        self._settle({each.object_name for each in run.objects if each.state is RunState.COMPLETE})
        if run.pushed is not None:  # it may have met fields that came after the pull: the next one fills them
            for name, fields in self._rows("SELECT name, unfilled FROM _sync_object WHERE unfilled IS NOT NULL"):
                self.settled[name] = self.settled.get(name, set()) - set(json.loads(fields))
        return run

    def verify(self) -> Run:
        """A pull and a comparison with the org; afterwards `settled` is as it says."""
        self.said.clear()
        run, _ = self.sync.verify(*self.objects, accept_loss=self.objects)
        self._settle({each.object_name for each in run.objects if each.state is RunState.COMPLETE})
        return run

    def forget_fields(self) -> None:
        """After a run elsewhere that told nothing: fields may have come that are not filled."""
        self._settle(set())

    def doubt(self) -> None:
        """Another program has worked with the file: no field is settled before the next complete run."""
        self.settled = {name: set() for name in self.objects}

    def doubts(self, name: str, stamp: object) -> bool:
        """Whether rows of this stamp are to be read again: one of them may have changed and kept it."""
        doubted = "SELECT doubt_from, doubt_to FROM _sync_object WHERE name = ? AND doubt_from IS NOT NULL"
        ranges = [tuple(map(datetime.fromisoformat, each)) for each in self._rows(doubted, (name,))]
        return isinstance(stamp, datetime) and any(first <= stamp <= last for first, last in ranges)

    def _settle(self, complete: set[str]) -> None:
        for name in self.objects:
            types, before = self._types(name), self._known_types.get(name, {})
            # A field of another type has a new column, which is empty until a run is complete.
            kept = {field for field in self.settled[name] if types.get(field, "") == before.get(field)}
            self.settled[name] = set(types) if name in complete else kept
            self._known_types[name] = types

    def _types(self, name: str) -> dict[str, FieldType]:
        if name not in self.sync.objects:
            return {}
        return {field.name: field.type for field in self.sync.objects[name].schema.columns}

    def fields(self, name: str) -> set[str]:
        """The fields that the replica has a column for and still asks the org for."""
        return set(self._types(name))

    def texts(self, name: str) -> list[str]:
        """Those of them in which people write texts."""
        found = texts_among(name, self.fields(name))
        return [each for each in found if self.sync.objects[name].schema.field(each).type is FieldType.TEXT]

    def visible(self, name: str) -> dict[str, Mapping[str, object]]:
        """What a person gets from `all()`: id → values."""
        if name not in self.sync.objects:
            return {}
        records = [record.to_dict() for record in self.sync.objects[name].all()]
        return {str(each["Id"]): each for each in records}

    def tombstones(self, name: str) -> dict[str, Mapping[str, object]]:
        """The rows that are flagged as deleted, as any SQLite tool sees them."""
        if name not in self.sync.objects:
            return {}
        schema = self.sync.objects[name].schema
        if not schema.has("IsDeleted"):
            return {}
        kinds = {field.name: field.type for field in schema.columns}
        found = self._rows(f'SELECT {", ".join(_quoted(each) for each in kinds)} FROM "{name}" WHERE "IsDeleted" IS 1')
        return {str(row[0]): _decoded(kinds, row) for row in found}

    def _rows(self, sql: str, bindings: tuple[str, ...] = ()) -> list[tuple[Any, ...]]:
        if self._tool is None:  # kept: each new one reads the database's schema
            self._tool = apsw.Connection(str(self.path), flags=apsw.SQLITE_OPEN_READONLY)
        return self._tool.execute(sql, bindings).fetchall()

    def open_runs(self) -> list[tuple[Any, ...]]:
        """Runs that were told to have begun, and not to have ended."""
        return self._rows("SELECT run_id, objects FROM _sync_open_run")

    def left_pages(self) -> list[str]:
        """Files that lie where pages land, but for the lock of each object."""
        folder = self.path.with_name(f"{self.path.name}-pages")
        return sorted(each.name for each in folder.iterdir() if each.suffix != ".lock") if folder.is_dir() else []


@contextmanager
def still(*replicas: Replica) -> Iterator[None]:
    """Nothing comes into any of these by events."""
    with ExitStack() as stack:
        for each in replicas:
            stack.enter_context(each.still())
        yield


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _decoded(kinds: Mapping[str, FieldType], row: tuple[Any, ...]) -> Mapping[str, object]:
    return {name: decode(kind, value) for (name, kind), value in zip(kinds.items(), row, strict=True)}


def same(one: object, other: object) -> bool:
    """Whether two values are the same, kind and all: True is not 1, and 1.10 is 1.1."""
    return type(one) is type(other) and one == other
