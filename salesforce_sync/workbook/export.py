"""The replica as a workbook: one sheet an object, streamed; then `_Metadata`, which the way back needs."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import NotSynced
from salesforce_sync.models.run import ObjectStatus
from salesforce_sync.models.schema import FieldType, ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import Store
from salesforce_sync.workbook.cells import TEXT_UNITS, is_cut
from salesforce_sync.workbook.describing import width
from salesforce_sync.workbook.layout import (
    DATA_ROWS,
    Column,
    Metadata,
    ObjectEntry,
    Role,
    columns_of,
    metadata_rows,
    sheet_name,
)
from salesforce_sync.workbook.rows import Look, RowWriter, Source, encoder_of
from salesforce_sync.workbook.sets import parents_first, ready_set
from salesforce_sync.workbook.skeleton import Frame, Sheet, Skeleton
from salesforce_sync.workbook.zip_stream import ZipStream

BATCH_ROWS: Final = 128
BATCH_CELLS: Final = 8_192
BATCH_CHARACTERS: Final = 4_000_000
"""What a batch of rows can have at the most, by the lengths of its fields: with long texts it has fewer rows."""

SAMPLE_ROWS: Final = 60
CUTS_TOLD: Final = 100

NOTES: Final = (
    "How to use this workbook",
    "White cells can be edited; grey ones belong to the org. A red header marks a field that a new row must have.",
    "New rows: write them below the last one. Other rows may refer to one by a name that you give it in Id: new:1",
    "To sort, unprotect the sheet first (Review > Unprotect Sheet; there is no password).",
    "Sheet protection only guards against slips. For secrecy, export with a password.",
    "Datetimes are UTC. Nothing is sent to Salesforce before the workbook is imported and pushed.",
)

Tell = Callable[[str, int, int], None]
"""Told of an object: rows written so far, of how many."""


class Wanted(Struct, frozen=True):
    """What to export: these objects and those of a ready set; all that are here if there is neither."""

    objects: tuple[str, ...] = ()
    ready_set: str | None = None
    rows_a_sheet: int = DATA_ROWS


class Facts(Struct, frozen=True):
    """What `_Metadata` says of the whole."""

    org_id: str
    api_version: str
    now: datetime


class CutText(Struct, frozen=True):
    """A text that is longer than a cell can hold: its cell shows the beginning, and is locked."""

    object_name: str
    record_id: str
    field: str


class Exported(Struct, frozen=True):
    """What was written. `notes` says of each object of a ready set that is not in the workbook why that is so;
    `cut` names the first of the `cut_count` texts that are longer than a cell can hold; `kept` is where a file is now
    that was in the place of this one, and that somebody had saved since it was exported; of those that are
    `unfinished`, as their first sync has not come to its end, rows are missing."""

    export_id: str
    rows: Mapping[str, int]
    sheets: Mapping[str, tuple[str, ...]]
    notes: Mapping[str, str] = field(default_factory=dict)
    cut: tuple[CutText, ...] = ()
    cut_count: int = 0
    kept: Path | None = None
    unfinished: tuple[str, ...] = ()


_UNFINISHED = "Its first sync has not come to its end: rows are missing."


def export(store: Store, wanted: Wanted, facts: Facts, out: BinaryIO, tell: Tell) -> Exported:
    """Write the workbook to a stream that can seek. Every sheet shows the same moment; the org is not asked."""
    statuses = {each.object_name: each for each in store.status()}
    with store.snapshot():
        schemas, notes = _chosen(store, wanted, statuses)
        books = [_ObjectPlan.of(store, schema, wanted.rows_a_sheet) for schema in schemas]
        plans = _with_sheet_names(books)
        unfinished = tuple(each.name for each in schemas if store.checkpoint(each.name) is None)
        metadata = _metadata(plans, notes | dict.fromkeys(unfinished, _UNFINISHED), statuses, facts)
        sheets = [plan.sheet(number) for plan in plans for number in range(len(plan.sheets))]
        skeleton = Skeleton(sheets, metadata_rows(metadata), facts.now)
        writer = _Writer(store, plans, tell)
        writer.write(out, skeleton, facts.now)
        return replace(writer.written(metadata.export_id, notes), unfinished=unfinished)


# ── what goes in ─────────────────────────────────────────────────────────────────────────────────────────────────


def _chosen(
    store: Store, wanted: Wanted, statuses: Mapping[str, ObjectStatus]
) -> tuple[tuple[ObjectSchema, ...], dict[str, str]]:
    """The schemas, parents first; and why objects of a set are missing."""
    here = {each.name.casefold(): each for each in store.schemas()}
    found: dict[str, ObjectSchema] = {}
    for name in wanted.objects:
        if name.casefold() not in here:
            raise NotSynced.named(name, [each.name for each in here.values()])
        found[name.casefold()] = here[name.casefold()]
    notes: dict[str, str] = {}
    for name in ready_set(wanted.ready_set) if wanted.ready_set else ():
        if name.casefold() in here:
            found[name.casefold()] = here[name.casefold()]
        else:
            notes[name] = _why_missing(name, statuses.get(name))
    if not wanted.objects and not wanted.ready_set:
        found = here
    if not found and not notes:
        raise NotSynced("There is nothing to export: no object is here.", hint="Run 'salesforce-sync sync' first.")
    return parents_first(list(found.values())), notes


def _why_missing(name: str, status: ObjectStatus | None) -> str:
    run = None if status is None else status.last_run
    if run is not None and run.problem is not None:
        return f"Not in this workbook: {run.problem.message}"
    return f"Not in this workbook: it is not synced. Run 'salesforce-sync sync {name}' first."


# ── how it is laid out ───────────────────────────────────────────────────────────────────────────────────────────


class _ObjectPlan(Struct, frozen=True):
    """One object: its columns and their widths, its lookups with a name beside them, its rows, its sheets' names."""

    schema: ObjectSchema
    lookups: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: int
    widths: tuple[int, ...]
    rows_a_sheet: int
    sheets: tuple[str, ...] = ()

    @classmethod
    def of(cls, store: Store, schema: ObjectSchema, rows_a_sheet: int) -> _ObjectPlan:
        lookups = tuple(each.name for each in schema.columns if _shows_names(store, each.reference_to))
        columns = columns_of(schema, lookups)
        samples = tuple(islice(store.scan_named(schema.name, lookups), SAMPLE_ROWS))
        widths = _widths(columns, _places(schema, lookups), samples)
        return cls(schema, lookups, columns, store.count(schema.name), widths, rows_a_sheet)

    @property
    def places(self) -> dict[tuple[Role, str], int]:
        """Role and field → place in a row as the store gives it."""
        return _places(self.schema, self.lookups)

    def sheet(self, number: int) -> Sheet:
        """Its sheet of this number, counted from 0."""
        rows = min(self.rows_a_sheet, self.rows - number * self.rows_a_sheet)
        return Sheet(self.sheets[number], self.schema, self.columns, rows, self.widths)


