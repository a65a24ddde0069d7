"""What the memory store keeps, and the rules by which rows enter a table. Pure but for the tables themselves."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from salesforce_sync.models.change import Doubt, Loss, Staged
from salesforce_sync.models.draft import Drafted
from salesforce_sync.models.event import Lack, Position
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.page import CsvFile, Page, Rows, Sweep
from salesforce_sync.models.proof import Cause, Proof
from salesforce_sync.models.run import RunRecord
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.signals import Signal
from salesforce_sync.testing.forms import from_rest, read_csv
from salesforce_sync.testing.memory_history import History
from salesforce_sync.testing.memory_outbox import Item, Pending, PushLog

Row = dict[str, Stored]
LATEST = "~"
"""After every stamp."""


@dataclass(frozen=True, slots=True)
class Done:
    """What a push has done to a record that the org has not shown since; `bases`: beneath a deletion.

    `with_it`: the record that was deleted, where that took this one along.
    """

    push_id: str
    operation: Operation
    bases: Row = field(default_factory=dict)
    with_it: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """A sweep as far as it is durable: its columns, its rows by id, and how far it has come."""

    columns: tuple[str, ...]
    rows: dict[str, Row]
    come: Staged


@dataclass
class Table:
    """One object: its rows by id, and how far it has been merged."""

    schema: ObjectSchema
    described_at: datetime
    rows: dict[str, Row] = field(default_factory=dict)
    until: str | None = None
    merged: bool = False
    refill: bool = False
    unfilled: tuple[str, ...] | None = None
    missed: dict[str, bool] = field(default_factory=dict)
    read_at: datetime | None = None
    refreshed_at: datetime | None = None
    loss: Loss | None = None
    described_as: str | None = None
    doubt: Doubt | None = None
    gone: dict[str, Cause] = field(default_factory=dict)
    sweeps: dict[Sweep, Kept] = field(default_factory=dict)
    recent: dict[str, Row] | None = None
    pending: dict[str, Pending] = field(default_factory=dict)
    proofs: list[Proof] = field(default_factory=list)
    orphans: set[tuple[str, str]] = field(default_factory=set)
    bereaved: str = ""
    written: dict[str, Done] = field(default_factory=dict)
    own_stamps: dict[tuple[str, str], Stored] = field(default_factory=dict)

    def note_own_stamp(self, key: str, before: Stored, after: Stored) -> None:
        """A push of ours has moved the record's stamp; `before` is None where it has made the record."""
        if isinstance(after, str) and before != after:
            self.own_stamps.setdefault((key, after), before)

    def note_shown(self, row: Row) -> None:
        """The org has shown the record."""
        key = str(row["Id"])
        done = self.written.pop(key, None)
        if done is not None and done.operation is Operation.CREATE and self.schema.stamp is not None:
            self.note_own_stamp(key, None, row.get(self.schema.stamp))

    def only_ours(self, key: str, seen: Stored, now: Stored) -> bool:
        """Whether nothing but pushes of ours moved the record from one stamp to the other."""
        while now != seen:
            if (key, now) not in self.own_stamps:
                return False
            now = self.own_stamps[key, str(now)]
        return True


@dataclass
class Staging:
    """A pull that was begun."""

    columns: tuple[str, ...]
    since: datetime | None
    rows: list[Row] = field(default_factory=list)
    resume: str | None = None
    durable: int = 0
    server_time: datetime | None = None
    partial: bool = False
    kind: Sweep | None = None
    total: int | None = None

    @property
    def goes_on(self) -> bool:
        """Whether it is a pull that has come to a durable page."""
        return self.resume is not None and not self.partial and self.kind is None


@dataclass
class Follow:
    """Where an object's events go on, what they have told, and what they have not."""

    replay: bytes | None = None
    unsure: int = 0
    seen: dict[str, tuple[Position, ...]] = field(default_factory=dict)
    again: dict[str, Lack] = field(default_factory=dict)


