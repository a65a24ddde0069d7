"""`Schemas`: what the org describes, taken up: new columns filled, and fields left out that it refuses to read."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import timedelta

from salesforce_sync.errors import (
    BudgetSpent,
    DescribeRefused,
    ObjectNotFound,
    ObjectTrouble,
    SchemaChanged,
    SyncError,
    Transient,
    Unreachable,
)
from salesforce_sync.models.page import Poll, Polled, Priority, PullRequest
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.signals import Bus, drift
from salesforce_sync.sync.bringing import Bringer
from salesforce_sync.sync.refused_fields import RefusedFields
from salesforce_sync.sync.schedule import Rules, needs_describe, stampless_fields

log = logging.getLogger(__name__)


class Schemas:
    """The schemas of one run's objects.

    Holds nothing but how many rows have values in columns that are new, what the org does not describe, and which
    fields it refuses to read.
    """

    def __init__(self, org: Org, store: Store, clock: Clock, rules: Rules, bus: Bus, bringer: Bringer) -> None:
        """What drifts is told on `bus`."""
        self._org = org
        self._store = store
        self._clock = clock
        self._rules = rules
        self._bus = bus
        self._bringer = bringer
        self._filled: Counter[str] = Counter()
        self._undescribed: dict[str, DescribeRefused] = {}
        self._refused = RefusedFields(org, store, clock, rules)

    def filled(self, object_name: str) -> int:
        """How many rows have got values in new columns since this was asked last."""
        return self._filled.pop(object_name, 0)

    def current(self, object_name: str) -> ObjectSchema:
        """The schema as it is now: of an object that is not polled, nothing else would tell that it has changed.

        Columns are filled that an earlier run has left empty; they may have another type by now.
        """
        known = self._store.schema(object_name)
        if known is None:
            return self.known(object_name)
        each_time = known.stamp is None or not known.queryable or self._is_unread(known.name)
        if each_time or self._store.unfilled(known.name):
            found = self._described_again(known)
            if found is None:
                return known
            if each_time and self._refused.are_due(known):
                return self.adopt(found)
            # Without what is known to be refused: to ask for it once more would begin the filling anew each time.
            return self._take_up(found.read_as(known))
        return self.known(object_name)

    def _is_unread(self, object_name: str) -> bool:
        """Whether an earlier run has described the object and brought none of it."""
        return self._store.checkpoint(object_name) is None and self._store.staged(object_name) is None

    def known(self, object_name: str) -> ObjectSchema:
        """The schema as it was last described; described now, if that was never done, or long ago."""
        known = self._store.schema(object_name)
        if known is None:
            return self.describe(object_name)
        if needs_describe(self._store.described_at(object_name), self._clock.now()):
            found = self._described_again(known)
            return known if found is None else self.adopt(found)
        return known

    def note_undescribed(self, object_name: str, error: SyncError) -> None:
        """The org does not describe an object that is known here, for this reason; this run does not ask again."""
        self._undescribed[object_name] = DescribeRefused.because(object_name, error)

    def undescribed(self, object_name: str) -> DescribeRefused | None:
        """Why this run has not learnt the object's fields; None where it has."""
        return self._undescribed.get(object_name)

    def _described_again(self, known: ObjectSchema) -> ObjectSchema | None:
        """Describe what is known here; None where the org refuses: then its rows come by what is known.

        `ObjectNotFound` if it has none: then it would not give its rows either.
        """
        if known.name in self._undescribed and known.queryable:
            return None
        try:
            return self._described(known.name)
        except (ObjectNotFound, Unreachable):
            raise
        except (ObjectTrouble, Transient) as refused:
            if not known.queryable:
                raise
            log.info("%s goes on by the fields that are known: %s", known.name, refused.message)
            self.note_undescribed(known.name, refused)
            return None

    def describe(self, object_name: str) -> ObjectSchema:
        """Ask the org, and take up what it says; `ObjectNotFound` with the names that it has."""
        return self.adopt(self._described(object_name))

    def _described(self, object_name: str) -> ObjectSchema:
        try:
            return self._org.describe(object_name)
        except ObjectNotFound as error:
            known = [each.name for each in self._org.objects()]
            raise ObjectNotFound.named(object_name, known) from error

    def adopt(self, schema: ObjectSchema) -> ObjectSchema:
        """Take the schema up, and fill the columns that are new; gives what of it can be read.

        What was refused before is asked for by itself: to have its column for that long would tell of a new field.
        """
        return self._take_up(self._refused.readable(schema))

    def _take_up(self, schema: ObjectSchema) -> ObjectSchema:
        self._keep_schema(schema)
        try:
            return self._filled_up(schema)
        except SchemaChanged as changed:
            log.info("%s: %s; describing it again", schema.name, changed)
            schema = self._refused.readable(self._described(schema.name))
            self._keep_schema(schema)
            return self._filled_up(schema)

    def _filled_up(self, schema: ObjectSchema) -> ObjectSchema:
        """Fill the columns that are not filled yet; where all rows come with the next pull, that does."""
        unfilled = self._store.unfilled(schema.name)
        checkpoint = self._store.checkpoint(schema.name)
        if unfilled and schema.stamp is not None and checkpoint is not None:
            schema = self._fill_gained(schema, unfilled)
            renamed = self._store.renamed_from(schema.name, unfilled)
            if renamed:
                log.info("%s: %s may be other fields by now, and are read again", schema.name, ", ".join(renamed))
                schema = self._fill_gained(schema, renamed)
            self._store.filled(schema.name)
        return schema

    def _keep_schema(self, schema: ObjectSchema) -> None:
        self._undescribed.pop(schema.name, None)
        before = self._store.schema(schema.name)
        gained = self._store.adopt(schema)
        if gained:
            log.info("%s has new fields, or others than before: %s", schema.name, ", ".join(gained))
        moved = drift(before, schema)
        if moved is not None:
            self._bus.emit(moved)  # the store has kept it with the schema

    def _fill_gained(self, schema: ObjectSchema, gained: tuple[str, ...]) -> ObjectSchema:
        while gained:
            try:
                changed, _ = self.fill(schema, gained)
                self._filled[schema.name] += changed
                return schema
            except SchemaChanged as refused:
                schema = self.leave_out(schema, refused)
                gained = tuple(name for name in gained if schema.has(name))
        return schema

    def leave_out(self, schema: ObjectSchema, refused: SchemaChanged) -> ObjectSchema:
        """Go on without the field that the org describes and refuses to read; its old values stay."""
        readable = self._refused.left_out(schema, refused.column)
        if readable == schema:
            raise refused
        log.warning("%s: the org describes %s and refuses to read it; left out", schema.name, refused.column)
        self._keep_schema(readable)
        return readable

    def try_refused(self, object_name: str) -> None:
        """Ask once more, where that is due, for fields that the org has refused to read; those that come are filled.

        Two calls, and one more for each of several that are refused still. Where none is left for it, it waits.
        """
        known = self._store.schema(object_name)
        if known is None or known.stamp is None or not self._refused.are_due(known):
            return  # without a stamp it comes whole, so they are tried before that
        try:
            found = self._described_again(known)
            readable = None if found is None else self._refused.readable(found)
        except BudgetSpent as spent:
            log.info("%s: fields that were refused are tried later: %s", known.name, spent.message)
            return
        if readable is not None:
            self._take_up(readable)

    def refreshes(self, object_name: str) -> bool:
        """Whether the object has values that change without a stamp, and does not come whole each time."""
        schema = self._store.schema(object_name)
        return schema is not None and schema.stamp is not None and bool(stampless_fields(schema, self._rules))

    def refresh(self, object_name: str) -> int:
        """Read the values that change without a stamp (formulas, roll-ups); gives how many rows changed."""
        schema = self.known(object_name)
        try:
            return self._refresh(schema)
        except SchemaChanged as changed:
            log.info("%s: %s; describing it again", schema.name, changed)
            return self._refresh(self.describe(schema.name))

    def _refresh(self, schema: ObjectSchema) -> int:
        columns = stampless_fields(schema, self._rules)
        changed, age = self.fill(schema, columns, Priority.REFRESH) if columns else (0, timedelta(0))
        self._store.note_refresh(schema.name, self._clock.now() - age)
        return changed

    def fill(
        self, schema: ObjectSchema, columns: tuple[str, ...], priority: Priority = Priority.PULL
    ) -> tuple[int, timedelta]:
        """Read only these columns of every row into the rows that are here, or the rest of them after a break.

        Gives how many rows changed, and how long ago the reading was begun.
        """
        request = PullRequest(schema.only(*columns), priority=priority)
        kept, age = self._bringer.begun(request), timedelta(0)
        if kept is None:
            self._bringer.stage(request)
        else:
            age = self._bringer.age(request)
            self._bringer.go_on(request, kept, schema.stamp)
        return self._store.merge_columns(request), age


def news_of(poll: Poll, polled: Polled) -> ObjectSchema | None:
    """The describe, if it tells anything that is not known.

    An org that cannot say that it is unchanged tells it in each poll, with the fields that it has refused to read: by
    its date it is the one in which they were refused.
    """
    found, known = polled.schema, poll.schema
    if found is None or polled.described_as is None or polled.described_as != poll.described_as:
        return found
    return None if found.read_as(known) == known else found
