"""`SFSync`: the one place where everything is put together."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, overload

from salesforce_sync.collection import Collection, Objects
from salesforce_sync.config import Config
from salesforce_sync.errors import (
    FieldNotFound,
    Misuse,
    NotConnected,
    ProductionUnconfirmed,
    RecordNotFound,
    Stopped,
    SyncError,
    WrongOrg,
)
from salesforce_sync.models.account import Account
from salesforce_sync.models.connection import Connection, Session
from salesforce_sync.models.contact import Contact
from salesforce_sync.models.duty import DaemonState, SyncRequest
from salesforce_sync.models.history import Keeping, Replaced
from salesforce_sync.models.inbox import InboxItem, Resolution, Side, can_be_sent_again, dropped, sent_again
from salesforce_sync.models.lead import Lead
from salesforce_sync.models.opportunity import Opportunity
from salesforce_sync.models.org_kind import OrgFacts, OrgKind
from salesforce_sync.models.outbox import EVERYTHING, Change, Diff, Push, Wanted
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import ObjectStatus, Run
from salesforce_sync.models.schema import ObjectSummary
from salesforce_sync.models.sinks import Keep, SinkState
from salesforce_sync.models.usage import Forecast, Rhythm, Work
from salesforce_sync.ports import Clock, Org, Usage
from salesforce_sync.resolve import Policies, Policy
from salesforce_sync.settings import DEFAULT
from salesforce_sync.signals import (
    Bus,
    DeadLetter,
    ExportProgress,
    ImportProgress,
    SignalRefused,
    SyncRequested,
    Told,
)
from salesforce_sync.sinks.callbacks import Callbacks
from salesforce_sync.storage.private_files import new_private
from salesforce_sync.storage.sqlite import SqliteStore

if TYPE_CHECKING:
    from salesforce_sync.access import Access
    from salesforce_sync.api.client import SalesforceOrg
    from salesforce_sync.sinks.delivery import Delivery
    from salesforce_sync.sinks.inbound import NotUnderstood, Reply, Wish
    from salesforce_sync.storage.vault import Vault
    from salesforce_sync.sync.daemon import Duty, Onlooker
    from salesforce_sync.sync.engine import SyncEngine
    from salesforce_sync.sync.follow import Follower, Pace
    from salesforce_sync.sync.schedule import Rules
    from salesforce_sync.sync.undo import Undone
    from salesforce_sync.workbook.export import Exported
    from salesforce_sync.workbook.importing import Imported, Preview


log = logging.getLogger(__name__)

LISTENERS = 1.0
"""Seconds that a sync waits at its end for functions that want to hear its signals."""

SINKS = 5.0
"""Seconds that sinks get when all is closed. What they have not then, they get from whoever comes next."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The API calls of a rolling 24 hours, and what of them is to be expected.

    `used` and `limit` are the org's last word at `told_at`, None before its first; `ceiling` is where we stop, and
    `left` what pulls may still use before it. `next_sync` is what one sync will cost while little changes, `day` what
    24 hours will.
    """

    spent: int
    used: int | None
    limit: int | None
    ceiling: int
    left: int | None
    told_at: datetime | None
    near_the_wall: bool
    next_sync: Forecast
    day: int
    interval: timedelta


@dataclass(frozen=True, slots=True)
class Status:
    """What `status` shows. `connected_to` is the instance URL, None without a connection."""

    database: Path
    connected_to: str | None
    objects: tuple[ObjectStatus, ...]
    budget: Budget
    outbox: int = 0
    """Records with edits that the org does not have."""
    inbox: int = 0
    """What waits for a person."""
    warnings: tuple[str, ...] = ()
    """Settings that say something of nothing that is here."""
    daemon: DaemonState | None = None
    """What the daemon last told of itself; None if there never was one."""
    sinks: tuple[SinkState, ...] = ()
    """How far the sinks for signals have got."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a read-only SQL query gave; `cut` when there were more rows than the limit."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    cut: bool


class SystemClock:
    """This machine's time. Implements `ports.Clock`. Once `stop` is set, nobody waits on it: `Stopped`."""

    def __init__(self, stop: threading.Event | None = None) -> None:
        self._stop = stop or threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped()


