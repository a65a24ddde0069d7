"""Writing by collections: up to 200 rows a part, five parts a call.

A collection knows no condition, so the stamps of all rows are looked at before, and rows that have changed are not
sent. The call itself reads the written fields before it writes, and the whole rows after. It also looks once more at
the rows of the call that follows: of many calls the last one leaves minutes after the first look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from salesforce_sync.api import query
from salesforce_sync.api.composite import CompositeAnswer, Part
from salesforce_sync.api.rows import Row
from salesforce_sync.api.write_look import conflict, looked_schema
from salesforce_sync.api.write_outcomes import Fit, RowError, error_of, gone, outcome_of
from salesforce_sync.api.write_parts import Done, edited, headers_of, judged, stamp_names, stored_row, written
from salesforce_sync.api.write_reads import retrieve, retrieved
from salesforce_sync.api.write_values import record
from salesforce_sync.errors import Misuse
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Lost, Outcome
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Order

_METHODS = {Operation.CREATE: "POST", Operation.UPDATE: "PATCH", Operation.DELETE: "DELETE"}


class _Result(msgspec.Struct):
    success: bool
    id: str | None = None
    errors: list[dict[str, Any]] = []


_RESULTS = msgspec.json.Decoder(list[_Result])


class Ahead(Struct):
    """The orders of the call that follows; `changed` are the outcomes of those that must not be sent any more."""

    orders: Sequence[Order] = ()
    changed: tuple[Outcome, ...] = ()

    @property
    def looks(self) -> bool:
        """Whether there is a record to look at."""
        return bool(self.orders) and self.orders[0].change.operation is Operation.UPDATE

    def see(self, schema: ObjectSchema, rows: Mapping[str, Row | None]) -> None:
        """Take what the org has of these records now; where nothing could be read, what was known before holds."""
        if self.looks and rows:
            found = [conflict(each, schema, rows[from_org(each.change.record_id)]) for each in self.orders]
            self.changed = tuple(each for each in found if each is not None)


class CollectionsCall(Struct, frozen=True):
    """One composite call of collections of one kind, and how its answer is read."""

    collections: Sequence[Sequence[Order]]
    fit: Fit
    ahead: Ahead

    @property
    def orders(self) -> list[Order]:
        """All of the call, in their order."""
        return [order for some in self.collections for order in some]

    @property
    def _updates(self) -> bool:
        return self.orders[0].change.operation is Operation.UPDATE

    @property
    def _narrow(self) -> ObjectSchema:
        """What is read before: the stamp, what is written, and what tells whether the next records have changed."""
        orders = self.orders
        ahead = [each.name for each in looked_schema(self.ahead.orders).columns] if self.ahead.looks else []
        schema = orders[0].schema
        return schema.only(*dict.fromkeys([*edited(orders), *stamp_names(schema), *ahead]))

    @property
    def _read_before(self) -> list[Order]:
        return [*self.orders, *(self.ahead.orders if self.ahead.looks else ())]

    def parts(self) -> list[Part]:
        """The collections; for updates, with their rows read before and after."""
        writes = [_write(some, number) for number, some in enumerate(self.collections)]
        if not self._updates:
            return writes
        orders = self.orders
        before = retrieve("before", self._narrow, self._read_before)
        return [before, *writes, retrieve("after", orders[0].schema, orders)]

    def read(self, answer: CompositeAnswer) -> list[Outcome | None]:
        """The outcome of each order; None where the session ended before it, so that surely nothing was done."""
        before: Mapping[str, Row | None] = {}
        after: Mapping[str, Row | None] = {}
        if self._updates:
            before = retrieved(answer, "before", self._narrow, self._read_before) or {}
            self.ahead.see(self._narrow, before)
            after = retrieved(answer, "after", self.orders[0].schema, self.orders) or {}
        outcomes: list[Outcome | None] = []
        for number, some in enumerate(self.collections):
            for order, outcome in zip(some, self._judged(answer, number, some), strict=True):
                outcomes.append(self._with_rows(order, outcome, before, after))
        return outcomes

    def _judged(self, answer: CompositeAnswer, number: int, orders: Sequence[Order]) -> list[Outcome | None]:
        told = answer.parts.get(f"write{number}")
        if told is None:
            return [Lost(each.change, "The org answered only a part of what it was asked.") for each in orders]
        whole = [judged(told, each, self.fit) for each in orders]
        if not isinstance(whole[0], Done):
            return [None if isinstance(each, Done) else each for each in whole]
        try:
            results = _RESULTS.decode(told.body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            results = []
        if len(results) != len(orders):
            return [Lost(each.change, "The org's answer to a collection cannot be read.") for each in orders]
        return [self._row(order, result) for order, result in zip(orders, results, strict=True)]

    def _row(self, order: Order, result: _Result) -> Outcome | None:
        if not result.success:
            error = error_of(result.errors[0] if result.errors else {}, self.fit)
            return None if error.code == "INVALID_SESSION_ID" else outcome_of(order.change, error)
        if order.change.operation is not Operation.CREATE:
            return Applied(order.change, order.change.record_id)
        try:
            return Applied(order.change, from_org(result.id or ""))
        except Misuse:
            return Lost(order.change, "The org's answer to a create has no id.")

    def _with_rows(
        self,
        order: Order,
        outcome: Outcome | None,
        before: Mapping[str, Row | None],
        after: Mapping[str, Row | None],
    ) -> Outcome | None:
        """The outcome with what the call read of the record."""
        if not self._updates or outcome is None:
            return outcome
        record_id = from_org(order.change.record_id)
        was = before.get(record_id, ())
        if not isinstance(outcome, Applied):
            # A record that is not there has an error that a wrong look-up has, too: only the reading tells.
            return outcome if was is not None else gone(order.change, RowError("NOT_FOUND", ""))
        known = stored_row(self._narrow, was) if was else {}
        return written(order, known, after.get(record_id))


def _write(orders: Sequence[Order], number: int) -> Part:
    """The part that writes one collection."""
    operation, reference = orders[0].change.operation, f"write{number}"
    if operation is Operation.DELETE:
        ids = ",".join(from_org(each.change.record_id) for each in orders)
        return Part(reference, f"composite/sobjects?ids={ids}&allOrNone=false", method="DELETE")
    body = {"allOrNone": False, "records": [_record(order) for order in orders]}
    return Part(reference, "composite/sobjects", headers_of(orders), _METHODS[operation], body)


def _record(order: Order) -> dict[str, object]:
    named: dict[str, object] = {"attributes": {"type": query.identifier(order.schema.name)}}
    if order.change.operation is Operation.UPDATE:
        named["id"] = from_org(order.change.record_id)
    return named | record(order)
