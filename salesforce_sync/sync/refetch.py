"""Records that a push has touched, read again and merged: what triggers, formulas and the org's stamps made of them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing

from salesforce_sync.errors import Incomplete, LocatorExpired, ObjectTrouble, SchemaChanged
from salesforce_sync.models.outbox import Operation
from salesforce_sync.models.outcome import Applied, Conflicted, Outcome, not_shown
from salesforce_sync.models.page import Page, Priority, PullRequest, Rows
from salesforce_sync.models.proof import Cause
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.signals import drift
from salesforce_sync.sync.clocks import compare_clocks

log = logging.getLogger(__name__)

Row = tuple[object, ...]
IsOwn = Callable[[ObjectSchema, Sequence[Row]], Collection[str]]


def of_nobody(schema: ObjectSchema, rows: Sequence[Row]) -> Collection[str]:
    """None of them."""
    return ()


class Refetch:
    """Gathers what is to be read again of one wave, and merges it with as few calls as there can be."""

    def __init__(self, org: Org, store: Store, clock: Clock, is_own: IsOwn = of_nobody) -> None:
        """`is_own` tells of which rows, that are to be deleted, this push has caused the last change itself."""
        self._org = org
        self._is_own = is_own
        self._store = store
        self._clock = clock
        self._brought: defaultdict[str, list[Row]] = defaultdict(list)
        self._wanted: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self.unread: dict[str, ObjectTrouble] = {}
        """Objects that the org does not let be read, and why."""
        self.told: dict[tuple[str, str], Problem] = {}
        """By object and record, what was found out about a change that the org has taken."""
        self.described: dict[str, ObjectSchema] = {}
        """Objects that had to be described anew, as they are by now."""
        self._written: defaultdict[str, set[str]] = defaultdict(set)
        self._to_be_deleted: defaultdict[str, set[str]] = defaultdict(set)

    def note(self, outcomes: Iterable[Outcome]) -> None:
        """Take what these answers brought, or ask for."""
        for outcome in outcomes:
            match outcome:
                case Applied(change=change, row=row) if row is not None:
                    self._brought[change.object_name].append(row)
                # Deletions, too: the next pull would else bring each tombstone's new stamp as a change.
                case Applied(change=change, record_id=record_id):
                    self._wanted[change.object_name][record_id] = None
                    if change.operation is not Operation.DELETE:
                        self._written[change.object_name].add(record_id)
                case Conflicted(change=change) if not change.local:
                    self._wanted[change.object_name][change.record_id] = None
                    if change.operation is Operation.DELETE:
                        self._to_be_deleted[change.object_name].add(change.record_id)

    def want(self, records: Iterable[tuple[str, str]]) -> None:
        """Read these again: objects and ids."""
        for name, record_id in records:
            self._wanted[name][record_id] = None

    def merge_brought(self, schemas: Mapping[str, ObjectSchema]) -> Iterator[tuple[str, int]]:
        """Merge the rows that came with the answers; gives how many rows of each object changed."""
        brought, self._brought = self._brought, defaultdict(list)
        for name, rows in brought.items():
            schema = schemas[name]
            request = PullRequest(schema, ids=tuple(str(row[0]) for row in rows), priority=Priority.PUSH)
            self._store.begin(request)
            self._store.stage(Page(schema, Rows(rows), "pushed", None, len(rows), last=True))
            yield name, self._store.merge(name, None).changed

    def merge_wanted(self, schemas: Mapping[str, ObjectSchema]) -> Iterator[tuple[str, int]]:
        """Read and merge the rest; what the org does not show any more is taken out, or waits in the inbox."""
        wanted, self._wanted = self._wanted, defaultdict(dict)
        for name, ids in wanted.items():
            try:
                yield name, self._read(schemas[name], tuple(ids))
            except ObjectTrouble as trouble:
                self.unread[name] = trouble

    def _read(self, schema: ObjectSchema, ids: Sequence[str]) -> int:
        try:
            return self._read_once(schema, ids)
        except LocatorExpired as ended:
            log.info("%s: %s; asked anew", schema.name, ended.message)
        except SchemaChanged:
            schema = self._describe(schema)
        return self._read_once(schema, ids)

    def _describe(self, before: ObjectSchema) -> ObjectSchema:
        """A field was taken out of the org, or hidden, since the object was described: it is read without it."""
        now = self._org.describe(before.name)
        moved = drift(before, now)
        if moved is not None and moved.removed:
            log.warning("%s goes on without %s, which the org shows no more.", now.name, ", ".join(moved.removed))
        self._store.adopt(now)
        self.described[now.name] = now
        return now

    def _read_once(self, schema: ObjectSchema, ids: Sequence[str]) -> int:
        request = PullRequest(schema, ids=tuple(ids), priority=Priority.PUSH)
        self._store.begin(request)
        shown: set[str] = set()
        to_be_deleted, held = self._to_be_deleted.get(schema.name, set()), []
        last = False
        with closing(self._org.pull(request)) as pages:
            for page in pages:
                assert isinstance(page.body, Rows)  # records that are asked for by id never come as a file
                shown.update(str(row[0]) for row in page.body.values)
                held += [row for row in page.body.values if row[0] in to_be_deleted]
                self._store.stage(page)
                last = page.last
        if not last:
            # A record that only did not arrive would be taken for one that is gone.
            raise Incomplete(f"{schema.name}: reading records again ended before the last page.", hint="Sync again.")
        compare_clocks(self._org, self._store, self._clock)
        merged = self._store.merge(schema.name, None, own=self._is_own(schema, held) if held else ())
        self.told |= {(schema.name, key): problem for key, problem in merged.over.items()}
        gone = [each for each in ids if each not in shown]
        unshown = self._written.pop(schema.name, set()).intersection(gone)
        self.told |= {(schema.name, each): not_shown(each) for each in unshown}
        return merged.changed + (self._store.set_aside(schema.name, gone, Cause.HIDDEN) if gone else 0)
