"""The comparing half of the memory store: listings of the org against its tables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import replace

from salesforce_sync.errors import Incomplete, LossRefused, NotSynced
from salesforce_sync.models.change import Ages, Checkpoint, Doubt, Loss, LossLimit, Orphans, Staged
from salesforce_sync.models.history import Keeping, Origin
from salesforce_sync.models.outbox import is_local
from salesforce_sync.models.page import PullRequest, Sweep
from salesforce_sync.models.proof import UNSHOWN, Cause, Comparison, Listed, Proof
from salesforce_sync.models.schema import Field
from salesforce_sync.models.values import Stored, format_datetime
from salesforce_sync.ports import Clock
from salesforce_sync.resolve import Policies
from salesforce_sync.signals import news_of_proof
from salesforce_sync.testing.memory_tables import (
    Disk,
    Kept,
    Row,
    Staging,
    Table,
    dead,
    kept_out,
    shape,
    shown,
    without_doubles,
)

_SEEN = msgspec.json.Encoder()
_WERE_SEEN = msgspec.json.Decoder(tuple[list[str], list[str]])


class Comparing:
    """What `ports.Store` says of comparing, refreshing and proving, over the tables in memory."""

    _clock: Clock

    def __init__(self, policies: Policies, keeping: Keeping) -> None:
        self._disk = Disk()
        self._policies, self._keeping = policies, keeping

    def compare(self, object_name: str, since: datetime | None, most: int) -> Comparison:
        """Hold the listing against the table."""
        with self._disk.lock:
            table = self._table(object_name)
            found = _Compared(
                table, self._take_listing(table, since), None if since is None else format_datetime(since)
            )
            if since is not None:
                table.gone |= {key: Cause.PURGED for key in found.purged_tombstones()}
            missing, stale, extra = list(found.missing()), list(found.stale()), list(found.extra())
            cut = max(len(missing), len(stale)) > most
            listed, live, gone = len(found.listed), len(found.live), len(extra)
            named = tuple(missing[:most]), tuple(stale[:most]), tuple(extra[:most])
            differing = [*missing, *stale] if cut else []
            again = sum(each.again for each in differing)
            stamps = (each.stamp for each in differing if not each.again)
            late = sum(stamp is not None and stamp <= (table.until or "") for stamp in stamps)
            return Comparison(listed, live, *named, cut, gone, len(differing), late, again)

    def _take_listing(self, table: Table, since: datetime | None) -> dict[str, Row]:
        staging = self._disk.staging.pop(table.schema.name, None)
        if staging is not None and since is not None:
            table.recent = without_doubles(staging.rows, None)
        elif staging is not None:
            self._enter_sweep(table, Sweep.LISTING, staging)
        whole = table.sweeps.get(Sweep.LISTING)
        listing = table.recent if since is not None else (None if whole is None else whole.rows)
        if listing is None:
            raise Incomplete(f"{table.schema.name}: there is no listing of the org to compare with.")
        return listing

    def _enter_sweep(self, table: Table, kind: Sweep, staging: Staging) -> None:
        name = table.schema.name
        before = table.sweeps.get(kind, Kept(staging.columns, {}, Staged(name, None, "", 0, staging.server_time)))
        rows, at = before.come.rows + len(staging.rows), before.come.server_time or staging.server_time
        come = Staged(name, None, staging.resume or "", rows, at)
        table.sweeps[kind] = Kept(staging.columns, before.rows | without_doubles(staging.rows, None), come)

    def _lay_aside(self, table: Table) -> None:
        """Keep what was staged of a sweep, up to its last durable page."""
        staging = self._disk.staging.get(table.schema.name)
        if staging is None or staging.kind is None or staging.resume is None or staging.columns == shape(table.schema):
            return
        if set(staging.columns) <= set(shape(table.schema)):
            del staging.rows[staging.durable :]
            self._enter_sweep(table, staging.kind, self._disk.staging.pop(table.schema.name))

    def _forget_others(self, table: Table, gained: Sequence[str]) -> None:
        """Forget sweeps of columns that are not the table's now, or were gained now."""
        new = {f"{each.name}: {each.type}" for each in table.schema.columns if each.name in gained}
        known, staging = set(shape(table.schema)) - new, self._disk.staging.get(table.schema.name)
        table.sweeps = {kind: kept for kind, kept in table.sweeps.items() if set(kept.columns) <= known}
        if staging is not None and not set(staging.columns) <= known:
            staging.kind = None

    def _make_way(self, table: Table, request: PullRequest) -> None:
        kind, staging = request.sweep(table.schema), self._disk.staging.get(table.schema.name)
        if request.resume is None and kind is not None:
            table.sweeps.pop(kind, None)
        if request.resume is not None or kind is None or staging is None or staging.kind is not kind:
            self._lay_aside(table)

    def _stage_kept(self, table: Table, request: PullRequest) -> None:
        """Let all rows of the sweep be staged, those that were kept too."""
        kind, name = request.sweep(table.schema), table.schema.name
        if kind is None or kind not in table.sweeps:
            return
        if name in self._disk.staging:
            self._enter_sweep(table, kind, self._disk.staging.pop(name))
        self._disk.staging[name] = Staging(shape(request.schema), None, list(table.sweeps.pop(kind).rows.values()))

    def end_comparison(self, object_name: str, since: datetime | None) -> None:
        """Forget the listing."""
        table = self._table(object_name)
        if since is None:
            table.sweeps.pop(Sweep.LISTING, None)
        else:
            table.recent = None

    def kept(self, request: PullRequest) -> Staged | None:
        """How far the sweep has come that the request asks for."""
        with self._disk.lock:
            table = self._table(request.schema.name)
            kind = request.sweep(table.schema)
            if kind is None:
                return None
            self._lay_aside(table)
            kept = table.sweeps.get(kind)
            goes_on = kept is not None and kept.come.resume and kept.columns == shape(request.schema)
            return kept.come if kept is not None and goes_on else None

    def amend(self, request: PullRequest) -> None:
        """What was staged last takes the place of the same rows in the sweep."""
        with self._disk.lock:
            table = self._table(request.schema.name)
            kind, names = request.sweep(table.schema), {each.name for each in request.schema.columns}
            rows = without_doubles(self._disk.staging.pop(table.schema.name).rows, None)
            assert kind is not None  # only a sweep is kept
            fitting = {key: {name: row[name] for name in row if name in names} for key, row in rows.items()}
            table.sweeps[kind].rows.update(fitting)

    # ── marks ────────────────────────────────────────────────────────────────────────────────────────────────────

    def unfilled(self, object_name: str) -> tuple[str, ...]:
        """The gained columns that are to be filled."""
        table = self._table(object_name)
        names = {each.casefold() for each in table.unfilled or ()}
        return tuple(each.name for each in table.schema.columns if each.name.casefold() in names)

    def renamed_from(self, object_name: str, gained: Sequence[str]) -> tuple[str, ...]:
        """The columns whose values a gained one has, in half of the rows that have any."""
        table, found = self._table(object_name), dict[str, None]()
        rows = [row for row in table.rows.values() if not dead(row)]
        for new in (field for field in table.schema.columns if field.name in gained):
            for old in table.schema.own_alike(new, gained):
                pairs = [(row.get(new.name), row.get(old.name)) for row in rows]
                either = [pair for pair in pairs if any(pair)]
                same = sum(one == another for one, another in either)
                found |= {old.name: None} if same and len(either) <= 2 * same else {}
        return tuple(found)

    def missed(self, object_name: str, most: int) -> tuple[str, ...]:
        """Rows that a filling did not bring, and for which the org was not asked."""
        return tuple(key for key, asked in self._table(object_name).missed.items() if not asked)[:most]

    def is_missed(self, object_name: str, record_id: str) -> bool:
        """Whether a filling did not bring the row."""
        return record_id in self._table(object_name).missed

    def note_asked(self, object_name: str) -> None:
        """The org has been asked for them."""
        table = self._table(object_name)
        table.missed = dict.fromkeys(table.missed, True)

    def filled(self, object_name: str) -> None:
        """The gained columns are filled."""
        table = self._table(object_name)
        table.refill, table.unfilled = False, None

    def read_all_again(self, object_name: str) -> None:
        """Have the next pull read every row."""
        table = self._table(object_name)
        table.refill, table.unfilled = True, None

    def advance(self, checkpoint: Checkpoint) -> None:
        """Move a checkpoint forward, never back."""
        with self._disk.lock:
            table = self._table(checkpoint.object_name)
            if checkpoint.until is not None:
                table.until = max(table.until or "", format_datetime(checkpoint.until))
            table.read_at = max(filter(None, (table.read_at, checkpoint.read_at)), default=None)

    def count_since(self, object_name: str, since: datetime) -> int:
        """Rows from this stamp on, but not what is known to be gone."""
        table = self._table(object_name)
        return sum(
            key not in table.gone and _recent(row, table.schema.stamp, format_datetime(since))
            for key, row in table.rows.items()
        )

    def doubt(self, object_name: str) -> Doubt | None:
        """The stamps of rows that may have changed unseen."""
        return self._table(object_name).doubt

    def note_doubt(self, object_name: str, doubt: Doubt | None) -> None:
        """Keep this in place of what was doubted before."""
        self._table(object_name).doubt = doubt

    def ids_between(self, object_name: str, since: datetime, until: datetime, most: int) -> tuple[str, ...]:
        """Ids of rows whose stamp is in this range."""
        table = self._table(object_name)
        first, last = format_datetime(since), format_datetime(until)
        found = [key for key, row in table.rows.items() if first <= str(row.get(table.schema.stamp or "")) <= last]
        return tuple(found[:most])

    def orphans(self, object_name: str, most: int, *, again: bool = False) -> Orphans | None:
        """Live rows that refer to records that the org has deleted, or may have."""
        with self._disk.lock:
            table = self._table(object_name)
            graves = {field: self._graves(field) for field in table.schema.references.values()}
            whole = {each.schema.name for field in graves for each in self._referred(field) if each.merged}
            dead_ids = set[str]().union(*graves.values())
            seen = _SEEN.encode((sorted(whole), sorted(dead_ids))).decode() if whole or dead_ids else ""
            if not again and seen == table.bereaved:
                return None
            before = set() if again or not table.bereaved else set(_WERE_SEEN.decode(table.bereaved)[0])
            living = {key: row for key, row in table.rows.items() if not dead(row) and not is_local(key)}
            found = [
                [(key, str(row[field.name])) for field, ids in graves.items() if row.get(field.name) in ids]
                for key, row in living.items()
            ]
            fresh = [new for some in found if (new := [pair for pair in some if pair not in table.orphans])]
            back = [[pair] for pair in sorted(table.orphans) if self._is_back(table, pair)]
            lost = [[pair] for pair in self._missing(table, living, whole - before)]
            return Orphans(tuple(pair for some in (*back, *fresh, *lost)[:most] for pair in some), seen)

    def _missing(self, table: Table, living: Mapping[str, Row], whole: Collection[str]) -> list[tuple[str, str]]:
        """Of each record that is not here, though its object is whole and nobody has asked about it, a row."""
        asked = {parent for _, parent in table.orphans}
        found: dict[str, str] = {}
        for field in table.schema.references.values():
            for key, row in sorted(living.items()):
                parent = row.get(field.name)
                if isinstance(parent, str) and parent not in asked and self._is_missing(field, parent, whole):
                    found.setdefault(parent, key)
        return [(key, parent) for parent, key in found.items()]

    def _is_missing(self, field: Field, parent: str, whole: Collection[str]) -> bool:
        return any(parent not in {*each.rows, *each.gone} for each in self._parents_of(field, parent, whole))

    def _parents_of(self, field: Field, parent: str, whole: Collection[str]) -> list[Table]:
        """Whose record it is, as far as that can be told."""
        alone = len(field.reference_to) == 1
        return [
            each
            for each in self._referred(field)
            if each.schema.name in whole and each.schema.name != "User" and not is_local(parent)
            if parent.startswith(each.schema.key_prefix or ("" if alone else "?"))
        ]

    def _is_back(self, table: Table, pair: tuple[str, str]) -> bool:
        """Whether a row was noted whose record is not deleted any more, and to which it does not refer here."""
        row = table.rows.get(pair[0])
        graves = set().union(*map(self._graves, table.schema.references.values()))
        if row is None or dead(row) or pair[1] in graves or not self._is_here(table, pair[1]):
            return False
        return pair[1] not in map(row.get, table.schema.references)

    def _is_here(self, table: Table, parent: str) -> bool:
        fields = table.schema.references.values()
        return any(parent in each.rows for field in fields for each in self._referred(field))

    def note_orphans(self, object_name: str, orphans: Orphans) -> None:
        """What these rows refer to now is what the org leaves them."""
        with self._disk.lock:
            table = self._table(object_name)
            for key, parent in orphans.pairs:
                row = table.rows.get(key)
                emptied = row is not None and not dead(row) and parent not in map(row.get, table.schema.references)
                if emptied and not self._is_here(table, parent):
                    self._note_gone(table, parent)
            graves = set().union(*map(self._graves, table.schema.references.values()))
            unread = {pair for pair in table.orphans if self._is_back(table, pair)} - set(orphans.pairs)
            all_of_them = table.orphans | set(orphans.pairs)
            if orphans.seen:
                all_of_them |= {pair for pair in self._came_empty(table) if pair[1] in graves}
            noted = {pair for pair in all_of_them if pair[1] in graves or not self._is_here(table, pair[1])}
            table.orphans = noted | unread
            table.bereaved = orphans.seen

    def _came_empty(self, table: Table) -> Iterator[tuple[str, str]]:
        """Rows whose references have come empty by themselves, and what they referred to before."""
        references = table.schema.references
        for version in self._disk.history.versions.get(table.schema.name, ()):
            for each in version:
                row = table.rows.get(each.record_id)
                pulled = each.origin is Origin.PULL and each.field in references and each.old is not None
                if pulled and row is not None and not dead(row) and row.get(each.field) is None:
                    yield each.record_id, str(each.old)

    def _note_gone(self, table: Table, parent: str) -> None:
        """A record to which a row does not refer any more: if it is not here, it was deleted."""
        for field in table.schema.references.values():
            for each in self._parents_of(field, parent, {other.schema.name for other in self._referred(field)}):
                each.gone.setdefault(parent, Cause.UNKNOWN)

    def _referred(self, field: Field) -> list[Table]:
        tables = (self._disk.tables.get(name.casefold()) for name in field.reference_to)
        return [each for each in tables if each is not None]

    def _graves(self, field: Field) -> set[str]:
        """The ids of records that the org has deleted, or may have, and to which this field may refer."""
        tables = self._referred(field)
        tombstones = {key for each in tables for key, row in each.rows.items() if dead(row) and key not in each.pending}
        return tombstones | {key for each in tables for key, cause in each.gone.items() if cause is not Cause.HIDDEN}

    def record_proof(self, proof: Proof) -> None:
        """Keep the result of a verify."""
        table = self._table(proof.object_name)
        table.proofs.append(proof)
        table.loss = None
        self._disk.tale.append((self._clock.now(), news_of_proof(proof)))

    def proof(self, object_name: str) -> Proof | None:
        """The last one."""
        table = self._disk.tables.get(object_name.casefold())
        return table.proofs[-1] if table is not None and table.proofs else None

    def ages(self, object_name: str) -> Ages:
        """When what the stamp does not show was last looked at."""
        table = self._disk.tables.get(object_name.casefold())
        proof = self.proof(object_name)
        runs = [run for run in self._disk.runs if run.object_name.casefold() == object_name.casefold()]
        first = min((run.finished for run in runs if run.came), default=None)
        refreshed, described, loss = (
            (None, None, None) if table is None else (table.refreshed_at, table.described_as, table.loss)
        )
        return Ages(refreshed, None if proof is None else proof.at, first, described, loss)

    def note_refresh(self, object_name: str, at: datetime) -> None:
        """Values that change without a stamp are fresh as of then."""
        self._table(object_name).refreshed_at = at

    def note_loss(self, object_name: str, loss: Loss | None) -> None:
        """Keep what was found gone, or that it is agreed to."""
        self._table(object_name).loss = loss

    def note_described(self, object_name: str, described_as: str) -> None:
        """The schema is what the org's describe says."""
        table = self._table(object_name)
        table.described_as, table.described_at = described_as, self._clock.now()

    def _table(self, object_name: str) -> Table:
        table = self._disk.tables.get(object_name.casefold())
        if table is None:
            raise NotSynced.named(object_name, [each.schema.name for each in self._disk.tables.values()])
        return table


