"""`Production`: which production orgs may be written to, because somebody has said so."""

from __future__ import annotations

from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import Clock


class Production:
    """Remembered by org, for every replica in the folder."""

    def __init__(self, database: AccessDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def is_confirmed(self, org: str) -> bool:
        """Whether somebody has said that this org may be written to; `org` is its id or its address."""
        return bool(self._database.rows("SELECT 1 FROM production WHERE org = ?", (org,)))

    def confirm(self, org: str, who: str) -> None:
        """Note that it may be."""
        with self._database.writing() as db:
            row = (org, who, format_datetime(self._clock.now()))
            db.execute("INSERT OR IGNORE INTO production VALUES (?, ?, ?)", row)

    def take_back(self, org: str) -> None:
        """Ask again before the next write."""
        with self._database.writing() as db:
            db.execute("DELETE FROM production WHERE org = ?", (org,))
