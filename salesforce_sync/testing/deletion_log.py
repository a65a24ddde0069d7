"""`DeletionLog`: what an org in memory remembers of its deletions, and for how long it tells of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from salesforce_sync.errors import RequestRefused
from salesforce_sync.models.page import Deletions


@dataclass(frozen=True, slots=True)
class Window:
    """From when (it belongs to the window) to when (it does not). The org sees whole minutes only."""

    start: datetime
    end: datetime

    def in_minutes(self) -> Window:
        return Window(_minute(self.start), _minute(self.end))


class DeletionLog:
    """Object and id of each deletion with its moment. A window that begins more than `kept` ago is refused."""

    def __init__(self) -> None:
        self.kept = timedelta(days=15)
        self.most_ids = 600_000
        self._deleted: dict[str, dict[str, datetime]] = {}

    def note(self, object_name: str, record_id: str, moment: datetime) -> None:
        """The record was deleted."""
        self._deleted.setdefault(object_name, {})[record_id] = moment

    def strike(self, object_name: str, record_id: str) -> None:
        """The record came back."""
        self._deleted.get(object_name, {}).pop(record_id, None)

    def read(self, object_name: str, window: Window, now: datetime, unsure: datetime | None) -> Deletions:
        """The deletions in the window. `unsure`: when the oldest transaction began that is still open."""
        asked = window.in_minutes()
        if asked.start >= asked.end or asked.start < _minute(now - self.kept):
            raise RequestRefused("The org does not take this window.", code="INVALID_REPLICATION_DATE")
        moments = self._deleted.get(object_name, {}).items()
        ids = frozenset(each for each, moment in moments if asked.start <= moment < asked.end)
        if len(ids) > self.most_ids:
            raise RequestRefused("There are too many ids in this window.", code="EXCEEDED_ID_LIMIT")
        covered = min(asked.end, _minute(now)) if unsure is None else min(asked.end, _minute(now), _minute(unsure))
        return Deletions(ids, covered)


def _minute(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(second=0, microsecond=0)
