"""The simulated org: its objects, rows, clock, users and switches, and the Python door for tests."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import apsw

from simorg import catalog, ids
from simorg.auth import Sessions
from simorg.clock import OrgClock
from simorg.database import Database, Row
from simorg.faults import Faults
from simorg.permissions import Permissions
from simorg.results import Result
from simorg.schema import SObject
from simorg.usage import Usage

if TYPE_CHECKING:
    from simorg.server import Server

NEWEST_VERSION = "67.0"
VERSIONS = tuple(f"{number}.0" for number in range(31, 68))
ORG_ID = ids.make("00D", 1)
ADMIN_ID = ids.make("005", 1)
CLIENT_ID = "3MVG9simorg.demo.client"
CLIENT_SECRET = "simorg-demo-secret"


class SimOrg:
    """One org. Rows live in a private SQLite file that is removed by `close`.

    `records` is the number of contacts to seed (the other objects follow); 0 seeds only users and standard rows.
    """

    version = NEWEST_VERSION

    def __init__(self, records: int = 0, seed: int = 1, *, start_ms: int | None = None, api_limit: int = 15_000) -> None:
        self.clock = OrgClock(start_ms)
        self.org_id = ORG_ID
        self.user_id = ADMIN_ID
        self.database = Database()
        self.db: apsw.Connection = self.database.connection
        self.lock: threading.RLock = self.database.lock
        self.permissions = Permissions()
        self.faults = Faults()
        self.usage = Usage(self.clock, api_limit)
        self.sessions = Sessions(self.clock, ORG_ID, 7200)
        self.objects: dict[str, SObject] = {one.name: one for one in catalog.load()}
        self._views: dict[str, SObject | None] = {}
        self._views_of = -1

    def schema(self, name: str) -> SObject | None:
        """Return an object as it is, whatever the API user may see; letter case is ignored."""
        found = self.objects.get(name)
        if found is not None:
            return found
        return next((one for key, one in self.objects.items() if key.lower() == name.lower()), None)

    def object(self, name: str) -> SObject | None:
        """Return an object as the API user sees it (hidden fields are absent), or None when it does not exist for him."""
        if self._views_of != self.permissions.generation:
            self._views, self._views_of = {}, self.permissions.generation
        key = name.lower()
        if key not in self._views:
            found = self.schema(name)
            self._views[key] = self.permissions.view(found) if found else None
        return self._views[key]

    def tick(self) -> None:
        """Let happen what the clock has made due (late commits, emptying of the recycle bin); call before reading."""

    def snapshot(self) -> apsw.Connection:
        """Open a read-only connection of its own on the rows (the caller closes it); for long Bulk exports."""
        return self.database.snapshot()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the org's lock; all writes inside happen, or none when an exception leaves the block."""
        with self.database.transaction():
            yield