class SFSync:
    """The replica of one org: read it, sync it, ask it.

    `config` is a `Config`, the path of a config.yaml, or nothing for ./config.yaml. Reading needs no connection.
    Close it when done, or use it in a `with` block. `clock` is only waited on and shown, never a checkpoint.
    """

    def __init__(self, config: Config | str | Path | None = None, *, clock: Clock | None = None) -> None:
        self.config = config if isinstance(config, Config) else Config.load(config)
        if self.config.storage.type != "sqlite":
            raise Misuse(f"There is no storage of type {self.config.storage.type!r}.", hint="Use 'sqlite'.")
        self._stop = threading.Event()
        self._clock = clock or SystemClock(self._stop)
        self._bus = Bus()
        self._callbacks = Callbacks(self._bus)
        self._delivery: Delivery | None = None
        self._store = SqliteStore(
            self.config.storage.path,
            self._clock,
            policies=_policies(self.config),
            keeping=_keeping(self.config),
            keep=Keep(self.config.signals.keep_days, self.config.signals.keep_rows),
        )
        self._lock = threading.Lock()
        self._org: SalesforceOrg | None = None
        self._about: OrgFacts | None = None
        self._harmless = False
        self._followers: list[Follower] = []
        self.contacts = Collection(self._store, "Contact", Contact)
        self.leads = Collection(self._store, "Lead", Lead)
        self.accounts = Collection(self._store, "Account", Account)
        self.opportunities = Collection(self._store, "Opportunity", Opportunity)
        declared = {each.api_name: each for each in (Contact, Lead, Account, Opportunity)}
        self.objects = Objects(self._store, declared)

    # ── connecting ───────────────────────────────────────────────────────────────────────────────────────────────

    def init(self) -> Status:
        """Make the database. If credentials are configured, log in with them and keep the connection, encrypted."""
        connection = self._given_connection()
        if connection is not None:
            self.connect(connection)
        return self.status()

    def connect(self, connection: Connection, session: Session | None = None) -> str:
        """Log in, and keep the connection if that works. Gives the instance URL. `LoginRefused` says why not.

        With a session that the login has given already (a browser's), that one is tried and kept.
        """
        vault = self._vault()
        org = self._open(connection, vault)
        try:
            session = org.login() if session is None else org.adopt(session)
            self._check_org(org, connection)
            kept = vault.load() if vault.holds(connection) else None
            if kept is None or not kept.succeeds(connection):  # the login itself may have rotated the token
                vault.save(connection)
            vault.save_session(session)
        except BaseException:
            org.close()
            raise
        with self._lock:
            previous, self._org = self._org, org
            self._about, self._harmless = None, False
        if previous is not None:
            previous.close()
        return session.instance_url

    def _given_connection(self) -> Connection | None:
        """What the settings say; None where they say no more than a part of the login that is kept (its client id)."""
        if self.config.complete_method() is None:
            kept = self._vault().load()
            if kept is not None and self.config.agrees_with(kept):
                return None
        return self.config.connection()

    def _connection(self) -> Connection | None:
        given = self._given_connection()
        if given is not None and given.refresh_token is None:
            return given
        kept = self._vault().load()
        if given is not None and not (kept is not None and kept.succeeds(given)):
            return given
        return kept

    @property
    def connected_to(self) -> str | None:
        """The address of the org that is connected; None without a connection."""
        connection = self._connection()
        return None if connection is None else connection.instance_url

    def connected_org(self) -> SalesforceOrg:
        """The org itself, for what no other method asks of it. `NotConnected` without a login."""
        return self._connected()

    def _connected(self) -> SalesforceOrg:
        with self._lock:
            if self._org is None:
                connection = self._connection()
                if connection is None:
                    raise NotConnected(
                        "No credentials for the org are known.",
                        hint="Fill in .env (see .env.example) or run 'salesforce-sync connect'.",
                    )
                self._org = self._open(connection, self._keys_of(connection))
            return self._org

    def _check_org(self, org: SalesforceOrg, connection: Connection | None) -> None:
        """A database is a replica of one org: rows and checkpoints of another would be mixed into it."""
        known, used = self._store.org(), connection or self._connection()
        address = "" if used is None else used.instance_url
        org_id = org.org_id() or (org.ask_org_id() if known is not None and known[1] != address else "")
        if known is not None and org_id in ("", known[0]):
            return
        if known is not None and known[0]:
            raise WrongOrg(
                f"{self.config.storage.path} is a replica of org {known[0]} ({known[1]}), and this is org {org_id}.",
                hint="Give this org a database of its own: another storage.path in config.yaml.",
            )
        self._store.remember_org(org_id, address)

    def _keys_of(self, connection: Connection) -> Vault:
        """The vault, holding this connection: a session that another login left there must not be used for it."""
        vault = self._vault()
        if not vault.holds(connection):
            vault.save(connection)
        return vault

    def _open(self, connection: Connection, keys: Vault) -> SalesforceOrg:
        # Imported here: reading the replica needs no HTTP client.
        from salesforce_sync.api.client import SalesforceOrg

        return SalesforceOrg(
            connection,
            api_version=self.config.salesforce.api_version,
            work_dir=self._pages_dir(),
            keys=keys,
            clock=self._clock,
            daily_calls=self.config.sync.api_calls_per_day,
        )

    def _vault(self) -> Vault:
        from salesforce_sync.storage.vault import Vault

        return Vault(self.config.storage.path, sync_key=self.config.credentials.sync_key)

    def _pages_dir(self) -> Path:
        """Where pages land on their way in: beside the database, so that one disk is filled and not two."""
        path = self.config.storage.path
        pages = path.with_name(f"{path.name}-pages")
        pages.mkdir(mode=0o700, exist_ok=True)
        return pages

    # ── a production org ─────────────────────────────────────────────────────────────────────────────────────────

    def unconfirmed(self) -> OrgFacts | None:
        """The org, if a business runs on it and nobody has said yet that it may be written to; None: it may be.

        The address of a sandbox, and of an org on this machine, says enough; any other org is asked, in one call.
        """
        if self.config.salesforce.production_writes or self._harmless:
            return None
        org = self._connected()
        if org.kind() in (None, OrgKind.PRODUCTION):
            if self._about is None:
                self._about = org.about()
            if self._about.kind is OrgKind.PRODUCTION:
                # Looked up each time: somebody may have said it in another process meanwhile.
                with self._access() as access:
                    return None if access.production.is_confirmed(_key(self._about)) else self._about
        self._harmless = True
        return None

    def confirm_production(self, who: str) -> None:
        """Let this production org be written to, from now on and from every replica in the folder."""
        from salesforce_sync.access import Deed

        facts = self.unconfirmed()
        if facts is not None:
            with self._access() as access, access.audit.doing(Deed(who, "allow production writes", str(facts))):
                access.production.confirm(_key(facts), who)

    def _check_may_write(self) -> None:
        facts = self.unconfirmed()
        if facts is not None:
            raise ProductionUnconfirmed(
                f"{facts} is a production org, and nobody has said yet that it may be written to. Edits wait.",
                hint="Say so once: 'salesforce-sync push' asks; in a script 'push --yes', or the setting "
                "salesforce.production_writes: true.",
            )

    def _access(self) -> Access:
        from salesforce_sync.access import Access

        return Access(self.config, self._clock)

    # ── syncing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def sync(self, *objects: str, accept_loss: Iterable[str] = (), stop: threading.Event | None = None) -> Run:
        """Pull these objects, or the configured ones, then push every edit, and tell the signals.

        The result says what is not complete. Objects in `accept_loss` may lose any number of rows; of the others no
        more than `sync.max_loss_percent`. Once `stop` is set, this run alone ends at its next whole page.
        """
        with self._told():
            return self._engine(stop).run(objects or self.config.sync.objects, frozenset(accept_loss))

    def pull(self, *objects: str, accept_loss: Iterable[str] = ()) -> Run:
        """Pull as `sync` does, and push nothing."""
        with self._told():
            return self._engine().pull(objects or self.config.sync.objects, frozenset(accept_loss))

    def verify(self, *objects: str, accept_loss: Iterable[str] = ()) -> tuple[Run, tuple[Proof, ...]]:
        """Pull these objects (or all that are here), then compare every id and stamp with the org, and repair.

        Gives the run and the proofs of the objects that could be compared.
        """
        names = objects or tuple(self.objects) or self.config.sync.objects
        with self._told():
            run = self._engine().verify(names, frozenset(accept_loss))
        proofs = (self._store.proof(each.object_name) for each in run.objects if each.problem is None)
        return run, tuple(proof for proof in proofs if proof is not None)

    def _engine(self, stop: threading.Event | None = None) -> SyncEngine:
        org = self._connected()
        try:
            self._check_org(org, None)
        except WrongOrg:
            raise
        except SyncError as error:
            if self._has_moved():
                raise  # what is edited here must not be written to an org that may be another one
            log.info("The org could not be recognised yet: %s", error.message)  # the run will meet it, and tell
        return self._offline_engine(stop)

    def _has_moved(self) -> bool:
        """Whether the connection leads to another address than the one that the replica came from."""
        known, used = self._store.org(), self._connection()
        return known is not None and used is not None and known[1] != used.instance_url

    def _offline_engine(self, stop: threading.Event | None = None) -> SyncEngine:
        from salesforce_sync.sync.engine import SyncEngine
        from salesforce_sync.sync.stopping import StoppableOrg

        org: Org = StoppableOrg(self._connected(), self._stop, self._check_may_write)
        if stop is not None:
            org = StoppableOrg(org, stop)
        return SyncEngine(org, self._store, self._clock, self._bus, self._rules())

    def follow(self, pace: Pace | None = None) -> Follower:
        """What merges change events as they come; `start(*objects)` and `stop` it. Each object's first sync is made
        first. Needs the extra `cdc`.

        `sync.events` says which objects are meant to be followed: `followed_objects`.
        """
        from salesforce_sync.sync.follow import Follower
        from salesforce_sync.sync.stopping import StoppableOrg

        self._engine()  # is it the org of this replica?
        connected = self._connected()
        events = connected.events(self.config.salesforce.events_url, self._store.schema)
        org = StoppableOrg(connected, self._stop)

        def catch_up(names: Sequence[str]) -> set[str]:
            return self._catch_up(names)

        follower = Follower(events, org, self._store, self._clock, self._bus, catch_up, pace)
        self._followers.append(follower)
        return follower

    def _catch_up(self, names: Sequence[str]) -> set[str]:
        """Pull what change events have left unsure; gives the objects that are complete."""
        return {each.object_name for each in self.pull(*names).objects if each.problem is None}

    @property
    def followed_objects(self) -> tuple[str, ...]:
        """The objects whose change events are to be followed, by the settings."""
        wanted = self.config.sync.events
        return (self.config.sync.objects if wanted else ()) if isinstance(wanted, bool) else wanted

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""
        return self._stop.is_set()

    def stop(self) -> None:
        """End the run that is under way at its next whole page, and begin no other. From any thread.

        The run's result says what is not complete (STOPPED); a later `SFSync` goes on from there.
        """
        self._stop.set()

    def _rules(self) -> Rules:
        from salesforce_sync.models.change import LossLimit
        from salesforce_sync.sync.schedule import Rules

        settings = self.config.sync
        return Rules(
            overlap=timedelta(minutes=settings.overlap_minutes),
            loss=LossLimit(settings.max_loss_percent / 100),
            verify_every=timedelta(hours=settings.verify_hours) if settings.verify_hours else None,
            refresh_every=timedelta(hours=settings.refresh_hours) if settings.refresh_hours else None,
            refreshed=settings.refresh_fields,
        )

    # ── edits on their way ───────────────────────────────────────────────────────────────────────────────────────

    def outbox(self, wanted: Wanted = EVERYTHING) -> tuple[Change, ...]:
        """Every edit that the org has not taken yet, one change a record, in the order in which they were begun.

        Or only those that are `wanted`.
        """
        return self._store.changes(wanted)

    def waiting(self, object_name: str, record_id: str) -> Change | None:
        """What of this record the org has not taken yet."""
        found = self._store.changes(Wanted(records=(record_id,)))
        return next((each for each in found if each.object_name.casefold() == object_name.casefold()), None)

    def diff(self) -> Diff:
        """What a push would send now, in its order, and what it would not. No API call."""
        return self._offline_engine().dry_run()

    @overload
    def push(self, *, dry_run: Literal[False] = False) -> Push: ...
    @overload
    def push(self, *, dry_run: Literal[True]) -> Diff: ...
    def push(self, *, dry_run: bool = False) -> Push | Diff:
        """Send every edit that can be sent, without a pull before; the result says what became of each.

        The dry run sends nothing and is the same as `diff`.
        """
        if dry_run:
            return self.diff()
        engine = self._engine()
        if self._store.count_changes():
            self._check_may_write()
        with self._told():
            return engine.push()

    def pushes(self, most: int = 20) -> tuple[Push, ...]:
        """The last pushes, newest first."""
        return self._store.pushes(most)

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as far as nobody has changed them since."""
        engine = self._engine()
        self._check_may_write()
        with self._told():
            return engine.undo(push_id)

    def history(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """The record's values that were replaced by a pull, a push or a decision, newest first."""
        return self.objects[object_name].history(record_id)

    # ── the workbook ─────────────────────────────────────────────────────────────────────────────────────────────

    def export(
        self,
        *objects: str,
        path: str | Path | None = None,
        ready_set: str | None = None,
        password: str | None = None,
    ) -> Exported:
        """Write these objects, or all that are here, as an Excel workbook: to `path`, or where the settings say.

        `ready_set` is "sales" or "revenue-cloud"; its objects that are not here are notes in the result. With a
        `password` the file is encrypted. Asks the org nothing. The file appears whole or not at all, and only its owner
        may read it.
        """
        from salesforce_sync.workbook.export import Facts, Wanted, export
        from salesforce_sync.workbook.locked import check_password, encrypt

        if password is not None:
            check_password(password)
        org = self._store.org()
        facts = Facts("" if org is None else org[0], self.config.salesforce.api_version, self._clock.now())
        wanted = Wanted(objects, ready_set)
        file = self.config.workbook.path if path is None else Path(path).absolute()
        with new_private(file) as out:
            if password is None:
                return export(self._store, wanted, facts, out, self._tell_export)
            with tempfile.TemporaryFile(dir=file.parent) as plain:  # has no name, so that nobody else can open it
                exported = export(self._store, wanted, facts, plain, self._tell_export)
                encrypt(plain, password, out)
                return exported

    def ready_set(self, name: str) -> tuple[str, ...]:
        """The objects of "sales" or "revenue-cloud" that the org has, in their order. One API call."""
        from salesforce_sync.workbook.sets import ready_set

        wanted, there = ready_set(name), {each.name for each in self.available() if each.queryable}
        return tuple(each for each in wanted if each in there)

    def _tell_export(self, object_name: str, rows: int, total: int) -> None:
        self._bus.emit(ExportProgress(object_name, rows, total))

    # ── workbooks that come back ─────────────────────────────────────────────────────────────────────────────────

    def import_workbook(
        self, path: str | Path, *, delete_missing: bool = False, password: str | None = None
    ) -> Preview:
        """Compare an exported workbook with the replica: what is new, edited, gone, and what is wrong, row by row.

        Nothing is written, and the org is asked nothing; `apply` takes the good rows in. A row that is gone deletes
        its record only with `delete_missing`. `WorkbookRefused` says why a file is not understood. Close the preview.
        """
        from salesforce_sync.workbook.importing import Wanted, preview
        from salesforce_sync.workbook.package import MEGABYTE, Bounds

        org, most = self._store.org(), self.config.workbook
        bounds = Bounds(most.max_mb * MEGABYTE, most.max_expanded_mb * MEGABYTE, most.max_ratio)
        org_id = "" if org is None else org[0]
        wanted = Wanted(self._pages_dir(), org_id, password, bounds, delete_missing=delete_missing)
        return preview(self._store, Path(path), wanted, self._tell_import)

    def _tell_import(self, object_name: str, rows: int, total: int) -> None:
        self._bus.emit(ImportProgress(object_name, rows, total))

    def apply(self, preview: Preview) -> Imported:
        """Take the good rows of a preview in, as edits that the next push sends.

        They are held against what changed since the export, here and in the org, as a merge would have done. Rows
        that are not taken in come back in a copy of the workbook, beside it, with the reason in their Status cell.
        """
        from salesforce_sync.workbook.importing import apply

        return apply(self._store, preview, new_private)

    # ── what waits for a person ──────────────────────────────────────────────────────────────────────────────────

    def inbox(self) -> tuple[InboxItem, ...]:
        """Conflicts, and changes that the org refused, oldest first."""
        return self._store.inbox()

    def outbox_count(self) -> int:
        """How many records have edits that the org has not taken yet."""
        return self._store.count_changes()

    def inbox_count(self) -> int:
        """How many items wait for a person."""
        return self._store.count_inbox()

    def inbox_item(self, number: int) -> InboxItem:
        """The item of this number; `RecordNotFound` if there is none."""
        found = next(iter(self._store.inbox(number - 1, 1)), None)
        if found is None or found.number != number:
            raise RecordNotFound(f"There is no item {number} in the inbox.", hint="See 'salesforce-sync inbox'.")
        return found

    def resolve(self, number: int, resolution: Resolution) -> None:
        """Carry out a decision on an inbox item. What it leaves to send goes with the next push."""
        self._store.resolve(number, resolution)

    def take(self, number: int, side: Side | str | None = None, /, **values: Any) -> None:
        """Decide an item: for the side "org" or "local", or field by field: `take(3, phone="555-1234")`."""
        collection = self.objects[self.inbox_item(number).object_name]
        self.resolve(number, Resolution(None if side is None else _side(side), collection.stored(values) or None))

    def drop(self, number: int) -> None:
        """Give up the local edit of this item."""
        self.resolve(number, dropped(self.inbox_item(number)))

    def retry(self, number: int, *, allow_duplicates: bool = False) -> None:
        """Let a refused change be sent again; with `allow_duplicates` past the org's duplicate rules."""
        self.resolve(number, sent_again(self.inbox_item(number), allow_duplicates=allow_duplicates))

    def retry_all(self, code: str) -> int:
        """Let every change be sent again that was refused with this code of Salesforce's; gives how many there are."""
        again = [each for each in self.inbox() if each.code.casefold() == code.casefold() and can_be_sent_again(each)]
        for item in again:
            self.resolve(item.number, sent_again(item))
        return len(again)

    def link(self, number: int, record_id: str, side: Side | str = Side.ORG) -> None:
        """The new record of this item is that one, which the org has already: it is not created.

        The org's values hold; with the side "local" those that were given here are sent.
        """
        self.resolve(number, Resolution(_side(side), link=record_id))

    # ── signals and usage ────────────────────────────────────────────────────────────────────────────────────────

    def on(self, signal: str, listener: Callable[[Any], None]) -> Callable[[], None]:
        """Call `listener` with each signal of this name (`"*"`: all), after it is durable; call the result to end.

        It is called in a thread of its own, where it may take its time; a sync that returns has waited a second for it
        at most. It hears what this object does; `signals` has what every process has told.
        """
        return self._callbacks.on(signal, listener)

    def watch(self, signal: str, listener: Callable[[Any], None]) -> Callable[[], None]:
        """As `on`, but in the thread of the run, which waits for it: for what must not come late, and is quick."""
        return self._bus.on(signal, listener)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Within the block, what happens goes to the sinks; behind it the listeners have heard it."""
        self._begin_delivery()
        try:
            yield
        finally:
            self._callbacks.settle(LISTENERS)

    def _begin_delivery(self) -> None:
        with self._lock:
            if self._delivery is None and self.config.signals.enabled and self.config.signals.sinks:
                self._delivery = delivery = self._make_delivery()
                self._bus.on("*", lambda _: delivery.wake())
                delivery.start()

    def _make_delivery(self) -> Delivery:
        from salesforce_sync.sinks.build import build
        from salesforce_sync.sinks.delivery import Delivery

        log = self._store.log
        posts = build(self.config, log.replica_id(), self.receive)
        return Delivery(log, posts, lambda: self._store.claims.duty("delivery", _me()), self._clock.now)

    def signals(self, after: int = 0, most: int = 1000) -> tuple[Told, ...]:
        """What has happened behind this number, in whatever process, oldest first: go on behind the last one's."""
        return self._store.told(after, most)

    def newest_signal(self) -> int:
        """The number of the last signal, 0 before the first."""
        return self._store.log.newest()

    def signal_document(self, told: Told) -> dict[str, Any]:
        """A signal as JSON: `ts`, `signal`, `from`, `to`, `msg`, `data`."""
        return told.signal.to_json(told.at, self.config.signals.target, self.config.signals.source)

    def receive(self, text: bytes | str) -> Reply:
        """Take a signal that came in: `🔄 OS → FND` asks the daemon for a sync; what is not understood is answered.

        As a line or as JSON; `msg` of the answer is a line too.
        """
        from salesforce_sync.sinks.inbound import NotUnderstood, Reply

        names = self.config.signals.source, self.config.signals.target
        wish = self.understand(text)
        if isinstance(wish, NotUnderstood):
            refused = SignalRefused(wish.why)
            return Reply(False, refused.name, refused.line(names[1], names[0]))
        asked = self._store.desk.ask(names[1], wish.objects)
        told = SyncRequested(asked.number, asked.who, asked.objects)
        return Reply(True, told.name, told.line(names[1], names[0]), asked.number)

    def understand(self, text: bytes | str) -> Wish | NotUnderstood:
        """What somebody wants who sends this, or why that is not clear. Nothing follows from it."""
        from salesforce_sync.sinks.inbound import understood

        names = self.config.signals.source, self.config.signals.target
        return understood(text.encode() if isinstance(text, str) else text, *names)

    def dead_letters(self, sink: str | None = None) -> tuple[DeadLetter, ...]:
        """Signals that this sink, or any, has refused."""
        return self._store.log.dead(sink)

    def retry_dead_letters(self, sink: str | None = None) -> int:
        """Let them be tried again, by whoever delivers; gives how many there are."""
        return self._store.log.again(sink)

    def sinks(self) -> tuple[SinkState, ...]:
        """How far each sink of the settings has got."""
        named = {each.name for each in self.config.signals.sinks}
        return tuple(each for each in self._store.log.sinks() if each.name in named)

    # ── the daemon ───────────────────────────────────────────────────────────────────────────────────────────────

    def run_daemon(self, onlooker: Onlooker, *, tick: float = 0.5) -> None:
        """Sync and push until `stop`; `Taken` tells who does so already.

        Every `tick` seconds it looks whether something was edited, or asked for.
        """
        from salesforce_sync.sync.daemon import Daemon
        from salesforce_sync.sync.following import Following

        self._connected()  # or it would say only after a while that it has nobody to log in as
        with self._store.claims.duty("daemon", _me()):
            self._begin_delivery()
            following = Following(self.follow, self.followed_objects, self._stop)
            if self.followed_objects:
                following.start()
            told = following.told if self.followed_objects else dict[str, str]
            Daemon(self._duty(tick), self._engine, self._store, self._store.desk, self._clock, self._stop, told).run(
                onlooker
            )

    def _duty(self, tick: float) -> Duty:
        from salesforce_sync.sync.daemon import Duty

        settings = self.config.sync
        return Duty(
            {name: timedelta(minutes=settings.minutes(name)) for name in settings.objects},
            self._rules(),
            settings.api_calls_per_day,
            owner=_owner(),
            pid=os.getpid(),
            seed=self._store.log.replica_id(),
            tick=tick,
        )

    def ask_daemon(self, *objects: str) -> SyncRequest:
        """Ask the daemon for a sync of these objects, or of the configured ones; `Misuse` if none is running."""
        if not self.daemon_runs:
            raise Misuse("No daemon is running for this replica.", hint="Start one: salesforce-sync daemon")
        return self._store.desk.ask(_owner(), objects)

    def asked_of_daemon(self, number: int) -> SyncRequest | None:
        """What has become of a request."""
        return self._store.desk.request(number)

    def daemon_state(self) -> DaemonState | None:
        """What the daemon last told of itself; `running` is whether it lives."""
        state = self._store.desk.state()
        return None if state is None else replace(state, running=self.daemon_runs)

    @property
    def daemon_runs(self) -> bool:
        """Whether a daemon of this replica is alive, in whatever process."""
        return self._store.claims.is_held("daemon")

    def available(self) -> tuple[ObjectSummary, ...]:
        """Every object that the org shows to the connected user. One API call."""
        return self._connected().objects()

    @property
    def usage(self) -> Usage:
        """API calls since this object was made, and what the org last said of the day's calls."""
        return Usage() if self._org is None else self._org.usage

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────

    def status(self) -> Status:
        """What is here, how fresh it is, and how the last runs went. No API call."""
        wanted = {name.casefold() for name in self.config.sync.objects}
        known = tuple(
            each
            for each in self._store.status()
            # A name that was only ever tried once, and is no object, is not shown for good.
            if each.object_name.casefold() in wanted or self._store.schema(each.object_name) is not None
        )
        rules = self._rules()
        shown = tuple(self._without_refresh(each, rules) for each in known)
        waiting = self._store.count_changes(), self._store.count_inbox()
        told = self.config.storage.path, self.connected_to, shown, self.budget(), *waiting
        return Status(*told, self.warnings(), self.daemon_state(), self.sinks())

    def warnings(self) -> tuple[str, ...]:
        """What the settings name and the replica does not know, as far as it can tell: it has no effect."""
        wanted = {name.casefold() for name in self.config.sync.objects}
        told = []
        for name in self.config.sync.conflicts:
            object_name, _, field = name.partition(".")
            schema = self._store.schema(object_name)
            if name == DEFAULT or (schema is None and object_name in wanted):
                continue
            if schema is None:
                told.append(f"sync.conflicts names {name}: no object {object_name} is synced here.")
            elif field and field not in {each.name.casefold() for each in schema.columns}:
                known = [each.name for each in schema.columns]
                told.append(f"sync.conflicts names {name}: {FieldNotFound.named(field, schema.name, known)}")
        return tuple(told)

    def _without_refresh(self, each: ObjectStatus, rules: Rules) -> ObjectStatus:
        """An object that has nothing to refresh has no age of a refresh."""
        from salesforce_sync.sync.schedule import stampless_fields

        schema = self._store.schema(each.object_name)
        refreshes = schema is not None and stampless_fields(schema, rules)
        return each if refreshes else replace(each, refreshed_at=None)

    def budget(self, *objects: str) -> Budget:
        """The day's API calls, and what the next sync of these objects, or the configured ones, will cost."""
        from salesforce_sync.api import budget
        from salesforce_sync.sync.schedule import near_the_wall

        told, settings, rules = self._store.usage(), self.config.sync, self._rules()
        works = [self._work(name, rules) for name in objects or settings.objects]
        used, limit, told_at = (None, None, None) if told is None else (told.used, told.limit, told.at)
        ceiling = settings.api_calls_per_day if limit is None else min(limit, settings.api_calls_per_day)
        interval = timedelta(minutes=settings.interval_minutes)
        return Budget(
            self.usage.spent,
            used,
            limit,
            ceiling,
            None if used is None else budget.left(used, ceiling),
            told_at,
            near_the_wall(used, ceiling),
            budget.forecast(works),
            budget.day(works, self._rhythm(works)),
            interval,
        )

    def _work(self, name: str, rules: Rules) -> Work:
        """What the next sync does with this object."""
        from salesforce_sync.sync.schedule import refresh_is_due, stampless_fields, verify_is_due

        schema = self._store.schema(name)
        checkpoint = None if schema is None else self._store.checkpoint(schema.name)
        if schema is None or checkpoint is None:
            return Work(name if schema is None else schema.name, None)
        ages, now = self._store.ages(schema.name), self._clock.now()
        refreshes = bool(stampless_fields(schema, rules))
        return Work(
            schema.name,
            self._store.count(schema.name),
            polled=checkpoint.until is not None,
            reads_all=checkpoint.until is None,
            refreshes=refreshes,
            refresh_is_due=refreshes and refresh_is_due(ages, rules, now),
            proof_is_due=verify_is_due(ages, rules, now),
        )

    def _rhythm(self, works: Iterable[Work]) -> Rhythm:
        settings, rules = self.config.sync, self._rules()
        intervals = {each.object_name: timedelta(minutes=settings.minutes(each.object_name)) for each in works}
        default = timedelta(minutes=settings.interval_minutes)
        return Rhythm(default, rules.verify_every, rules.refresh_every, intervals)

    def query(self, sql: str, limit: int = 1000, seconds: float = 30.0) -> Answer:
        """Run a read-only SQL statement on the replica; at most `limit` rows.

        `MalformedQuery` says what is wrong, `QueryTimeout` that it ran longer than `seconds`.
        """
        columns, rows = self._store.query(sql, limit + 1, seconds)
        return Answer(columns, tuple(rows[:limit]), len(rows) > limit)

    def mark(self) -> int:
        """A number that is another one once anything in the database has changed, by whatever process."""
        return self._store.mark()

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Close connections to the org and the database; sinks that take signals get some seconds to have them all."""
        for follower in self._followers:
            follower.stop()
        self._callbacks.end(LISTENERS)
        if self._delivery is not None:
            self._delivery.finish(0.0 if self._stop.is_set() else SINKS)
        with self._lock:
            if self._org is not None:
                self._org.close()
                self._org = None
        self._store.close()

    def __enter__(self) -> SFSync:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _owner() -> str:
    """Who runs this process, for a person."""
    import getpass  # with socket, a tenth of the time that this package takes to load
    import socket

    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return f"{name} at {socket.gethostname()}"


def _me() -> str:
    return f"process {os.getpid()} of {_owner()}"


def _key(facts: OrgFacts) -> str:
    return facts.org_id or facts.host


def _policies(config: Config) -> Policies:
    named = {name: Policy(policy) for name, policy in config.sync.conflicts.items()}
    return Policies(named.pop(DEFAULT, Policy.ASK), named)


def _keeping(config: Config) -> Keeping:
    days, rows = config.sync.history_days, config.sync.history_rows
    return Keeping(days, rows if days else 0)


def _side(named: str) -> Side:
    try:
        return Side(named.casefold())
    except ValueError as error:
        raise Misuse(f"There is no side {named!r}.", hint="Take 'org' or 'local'.") from error
