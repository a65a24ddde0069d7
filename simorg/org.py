"""The simulated org: its objects, rows, clock, users and switches, and the Python door for tests."""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import apsw

from simorg import catalog, drift, ids, lifecycle, template
from simorg.auth import Sessions
from simorg.clients import Clients
from simorg.clock import OrgClock
from simorg.database import Row
from simorg.dependencies import Workbench, check_sql
from simorg.events import Events
from simorg.faults import Faults
from simorg.grants import Code
from simorg.id_tokens import SigningKey
from simorg.late import LateCommits
from simorg.metadata import Metadata
from simorg.numbering import Numbering
from simorg.permissions import Permissions
from simorg.results import Failure, Refused, Result, Saved
from simorg.results import OrgError as OrgError
from simorg.rules import Rules
from simorg.schema import SObject
from simorg.usage import Usage
from simorg.writer import Writer, count_rows, for_each, split_id

if TYPE_CHECKING:
    from simorg.event_server import EventServer
    from simorg.router import Router
    from simorg.server import Server

NEWEST_VERSION = "67.0"
VERSIONS = tuple(f"{number}.0" for number in range(31, 68))
ORG_ID = ids.make("00D", 1)
ADMIN_ID = ids.make("005", 1)
HOUR_MS = 3_600_000