def _places(schema: ObjectSchema, lookups: Sequence[str]) -> dict[tuple[Role, str], int]:
    keys = [*((Role.FIELD, each.name) for each in schema.columns), *((Role.NAME, name) for name in lookups)]
    return {key: place for place, key in enumerate(keys)}


def _widths(
    columns: Sequence[Column], places: Mapping[tuple[Role, str], int], samples: Sequence[Sequence[Any]]
) -> tuple[int, ...]:
    """How wide each column is, by some of the rows."""
    at = [None if each.field is None else places[each.role, each.field.name] for each in columns]
    return tuple(
        width(column, [] if place is None else [row[place] for row in samples])
        for column, place in zip(columns, at, strict=True)
    )


def _shows_names(store: Store, parents: Sequence[str]) -> bool:
    """Whether one of these objects is here, and has names."""
    found = (store.schema(name) for name in parents)
    return any(each is not None and each.name_field is not None for each in found)


def _with_sheet_names(plans: Sequence[_ObjectPlan]) -> list[_ObjectPlan]:
    taken: list[str] = []
    named = []
    for plan in plans:
        first = len(taken)
        for part in range(1, max(1, -(-plan.rows // plan.rows_a_sheet)) + 1):
            taken.append(sheet_name(plan.schema.name, part, taken))
        named.append(replace(plan, sheets=tuple(taken[first:])))
    return named


def _metadata(
    plans: Sequence[_ObjectPlan], notes: Mapping[str, str], statuses: Mapping[str, ObjectStatus], facts: Facts
) -> Metadata:
    entries = [_entry(plan, statuses.get(plan.schema.name), notes.get(plan.schema.name, "")) for plan in plans]
    here = {plan.schema.name for plan in plans}
    entries += [ObjectEntry(name, note=note) for name, note in notes.items() if name not in here]
    at = format_datetime(facts.now)  # with its milliseconds: edits are held against it
    return Metadata(tuple(entries), uuid.uuid4().hex, facts.org_id, facts.api_version, at, notes=NOTES)


def _entry(plan: _ObjectPlan, status: ObjectStatus | None, note: str) -> ObjectEntry:
    synced = None if status is None else status.last_complete
    stamp = None if status is None else status.checkpoint
    fields = [(each.field, each.header) for each in plan.columns if each.field and each.role is Role.FIELD]
    return ObjectEntry(
        plan.schema.name,
        plan.rows,
        "" if synced is None else synced.isoformat(timespec="seconds").replace("+00:00", "Z"),
        tuple(each.name for each, _ in fields),
        tuple(header for _, header in fields),
        plan.sheets,
        "" if stamp is None else format_datetime(stamp),
        note,
        types=tuple(each.type.value for each, _ in fields),
    )


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────


class _Writer:
    """Writes the package, and notes the texts that had to be cut."""

    def __init__(self, store: Store, plans: Sequence[_ObjectPlan], tell: Tell) -> None:
        self._store = store
        self._plans = plans
        self._tell = tell
        self._cut: list[CutText] = []
        self._cut_count = 0

    def write(self, out: BinaryIO, skeleton: Skeleton, now: datetime) -> None:
        package = ZipStream(out, now)
        for name, content in skeleton.parts():
            package.add(name, content)
        frames = skeleton.frames()
        for plan in self._plans:
            self._write_object(package, plan, islice(frames, len(plan.sheets)))
        package.finish()

    def written(self, export_id: str, notes: Mapping[str, str]) -> Exported:
        """What was written."""
        rows = {plan.schema.name: plan.rows for plan in self._plans}
        named = {plan.schema.name: plan.sheets for plan in self._plans}
        return Exported(export_id, rows, named, notes, tuple(self._cut), self._cut_count)

    def _write_object(self, package: ZipStream, plan: _ObjectPlan, frames: Iterable[Frame]) -> None:
        rows = self._store.scan_named(plan.schema.name, plan.lookups)
        self._tell(plan.schema.name, 0, plan.rows)
        done = 0
        for frame in frames:
            for name, content in frame.beside:
                package.add(name, content)
            writer = _row_writer(plan, frame.looks)
            with package.part(frame.part) as part:
                part.write(frame.before)
                written = 0
                for batch in _batches(islice(rows, plan.rows_a_sheet), _batch_size(plan.schema)):
                    self._note_cuts(plan.schema, batch)
                    part.write(writer.write(batch, written + 2))
                    written += len(batch)
                    self._tell(plan.schema.name, done + written, plan.rows)
                part.write(frame.after)
            done += written

    def _note_cuts(self, schema: ObjectSchema, batch: Sequence[tuple[Any, ...]]) -> None:
        long = [(at, each.name) for at, each in enumerate(schema.columns) if each.length > TEXT_UNITS // 2]
        for at, name in long:
            for row in batch:
                if is_cut(row[at]):
                    self._cut_count += 1
                    if len(self._cut) < CUTS_TOLD:
                        self._cut.append(CutText(schema.name, str(row[0]), name))


def _batch_size(schema: ObjectSchema) -> int:
    most = sum(max(each.length, 20) for each in schema.columns)
    return max(1, min(BATCH_ROWS, BATCH_CELLS // len(schema.columns), BATCH_CHARACTERS // most))


def _batches(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[list[tuple[Any, ...]]]:
    while batch := list(islice(rows, size)):
        yield batch


def _row_writer(plan: _ObjectPlan, looks: Sequence[Look]) -> RowWriter:
    places = plan.places
    sources = tuple(
        Source(places[column.role, column.field.name], encoder_of(_kind(column), look))
        for column, look in zip(plan.columns, looks, strict=True)
        if column.field is not None
    )
    stamp = plan.schema.stamp
    kinds = tuple(each.type for each in plan.schema.columns)
    return RowWriter(kinds, sources, None if stamp is None else places[Role.FIELD, stamp], looks[-1])


def _kind(column: Column) -> FieldType:
    assert column.field is not None
    return column.field.type if column.role is Role.FIELD else FieldType.TEXT
