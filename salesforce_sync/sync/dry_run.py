"""What a push would send, and what that costs: planned as the push plans, and nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from salesforce_sync.models.outbox import Operation, Wanted
from salesforce_sync.models.push import Diff
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import MOST_LISTED, Clock, Order, Org, Store
from salesforce_sync.sync.course import Course
from salesforce_sync.sync.foretold import Foretold
from salesforce_sync.sync.unseen import Unseen
from salesforce_sync.sync.waves import Wave
from salesforce_sync.sync.windows import Windows


class DryRun:
    """Foretells one push."""

    def __init__(self, org: Org, store: Store, clock: Clock, window: int) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._window = window
        self._unseen = Unseen(store)

    def diff(self, schemas: dict[str, ObjectSchema]) -> Diff:
        """What `push` would send, in its order, and the calls that it would take. Nothing is sent."""
        now, sent = self._clock.now(), set[int]()
        course, found = Course("", schemas), Foretold()
        room: int | None = 2 * self._window
        while True:
            before, put_off = len(sent), False
            windows = Windows(self._store, course.schemas, self._window, room)
            found.start_again()
            while (window := windows.next(now, sent)) is not None:
                planned = course.plan(window, now)
                put_off = put_off or bool(window.put_off)
                found.take(planned, self._unseen.disputed(order for wave in planned.waves for order in wave.orders))
                found.calls += sum(self._wave_calls(wave) for wave in planned.waves)
                sent |= {order.change.number for wave in planned.waves for order in wave.orders}
            if not put_off:
                break
            room = room if len(sent) > before else None
        unknown, held = Wanted(sending=True, most=MOST_LISTED), Wanted(held=now, most=MOST_LISTED)
        return found.told(
            self._store.changes(unknown),
            self._store.changes(held),
            {"unknown": self._store.count_changes(unknown), "held": self._store.count_changes(held)},
        )

    def _wave_calls(self, wave: Wave) -> int:
        """API calls for a wave, with those that `Org.cost` does not know of."""
        looks = _reads(self._unseen.among(wave.orders))
        # Deleted records are read again.
        tombstones = _reads(each for each in wave.orders if each.change.operation is Operation.DELETE)
        return self._org.cost([self._made(each) for each in wave.orders]) + looks + tombstones

    def _made(self, order: Order) -> Order:
        """The order as it is when it is sent: a record that an earlier wave makes has a stamp by then."""
        if not order.change.local or order.change.operation is Operation.CREATE:
            return order
        return Order(order.schema, replace(order.change, stamp=format_datetime(self._clock.now())))


def _reads(orders: Iterable[Order]) -> int:
    """How many calls bring the records of these."""
    counts = Counter((each.schema.name, each.schema.records_together) for each in orders)
    return sum(-(-count // together) for (_, together), count in counts.items())
