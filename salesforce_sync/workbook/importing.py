"""A workbook back into the replica: first a preview, then, if it is wanted, its good rows as edits in the outbox."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
from msgspec import Struct

from salesforce_sync.errors import Misuse, WorkbookRefused
from salesforce_sync.models.draft import Draft, Refused, TakenIn
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.workbook.book import parts_of, read_facts
from salesforce_sync.workbook.changes import CellProblem, Counts, Kind, RowChange
from salesforce_sync.workbook.compare import Comparison, Tell
from salesforce_sync.workbook.earlier import draft_name, source_of
from salesforce_sync.workbook.layout import Metadata, called
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.locked import is_locked, unlocked
from salesforce_sync.workbook.lookups import spoil_lacking
from salesforce_sync.workbook.package import USUAL_BOUNDS, Bounds
from salesforce_sync.workbook.reader import WorkbookReader
from salesforce_sync.workbook.result import result_path, write_result

BATCH: Final = 100
"""Rows that go into the outbox in one transaction."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How to read a workbook: within which bounds, of which org, and whether a row that is gone is a deletion.

    `folder` is a private place for a workbook with a password, as long as it is read. `source` tells this copy of the
    workbook from others; "" where nobody knows, None for its path.
    """

    folder: Path
    org_id: str = ""
    password: str | None = field(default=None, repr=False)
    bounds: Bounds = USUAL_BOUNDS
    delete_missing: bool = False
    source: str | None = None


def _quiet(object_name: str, done: int, total: int) -> None:
    """Nobody wants to know."""


class Preview:
    """What an import would do. Nothing has been written; rows that have changed wait in a private temporary file.

    Close it, or use it in a `with` block.
    """

    def __init__(
        self,
        path: Path,
        wanted: Wanted,
        metadata: Metadata,
        counts: tuple[Counts, ...],
        ledger: Ledger,
        digest: bytes,
        notes: tuple[str, ...] = (),
    ) -> None:
        self.path, self.wanted = path, wanted
        self.export_id = metadata.export_id
        self._headers = {each.object_name: each.header_of for each in metadata.entries}
        self.exported_at = metadata.exported_at
        self.counts, self.notes = counts, notes
        self._ledger, self._digest = ledger, digest
        self._applied = False

    def changes(self, *kinds: Kind) -> Iterator[RowChange]:
        """The rows that are not as they were exported, of these kinds or all; in the order of the workbook."""
        return (change for _, change in self._ledger.changes(*kinds))

    def header(self, object_name: str, field: str) -> str:
        """What the field's column is headed; the field itself where it has none."""
        return self._headers.get(object_name, {}).get(field, field).removesuffix(" *")

    def called(self, object_name: str, field: str) -> str:
        """How a person knows a field of the workbook: by its header, and by its API name."""
        return called(field, self.header(object_name, field))

    @property
    def problems(self) -> int:
        """Rows that cannot be taken in."""
        return sum(each.problems for each in self.counts)

    @property
    def good(self) -> int:
        """Rows that can be taken in."""
        return sum(each.good for each in self.counts)

    @property
    def empty(self) -> bool:
        """Whether the workbook says nothing new."""
        return not (self.good or self.problems or any(each.removed or each.known for each in self.counts))

    def close(self) -> None:
        """Forget it."""
        self._ledger.close()

    def __enter__(self) -> Preview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ── applying ─────────────────────────────────────────────────────────────────────────────────────────────────

    def take(self) -> Ledger:
        """The rows, once; `Misuse` if they were taken before, `WorkbookRefused` if the file has changed since."""
        if self._applied:
            raise Misuse("This preview was applied before.", hint="Import the workbook again.")
        if digest_of(self.path) != self._digest:
            raise WorkbookRefused(
                f"{self.path.name} has changed since the preview.", hint="Look at a new preview, then apply that."
            )
        self._applied = True
        return self._ledger


def digest_of(path: Path) -> bytes:
    """What tells one content of a file from another."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def preview(store: Store, path: Path, wanted: Wanted, tell: Tell = _quiet) -> Preview:
    """Compare a workbook with the replica. Nothing is written; nothing is asked of the org."""
    ledger = Ledger()
    try:
        with _opened(path, wanted) as reader:
            digest = digest_of(path)
            metadata = read_facts(reader, wanted.org_id)
            comparison = Comparison(store, ledger, metadata, tell, _source(path, wanted))
            parts = parts_of(reader, metadata, store)
            counts = comparison.run(reader, parts, delete_missing=wanted.delete_missing)
        return Preview(path, wanted, metadata, counts, ledger, digest, tuple(comparison.notes))
    except BaseException:
        ledger.close()
        raise


def _source(path: Path, wanted: Wanted) -> str:
    return source_of(path) if wanted.source is None else wanted.source


@contextmanager
def _opened(path: Path, wanted: Wanted) -> Iterator[WorkbookReader]:
    with unlocked(path, wanted.password, wanted.folder) as plain, WorkbookReader(plain, wanted.bounds) as reader:
        yield reader


Open = Callable[[Path], AbstractContextManager[BinaryIO]]
"""Opens a file to be written, for its owner's eyes only; it is there once it is whole."""


def apply(store: Store, seen: Preview, open_result: Open) -> Imported:
    """Put the good rows of a preview into the outbox; bad ones come back in a copy of the workbook, beside it."""
    application = Application(store, seen)
    ledger, imported = application.run(), application.imported
    if imported.refused:
        password = seen.wanted.password if is_locked(seen.path) else None
        result = result_path(seen.path)
        with _opened(seen.path, seen.wanted) as reader, open_result(result) as out:
            parts = parts_of(reader, read_facts(reader, seen.wanted.org_id), store)
            write_result(out, reader, parts, ledger, password)
        imported.result = result
    return imported


