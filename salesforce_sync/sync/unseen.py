"""Which changes were made on rows that may have changed since without their stamps telling it. Reads the store alone.

A stamp has whole seconds: what somebody writes after a row was read, but within the second of its stamp, leaves the
stamp as it is, and so passes every condition. A row that was read well after its second is sure. Of an object without
any stamp no row is; nor is a row of which a column was edited that is still to be filled, or was filled while the org
did not show the row.

Nor is the row of a deletion beneath which a conflict is open: the condition holds what the org has by now, and would
let the deletion take along what nobody has decided about.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from salesforce_sync.models.change import Doubt
from salesforce_sync.models.outbox import Kind, Operation
from salesforce_sync.models.values import parse_datetime
from salesforce_sync.ports import Order, Store

MARGIN = timedelta(seconds=5)
"""How much later than its stamp a row must have been read: the org's servers do not all tell the same time."""


class _Read(Struct, frozen=True):
    """How far the rows of an object have been read."""

    at: datetime | None
    doubt: Doubt | None
    unfilled: frozenset[str]
    """The columns that do not have the org's values yet."""
    all_again: bool
    """Whether every row is to be read: a column may be empty of which nobody knows whether it is in the org."""

    def is_sure(self, stamp: datetime) -> bool:
        """Whether no row with this stamp can have changed since within its second."""
        if self.at is None or stamp + MARGIN > self.at:
            return False
        return self.doubt is None or not self.doubt.since <= stamp <= self.doubt.until


class Unseen:
    """Asks for one push. What is known of an object does not change while the push holds it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read: dict[str, _Read] = {}

    def among(self, orders: Iterable[Order]) -> list[Order]:
        """Updates and deletions of records whose rows here may be older than they look.

        Updates of objects without a stamp are not among them: `Org.write` itself holds those against their bases.
        """
        there = [each for each in orders if not each.change.local]
        disputed = self.disputed(there)
        return [each for each in there if each.change.record_id in disputed or self._may_have_changed(each)]

    def disputed(self, orders: Iterable[Order]) -> set[str]:
        """The records that are to be deleted, and of which a conflict is open."""
        deleted = [each.change.record_id for each in orders if each.change.operation is Operation.DELETE]
        asked = self._store.inbox(records=deleted) if deleted else ()
        return {each.record_id for each in asked if each.kind is Kind.CONFLICT}

    def _may_have_changed(self, order: Order) -> bool:
        change, stamped = order.change, order.schema.change_stamp is not None and order.change.stamp is not None
        match change.operation:
            case Operation.UPDATE:
                return stamped and not self._is_sure(order)
            case Operation.DELETE:
                return not stamped or not self._is_sure(order)
        return False

    def _is_sure(self, order: Order) -> bool:
        read, edits = self._how_read(order.schema.name), order.change.edits
        if any(edit.field in read.unfilled or (read.all_again and edit.base is None) for edit in edits):
            return False
        empty = any(edit.base is None for edit in edits)
        if empty and self._store.is_missed(order.schema.name, order.change.record_id):
            return False
        try:
            return read.is_sure(parse_datetime(order.change.stamp or ""))
        except ValueError:
            return False

    def _how_read(self, name: str) -> _Read:
        if name not in self._read:
            checkpoint = self._store.checkpoint(name)
            at = None if checkpoint is None else checkpoint.read_at
            unfilled = frozenset(self._store.unfilled(name))
            all_again = checkpoint is not None and checkpoint.until is None and not unfilled
            self._read[name] = _Read(at, self._store.doubt(name), unfilled, all_again)
        return self._read[name]
