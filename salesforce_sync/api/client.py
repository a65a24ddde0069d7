"""`SalesforceOrg`: the Org that speaks to Salesforce."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from salesforce_sync.api import rest, write_route
from salesforce_sync.api.about import about, kind_without_asking
from salesforce_sync.api.auth import Keys, Sessions
from salesforce_sync.api.bulk import Bulk
from salesforce_sync.api.created import Creations
from salesforce_sync.api.deletions import deletions
from salesforce_sync.api.meter import Meter
from salesforce_sync.api.polling import Poller
from salesforce_sync.api.pull import Pull
from salesforce_sync.api.query import Query
from salesforce_sync.api.rights import Rights, rights
from salesforce_sync.api.together import describe_together, first_pages
from salesforce_sync.api.transport import CALLER, Call, Transport
from salesforce_sync.api.wire import Wire
from salesforce_sync.api.writer import Plan, Writer
from salesforce_sync.errors import BulkRefused, ObjectTrouble, RequestRefused
from salesforce_sync.models.connection import Connection, LoginMethod, Session
from salesforce_sync.models.org_kind import OrgFacts, OrgKind
from salesforce_sync.models.outcome import Outcome
from salesforce_sync.models.page import Deletions, Page, Poll, Polled, PullRequest
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import Described, ObjectSchema, ObjectSummary
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.ports import Announce, Clock, Order, Usage

if TYPE_CHECKING:
    from salesforce_sync.api.events import PubSub


class SalesforceOrg:
    """One Salesforce org over HTTP (`ports.Org`). Result files go to `work_dir`; tokens are kept through `keys`.

    `daily_calls` is how many API calls of the org's rolling 24 hours may be used before we stop; None: the org's limit.
    `batch_size` is how many rows a collection writes at the most. `plan` says which way changes go, where it is not the
    cheapest; `set_in` is the file in which a person sets the API version.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        api_version: str,
        work_dir: Path,
        keys: Keys,
        clock: Clock,
        daily_calls: int | None = None,
        batch_size: int = write_route.ROWS_A_PART,
        plan: Plan | None = None,
        set_in: str = "config.yaml",
    ) -> None:
        self._connection = connection
        self._work_dir = work_dir
        self._clock = clock
        self._wire = Wire()
        self._meter = Meter(clock, daily_calls)
        self._sessions = Sessions(connection, self._wire, keys, clock)
        self._transport = Transport(self._wire, self._sessions, self._meter, clock, api_version, set_in)
        self._batch_size = batch_size
        self._plan = plan or partial(write_route.plan, rows=batch_size)
        self._org_id = ""
        self._asked: tuple[Session, str] | None = None
        self._creations = Creations(self._transport)
        self._poller = Poller(self._transport, clock)

    @property
    def connection(self) -> Connection:
        """The login that this was made with."""
        return self._connection

    def login(self) -> Session:
        """A session that the org has just confirmed; `LoginRefused` or `SessionInvalid` says why there is none."""
        session = self._sessions.login()
        if self._connection.method is LoginMethod.PASTED_SESSION:
            self.objects()  # nothing was asked of the org yet
        return session

    def adopt(self, session: Session) -> Session:
        """Go on with a session that a login has just given, once the org has confirmed it. One call."""
        self._sessions.adopt(session)
        self.objects()
        return self._sessions.current()

    def org_id(self) -> str | None:
        """The org's 15-character id, where the login or the session tells it. No API call."""
        return self._sessions.current().org_id

    def expect(self, org_id: str) -> None:
        """`WrongOrg` from now on, wherever a login is known to lead to another org than this one. No API call."""
        self._sessions.expect(org_id)

    def ask_org_id(self) -> str:
        """The same, asked of the org; empty where it does not say. One call for each session."""
        session = self._sessions.current()
        if self._asked is None or self._asked[0] != session:
            told = self._told_org_id()
            session = self._sessions.current()  # that may have taken a new login, which tells it
            self._asked = session, session.org_id or told
        return self._asked[1]

    def _told_org_id(self) -> str:
        path = rest.query_path(Query("SELECT Id FROM Organization", "query"))
        try:
            answer = self._transport.send(Call("ask which org this is", path))
            return str(msgspec.json.decode(answer.body)["records"][0]["Id"])[:15]
        except (ObjectTrouble, msgspec.DecodeError, LookupError, TypeError):
            return ""

    def kind(self) -> OrgKind | None:
        """What the address tells of the org, production or not; None where it has to be asked. No API call."""
        return kind_without_asking(self._sessions.current().instance_url)

    def about(self) -> OrgFacts:
        """What the org says of itself. One call."""
        return about(self._transport)

    def takes_bulk(self) -> BulkRefused | None:
        """Ask whether there is a Bulk API for the connected user; gives why there is none. One call."""
        with suppress(BulkRefused):
            Bulk(self._transport, self._clock).ask()
        return self._transport.bulk_door.refusal

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know of how this org is spoken with. No API call."""
        refusal = self._transport.bulk_door.refusal
        if refusal is None:
            return ()
        return (f"The org takes no Bulk jobs, so all goes by REST: {refusal.message} {refusal.hint}",)

    def rights(self) -> Rights | None:
        """What the connected user may do in the org as a whole; None where the org does not tell. One call."""
        return rights(self._transport)

    @property
    def address(self) -> str:
        """Where the org answers."""
        return self._sessions.current().instance_url

    def objects(self) -> tuple[ObjectSummary, ...]:
        """Every object that the connected user may see. One call."""
        return rest.objects(self._transport)

    def describe(self, object_name: str) -> ObjectSchema:
        """The object's fields and rights. One call."""
        return rest.describe(self._transport, object_name)

    def describe_together(self, object_names: Sequence[str]) -> tuple[Described | None, ...]:
        """Several objects and how many rows they have (`ports.Org.describe_together`)."""
        return describe_together(self._transport, object_names)

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        """Bring the rows (`ports.Org.pull`).

        A broken transfer is tried again here where that gives no row twice; otherwise `Unreachable` or `Incomplete`
        is raised, and the caller takes up at the last page that had a `resume`.
        """
        return Pull(self._transport, request, self._work_dir, self._clock).pages()

    def pull_together(self, requests: Sequence[PullRequest]) -> tuple[Generator[Page, None, None], ...]:
        """Several pulls (`ports.Org.pull_together`): the first pages of five share a call."""
        firsts = first_pages(self._transport, requests)
        pulls = [
            Pull(self._transport, request, self._work_dir, self._clock, first)
            for request, first in zip(requests, firsts, strict=True)
        ]
        return tuple(each.pages() for each in pulls)

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        """What is new in these objects (`ports.Org.poll`); five share a call where the org has composite."""
        return self._poller.poll(polls)

    def deletions(self, object_name: str, start: datetime, end: datetime) -> Deletions:
        """What was deleted in this window, by the org's own log. One call."""
        return deletions(self._transport, object_name, start, end)

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[tuple[Outcome, ...], None, None]:
        """Send these changes by the cheapest safe route (`ports.Org.write`)."""
        return Writer(self._transport, self._clock, self._plan).write(orders, announce)

    def recover(self, orders: Sequence[Order], job: str) -> tuple[Outcome, ...]:
        """What became of orders that this Bulk job has (`ports.Org.recover`)."""
        return Writer(self._transport, self._clock, self._plan).recover(orders, job)

    def created(self, schema: ObjectSchema, since: datetime, by: str | None = None) -> tuple[tuple[object, ...], ...]:
        """The records that a user has made since (`ports.Org.created`)."""
        return self._creations.since(schema, since, by)

    def user_id(self) -> str | None:
        """The connected user's id (`ports.Org.user_id`)."""
        return self._creations.user_id()

    def told_user(self) -> str | None:
        """The connected user's id, as far as the login has told it (`ports.Org.told_user`)."""
        return self._sessions.current().told_user

    def cost(self, orders: Sequence[Order]) -> int:
        """API calls that writing these would take. No call."""
        return write_route.cost(orders, self._batch_size)

    def events(self, endpoint: str, schemas: Callable[[str], ObjectSchema | None]) -> PubSub:
        """The org's change events at this endpoint of the Pub/Sub API (`ports.Events`)."""
        from salesforce_sync.api.events import Caller, PubSub  # an extra, and heavy

        return PubSub(endpoint, Caller(self._sessions, self._whole_org_id, CALLER), schemas)

    def _whole_org_id(self) -> str:
        """The org's 18-character id; asked for once."""
        if not self._org_id:
            told = self.org_id() or self.ask_org_id()
            if not told:
                raise RequestRefused("The org does not say its id, without which it tells no change events.")
            self._org_id = from_org(told)
        return self._org_id

    def time(self) -> datetime | None:
        """The org's own time now (UTC). No API call."""
        return self._transport.time()

    @property
    def usage(self) -> Usage:
        """Calls spent by us, and what the org last said of the last 24 hours."""
        return self._meter.usage

    @property
    def heard(self) -> DayUsage | None:
        """What the org has last said of the day's calls, and when; None before it has."""
        return self._meter.heard

    def look_again(self) -> None:
        """The next call asks the org anew, even if it has said that too much is used."""
        self._meter.look_again()

    def close(self) -> None:
        """Give up all connections."""
        self._wire.close()
