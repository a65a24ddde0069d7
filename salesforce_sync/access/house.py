"""`Access`: users, logins, connections and the audit log of one installation."""

from __future__ import annotations

from types import TracebackType

from salesforce_sync.access.audit import Audit
from salesforce_sync.access.connections import Connections
from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.access.logins import Logins
from salesforce_sync.access.production import Production
from salesforce_sync.access.users import Users
from salesforce_sync.config import Config
from salesforce_sync.ports import Clock


class Access:
    """All that `access.db` keeps. Close it when done, or use it in a `with` block."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self._database = AccessDatabase(config.house)
        self.path = self._database.path
        self.users = Users(self._database, clock)
        self.logins = Logins(self._database, clock)
        self.connections = Connections(config, self._database, clock)
        self.production = Production(self._database, clock)
        self.audit = Audit(self._database, clock)

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Access:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
