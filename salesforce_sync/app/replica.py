"""`SFSync`: the one place where everything is put together."""

from __future__ import annotations

from types import TracebackType

from salesforce_sync.app.answers import Status
from salesforce_sync.app.edits import Edits
from salesforce_sync.app.inbox import Inbox
from salesforce_sync.app.looking import Looking
from salesforce_sync.app.workbooks import Workbooks


class SFSync(Edits, Workbooks, Inbox, Looking):
    """The replica of one org: read it, sync it, ask it.

    `config` is a `Config`, the path of a config.yaml, or nothing for ./config.yaml. Reading needs no connection.
    Close it when done, or use it in a `with` block. `clock` is only waited on and shown, never a checkpoint.
    """

    def init(self) -> Status:
        """Make the database. If credentials are configured, log in with them and keep the connection, encrypted.

        That goes also for those that all else takes for a part of the login that is kept.
        """
        complete = self.config.complete_method() is not None
        connection = self.config.connection() if complete else self._given_connection()
        if connection is not None:
            self.connect(connection)
        return self.status()

    def close(self) -> None:
        """Close connections to the org and the database; sinks that take signals get some seconds to have them all."""
        self._end_following()
        self._end_telling()
        self._disconnect()
        self._store.close()

    def __enter__(self) -> SFSync:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
