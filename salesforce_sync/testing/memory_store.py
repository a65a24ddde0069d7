"""`MemoryStore`: the Store without a disk. It says in Python what the SQLite store says in SQL."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from salesforce_sync.errors import Incomplete, NotSynced, SchemaChanged, StoreBusy
from salesforce_sync.models.api_names import check_api_name
from salesforce_sync.models.change import Checkpoint, LossLimit, Merged, Staged
from salesforce_sync.models.history import Keeping
from salesforce_sync.models.page import Page, PullRequest
from salesforce_sync.models.run import READS_ALL, ObjectStatus, RunRecord, RunState
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.ports import Clock, Filter, Selection
from salesforce_sync.resolve import ASK_ALWAYS, Policies
from salesforce_sync.signals import ABANDONED, RecordsUpdated, Signal, SyncFailed, SyncStarted, Told, drift
from salesforce_sync.testing.clock import FrozenClock
from salesforce_sync.testing.matching import check, ordered, passes
from salesforce_sync.testing.memory_comparison import refuse_loss
from salesforce_sync.testing.memory_drafts import Drafting
from salesforce_sync.testing.memory_following import Following
from salesforce_sync.testing.memory_tables import (
    Row,
    Staging,
    Table,
    dead,
    shape,
    shown,
    spelt,
    stored_rows,
    trusted_by,
    values,
    without_doubles,
)


class MemoryStore(Drafting, Following):
    """A replica in memory. Implements `ports.Store`."""

    def __init__(
        self, clock: Clock | None = None, policies: Policies = ASK_ALWAYS, keeping: Keeping | None = None
    ) -> None:
        self._clock: Clock = clock or FrozenClock()
        super().__init__(policies, keeping or Keeping())

    def reopened(self, policies: Policies = ASK_ALWAYS, keeping: Keeping | None = None) -> MemoryStore:
        """The store as another process would find it after this one was killed."""
        found = MemoryStore(self._clock, policies, keeping)
        found._disk = replace(self._disk, claimed=set(), running=set())
        return found

    # ── schemas ──────────────────────────────────────────────────────────────────────────────────────────────────

    def adopt(self, schema: ObjectSchema) -> tuple[str, ...]:
        with self._disk.lock:
            table = self._disk.tables.get(schema.name.casefold())
            if table is None:
                self._disk.tables[schema.name.casefold()] = Table(schema, self._clock.now())
                return ()
            moved = drift(table.schema, schema)
            if moved is not None:
                self._disk.tale.append((self._clock.now(), moved))
            gained = schema.gained_since(table.schema)
            known = {each.name.casefold(): each.type for each in table.schema.columns}
            retyped = [each.name for each in schema.columns if known.get(each.name.casefold(), each.type) != each.type]
            for row in table.rows.values():
                row.update(dict.fromkeys(retyped))
            table.schema, table.described_at = schema, self._clock.now()
            table.rows = {key: spelt(row, schema) for key, row in table.rows.items()}
            _note_gained(table, gained)
            self._forget_others(table, gained)
            return gained

    def schema(self, object_name: str) -> ObjectSchema | None:
        table = self._disk.tables.get(object_name.casefold())
        return None if table is None else table.schema

    def schemas(self) -> tuple[ObjectSchema, ...]:
        return tuple(sorted((each.schema for each in self._disk.tables.values()), key=lambda schema: schema.name))

    def described_at(self, object_name: str) -> datetime | None:
        table = self._disk.tables.get(object_name.casefold())
        return None if table is None else table.described_at

    def checkpoint(self, object_name: str) -> Checkpoint | None:
        table = self._disk.tables.get(object_name.casefold())
        if table is None or not table.merged:
            return None
        until = None if table.refill or table.until is None else parse_datetime(table.until)
        return Checkpoint(table.schema.name, until, table.read_at)

    # ── staging ──────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def claim(self, object_name: str) -> Iterator[None]:
        key = check_api_name(object_name).casefold()
        with self._disk.lock:
            if key in self._disk.claimed:
                raise StoreBusy(f"{object_name} is being synced by another run.")
            self._disk.claimed.add(key)
        try:
            yield
        finally:
            self._disk.claimed.discard(key)

    def staged(self, object_name: str) -> Staged | None:
        with self._disk.lock:
            table = self._table(object_name)
            schema = table.schema
            self._lay_aside(table)
            staging = self._disk.staging.get(schema.name)
            if (staging is None or staging.partial) and schema.name in self._disk.asides:
                staging = self._disk.staging[schema.name] = self._disk.asides.pop(schema.name)
            if staging is None:
                return None
            enough = staging.since is None or not table.refill
            if staging.partial or staging.resume is None or staging.columns != shape(schema) or not enough:
                del self._disk.staging[schema.name]
                return None
            del staging.rows[staging.durable :]
            return Staged(schema.name, staging.since, staging.resume, staging.durable, staging.server_time)

    def begin(self, request: PullRequest) -> None:
        with self._disk.lock:
            table = self._table(request.schema.name)
            self._make_way(table, request)
            name, kind = request.schema.name, request.sweep(table.schema)
            before = self._disk.staging.get(name)
            if request.ids and before is not None and before.goes_on:
                del before.rows[before.durable :]
                self._disk.asides[name] = before
            elif not request.ids and kind is None:
                self._disk.asides.pop(name, None)
            self._disk.staging[name] = Staging(
                shape(request.schema), request.since, partial=bool(request.ids), kind=kind
            )

    def prepare(self, page: Page) -> Page:
        return page

    def stage(self, page: Page) -> int:
        with self._disk.lock:
            try:
                return self._stage(self._disk.staging[page.schema.name], page, list(stored_rows(page)))
            finally:
                page.drop()

    def _stage(self, staging: Staging, page: Page, rows: list[Row]) -> int:
        if page.resume is not None:
            arrived = len(staging.rows) + len(rows) - staging.durable
            if page.expected is not None and arrived != page.expected:
                name = page.schema.name
                raise Incomplete(f"The org announced {page.expected:,} rows of {name}, and {arrived:,} arrived.")
            staging.resume, staging.durable = page.resume, len(staging.rows) + len(rows)
        staging.rows += rows
        staging.total = staging.total if page.total is None else page.total
        staging.server_time = staging.server_time or page.server_time
        return len(rows)

    # ── merge ────────────────────────────────────────────────────────────────────────────────────────────────────

    def merge(
        self,
        object_name: str,
        checkpoint_limit: datetime | None,
        loss: LossLimit | None = None,
        own: Collection[str] = (),
    ) -> Merged:
        with self._disk.lock:
            table = self._table(object_name)
            schema = table.schema
            staging = self._disk.staging.get(schema.name)
            if staging is None:
                raise Incomplete(f"{schema.name}: the staged rows are gone; the pull starts again.")
            if staging.columns != shape(schema):
                raise SchemaChanged(f"{schema.name} was described anew while it was read.")
            staged = without_doubles(staging.rows, schema.stamp)
            if staging.total is not None and len(staged) < min(staging.total, len(staging.rows)):
                raise Incomplete(f"{schema.name}: {staging.total} rows announced, {len(staged)} different ones came.")
            trusted = trusted_by(table, staging)
            refuse_loss(table, staged, loss, trusted)
            del self._disk.staging[schema.name]
            table.missed = {key: asked for key, asked in table.missed.items() if key not in staged}
            self._own = frozenset(own)
            try:
                merged = self._enter(table, staged, trusted)
            finally:
                self._own = frozenset()
            table.gone = {
                key: cause for key, cause in table.gone.items() if key not in table.rows or not shown(table, key)
            }
            self._move_checkpoint(table, staging, checkpoint_limit)
            self._disk.untold[schema.name] += merged.changed
            return merged

    def _move_checkpoint(self, table: Table, staging: Staging, limit: datetime | None) -> None:
        if staging.partial or (table.refill and staging.since is not None):
            return
        table.merged = True
        if table.refill and table.until is not None:
            # All rows were read again, but not what was deleted since: the next pull goes on from the old checkpoint.
            table.refill, table.unfilled = False, None
            return
        table.read_at = max(filter(None, (table.read_at, staging.server_time)), default=None)
        table.refill, table.unfilled = False, None
        stamps = [
            str(row[table.schema.stamp]) for row in staging.rows if table.schema.stamp and row[table.schema.stamp]
        ]
        if table.schema.stamp and table.until is None and not stamps and limit is not None:
            # Nothing is there that could tell: what comes will have stamps from the time of the query on.
            table.until = format_datetime(limit)
        if stamps:
            newest = max(stamps) if limit is None else min(max(stamps), format_datetime(limit))
            table.until = max(table.until or "", newest)

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def count_shown(self, object_name: str) -> int:
        with self._disk.lock:
            table = self._table(object_name)
            return sum(shown(table, key) for key in table.rows)

    def count(self, object_name: str, filters: Sequence[Filter] = ()) -> int:
        return sum(1 for _ in self.scan(object_name, filters))

    def get(self, object_name: str, record_id: str) -> tuple[object, ...] | None:
        with self._disk.lock:
            table = self._table(object_name)
            row = table.rows.get(self.real_id(record_id))
            return None if row is None or dead(row) else values(table.schema, row)

    def rows(self, object_name: str, ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        with self._disk.lock:
            table = self._table(object_name)
            return {key: values(table.schema, table.rows[key]) for key in ids if key in table.rows}

    def scan(self, object_name: str, filters: Sequence[Filter] = ()) -> Iterator[tuple[object, ...]]:
        with self._disk.lock:
            table = self._table(object_name)
            conditions = [(table.schema.field(each.field), each) for each in filters]
            for kind, each in conditions:
                check(kind, each)
            live = [row for row in table.rows.values() if not dead(row)]
            found = [row for row in live if all(passes(kind, each, row.get(kind.name)) for kind, each in conditions)]
            return iter([values(table.schema, row) for row in found])

    def scan_named(self, object_name: str, lookups: Sequence[str]) -> Iterator[tuple[object, ...]]:
        with self._disk.lock:
            schema = self._table(object_name).schema
            fields = [schema.field(name) for name in lookups]
            places = [schema.columns.index(field) for field in fields]
            pairs = list(zip(fields, places, strict=True))
            rows = [(*row, *(self._name(field, row[at]) for field, at in pairs)) for row in self.scan(object_name)]
            return iter(rows)

    def _name(self, lookup: Field, record_id: object) -> object:
        tables = (self._disk.tables.get(name.casefold()) for name in lookup.reference_to)
        named = ((table, table.schema.name_field) for table in tables if table is not None)
        found = (
            table.rows[str(record_id)].get(field.name) for table, field in named if field and record_id in table.rows
        )
        return next((name for name in found if name is not None), None)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        with self._disk.lock:
            yield

    def select(self, object_name: str, selection: Selection) -> list[tuple[object, ...]]:
        schema = self._table(object_name).schema
        place_of = ordered(schema, selection.sort)
        rows = sorted(self.scan(object_name, selection.filters), key=place_of, reverse=selection.descending)
        if selection.after is not None:
            after, up = place_of(selection.after), not selection.descending
            rows = [row for row in rows if (place_of(row) > after if up else place_of(row) < after)]
        places = [schema.columns.index(field) for field in schema.chosen(selection.fields)]
        return [tuple(row[at] for at in places) for row in rows[: selection.most]]

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def record_run(self, run: RunRecord) -> None:
        with self._disk.lock:
            last = next(
                (e for e in reversed(self._disk.runs) if e.object_name.casefold() == run.object_name.casefold()), None
            )
            self._disk.runs = [each for each in self._disk.runs if each is not last or each.run_id != run.run_id]
            self._disk.runs.append(run)

    def note_usage(self, used: int, limit: int) -> None:
        self._disk.usage = DayUsage(used, limit, self._clock.now())

    def usage(self) -> DayUsage | None:
        return self._disk.usage

    def status(self) -> tuple[ObjectStatus, ...]:
        with self._disk.lock:
            names = {each.schema.name for each in self._disk.tables.values()}
            folded = {name.casefold() for name in names}
            names |= {run.object_name for run in self._disk.runs if run.object_name.casefold() not in folded}
            return tuple(self._status_of(name) for name in sorted(names))

    def _status_of(self, name: str) -> ObjectStatus:
        table = self._disk.tables.get(name.casefold())
        rows = [] if table is None else list(table.rows.values())
        tombstones = sum(map(dead, rows))
        ages = self.ages(name)
        checkpoint = self.checkpoint(name)
        runs = [run for run in self._disk.runs if run.object_name.casefold() == name.casefold()]
        staging = self._disk.staging.get(name, self._disk.asides.get(name))
        return ObjectStatus(
            object_name=name,
            rows=len(rows) - tombstones,
            tombstones=tombstones,
            checkpoint=None if checkpoint is None else checkpoint.until,
            last_run=runs[-1] if runs else None,
            last_complete=next((run.finished for run in reversed(runs) if run.state is RunState.COMPLETE), None),
            staged_rows=0 if staging is None else staging.durable,
            proof=self.proof(name) if table is not None else None,
            refreshed_at=ages.refreshed_at or ages.first_merged_at,
            method="" if table is None or not table.schema.queryable else table.schema.stamp or READS_ALL,
            refused=() if table is None else table.schema.left_out,
            loss_refused=None if ages.loss is None else ages.loss.message,
        )

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, signals: Sequence[Signal], ended: str = "") -> None:
        with self._disk.lock:
            self._disk.open_runs.pop(ended, None)
            for signal in signals:
                self._disk.tale.append((self._clock.now(), signal))
                if isinstance(signal, RecordsUpdated):
                    self._disk.untold.subtract(dict(signal.objects))

    @contextmanager
    def begun(self, run_id: str, objects: Sequence[str]) -> Iterator[None]:
        with self._disk.lock:
            self._disk.running.add(run_id)
            self._disk.open_runs[run_id] = tuple(objects)
            self.tell([SyncStarted(tuple(objects))])
        try:
            yield
        finally:
            self._disk.running.discard(run_id)

    def tell_abandoned(self) -> tuple[SyncFailed, ...]:
        with self._disk.lock:
            gone = [each for each in self._disk.open_runs if each not in self._disk.running]
            ends = tuple(SyncFailed(ABANDONED, self._disk.open_runs.pop(each)) for each in gone)
            self.tell(ends)
            return ends

    def told(self, after: int, most: int = 1000) -> tuple[Told, ...]:
        with self._disk.lock:
            tale = list(enumerate(self._disk.tale, 1))[after : after + most]
            return tuple(
                Told(number, at, what if isinstance(what, Signal) else what.news()) for number, (at, what) in tale
            )

    def untold(self, objects: Iterable[str]) -> tuple[tuple[str, int], ...]:
        wanted = {name.casefold() for name in objects}
        with self._disk.lock:
            counts = sorted(self._disk.untold.items())
            return tuple((name, count) for name, count in counts if count > 0 and name.casefold() in wanted)

    def close(self) -> None:
        """Nothing to close."""

    def _table(self, object_name: str) -> Table:
        table = self._disk.tables.get(object_name.casefold())
        if table is None:
            raise NotSynced.named(object_name, [each.name for each in self.schemas()])
        return table


def _note_gained(table: Table, gained: tuple[str, ...]) -> None:
    """These columns are to be filled, unless all is to be read again."""
    if table.refill and table.unfilled is None:
        return
    here = {each.name.casefold() for each in table.schema.columns}
    left = tuple(name for name in (*(table.unfilled or ()), *gained) if name.casefold() in here)
    table.refill, table.unfilled = bool(left), left or None
