"""`SqliteStore`: the Store in one SQLite file. The database parses, casts and merges; Python only says what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

import apsw
import msgspec

from salesforce_sync.errors import NotSynced, NotText
from salesforce_sync.models.change import Ages, Checkpoint, Doubt, Loss, LossLimit, Merged, Orphans, Staged
from salesforce_sync.models.draft import Draft, Drafted, Refused, TakenIn
from salesforce_sync.models.event import EventPage, EventsMerged, Lack
from salesforce_sync.models.history import Keeping, Replaced
from salesforce_sync.models.inbox import InboxItem, Resolution
from salesforce_sync.models.outbox import EVERYTHING, Change, Operation, Wanted, is_local
from salesforce_sync.models.outcome import Outcome, Settled
from salesforce_sync.models.page import Page, PullRequest, Sweep
from salesforce_sync.models.proof import Cause, Comparison, Proof
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import READS_ALL, ObjectStatus, RunRecord
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.sinks import Keep
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import Stored, format_datetime, parse_datetime
from salesforce_sync.ports import MOST_LISTED, Clock, Filter, Pushed, Selection
from salesforce_sync.resolve import ASK_ALWAYS, Policies
from salesforce_sync.signals import Signal, SyncFailed, Told, drift
from salesforce_sync.storage import asides, missed, own_sql, reading_sql
from salesforce_sync.storage.adopted import Adopted, decode_schema, note_gained, unfilled
from salesforce_sync.storage.cache import SchemaCache
from salesforce_sync.storage.claims import Claims
from salesforce_sync.storage.comparison import Comparer
from salesforce_sync.storage.connections import Connections
from salesforce_sync.storage.contested import Judge
from salesforce_sync.storage.desk import Desk
from salesforce_sync.storage.drafts import Drafts
from salesforce_sync.storage.edits import Editor
from salesforce_sync.storage.events import EventMerger
from salesforce_sync.storage.guest import SECONDS, Found, answered
from salesforce_sync.storage.history import HistoryWriter
from salesforce_sync.storage.inbox import Inbox
from salesforce_sync.storage.merging import Merging
from salesforce_sync.storage.migrate import migrate
from salesforce_sync.storage.open_runs import OpenRuns
from salesforce_sync.storage.orphans import OrphanSearch
from salesforce_sync.storage.outbox import Outbox
from salesforce_sync.storage.push_log import PushLog
from salesforce_sync.storage.reading import Reading
from salesforce_sync.storage.renamed import renamed_from
from salesforce_sync.storage.runs import Runs
from salesforce_sync.storage.search_index import SearchIndexes
from salesforce_sync.storage.session_log import SessionLog
from salesforce_sync.storage.settling import Settling
from salesforce_sync.storage.signal_log import SignalLog
from salesforce_sync.storage.staging import Staging, empty_staging
from salesforce_sync.storage.sweeps import Sweeps
from salesforce_sync.storage.tables import Tables
from salesforce_sync.storage.trouble import translated
from salesforce_sync.storage.unreadable import make_readable
from salesforce_sync.storage.watch import give_triggers
from salesforce_sync.storage.written import Written

T = TypeVar("T")
KEEPING = Keeping()
KEEP = Keep()


class SqliteStore:
    """The replica in one file. Implements `ports.Store`."""

    def __init__(
        self,
        path: Path,
        clock: Clock,
        *,
        policies: Policies = ASK_ALWAYS,
        keeping: Keeping = KEEPING,
        keep: Keep = KEEP,
    ) -> None:
        self.path = path
        self._clock = clock
        self._connections = Connections(path)
        self._history = HistoryWriter(self._connections, keeping, clock.now)
        self._judge = judge = Judge(self.schema, policies, self._history, clock.now)
        self._staging = Staging(self._connections)
        written = Written(judge, policies, clock.now)
        self._merging = Merging(self._connections, judge, self._history, written)
        self._sweeps = Sweeps(self._connections)
        self._comparer = Comparer(self._connections, clock.now, judge, written, self._sweeps)
        self._editor = Editor(self._connections, self.schema)
        self._drafts = Drafts(self._connections, self.schema, self._editor, judge, self._history, clock.now)
        self._push_log = PushLog(self._connections, clock.now)
        self._outbox = Outbox(self._connections, self.schema)
        self._settling = Settling(self._connections, self.schema, judge, self._history, clock.now)
        self._inbox = Inbox(self._connections, self.schema, self._history, clock.now)
        self._indexes = SearchIndexes(self._connections)
        self._tables = Tables(self._indexes)
        self._reading = Reading(self._connections, self.schema, self._indexes)
        self._runs = Runs(self._connections, clock.now)
        self.claims = Claims(path.with_name(f"{path.name}-pages"))
        self.sessions = SessionLog(self._connections, self.claims, clock.now)
        self.log = SignalLog(self._connections, clock.now, keep)
        self._open_runs = OpenRuns(self._connections, self.claims, self.log)
        self.desk = Desk(self._connections, clock.now, self.log)
        take_out = self._comparer.take_out
        self._events = EventMerger(self._connections, judge, self._history, written, take_out, self.log)
        migrate(self._connections)
        self._schemas = SchemaCache(self._read_schemas, self._connections.schema_version)
        self._orphans = OrphanSearch(self._connections, self._schemas.those, self._indexes, clock)

    # ── schemas ──────────────────────────────────────────────────────────────────────────────────────────────────

    def adopt(self, schema: ObjectSchema) -> tuple[str, ...]:
        with self._connections.writing() as db:
            before = db.execute(own_sql.ONE_OBJECT, (schema.name,)).fetchone()
            gained = self._tables.widen(db, schema)
            moved = drift(None if before is None else decode_schema(before[1]), schema)
            if moved is not None:
                self.log.write(db, moved)
            give_triggers(db, schema)
            db.execute(own_sql.ADOPT_OBJECT, (schema.name, _encode_schema(schema), format_datetime(self._clock.now())))
            if before is None:
                # Here, and not by the first pull: every other connection reads the database's schema again once less.
                empty_staging(db, schema.name)
            note_gained(db, schema, gained)
            self._sweeps.forget_others(db, schema, gained)
        self._schemas.forget()
        return gained

    def schema(self, object_name: str) -> ObjectSchema | None:
        return self._schemas.get(object_name)

    def schemas(self) -> tuple[ObjectSchema, ...]:
        return self._schemas.all()

    def _read_schemas(self) -> list[ObjectSchema]:
        with self._connections.looking() as db:
            return _schemas_of(db)

    def described_at(self, object_name: str) -> datetime | None:
        row = self._object(object_name)
        return None if row is None else parse_datetime(row.described_at)

    def checkpoint(self, object_name: str) -> Checkpoint | None:
        row = self._object(object_name)
        if row is None or not row.merged:
            return None
        until = None if row.until is None or row.refill else parse_datetime(row.until)
        return Checkpoint(row.name, until, _moment(row.read_at))

    def _object(self, object_name: str) -> Adopted | None:
        with self._connections.looking() as db:
            row = db.execute(own_sql.FIND_OBJECT, (object_name,)).fetchone()
        return None if row is None else Adopted(*row)

    def org(self) -> tuple[str, str] | None:
        """The id of the org that this database is a replica of, and its address; None before it is known."""
        with self._connections.looking() as db:
            row = db.execute(own_sql.ORG).fetchone()
        return None if row is None else (str(row[0]), str(row[1]))

    def remember_org(self, org_id: str, instance_url: str) -> None:
        """Note which org this database is a replica of."""
        with self._connections.writing() as db:
            db.execute(own_sql.REMEMBER_ORG, (org_id, instance_url))

    def note_clock(self, ahead: timedelta | None) -> None:
        self._judge.ahead = ahead

    # ── pages in ─────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def claim(self, object_name: str) -> Iterator[None]:
        with self.claims.claim(object_name):
            self._know_again(object_name)
            yield

    def _know_again(self, object_name: str) -> None:
        """Forget what another process has replaced; nobody replaces it while the object is held."""
        known = self._schemas.known(object_name)
        if known is None:
            return
        row = self._object(known.name)
        if row is None or row.schema != _encode_schema(known):
            self._schemas.forget()

    def staged(self, object_name: str) -> Staged | None:
        self._sweeps.lay_aside(self._known(object_name))
        return self._staging.staged(self._known(object_name))

    def begin(self, request: PullRequest) -> None:
        schema = self._known(request.schema.name)
        self._sweeps.make_way(schema, request)
        self._staging.begin(request, request.sweep(schema))

    def prepare(self, page: Page) -> Page:
        return self._staging.prepare(page)

    def stage(self, page: Page) -> int:
        return self._staging.stage(page)

    def merge(
        self,
        object_name: str,
        checkpoint_limit: datetime | None,
        loss: LossLimit | None = None,
        own: Collection[str] = (),
    ) -> Merged:
        schema = self._known(object_name)
        merged = self._read_anyway(lambda: self._merging.merge(schema, checkpoint_limit, loss, own))
        self._indexes.forget(merged.object_name)
        return merged

    # ── what the stamp does not show ─────────────────────────────────────────────────────────────────────────────

    def merge_columns(self, request: PullRequest) -> int:
        return self._comparer.merge_columns(self._known(request.schema.name), request)

    def kept(self, request: PullRequest) -> Staged | None:
        return self._sweeps.kept(self._known(request.schema.name), request)

    def amend(self, request: PullRequest) -> None:
        self._sweeps.amend(self._known(request.schema.name), request)

    def unfilled(self, object_name: str) -> tuple[str, ...]:
        with self._connections.looking() as db:
            return unfilled(db, self._known(object_name))

    def renamed_from(self, object_name: str, gained: Sequence[str]) -> tuple[str, ...]:
        with self._connections.looking() as db:
            return renamed_from(db, self._known(object_name), gained)

    def missed(self, object_name: str, most: int) -> tuple[str, ...]:
        with self._connections.looking() as db:
            return missed.to_ask(db, object_name, most)

    def is_missed(self, object_name: str, record_id: str) -> bool:
        with self._connections.looking() as db:
            return missed.is_one(db, object_name, record_id)

    def note_asked(self, object_name: str) -> None:
        with self._connections.writing() as db:
            missed.note_asked(db, object_name)

    def filled(self, object_name: str) -> None:
        with self._connections.writing() as db:
            db.execute(own_sql.FILLED, (object_name,))

    def read_all_again(self, object_name: str) -> None:
        with self._connections.writing() as db:
            db.execute(own_sql.READ_ALL_AGAIN, (object_name,))

    def advance(self, checkpoint: Checkpoint) -> None:
        with self._connections.writing() as db:
            if checkpoint.until is not None:
                db.execute(own_sql.MOVE_CHECKPOINT, (format_datetime(checkpoint.until), checkpoint.object_name))
            if checkpoint.read_at is not None:
                db.execute(own_sql.READ_UNTIL, (format_datetime(checkpoint.read_at), checkpoint.object_name))

    def count_since(self, object_name: str, since: datetime) -> int:
        schema = self._known(object_name)
        assert schema.stamp is not None
        self._indexes.give(schema, schema.field(schema.stamp))
        with self._connections.looking() as db:
            parameters = (format_datetime(since), schema.name)
            counted: int = db.execute(reading_sql.count_since(schema, schema.stamp), parameters).get
        return counted

    def doubt(self, object_name: str) -> Doubt | None:
        with self._connections.looking() as db:
            row = db.execute(own_sql.DOUBT, (object_name,)).fetchone()
        return None if row is None else Doubt(*map(parse_datetime, row))

    def note_doubt(self, object_name: str, doubt: Doubt | None) -> None:
        ends = (None, None) if doubt is None else (format_datetime(doubt.since), format_datetime(doubt.until))
        with self._connections.writing() as db:
            db.execute(own_sql.SET_DOUBT, (*ends, object_name))

    def ids_between(self, object_name: str, since: datetime, until: datetime, most: int) -> tuple[str, ...]:
        schema = self._known(object_name)
        assert schema.stamp is not None
        with self._connections.looking() as db:
            ends = format_datetime(since), format_datetime(until)
            return tuple(
                str(key) for (key,) in db.execute(reading_sql.ids_between(schema, schema.stamp), (*ends, most))
            )

    def orphans(self, object_name: str, most: int, *, again: bool = False) -> Orphans | None:
        return self._orphans.find(self._known(object_name), most, again=again)

    def note_orphans(self, object_name: str, orphans: Orphans) -> None:
        self._orphans.note(self._known(object_name), orphans)

    def compare(self, object_name: str, since: datetime | None, most: int) -> Comparison:
        return self._comparer.compare(self._known(object_name), since, most)

    def end_comparison(self, object_name: str, since: datetime | None) -> None:
        schema = self._known(object_name)
        if since is None:
            self._sweeps.forget(schema, Sweep.LISTING)
        else:
            self._sweeps.end_recent(schema)

    def set_aside(self, object_name: str, ids: Sequence[str], cause: Cause) -> int:
        return self._comparer.set_aside(self._known(object_name), ids, cause, self._clock.now())

    def record_proof(self, proof: Proof) -> None:
        self._comparer.record(proof)

    def proof(self, object_name: str) -> Proof | None:
        return self._comparer.last(object_name)

    def ages(self, object_name: str) -> Ages:
        proof = self.proof(object_name)
        with self._connections.looking() as db:
            row = db.execute(own_sql.AGES, (object_name,)).fetchone()
            first = db.execute(own_sql.FIRST_CAME, (object_name,)).get
        refreshed, described_as, found, *said = (None,) * 5 if row is None else row
        found_at, proved_at = _moment(found), None if proof is None else proof.at
        loss = None if found_at is None else Loss(found_at, *map(str, said))
        return Ages(_moment(refreshed), proved_at, _moment(first), described_as, loss)

    def note_refresh(self, object_name: str, at: datetime) -> None:
        with self._connections.writing() as db:
            db.execute(own_sql.REFRESHED, (format_datetime(at), object_name))

    def note_loss(self, object_name: str, loss: Loss | None) -> None:
        noted = (None,) * 3 if loss is None else (format_datetime(loss.found_at), loss.message, loss.hint)
        with self._connections.writing() as db:
            db.execute(own_sql.NOTE_LOSS, (*noted, object_name))

    def note_described(self, object_name: str, described_as: str) -> None:
        with self._connections.writing() as db:
            db.execute(own_sql.DESCRIBED_AS, (described_as, format_datetime(self._clock.now()), object_name))

    # ── change events ────────────────────────────────────────────────────────────────────────────────────────────

    def replay(self, object_name: str) -> bytes | None:
        return self._events.replay(object_name)

    def forget_replay(self, object_name: str) -> None:
        self._events.forget_replay(object_name)

    def merge_events(self, page: EventPage) -> EventsMerged:
        schema = self._known(page.object_name)
        return self._read_anyway(lambda: self._events.merge(schema, page))

    def to_read_again(self, object_name: str, most: int) -> tuple[tuple[str, Lack], ...]:
        return self._events.to_read_again(object_name, most)

    def merge_again(self, page: Page, ids: Sequence[str]) -> EventsMerged:
        schema = self._known(page.schema.name)
        return self._read_anyway(lambda: self._events.merge_again(schema, page, ids))

    def unsure(self, object_name: str) -> int:
        return self._events.unsure(object_name)

    def note_unsure(self, object_name: str) -> None:
        self._events.note_unsure(object_name)

    def note_sure(self, object_name: str, times: int) -> None:
        self._events.note_sure(object_name, times)

    # ── edits, outbox, inbox ─────────────────────────────────────────────────────────────────────────────────────

    def create(self, object_name: str, values: Mapping[str, Stored]) -> str:
        return self._editor.create(self._known(object_name), values)

    def update(
        self, object_name: str, record_id: str, values: Mapping[str, Stored], seen: Mapping[str, Stored] | None = None
    ) -> None:
        schema = self._known(object_name)
        if seen:
            self._drafts.at_once(schema, Draft(schema.name, Operation.UPDATE, record_id, values, seen))
        else:
            self._editor.update(schema, record_id, values)

    def delete(self, object_name: str, record_id: str, seen: Mapping[str, Stored] | None = None) -> None:
        schema = self._known(object_name)
        if seen:
            self._drafts.at_once(schema, Draft(schema.name, Operation.DELETE, record_id, base=seen))
        else:
            self._editor.delete(schema, record_id)

    def undelete(self, object_name: str, record_id: str) -> None:
        self._editor.undelete(self._known(object_name), record_id)

    def referring(self, record_id: str) -> tuple[tuple[str, str, str], ...]:
        return self._editor.referring(record_id)

    def real_id(self, record_id: str) -> str:
        return self._editor.real_id(record_id)

    def take_in(self, drafts: Sequence[Draft]) -> tuple[TakenIn | Refused, ...]:
        return self._drafts.take_in(drafts)

    def drafted(self, names: Sequence[str]) -> dict[str, Drafted]:
        return self._drafts.drafted(names)

    def draft_names(self, prefix: str) -> Iterator[str]:
        return self._drafts.names(prefix)

    def known_values(self, object_name: str, record_id: str) -> dict[str, tuple[Stored, ...]]:
        return self._drafts.known_values(self._known(object_name), self.real_id(record_id))

    def changes(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        return self._read_anyway(lambda: self._outbox.changes(wanted))

    def _read_anyway(self, read: Callable[[], T]) -> T:
        """What reads edits; once more if one of them was no text, and is one now."""
        try:
            return read()
        except NotText:
            if self._connections.only_reads:
                raise
            with self._connections.writing() as db:
                made_readable = make_readable(db, self.schema, self._clock.now())
            if not made_readable:
                raise
        return read()

    def count_changes(self, wanted: Wanted = EVERYTHING) -> int:
        return self._outbox.count_changes(wanted)

    def edited_objects(self) -> tuple[str, ...]:
        return self._outbox.edited_objects()

    def leaving(self, ids: Sequence[str]) -> tuple[tuple[str, int], ...]:
        return self._outbox.leaving(ids)

    def sending(
        self,
        changes: Sequence[Change],
        push_id: str,
        sent_at: datetime | None,
        job: str | None,
        sent_by: str | None = None,
    ) -> None:
        self._settling.sending(changes, push_id, sent_at, job, sent_by)

    def settle(self, push_id: str, outcomes: Sequence[Outcome]) -> Settled:
        return self._read_anyway(lambda: self._settling.settle(push_id, outcomes))

    def pushes(self, most: int = 20, listed: int = MOST_LISTED) -> tuple[Push, ...]:
        return self._push_log.pushes(most, listed)

    def pushed(self, push_id: str, before: int | None = None, most: int = MOST_LISTED) -> Pushed:
        return self._push_log.pushed(push_id, before, most)

    def knows_push(self, push_id: str) -> bool:
        return self._push_log.knows_push(push_id)

    def made_here(self, ids: Sequence[str]) -> frozenset[str]:
        return self._outbox.made_here(ids)

    def record_push(self, push: Push) -> None:
        self._push_log.record_push(push)

    def inbox(
        self, after: int = 0, most: int | None = None, records: Sequence[str] | None = None
    ) -> tuple[InboxItem, ...]:
        return self._read_anyway(lambda: self._inbox.items(after, most, records))

    def count_inbox(self) -> int:
        return self._inbox.count()

    def newest_item(self) -> int:
        return self._inbox.newest()

    def resolve(self, number: int, resolution: Resolution) -> None:
        self._inbox.resolve(number, resolution)

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        return self._history.of(self._known(object_name), self.real_id(record_id))

    # ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────

    def count_shown(self, object_name: str) -> int:
        return self._reading.count_shown(self._known(object_name))

    def count(self, object_name: str, filters: Sequence[Filter] = ()) -> int:
        return self._reading.count(self._known(object_name), filters)

    def get(self, object_name: str, record_id: str) -> tuple[object, ...] | None:
        statement = self._schemas.statement(object_name, reading_sql.get)
        if statement is None:
            raise self._unknown(object_name)
        if is_local(record_id):
            record_id = self.real_id(record_id)
        return self._connections.row(statement, (record_id,))

    def rows(self, object_name: str, ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        return self._reading.rows(self._known(object_name), ids)

    def scan(self, object_name: str, filters: Sequence[Filter] = ()) -> Iterator[tuple[object, ...]]:
        return self._reading.scan(self._known(object_name), filters)

    def scan_named(self, object_name: str, lookups: Sequence[str]) -> Iterator[tuple[object, ...]]:
        return self._reading.scan_named(self._known(object_name), lookups)

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        # With the fields that its tables have: those of the next moment are already known to the other threads.
        with self._reading.snapshot(), self._schemas.fixed(_schemas_of(self._connections.reader())):
            yield

    def select(self, object_name: str, selection: Selection) -> list[tuple[object, ...]]:
        return self._reading.select(self._known(object_name), selection)

    def query(self, statement: str, limit: int, seconds: float = SECONDS) -> Found:
        """Run somebody's read-only SQL; at most `limit` rows.

        `MalformedQuery` says what is wrong, `QueryTimeout` that it ran longer than `seconds`.
        """
        connection = self._connections.guest()
        try:
            return answered(connection, statement, limit, seconds)
        finally:
            connection.close()

    def mark(self) -> int:
        """A number that is another one once anything in the file has changed, by whatever process."""
        return self._connections.version()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def record_run(self, run: RunRecord) -> None:
        self._runs.record(run)

    def note_usage(self, used: int, limit: int) -> None:
        self._runs.note_usage(used, limit)

    def usage(self) -> DayUsage | None:
        return self._runs.usage()

    def status(self) -> tuple[ObjectStatus, ...]:
        names = {schema.name for schema in self._read_schemas()}
        with translated(self.path):
            names |= {name for name in self._runs.tried() if self.schema(name) is None}
            return tuple(self._status_of(name) for name in sorted(names))

    def _status_of(self, name: str) -> ObjectStatus:
        schema = self.schema(name)
        if schema is not None:
            self._indexes.give_dead(schema)
        db = self._connections.reader()
        live, dead = (0, 0) if schema is None else db.execute(reading_sql.count_rows(schema)).get
        checkpoint = self.checkpoint(name)
        staging = db.execute(own_sql.STAGED, (name,)).fetchone()
        ages = self.ages(name)
        return ObjectStatus(
            object_name=name,
            rows=live,
            tombstones=dead,
            checkpoint=None if checkpoint is None else checkpoint.until,
            last_run=self._runs.last(name),
            last_complete=self._runs.last_complete(name),
            staged_rows=asides.rows(db, name) if staging is None else staging[3],
            proof=self.proof(name),
            refreshed_at=ages.refreshed_at or ages.first_merged_at,
            method="" if schema is None or not schema.queryable else schema.stamp or READS_ALL,
            refused=() if schema is None else schema.left_out,
            loss_refused=None if ages.loss is None else ages.loss.message,
        )

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, signals: Sequence[Signal], ended: str = "") -> None:
        self.log.tell(signals, ended)

    def begun(self, run_id: str, objects: Sequence[str]) -> AbstractContextManager[None]:
        return self._open_runs.begun(run_id, objects)

    def tell_abandoned(self) -> tuple[SyncFailed, ...]:
        return self._open_runs.tell_abandoned()

    def told(self, after: int, most: int = 1000) -> tuple[Told, ...]:
        return self.log.told(after, most)

    def untold(self, objects: Iterable[str]) -> tuple[tuple[str, int], ...]:
        return self.log.untold(objects)

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        self._connections.close()

    def _known(self, object_name: str) -> ObjectSchema:
        schema = self._schemas.get(object_name)
        if schema is None:
            raise self._unknown(object_name)
        return schema

    def _unknown(self, object_name: str) -> NotSynced:
        return NotSynced.named(object_name, (schema.name for schema in self._schemas.all()))


def _schemas_of(db: apsw.Connection) -> list[ObjectSchema]:
    # One by one: of many wide objects the texts are as large as what is made of them.
    return [decode_schema(str(body)) for (body,) in db.execute(own_sql.ALL_OBJECTS)]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else parse_datetime(text)


def _encode_schema(schema: ObjectSchema) -> str:
    return msgspec.json.encode(schema).decode()
