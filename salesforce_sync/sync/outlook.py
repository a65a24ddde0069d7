"""`Outlook`: what a daemon has before it, as far as the store and the desk know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from salesforce_sync.models.duty import SyncRequest
from salesforce_sync.models.run import RunState
from salesforce_sync.ports import Desk, Store
from salesforce_sync.sync.agenda import Item
from salesforce_sync.sync.duty import Duty
from salesforce_sync.sync.schedule import stampless_fields


class Known(Struct, frozen=True):
    """What the store said when it had this version: as long as nobody writes, it says the same."""

    version: int
    items: tuple[Item, ...]
    requests: tuple[SyncRequest, ...]
    share: float | None


class Outlook:
    """Looks at the objects of a duty, at what is asked for, and at the day's calls."""

    def __init__(self, duty: Duty, store: Store, desk: Desk) -> None:
        self._duty = duty
        self._store = store
        self._desk = desk
        self._known: Known | None = None

    def look(self, version: int, tried: Mapping[str, datetime]) -> Known:
        """What the store says; not asked again while it has this version."""
        if self._known is None or self._known.version != version:
            self._known = Known(version, self.items(tried), self._desk.asked(), self.share())
        return self._known

    def wanted(self, requests: Sequence[SyncRequest]) -> tuple[str, ...]:
        """The objects that are asked for."""
        names = (each.objects or tuple(self._duty.intervals) for each in requests)
        return tuple(name for some in names for name in some)

    def items(self, tried: Mapping[str, datetime]) -> tuple[Item, ...]:
        """Each object of the duty; `tried` has, by names in lower case, when one was tried by the daemon itself."""
        tries = self._desk.last_tries()
        return tuple(
            self._item(name, interval, tries, tried.get(name.casefold()))
            for name, interval in self._duty.intervals.items()
        )

    def _item(
        self, name: str, interval: timedelta, tries: Mapping[str, tuple[datetime, str]], mine: datetime | None
    ) -> Item:
        last, state = tries.get(name.casefold(), (None, ""))
        last = max((each for each in (last, mine) if each is not None), default=None)
        return Item(name, interval, last, state == RunState.FAILED, self._also(name))

    def _also(self, name: str) -> tuple[datetime | None, ...]:
        """When the object is to be compared, and when its formulas are to be read."""
        schema, rules = self._store.schema(name), self._duty.rules
        if schema is None:
            return ()
        ages = self._store.ages(schema.name)
        refreshes = rules.refresh_every if stampless_fields(schema, rules) else None
        return (
            _after(ages.proved_at or ages.first_merged_at, rules.verify_every),
            _after(ages.refreshed_at or ages.first_merged_at, refreshes),
        )

    def share(self) -> float | None:
        """How much of the day's API calls is used."""
        usage = self._store.usage()
        ceiling = self._duty.calls_a_day if usage is None else min(usage.limit, self._duty.calls_a_day)
        return None if usage is None or not ceiling else usage.used / ceiling

    def is_held(self, request: SyncRequest, held: frozenset[str]) -> bool:
        """Whether a run has still to do with some of what was asked for."""
        return not held.isdisjoint(name.casefold() for name in self.wanted([request]))

    def came_to(self, request: SyncRequest, tries: Mapping[str, tuple[datetime, str]]) -> RunState:
        """How the objects of a request have ended."""
        states = {tries[name.casefold()][1] for name in self.wanted([request]) if name.casefold() in tries}
        return RunState(states.pop()) if len(states) == 1 else RunState.PARTIAL


def _after(last: datetime | None, every: timedelta | None) -> datetime | None:
    return None if last is None or every is None else last + every