class SimOrg(Metadata):
    """One org. Rows live in a private SQLite file that `close` removes.

    `records` is the number of contacts to seed (the other objects follow); 0 seeds only users and standard rows.
    `start_ms` is where the org's clock starts (default: the machine's time), `api_limit` the calls per 24 hours.
    """

    version = NEWEST_VERSION

    def __init__(
        self, records: int = 0, seed: int = 1, *, start_ms: int | None = None, api_limit: int = 15_000
    ) -> None:
        from simorg.soql.functions import zone_of

        for zone in catalog.picklist("time_zone"):  # better no org than days that begin at the wrong hour
            zone_of(zone.value)
        self.url = ""  # set by the server
        self.router: Router | None = None
        self.org_id = ORG_ID
        self.user_id = ADMIN_ID
        self.clock = OrgClock(start_ms)
        copied = template.kept(records, seed)
        self.database = template.database(records, copied)
        self.db: apsw.Connection = self.database.connection
        self.lock: threading.RLock = self.database.lock
        self.permissions = Permissions(self.clock)
        self.rules = Rules(lambda name, sql: check_sql(self, name, sql), self._index_field)
        self.faults = Faults()
        self.usage = Usage(self.clock, api_limit)
        self.sessions = Sessions(self.clock, ORG_ID, 7200)
        self.clients = Clients(ADMIN_ID)
        self.codes: dict[str, Code] = {}
        self.signing_key = SigningKey()
        self.replication_cap = 600_000
        self.delete_log_days = 15.0
        self.objects: dict[str, SObject] = {one.name: one for one in catalog.load()}
        self._views: tuple[int, dict[str, SObject | None]] = (0, {})
        self.numbering = Numbering()
        self.late = LateCommits(self.database, self.clock, self.schema)
        self.events = Events(self)
        self._bin_emptied_ms = self.clock.now_ms()
        if copied:
            template.settle(self, copied)
        else:
            self._fill(records, seed)

    def _fill(self, records: int, seed: int) -> None:
        from simorg import seed as seeding  # it needs this module

        stamp_ms = self.now_stamp()
        for one in self.objects.values():
            self.database.create_table(one)
        seeding.fill(self, records, seed)
        for one in self.objects.values():
            self.database.create_indexes(one)
        template.keep(self, records, seed, stamp_ms)

    def refresh_sandbox(self, org_id: str) -> None:
        """Be another org behind the same address, as a sandbox that was made anew; every session ends."""
        self.org_id = org_id
        self.sessions.begin_anew(org_id)

    def close(self) -> None:
        """Remove the rows."""
        self.database.close()

    def __enter__(self) -> "SimOrg":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def serve(self, port: int = 0, host: str = "127.0.0.1") -> "Server":
        """Return a server for this org, to be used as a context manager; port 0 takes a free one."""
        from simorg.server import Server  # uvicorn is heavy

        return Server(self, port, host)

    def serve_events(self, port: int = 0, host: str = "127.0.0.1") -> "EventServer":
        """Return a server for this org's change events (the Pub/Sub API), to be used as a context manager.

        Needs grpcio, protobuf and fastavro. What is captured, and what goes wrong, is said to `events`.
        """
        from simorg.event_server import EventServer

        return EventServer(self, port, host)

    @cached_property
    def workbench(self) -> Workbench:
        """Empty tables such as the org's, for what is asked of its formulas."""
        return Workbench()

    def _index_field(self, object_name: str, name: str) -> None:
        schema, one = drift.field_of(self, object_name, name)
        with self.lock:
            self.database.create_key_index(schema.name, one)

    # -- writing rows

    def create(
        self,
        object_name: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        user: str | None = None,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
        trim: bool = True,
    ) -> list[Result]:
        """Create rows (field names and values as in REST JSON); one result per row, in order.

        `trim` takes blanks around values off, as REST does.
        """
        writer = Writer(self, user or self.user_id, allow_duplicates=allow_duplicates, trim=trim)
        return for_each(self, rows, lambda row: writer.create(object_name, row), all_or_none=all_or_none)

    def update(
        self,
        object_name: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        user: str | None = None,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
        trim: bool = True,
    ) -> list[Result]:
        """Update rows, each with its `Id`; only the given fields change."""
        writer = Writer(self, user or self.user_id, allow_duplicates=allow_duplicates, trim=trim)

        def act(row: Mapping[str, Any]) -> Saved:
            record_id, values = split_id(row)
            return writer.update(object_name, self.typed_id(object_name, record_id), values)

        return for_each(self, rows, act, all_or_none=all_or_none)

    def upsert(
        self,
        object_name: str,
        key: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        user: str | None = None,
        all_or_none: bool = False,
        allow_duplicates: bool = False,
        trim: bool = True,
    ) -> list[Result]:
        """Create or update rows by an external-id field among their values."""
        writer = Writer(self, user or self.user_id, allow_duplicates=allow_duplicates, trim=trim)
        return for_each(self, rows, lambda row: writer.upsert(object_name, key, row), all_or_none=all_or_none)

    def delete(self, record_ids: Iterable[str], *, all_or_none: bool = False) -> list[Result]:
        """Put rows, of any objects, into the recycle bin."""
        return for_each(
            self, record_ids, lambda one: lifecycle.delete(self, self.full_id(one)), all_or_none=all_or_none
        )

    def undelete(self, record_ids: Iterable[str]) -> list[Result]:
        """Take rows out of the recycle bin."""
        return for_each(self, record_ids, lambda one: lifecycle.undelete(self, self.full_id(one)))

    def purge(self, record_ids: Iterable[str]) -> list[Result]:
        """Remove rows for good: from the recycle bin, or at once (hard delete)."""
        return for_each(self, record_ids, lambda one: lifecycle.purge(self, self.full_id(one)))

    def empty_bin(self, days: float = 0) -> int:
        """Purge everything that has been in the recycle bin for at least so many days; return how many were."""
        return lifecycle.empty_bin(self, days)

    def merge(
        self, master_id: str, losers: Sequence[str], values: Mapping[str, Any] | None = None, *, user: str | None = None
    ) -> Result:
        """Merge one or two rows into a master of the same object (Account, Contact, Lead)."""
        master, others = self.full_id(master_id), [self.full_id(one) for one in losers]
        by = user or self.user_id
        return for_each(self, [master], lambda one: lifecycle.merge(self, one, others, values or {}, by))[0]

    def convert_lead(self, lead_id: str, account_id: str | None = None, opportunity_name: str | None = None) -> Row:
        """Convert a lead; return the ConvertedAccountId, ConvertedContactId and ConvertedOpportunityId."""
        with self.transaction():
            return lifecycle.convert_lead(self, self.full_id(lead_id), account_id, self.user_id, opportunity_name)

    def add(self, object_name: str, **values: Any) -> str:
        """Create one row and return its id, or raise OrgError."""
        return _must(self.create(object_name, [values])[0])

    def change(self, record_id: str, **values: Any) -> str:
        """Update one row and return its id, or raise OrgError."""
        schema = self.object_of_id(record_id)
        return _must(self.update(schema.name if schema else "", [{"Id": record_id, **values}])[0])

    def remove(self, record_id: str) -> str:
        """Delete one row (into the recycle bin) and return its id, or raise OrgError."""
        return _must(self.delete([record_id])[0])

    @contextmanager
    def late_commit(self, seconds: float) -> Iterator[None]:
        """Stamp the writes of the block now, but let nobody see them until the clock has gone on by `seconds`."""
        with self.late.hold(seconds):
            yield

    # -- reading and time

    def row(self, record_id: str) -> Row | None:
        """Return a row's stored values (also a deleted one's), or None."""
        full = ids.normalize(record_id)
        schema = self.object_of_id(full) if full else None
        self.tick()
        return self.database.get(schema, full) if schema and full else None

    def count(self, object_name: str) -> int:
        """Return how many living rows an object has."""
        self.tick()
        return count_rows(self, drift.known(self, object_name))

    def living(self, schema: SObject, record_id: str) -> Row:
        """Return the stored values of a row that is not deleted, or raise Refused."""
        row = self.database.get(schema, record_id)
        if row is None:
            raise Refused("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if row.get("IsDeleted"):
            raise Refused("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def hide_record(self, record_id: str) -> None:
        """Take a row out of the API user's sight (sharing)."""
        schema = self.object_of_id(record_id)
        name = schema.name if schema else ""
        self.database.write("INSERT OR IGNORE INTO _invisible VALUES (?, ?)", (name, self.full_id(record_id)))

    def show_record(self, record_id: str) -> None:
        """Give a hidden row back."""
        self.database.write("DELETE FROM _invisible WHERE id = ?", (self.full_id(record_id),))

    def visible(self, object_name: str, record_id: str) -> bool:
        """Return whether sharing lets the API user see a row."""
        sql = "SELECT 1 FROM _invisible WHERE object = ? AND id = ?"
        return self.database.value(sql, (object_name, record_id)) is None

    def now_stamp(self) -> int:
        """Return the org's time in whole seconds (as milliseconds): what goes into stamps."""
        return self.clock.now_ms() // 1000 * 1000

    def tick(self) -> None:
        """Let happen what the clock has made due (late commits, the recycle bin); call before reading."""
        now = self.clock.now_ms()
        self.late.commit_due()
        if now - self._bin_emptied_ms > HOUR_MS:
            self._bin_emptied_ms = now
            self.empty_bin(lifecycle.BIN_DAYS)

    def oldest_open_transaction_ms(self) -> int | None:
        """Return when the oldest transaction began that has not committed, or None; latestDateCovered stops there."""
        self.tick()
        return self.late.oldest_ms()

    def snapshot(self) -> apsw.Connection:
        """Open a read-only connection of its own on the rows (the caller closes it); for long Bulk exports."""
        return self.database.snapshot()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the org's lock; all writes inside happen, or none when an exception leaves the block."""
        with self.database.transaction():
            yield

    # -- ids

    def full_id(self, record_id: str) -> str:
        """Return the 18-character form of an id, or raise Refused with MALFORMED_ID."""
        full = ids.normalize(record_id)
        if full is None:
            raise Refused("MALFORMED_ID", f"malformed id {record_id}", "Id")
        return full

    def typed_id(self, object_name: str, record_id: str) -> str:
        """Return the 18-character form of an id that must belong to an object, or raise Refused."""
        full = self.full_id(record_id)
        schema = self.schema(object_name)
        if schema is not None and full[:3] != schema.key_prefix:
            text = f"{schema.label} ID: id value of incorrect type: {record_id}"
            raise Refused("MALFORMED_ID", text, "Id")
        return full


def _must(result: Result) -> str:
    if isinstance(result, Failure):
        raise OrgError(result)
    return result.id
