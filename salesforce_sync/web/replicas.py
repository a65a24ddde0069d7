"""The replicas that this server has open, one for each connection that was asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from salesforce_sync.access import Access, User
from salesforce_sync.access.connections import DEFAULT
from salesforce_sync.app import SFSync
from salesforce_sync.errors import ObjectNotFound, SyncError
from salesforce_sync.models.api_names import check_api_name
from salesforce_sync.models.change import accepted_losses
from salesforce_sync.models.schema import ObjectSchema, ObjectSummary
from salesforce_sync.web.awaiting import Awaited, Together
from salesforce_sync.web.books import Uploads, Workbook
from salesforce_sync.web.documents import Shown
from salesforce_sync.web.failures import InvalidObjectName
from salesforce_sync.web.heard import Heard
from salesforce_sync.web.known import Counted, Sent
from salesforce_sync.web.once import Once
from salesforce_sync.web.rows import RowForm
from salesforce_sync.web.runs import Runs
from salesforce_sync.web.sessions import Sessions

LIST_SECONDS: Final = 600.0
"""How long the org's list of objects is good for; an unknown name has it asked anew, once a minute at most."""

UNKNOWN_SECONDS: Final = 60.0

LEAVING_SECONDS: Final = 60.0
"""How long requests of a connection that was forgotten may still use its files."""


def object_name(name: str) -> str:
    """The name, if it has the form of an object's API name."""
    try:
        return check_api_name(name)
    except ObjectNotFound as error:
        raise InvalidObjectName(error.message[:200], hint=error.hint) from error


def losses(given: Iterable[str], names: Iterable[str]) -> frozenset[str]:
    """Those of the objects `names` of which somebody says that they may lose any number of rows."""
    return accepted_losses(map(object_name, given), names)


class OrgNames:
    """The org's own list of objects, asked for when it is needed: one API call."""

    def __init__(self, sync: SFSync) -> None:
        self._sync = sync
        self._lock = threading.Lock()
        self._listed: tuple[ObjectSummary, ...] = ()
        self._by_name: dict[str, ObjectSummary] = {}
        self._asked_at = 0.0

    def listed(self, older_than: float = LIST_SECONDS) -> tuple[ObjectSummary, ...]:
        """The list, not older than so many seconds."""
        with self._lock:
            if not self._asked_at or time.monotonic() - self._asked_at > older_than:
                self._listed = self._sync.available()
                self._by_name = {each.name.casefold(): each for each in self._listed}
                self._asked_at = time.monotonic()
            return self._listed

    @property
    def kept(self) -> tuple[ObjectSummary, ...]:
        """The list as it was last told, however old; empty if nobody has asked for it. No API call."""
        return self._listed

    def summary(self, name: str) -> ObjectSummary | None:
        """What the list says of this object, if it was asked for and has it. No API call."""
        return self._by_name.get(name.casefold())

    def spelt(self, name: str) -> str:
        """The name as the org spells it, as far as that is known. No API call."""
        if name in self._sync.objects:
            return self._sync.objects[name].object_name
        listed = self.summary(name)
        return name if listed is None else listed.name

    def may_have(self, name: str) -> bool:
        """Whether the org has this object, as far as the list is known. No API call."""
        return not self._by_name or name.casefold() in self._by_name

    def refused(self, names: Sequence[str]) -> Mapping[str, SyncError]:
        """Which of these are no objects of the org. What the replica has is one, and where nobody can say, none is."""
        unknown = [name for name in names if name not in self._sync.objects]
        if not unknown:
            return {}
        try:
            for seconds in (LIST_SECONDS, UNKNOWN_SECONDS):
                known = [each.name for each in self.listed(seconds)]
                spelt = {each.casefold() for each in known}
                missing = [name for name in unknown if name.casefold() not in spelt]
                if not missing or not known:
                    return {}
        except SyncError:
            return {}  # the run will meet the same, and tell it of each object
        return {name: ObjectNotFound.named(name, known) for name in missing}


