"""Writing one record by its own resource: for what cannot stand in a composite call."""

from __future__ import annotations

import msgspec
from msgspec import Struct

from salesforce_sync.api import query, rest
from salesforce_sync.api.transport import Answer, Call
from salesforce_sync.api.write_parts import condition, headers_of, stamp_of
from salesforce_sync.api.write_values import record
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Lost, Outcome
from salesforce_sync.models.page import Priority
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.ports import Order


def record_path(order: Order) -> str:
    """The record's own resource."""
    return f"sobjects/{query.identifier(order.schema.name)}/{from_org(order.change.record_id)}"


def has_to_be_looked_at(order: Order) -> bool:
    """Whether its call has no condition: a deletion never has one, an update only with a stamp."""
    operation = order.change.operation
    return operation is Operation.DELETE or (operation is Operation.UPDATE and stamp_of(order) is None)


class Single(Struct, frozen=True):
    """One call for one order, and how its answer is read."""

    order: Order

    def call(self) -> Call:
        """The call; an update has its condition."""
        order, doing = self.order, f"write a change of {self.order.schema.name}"
        headers = headers_of([order])
        match order.change.operation:
            case Operation.CREATE:
                path, method, body = f"sobjects/{query.identifier(order.schema.name)}", "POST", record(order)
            case Operation.UPDATE:
                path, method, body = record_path(order), "PATCH", record(order)
                headers += condition(order)
            case _:
                return Call(doing, record_path(order), "DELETE", headers, priority=Priority.PUSH)
        return Call(doing, path, method, headers, msgspec.json.encode(body), priority=Priority.PUSH)

    def outcome(self, answer: Answer) -> Outcome:
        """What a good answer means."""
        change = self.order.change
        if change.operation is not Operation.CREATE:
            return Applied(change, change.record_id)
        made = rest.read_id(answer.body)
        return Lost(change, "The org's answer to a create has no id.") if made is None else Applied(change, made)
