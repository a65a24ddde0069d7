"""`Doubts`: rows that may have changed within the second of their stamp, after they were read.

A transaction that is still open when its rows are read keeps the second that it began in. Once it ends, a row that had
been saved in that same second before has other values, and the stamp that is here already. Pages of few rows come whole
again while they are younger than the overlap; many rows are compared by stamp meanwhile, and read once more when
no transaction of their second can be open.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from salesforce_sync.models.change import Checkpoint, Doubt, LossLimit
from salesforce_sync.models.page import Priority, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Store
from salesforce_sync.sync.bringing import Bringer

MOST_DOUBTED = 1_000
"""Rows that a pull reads once more by their ids. With more (a mass update) it is left to the next verify."""


Lose = Callable[[str, int], None]


class Doubts:
    """The doubts about one store's rows. The caller holds the claim on the object."""

    def __init__(self, store: Store, bringer: Bringer, overlap: timedelta, lose: Lose) -> None:
        """`lose` hears how many rows of an object have been taken away."""
        self._store = store
        self._bringer = bringer
        self._overlap = overlap
        self._lose = lose

    def add(self, object_name: str, since: datetime, until: datetime) -> None:
        """Doubt the rows of these stamps, beside those that are doubted already."""
        known = self._store.doubt(object_name)
        self._store.note_doubt(object_name, joined(known, Doubt(since, until)))

    def settle(self, schema: ObjectSchema, loss: LossLimit | None) -> int:
        """Read the rows that have become old enough once more, if they are few; gives how many had changed."""
        ripe = self._ripe(schema)
        if ripe is None:
            return 0
        ids = self._store.ids_between(schema.name, ripe.since, ripe.until, MOST_DOUBTED + 1)
        if len(ids) > MOST_DOUBTED:
            return 0
        changed = self._read(PullRequest(schema, ids=ids), loss) if ids else 0
        self._forget(schema.name, ripe)
        return changed

    def settle_all(self, schema: ObjectSchema, loss: LossLimit | None) -> int:
        """The same for any number of rows."""
        changed = self.settle(schema, loss)
        ripe, checkpoint = self._ripe(schema), self._store.checkpoint(schema.name)
        if ripe is None or checkpoint is None or checkpoint.until is None:
            return changed
        # Back to where a pull of changes would begin: what it merges moves the checkpoint's time of reading.
        since = min(ripe.since, checkpoint.until - self._overlap)
        changed += self._read(PullRequest(schema, since, priority=Priority.VERIFY), loss)
        self._forget(schema.name, ripe)
        return changed

    def _read(self, request: PullRequest, loss: LossLimit | None) -> int:
        pages = self._bringer.stage(request)
        server_time = next((page.server_time for page in pages if page.server_time is not None), None)
        limit = server_time or self._read_at(request.schema.name)
        merged = self._store.merge(request.schema.name, limit, loss)
        self._lose(merged.object_name, merged.deleted)
        return merged.changed

    def _ripe(self, schema: ObjectSchema) -> Doubt | None:
        """The part of the doubt for which every transaction has ended by now."""
        doubt, read_at = self._store.doubt(schema.name), self._read_at(schema.name)
        return None if doubt is None or read_at is None else ripe(doubt, read_at - self._overlap)

    def _read_at(self, object_name: str) -> datetime | None:
        checkpoint: Checkpoint | None = self._store.checkpoint(object_name)
        return None if checkpoint is None else checkpoint.read_at

    def _forget(self, object_name: str, settled: Doubt) -> None:
        doubt = self._store.doubt(object_name)
        self._store.note_doubt(object_name, None if doubt is None else left(doubt, settled.until))


def joined(known: Doubt | None, more: Doubt) -> Doubt:
    """Both doubts, and what lies between them."""
    if known is None:
        return more
    return Doubt(min(known.since, more.since), max(known.until, more.until))


def ripe(doubt: Doubt, over: datetime) -> Doubt | None:
    """The part of the doubt up to `over`; None if there is none."""
    return None if doubt.since > over else Doubt(doubt.since, min(doubt.until, over))


def left(doubt: Doubt, until: datetime) -> Doubt | None:
    """What is left when everything up to `until` is certain."""
    return None if doubt.until <= until else Doubt(until, doubt.until)
