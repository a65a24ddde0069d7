"""The look before: whether records are as they were when the edits were made, for ways that know no condition."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from salesforce_sync.api import composite, write_route
from salesforce_sync.api.composite import CompositeAnswer
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import Row
from salesforce_sync.api.transport import Transport
from salesforce_sync.api.write_outcomes import Fit, RowError, gone, outcome_of, read_error
from salesforce_sync.api.write_parts import edited, stamp_of, stored_row
from salesforce_sync.api.write_reads import retrieve, retrieved
from salesforce_sync.errors import Transient
from salesforce_sync.models import values
from salesforce_sync.models.outcome import Conflicted, Deferred, Outcome
from salesforce_sync.models.page import Priority
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Order

Outcomes = tuple[Outcome, ...]


def looked(transport: Transport, orders: Sequence[Order]) -> tuple[list[Order], Outcomes]:
    """The orders whose records are as they were, and the outcomes of the others."""
    groups = write_route.look_parts(orders)
    told: dict[int, Outcome] = {}
    for start in range(0, len(groups), composite.MAX_QUERIES):
        for group in _look(transport, groups[start : start + composite.MAX_QUERIES]):
            told |= group
    kept = [order for order in orders if order.change.number not in told]
    return kept, tuple(told.values())


def _look(transport: Transport, groups: Sequence[Sequence[Order]]) -> Iterator[dict[int, Outcome]]:
    """By the changes' numbers, what must not be sent, one call for five groups."""
    schemas = [looked_schema(group) for group in groups]
    parts = [retrieve(f"look{number}", schema, groups[number]) for number, schema in enumerate(schemas)]
    everything = [order for group in groups for order in group]
    purpose = Purpose("look at records before they are written", Priority.PUSH)
    try:
        answer = composite.ask(transport, parts, purpose)
    except Transient as error:
        yield {order.change.number: Deferred(order.change, error.code, error.message) for order in everything}
        return
    for number, (group, schema) in enumerate(zip(groups, schemas, strict=True)):
        rows = retrieved(answer, f"look{number}", schema, group)
        if rows is None:
            yield {order.change.number: _unseen(order, answer, f"look{number}", transport.said) for order in group}
            continue
        found = [(order, conflict(order, schema, rows[from_org(order.change.record_id)])) for order in group]
        yield {order.change.number: outcome for order, outcome in found if outcome is not None}


def _unseen(order: Order, answer: CompositeAnswer, reference: str, fit: Fit) -> Outcome:
    """What becomes of an order whose record could not be looked at."""
    part = answer.parts.get(reference)
    if part is None or part.status < 400 or part.status >= 500 or part.status == 401:
        return Deferred(order.change, "SERVER_UNAVAILABLE", "The record could not be looked at before.")
    return outcome_of(order.change, read_error(part.body, part.status, fit))


def looked_schema(orders: Sequence[Order]) -> ObjectSchema:
    """What is looked at before: the stamp, or where there is none the fields that are written."""
    schema = orders[0].schema
    if schema.stamp is not None and all(stamp_of(each) is not None for each in orders):
        return schema.only(schema.stamp)
    return schema.only(*edited(orders), *([schema.stamp] if schema.stamp else []))


def conflict(order: Order, schema: ObjectSchema, row: Row | None) -> Outcome | None:
    """The outcome of an order that must not be sent, since its record is not as it was; None where it may be."""
    if row is None:
        return gone(order.change, RowError("NOT_FOUND", "The org has no such record."))
    told: dict[str, Stored] = stored_row(schema, row)
    known, stamp = stamp_of(order), order.schema.stamp
    if known is not None and stamp is not None:
        now = told.get(stamp)
        same = isinstance(now, str) and now == values.format_datetime(known)
        return None if same else Conflicted(order.change)
    return Conflicted(order.change) if order.replaced(told) else None
