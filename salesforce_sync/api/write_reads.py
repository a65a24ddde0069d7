"""Reading several rows in the very call that writes them: by a collection, which has no pages.

A query may bring fewer rows on its first page than were asked for (REST guide, Query Options; with two long texts in it
200 at most), and what stood on the next page just before the write nobody could read any more.
"""

from __future__ import annotations

from collections.abc import Sequence

from salesforce_sync.api import query
from salesforce_sync.api.composite import CompositeAnswer, Part
from salesforce_sync.api.rows import PageDecoder, Row
from salesforce_sync.errors import SyncError
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Order


def retrieve(reference: str, schema: ObjectSchema, orders: Sequence[Order]) -> Part:
    """The part that reads these orders' rows; POST, because a URL would not hold the ids."""
    body = {
        "ids": [from_org(each.change.record_id) for each in orders],
        "fields": [query.identifier(each.name) for each in schema.columns],
    }
    return Part(reference, f"composite/sobjects/{query.identifier(schema.name)}", method="POST", body=body)


def retrieved(
    answer: CompositeAnswer, reference: str, schema: ObjectSchema, orders: Sequence[Order]
) -> dict[str, Row | None] | None:
    """The rows that the part read, by id: None for a record that is not there. None where nothing could be read."""
    told = answer.parts.get(reference)
    if told is None or not 200 <= told.status < 300:
        return None
    try:
        rows = PageDecoder(schema).records(told.body)
    except SyncError:
        return None
    if len(rows) != len(orders):
        return None
    return {from_org(order.change.record_id): row for order, row in zip(orders, rows, strict=True)}