@dataclass
class Disk:
    """What a kill leaves: everything, as every call is all or nothing."""

    tables: dict[str, Table] = field(default_factory=dict)
    staging: dict[str, Staging] = field(default_factory=dict)
    asides: dict[str, Staging] = field(default_factory=dict)
    runs: list[RunRecord] = field(default_factory=list)
    claimed: set[str] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    open_runs: dict[str, tuple[str, ...]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    drafts: dict[str, Drafted] = field(default_factory=dict)
    items: list[Item] = field(default_factory=list)
    history: History = field(default_factory=History)
    pushes: dict[str, PushLog] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    usage: DayUsage | None = None
    tale: list[tuple[datetime, Signal | Item]] = field(default_factory=list)
    untold: Counter[str] = field(default_factory=Counter)
    follows: dict[str, Follow] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)


def names(schema: ObjectSchema) -> tuple[str, ...]:
    """The columns' API names, in order."""
    return tuple(each.name for each in schema.columns)


def shape(schema: ObjectSchema) -> tuple[str, ...]:
    """What staged rows have to fit: names and types."""
    return tuple(f"{each.name}: {each.type}" for each in schema.columns)


def stored_rows(page: Page) -> Iterator[Row]:
    """The page's rows in the stored form."""
    columns: tuple[Field, ...] = page.schema.columns
    if isinstance(page.body, CsvFile):
        tuples: Iterable[tuple[Stored, ...]] = read_csv(page.body.path, columns, page.body.places)
    else:
        assert isinstance(page.body, Rows)  # this store prepares no file
        tuples = (from_rest(columns, each) for each in page.body.values)
    return (dict(zip(names(page.schema), each, strict=True)) for each in tuples)


def without_doubles(rows: list[Row], stamp: str | None) -> dict[str, Row]:
    """A row that came twice: the newer one stays, of equally new ones the one that came last."""
    kept: dict[str, Row] = {}
    for row in rows:
        key = str(row["Id"])
        if key not in kept or stamp is None or str(row[stamp] or "") >= str(kept[key][stamp] or ""):
            kept[key] = row
    return kept


def same(row: Row, here: Row) -> bool:
    """Whether the row holds nothing new."""
    # A column that came after the row is null in it.
    return all(here.get(name) == value for name, value in row.items())


def older(stamp: str | None, row: Row, here: Row) -> bool:
    """Whether a row that came is older than the one here."""
    if stamp is None or row[stamp] is None or here.get(stamp) is None:
        return False
    return str(row[stamp]) < str(here[stamp])


def kept_out(stamp: str | None, row: Row, here: Row, trusted: str) -> bool:
    """Whether a row that came must not replace the one here."""
    return older(stamp, row, here) and str(here[str(stamp)]) <= trusted


def trusted_by(table: Table, staging: Staging) -> str:
    """The latest stamp here that keeps an older row out: up to the last reading, and none from rows asked by id."""
    if staging.partial:
        return ""
    return LATEST if table.read_at is None else format_datetime(table.read_at)


def spelt(row: Row, schema: ObjectSchema) -> Row:
    """The row with the letter case of the schema's names."""
    spelling = {each.name.casefold(): each.name for each in schema.columns}
    return {spelling.get(name.casefold(), name): value for name, value in row.items()}


def dead(row: Row) -> bool:
    """Whether the row is a tombstone."""
    return row.get("IsDeleted") == 1


def alive(table: Table, key: str) -> bool:
    """Whether a live row of this id is here."""
    return key in table.rows and not dead(table.rows[key])


def shown(table: Table, key: str) -> bool:
    """Whether the org should show this row as live, whatever was edited here."""
    pending = table.pending.get(key)
    return not dead(table.rows[key]) if pending is None else pending.shown


def org_view(table: Table, key: str) -> Row:
    """The row as the org showed it, without what was edited here."""
    row, pending = table.rows[key], table.pending.get(key)
    if pending is None:
        return row
    view = row | {name: each.org for name, each in pending.slots.items()}
    return view | ({"IsDeleted": int(pending.org_dead)} if "IsDeleted" in row else {})


def values(schema: ObjectSchema, row: Row) -> tuple[object, ...]:
    """The row's values in the order of the schema."""
    return tuple(row.get(each.name) for each in schema.columns)