class Replica:
    """One connection's replica, its sync sessions, and the forms in which its rows are sent."""

    def __init__(self, connection_id: str, sync: SFSync, runs: Runs, interrupted: Callable[[int], None]) -> None:
        """`interrupted` is called with the deeds that went on in a server that has ended."""
        self.id = connection_id
        self.sync = sync
        self.names = OrgNames(sync)
        self.listing: Together[tuple[ObjectSummary, ...]] = Together()
        self.shown = Shown(sync)
        self.heard = Heard(sync)
        self.awaited = Awaited(lambda: sync.usage.used)
        self.workbook = Workbook(sync)
        self.uploads = Uploads(sync)
        self.sessions = Sessions(sync, runs, self.names, interrupted)
        self.counted = Counted(sync.config.storage.path)
        self.sent = Sent()
        self.once = Once()
        self._forms: dict[tuple[str, tuple[str, ...], tuple[str, ...]], tuple[ObjectSchema, RowForm]] = {}

    def address(self, path: str, **query: object) -> str:
        """The path of something of this connection, for whoever follows it without a header."""
        said = urlencode(query if self.id == DEFAULT else {"connection": self.id, **query})
        return f"{path}?{said}" if said else path

    def form(self, schema: ObjectSchema, names: tuple[str, ...] = (), read: tuple[str, ...] = ()) -> RowForm:
        """How rows of this schema, chosen with the fields `read`, are sent: with these fields or with all."""
        key = schema.name, names, read
        known = self._forms.get(key)
        if known is None or known[0] is not schema:
            if len(self._forms) >= 500:
                self._forms.clear()
            known = self._forms[key] = schema, RowForm(schema, names, read)
        return known[1]

    def stop(self) -> None:
        """End every run at its next whole page, every session, and every stream."""
        self.sync.stop()
        self.sessions.stop()
        self.heard.stop()

    def close(self) -> None:
        """Close every file."""
        self.uploads.close()
        self.sessions.close()
        self.counted.close()
        self.sync.close()


class Replicas:
    """Opens replicas when they are first asked for, and keeps them open."""

    def __init__(self, access: Access, runs: Runs) -> None:
        self._access = access
        self._runs = runs
        self._lock = threading.Lock()
        self._open: dict[str, Replica] = {}
        self._leaving: dict[Replica, Callable[[], None]] = {}

    def get(self, id_or_name: str, user: User) -> Replica:
        """The replica of this connection, if the user may see it; `ConnectionNotFound` otherwise."""
        found = self._access.connections.get(id_or_name, user)
        with self._lock:
            replica = self._open.get(found.id)
            if replica is None:
                config = self._access.connections.config_of(found.id, user)
                replica = Replica(found.id, SFSync(config), self._runs, self._access.audit.interrupt)
                self._open[found.id] = replica
            return replica

    def forget(self, connection_id: str, then: Callable[[], None] = lambda: None) -> None:
        """Stop a replica whose connection is gone, and close it in a minute, when nothing goes on there any more.

        `then` is called after that.
        """
        with self._lock:
            replica = self._open.pop(connection_id, None)
            if replica is not None:
                self._leaving[replica] = then
        if replica is None:
            then()
            return
        replica.stop()
        self._close_later(replica)

    def _close_later(self, replica: Replica) -> None:
        timer = threading.Timer(LEAVING_SECONDS, self._close_left, (replica,))
        timer.daemon = True
        timer.start()

    def _close_left(self, replica: Replica) -> None:
        if replica.sessions.busy:
            self._close_later(replica)
            return
        with self._lock:
            if replica not in self._leaving:  # the server has ended meanwhile
                return
            then = self._leaving.pop(replica)
        replica.close()
        then()

    def opened(self) -> tuple[Replica, ...]:
        """Those that are open."""
        with self._lock:
            return tuple(self._open.values())

    def stop(self) -> None:
        """End every run at its next whole page, and every session."""
        for replica in self.opened():
            replica.stop()

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            for replica in self._open.values():
                replica.close()
            for replica, then in self._leaving.items():
                replica.close()
                then()
            self._open.clear()
            self._leaving.clear()