# ── into the outbox ──────────────────────────────────────────────────────────────────────────────────────────────


class Imported(Struct):
    """What became of a workbook's rows: how many are edits in the outbox now, how many were refused.

    `conflicts`: rows with a field of which the org has another value than was exported; it waits in the inbox.
    `known`: new rows whose record an earlier import had made. `result`: a copy of the workbook with the reasons beside
    its rows.
    """

    created: int = 0
    updated: int = 0
    deleted: int = 0
    known: int = 0
    conflicts: int = 0
    refused: int = 0
    result: Path | None = None
    ids: dict[str, str] = msgspec.field(default_factory=dict)
    """The local ids of the first thousand new rows, by the names that they gave themselves."""

    @property
    def taken(self) -> int:
        """Rows that are edits now."""
        return self.created + self.updated + self.deleted


IDS_TOLD: Final = 1_000
_TAKEN: Final = "taken in"


class Application:
    """Takes the good rows of one preview in: new rows, parents first; then edited ones; then deletions."""

    def __init__(self, store: Store, seen: Preview) -> None:
        self._store, self._export_id, self._source = store, seen.export_id, _source(seen.path, seen.wanted)
        self._ledger, self._called = seen.take(), seen.called
        self.imported = Imported(
            known=sum(each.known for each in seen.counts), refused=sum(each.problems for each in seen.counts)
        )

    def run(self) -> Ledger:
        """Take them in, some in each transaction; the ledger knows what became of each."""
        self._create()
        while rows := self._ledger.waiting(Kind.EDITED, BATCH):
            self._take(rows, [self._update(change) for _, change in rows])
        while rows := self._ledger.waiting(Kind.DELETED, BATCH):
            drafts = [Draft(each.object_name, Operation.DELETE, each.record_id, base=each.base) for _, each in rows]
            self._take(rows, drafts)
        return self._ledger

    def _create(self) -> None:
        later: list[RowChange] = []
        while True:
            while rows := self._ledger.ready(BATCH):
                self._take(rows, [self._new(change) for _, change in rows])
                self._spoil_lacking()
            rows = self._ledger.stuck(BATCH)
            if not rows:
                break
            # Rows that refer to one another: one is made without what is not there yet, and given it afterwards.
            one = next((each for each in rows if self._can_wait(each[1])), rows[0])
            self._take([one], [self._new(one[1])])
            self._spoil_lacking()
            later.append(one[1])
        for change in later:
            self._complete(change)

    def _can_wait(self, change: RowChange) -> bool:
        """Whether the row can be made without the references that are not there yet."""
        schema = self._store.schema(change.object_name)
        return schema is not None and all(
            schema.field(each.field).nillable or self._ledger.made(each.name) for each in change.references
        )

    def _complete(self, change: RowChange) -> None:
        record_id = self._ledger.made(change.name)
        references = {each.field: made for each in change.references if (made := self._ledger.made(each.name))}
        if record_id and references:
            self._store.take_in([self._edit(change, record_id, references)])

    def _new(self, change: RowChange) -> Draft:
        values = {name: value for name, value in self._values(change).items() if value is not None}
        name = draft_name(self._export_id, change.name)
        return Draft(change.object_name, Operation.CREATE, values=values, name=name, source=self._source)

    def _update(self, change: RowChange) -> Draft:
        return self._edit(change, change.record_id, self._values(change))

    def _edit(self, change: RowChange, record_id: str, values: Mapping[str, Stored]) -> Draft:
        name = draft_name(self._export_id, change.key or change.name)
        return Draft(change.object_name, Operation.UPDATE, record_id, values, change.base, name, self._source)

    def _values(self, change: RowChange) -> dict[str, Stored]:
        """What the row writes, with the ids of records that other rows have made; None for one that is not there."""
        references = {each.field: self._ledger.made(each.name) or None for each in change.references}
        return {each.field: references.get(each.field, each.new) for each in change.cells}

    def _take(self, rows: Sequence[tuple[int, RowChange]], drafts: Sequence[Draft]) -> None:
        for (number, change), taken in zip(rows, self._store.take_in(drafts), strict=True):
            if isinstance(taken, Refused):
                self._refuse(number, change, taken)
            else:
                self._settle(number, change, taken)

    def _refuse(self, number: int, change: RowChange, refused: Refused) -> None:
        self.imported.refused += 1
        self._ledger.spoil(number, change, CellProblem(f"{refused.message} {refused.hint}".rstrip()))
        self._ledger.settle(number, "refused")

    def _settle(self, number: int, change: RowChange, taken: TakenIn) -> None:
        imported = self.imported
        if taken.known:
            imported.known += 1
        elif change.kind is Kind.NEW:
            imported.created += 1
        elif change.kind is Kind.DELETED:
            imported.deleted += 1
        else:
            imported.updated += 1
        if change.kind is Kind.NEW and len(imported.ids) < IDS_TOLD:
            imported.ids[change.name] = taken.record_id
        outcome = f"{_TAKEN}{_noted(taken, partial(self._called, change.object_name))}"
        imported.conflicts += bool(taken.disputed)
        self._ledger.settle(number, outcome, taken.record_id)

    def _spoil_lacking(self) -> None:
        before = self._ledger.count(Kind.PROBLEM)
        spoil_lacking(self._ledger, lambda name: "which was refused")
        self.imported.refused += self._ledger.count(Kind.PROBLEM) - before


def _noted(taken: TakenIn, called: Callable[[str], str]) -> str:
    told: Mapping[str, tuple[str, ...]] = {
        "the org has another value, decide it in the inbox": taken.disputed,
        "the org's value holds": taken.given_up,
    }
    return "".join(f"; {', '.join(map(called, fields))}: {why}" for why, fields in told.items() if fields)