class _Compared:
    """A table beside its listing, from a stamp on where `since` is given."""

    def __init__(self, table: Table, listing: dict[str, Row], since: str | None) -> None:
        self._table, self._stamp = table, table.schema.stamp
        self._all = listing
        self.listed = {key: row for key, row in listing.items() if not dead(row)}
        recent = {key: row for key, row in table.rows.items() if since is None or _recent(row, self._stamp, since)}
        self._dead = [key for key in recent if not shown(table, key)]
        self.live = {key: row for key, row in recent.items() if shown(table, key)}

    def missing(self) -> Iterator[Listed]:
        here = {key for key in self._table.rows if shown(self._table, key)}
        gone = {key for key, cause in self._table.gone.items() if cause in UNSHOWN}
        missing = (row for key, row in self.listed.items() if key not in here)
        return (replace(self._listed(row), again=row["Id"] in gone) for row in missing)

    def stale(self) -> Iterator[Listed]:
        for key, row in self.listed.items():
            here = self._table.rows.get(key)
            moved = here is not None and self._stamp and here.get(self._stamp) != row.get(self._stamp)
            if here is not None and shown(self._table, key) and (moved or key in self._table.missed):
                yield self._listed(row)

    def extra(self) -> Iterator[str]:
        return (key for key in self.live if key not in self.listed)

    def purged_tombstones(self) -> Iterator[str]:
        return (key for key in self._dead if key not in self._all)

    def _listed(self, row: Row) -> Listed:
        stamp = row.get(self._stamp) if self._stamp else None
        return Listed(str(row["Id"]), None if stamp is None else str(stamp))


def refuse_loss(table: Table, staged: dict[str, Row], loss: LossLimit | None, trusted: str) -> None:
    """Raise `LossRefused` if entering these rows would make more tombstones than is allowed."""
    live = {key for key, row in table.rows.items() if shown(table, key) and not dead(row)}
    stamp = table.schema.stamp
    lost = sum(
        key in live and dead(row) and not kept_out(stamp, row, table.rows[key], trusted) for key, row in staged.items()
    )
    if loss is not None and loss.refuses(lost, len(live)):
        gone, before = loss.counted(lost, len(live))
        raise LossRefused(f"{gone:,} of {before:,} rows of {table.schema.name} are gone in the org.")


def _recent(row: Row, stamp: str | None, since: str) -> bool:
    value: Stored = None if stamp is None else row.get(stamp)
    return value is not None and str(value) >= since
