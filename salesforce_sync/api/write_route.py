"""Which way changes go to the org, and what that costs in API calls. Pure.

Three ways, the safest first. *Parts*: single requests in one composite call, each on a condition, and read again in
the same call. *Collections*: 200 rows a part, after a look at all stamps. *Bulk*: a job. The cheapest is taken; where
two cost the same, the safer one. Limits: section 6 and 7 of the API facts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from itertools import groupby

from msgspec import Struct, field

from salesforce_sync.api.composite import MAX_PARTS, MAX_QUERIES
from salesforce_sync.api.route import EXPECTED_POLLS
from salesforce_sync.api.write_parts import stamp_of
from salesforce_sync.api.write_single import has_to_be_looked_at
from salesforce_sync.api.write_values import fits_bulk, fits_composite
from salesforce_sync.models.outbox import Operation
from salesforce_sync.ports import Order

ROWS_A_PART = 200
"""The most rows of one collection, and of one SOAP undelete; a Bulk job works on so many at a time, too."""

LOOKED_UP_A_PART = 2000
"""Ids that one collection retrieve takes."""

MAX_WEIGHT = 4_000_000
"""Bytes, about, of one call's body: its answer is held in memory, and so is the org's work on it."""

JOB_ROWS, JOB_WEIGHT = 100_000, 60_000_000
"""Rows and bytes, about, of one Bulk job."""

UPDATE_PARTS = MAX_QUERIES - 2
"""Collections of one call that write, where the same call reads the rows before and after."""

DELETE_TYPES = 10
"""How often the object may change within one collection."""

BULK_CALLS = 4 + EXPECTED_POLLS
"""Create, upload, close, some looks, and the rows that were taken or refused."""


class Way(StrEnum):
    """How changes go."""

    PARTS = "parts"
    COLLECTIONS = "collections"
    BULK = "bulk"
    ALONE = "alone"
    """One record by its own resource: for what cannot stand in a composite call."""
    UNDELETE = "undelete"


class Step(Struct, frozen=True):
    """Orders that go one way, one after the other; so many `rows` in one collection at the most."""

    way: Way
    orders: tuple[Order, ...]
    rows: int = ROWS_A_PART


def plan(orders: Sequence[Order], rows: int = ROWS_A_PART) -> tuple[Step, ...]:
    """The steps that bring all orders over; each of `PARTS` is one call."""
    steps: list[Step] = []
    waiting: list[Order] = []
    for run in _runs(orders):
        for step in _routed(run, min(rows, ROWS_A_PART)):
            if step.way is Way.PARTS:
                waiting += step.orders
                continue
            steps += [*calls_of_parts(waiting), step]
            waiting = []
    return (*steps, *calls_of_parts(waiting))


def cost(orders: Sequence[Order], rows: int = ROWS_A_PART) -> int:
    """API calls for all of it, with looking at stamps before and reading again after."""
    return _cost(plan(orders, rows))


def _cost(steps: Sequence[Step]) -> int:
    # All that has to be read again is read together, when everything is written.
    untold = [order for step in steps if _is_untold(step) for order in step.orders]
    return sum(map(_writing, steps)) + _read_again(untold)


def _writing(step: Step) -> int:
    match step.way:
        case Way.PARTS:
            return look_calls(unconditional(step.orders)) + 1
        case Way.ALONE:
            return sum(map(has_to_be_looked_at, step.orders)) + len(step.orders)
        case Way.UNDELETE:
            return len(cut(step.orders, step.rows))
        case Way.COLLECTIONS:
            return look_calls(step.orders) + len(collection_calls(step.orders, step.rows))
    return len(cut(step.orders, JOB_ROWS, JOB_WEIGHT)) * BULK_CALLS + look_calls(step.orders)


def _is_untold(step: Step) -> bool:
    """Whether the calls that write do not show what the org has made of the records. (Deletions are not counted.)"""
    match step.way, step.orders[0].change.operation:
        case Way.PARTS, _:
            return False
        case Way.COLLECTIONS, operation:
            return operation is Operation.CREATE
        case _, operation:
            return operation is not Operation.DELETE


# ── runs: orders that may share calls ────────────────────────────────────────────────────────────────────────────


def _runs(orders: Sequence[Order]) -> Iterator[list[Order]]:
    """Orders of one kind. Those of one object stay in their order, and nothing passes a deletion."""
    for removes, some in groupby(orders, key=_removes):
        if removes:
            yield from (list(run) for _, run in groupby(some, key=lambda each: each.change.operation))
            continue
        by_object: dict[str, list[Order]] = {}
        for order in some:
            by_object.setdefault(order.schema.name, []).append(order)
        for same in by_object.values():
            yield from (list(run) for _, run in groupby(same, key=_kind))


def _removes(order: Order) -> bool:
    return order.change.operation in (Operation.DELETE, Operation.UNDELETE)


def _kind(order: Order) -> tuple[Operation, bool]:
    return order.change.operation, order.change.allow_duplicates


def _routed(run: list[Order], rows: int) -> Iterator[Step]:
    """The run, by the cheapest way; what Bulk would store otherwise than REST goes beside it.

    Nothing goes by Bulk where fewer rows are to be saved together than it does.
    """
    if run[0].change.operation is Operation.UNDELETE:
        yield Step(Way.UNDELETE, tuple(run), rows)
        return
    fit = [order for order in run if fits_bulk(order)]
    if rows == ROWS_A_PART and _same_object(run) and _is_cheapest(Way.BULK, fit):
        yield Step(Way.BULK, tuple(fit))
        rest = [order for order in run if not fits_bulk(order)]
        if rest:
            yield from _routed_by_rest(rest, rows)
        return
    yield from _routed_by_rest(run, rows)


def _routed_by_rest(run: list[Order], rows: int) -> Iterator[Step]:
    together = [order for order in run if fits_composite(order)]
    if together:
        way = min((Way.PARTS, Way.COLLECTIONS), key=lambda way: _price(way, together, rows))
        yield Step(way, tuple(together), rows)
    if len(together) < len(run):
        yield Step(Way.ALONE, tuple(order for order in run if not fits_composite(order)))


def _same_object(run: list[Order]) -> bool:
    return len({order.schema.name for order in run}) == 1


def _is_cheapest(way: Way, run: list[Order]) -> bool:
    others = (each for each in (Way.PARTS, Way.COLLECTIONS, Way.BULK) if each is not way)
    return bool(run) and _price(way, run) < min(_price(each, run) for each in others)


def _price(way: Way, run: list[Order], rows: int = ROWS_A_PART) -> int:
    return _cost(calls_of_parts(run) if way is Way.PARTS else [Step(way, tuple(run), rows)])


def _read_again(orders: Sequence[Order]) -> int:
    """Calls that bring these records by their ids."""
    counts = Counter(each.schema.name for each in orders)
    together = {each.schema.name: each.schema.records_together for each in orders}
    return sum(-(-count // together[name]) for name, count in counts.items())


# ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Call(Struct):
    """A composite call that is being filled."""

    orders: list[Order] = field(default_factory=list)
    updated: dict[str, int] = field(default_factory=dict)
    other_parts: int = 0
    other_queries: int = 0
    weight: int = 0

    def takes(self, order: Order) -> bool:
        """Whether the order still has room; then it is in."""
        if self.orders and self.orders[0].change.allow_duplicates != order.change.allow_duplicates:
            return False
        updated, parts, queries = dict(self.updated), self.other_parts, self.other_queries
        match order.change.operation:
            case Operation.CREATE:
                parts += 2
            case Operation.UPDATE:
                updated[order.schema.name] = updated.get(order.schema.name, 0) + 1
            case _:
                parts, queries = parts + 3, queries + 1
        if parts + sum(map(update_parts, updated.values())) > MAX_PARTS:
            return False
        if queries + sum(2 for count in updated.values() if count > 1) > MAX_QUERIES:
            return False
        if self.orders and self.weight + weight(order) > MAX_WEIGHT:
            return False
        self.updated, self.other_parts, self.other_queries = updated, parts, queries
        self.weight += weight(order)
        self.orders.append(order)
        return True


def update_parts(count: int) -> int:
    """Parts that so many updates of one object take: each its own, and reading all before and after."""
    return count + 2


def calls_of_parts(orders: Iterable[Order]) -> list[Step]:
    """The orders in steps that are one composite call each."""
    calls: list[_Call] = []
    for order in orders:
        if not calls or not calls[-1].takes(order):
            calls.append(_Call())
            calls[-1].takes(order)
    return [Step(Way.PARTS, tuple(call.orders)) for call in calls]


def collection_calls(orders: Sequence[Order], rows: int = ROWS_A_PART) -> list[list[list[Order]]]:
    """The orders of one kind by calls, and within by collections of so many rows at the most."""
    most = UPDATE_PARTS if orders[0].change.operation is Operation.UPDATE else MAX_QUERIES
    parts = cut(orders, rows, MAX_WEIGHT, DELETE_TYPES)
    calls: list[list[list[Order]]] = []
    weights: list[int] = []
    for part in parts:
        heavy = sum(map(weight, part))
        if not calls or len(calls[-1]) == most or weights[-1] + heavy > MAX_WEIGHT:
            calls.append([])
            weights.append(0)
        calls[-1].append(part)
        weights[-1] += heavy
    return calls


def look_parts(orders: Sequence[Order]) -> list[list[Order]]:
    """The orders whose rows have to be looked at before, by the collections that read them."""
    if not orders or orders[0].change.operation is Operation.CREATE:
        return []
    by_object: dict[str, list[Order]] = {}
    for order in orders:
        by_object.setdefault(order.schema.name, []).append(order)
    return [part for same in by_object.values() for part in cut(same, LOOKED_UP_A_PART)]


def unconditional(orders: Sequence[Order]) -> list[Order]:
    """The updates without a stamp, which could be the condition: they, too, have to be looked at before."""
    return [each for each in orders if each.change.operation is Operation.UPDATE and stamp_of(each) is None]


def look_calls(orders: Sequence[Order]) -> int:
    """Calls of looking at them."""
    return -(-len(look_parts(orders)) // MAX_QUERIES)


def cut(orders: Sequence[Order], rows: int, heaviest: int | None = None, types: int | None = None) -> list[list[Order]]:
    """The orders in pieces that are neither too many, nor too heavy, nor of objects that change too often."""
    pieces: list[list[Order]] = []
    held = changes = 0
    for order in orders:
        heavy = weight(order)
        turns = int(not pieces or pieces[-1][-1].schema.name != order.schema.name)
        full = not pieces or len(pieces[-1]) == rows
        if full or _over(held + heavy, heaviest) or _over(changes + turns, types):
            pieces.append([])
            held, changes, turns = 0, 0, 1
        pieces[-1].append(order)
        held, changes = held + heavy, changes + turns
    return pieces


def _over(value: int, most: int | None) -> bool:
    return most is not None and value > most


def weight(order: Order) -> int:
    """About how many bytes the order's edits have in a body."""
    return 60 + sum(len(each.field) + 6 + _size(each.value) for each in order.change.edits)


def _size(value: object) -> int:
    return len(value.encode("utf-8", "surrogatepass")) if isinstance(value, str) else 8
