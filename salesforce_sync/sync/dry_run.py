"""What a push would send, and what that costs: planned as the push plans, and nothing is sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence

from msgspec.structs import replace

from salesforce_sync.models.outbox import Operation, Wanted
from salesforce_sync.models.push import Diff
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import MOST_LISTED, Clock, Order, Org, Store
from salesforce_sync.sync.along import along_with
from salesforce_sync.sync.course import Course
from salesforce_sync.sync.foretold import Foretold, is_asked
from salesforce_sync.sync.own_doing import above_deleted
from salesforce_sync.sync.plan import Plan
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
                disputed = self._unseen.disputed(order for wave in planned.waves for order in wave.orders)
                later = self._edits_after(planned)
                found.take(planned, disputed, [order.change for order in later])
                above = above_deleted(planned.waves) if planned.waves else []
                for number, wave in enumerate(planned.waves):
                    found.calls += self._wave_calls(wave, disputed, above, now_above=number == 0)
                found.calls += self._org.cost(later) if later else 0
                sent |= {order.change.number for wave in planned.waves for order in wave.orders}
            if not put_off:
                break
            room = room if len(sent) > before else None
        unknown, held = Wanted(sending=True, most=MOST_LISTED), Wanted(held=now, most=MOST_LISTED)
        diff = found.told(
            self._store.changes(unknown),
            self._store.changes(held),
            {"unknown": self._store.count_changes(unknown), "held": self._store.count_changes(held)},
        )
        return replace(diff, along=along_with(self._store, diff.orders))

    def _edits_after(self, planned: Plan) -> list[Order]:
        """The edits of records that are brought back: they are sent once the record is there, and has been read."""
        orders = (order for wave in planned.waves for order in wave.orders)
        return [
            self._stamped(Order(each.schema, replace(each.change, operation=Operation.UPDATE, edits=each.change.later)))
            for each in orders
            if each.change.later
        ]

    def _wave_calls(self, wave: Wave, disputed: Collection[str], above: Sequence[Order], *, now_above: bool) -> int:
        """API calls for a wave, with those that `Org.cost` does not know of. What is in `disputed` is only read.

        What is `above` is read again with the first wave.
        """
        looked = {each.change.number for each in above}
        unseen = [each for each in self._unseen.among(wave.orders) if each.change.number not in looked]
        looks = _reads([*unseen, *(above if now_above else ())])
        sent = [each for each in wave.orders if not is_asked(each.change, disputed)]
        # Deleted records are read again.
        tombstones = _reads(each for each in sent if each.change.operation is Operation.DELETE)
        return (self._org.cost([self._made(each) for each in sent]) if sent else 0) + looks + tombstones

    def _made(self, order: Order) -> Order:
        """The order as it is when it is sent: a record that an earlier wave makes has a stamp by then."""
        made_before = order.change.local and order.change.operation is not Operation.CREATE
        return self._stamped(order) if made_before else order

    def _stamped(self, order: Order) -> Order:
        return Order(order.schema, replace(order.change, stamp=format_datetime(self._clock.now())))


def _reads(orders: Iterable[Order]) -> int:
    """How many calls bring the records of these."""
    counts = Counter((each.schema.name, each.schema.records_together) for each in orders)
    return sum(-(-count // together) for (_, together), count in counts.items())
