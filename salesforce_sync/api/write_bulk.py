"""What a Bulk job has made of its orders: its result rows, matched by id, or by what was sent. Pure but for reading."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence

from salesforce_sync.api.ingest import Ingest, IngestJob, write_csv
from salesforce_sync.api.write_outcomes import Fit, RowError, outcome_of
from salesforce_sync.api.write_values import cells
from salesforce_sync.errors import JobFailed, Misuse, ObjectTrouble
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Deferred, Lost, Outcome
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.ports import Order

log = logging.getLogger("salesforce_sync.api")

OPERATIONS = {Operation.CREATE: "insert", Operation.UPDATE: "update", Operation.DELETE: "delete"}

_Key = str


def content(orders: Sequence[Order]) -> bytes:
    """The CSV of these orders, all of one kind."""
    columns = list(dict.fromkeys(name for order in orders for name in _row(order)))
    return write_csv(columns, map(_row, orders))


def _row(order: Order) -> dict[str, str]:
    match order.change.operation:
        case Operation.CREATE:
            return cells(order)
        case Operation.DELETE:
            return {"Id": from_org(order.change.record_id)}
    return {"Id": from_org(order.change.record_id), **cells(order)}


def outcomes(ingest: Ingest, job: IngestJob, orders: Sequence[Order], fit: Fit) -> tuple[Outcome, ...]:
    """The outcomes of a job that is over, in the order of the orders; `Deferred` is what it did not come to."""
    if _all_well(job, orders):
        return tuple(Applied(order.change, order.change.record_id) for order in orders)
    found = _Matched(orders)
    for row in _told(ingest, job, "successfulResults"):
        found.taken(row)
    if job.failed != 0:
        for row in _told(ingest, job, "failedResults"):
            found.refused(row, fit)
    if job.complete or not found.waiting:
        return found.all("The Bulk job does not tell what became of the row.")
    why = f"Bulk job {job.id} ended as {job.state}: {job.message or 'no reason was given'}"
    for row in _told(ingest, job, "unprocessedrecords"):
        found.left(row, why)
    if job.processed == 0:
        found.left_all(why)  # an upload that cannot be read as a whole is told of row by row by no org
    return found.all(why)


def _told(ingest: Ingest, job: IngestJob, kind: str) -> Iterator[dict[str, str]]:
    """The rows of a result; none where the org refuses it: what became of the orders has to be looked for then."""
    try:
        yield from ingest.rows(job, kind)
    except ObjectTrouble as refused:
        log.info("The %s of Bulk job %s are not told: %s", kind, job.id, refused.message)


def _all_well(job: IngestJob, orders: Sequence[Order]) -> bool:
    """Whether the numbers alone tell it: then no result need be read, unless it has the ids of new records."""
    creates = orders[0].change.operation is Operation.CREATE
    return job.complete and job.failed == 0 and (job.processed or 0) >= len(orders) and not creates


class _Matched:
    """The orders of a job, and the outcomes that its rows have told."""

    def __init__(self, orders: Sequence[Order]) -> None:
        self._orders = orders
        self._told: dict[int, Outcome] = {}
        self._by_key: dict[_Key, int] = {}
        """The first place of those that are alike; `_next` has the one after it."""
        self._next: dict[int, int] = {}
        for place in range(len(orders) - 1, -1, -1):
            key = _key(_row(orders[place]))
            if key in self._by_key:
                self._next[place] = self._by_key[key]
            self._by_key[key] = place

    @property
    def waiting(self) -> bool:
        """Whether some order has no outcome yet."""
        return len(self._told) < len(self._orders)

    def taken(self, row: dict[str, str]) -> None:
        """A row that the org has taken."""
        for place, order in self._of(row):
            try:
                self._told[place] = Applied(order.change, from_org(row.get("sf__Id") or order.change.record_id))
            except Misuse:
                self._told[place] = Lost(order.change, "The org's answer to a create has no id.")

    def refused(self, row: dict[str, str], fit: Fit) -> None:
        """A row that it has refused."""
        for place, order in self._of(row):
            self._told[place] = outcome_of(order.change, read_row_error(row.get("sf__Error", ""), fit))

    def left(self, row: dict[str, str], why: str) -> None:
        """A row that it did not come to."""
        for place, order in self._of(row):
            self._told[place] = Deferred(order.change, JobFailed.code, why)

    def left_all(self, why: str) -> None:
        """The job came to no row at all."""
        for place, order in enumerate(self._orders):
            self._told.setdefault(place, Deferred(order.change, JobFailed.code, why))

    def all(self, lost: str) -> tuple[Outcome, ...]:
        """One outcome an order: what no row tells of may have been done."""
        return tuple(self._told.get(place) or Lost(each.change, lost) for place, each in enumerate(self._orders))

    def _of(self, row: dict[str, str]) -> Iterator[tuple[int, Order]]:
        """The order that the row is of; of several that are all alike, one."""
        key = _key({name: cell for name, cell in row.items() if not name.startswith("sf__")})
        if key not in self._by_key:
            key = str(row.get("sf__Id"))  # an org that shows a record's id there alone
        place = self._by_key.pop(key, None)
        if place is not None:
            if place in self._next:
                self._by_key[key] = self._next.pop(place)
            yield place, self._orders[place]


def _key(row: dict[str, str]) -> _Key:
    """What tells rows apart: the id, or for new records all that was sent."""
    return row.get("Id") or repr(sorted((name, cell) for name, cell in row.items() if cell))


def read_row_error(text: str, fit: Fit) -> RowError:
    """`CODE:message:fields --` (Bulk API guide, Get Job Failed Record Results)."""
    code, _, rest = text.partition(":")
    message, _, fields = rest.rpartition(":")
    names = _names(fields.strip().removesuffix("--").split(","))
    return RowError(fit(code.strip()), fit((message or rest).strip()), tuple(names))


def _names(parts: Iterable[str]) -> Iterator[str]:
    return (part.strip() for part in parts if part.strip())
