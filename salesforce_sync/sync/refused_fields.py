"""`RefusedFields`: fields that the org describes and refuses to read: left out, and tried again once a day."""

from __future__ import annotations

from contextlib import closing

from salesforce_sync.errors import ObjectTrouble, SchemaChanged, Transient, Unreachable
from salesforce_sync.models.page import PullRequest
from salesforce_sync.models.schema import ObjectSchema, Refusal
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.sync.schedule import Rules, refused_are_due


class RefusedFields:
    """The fields of one run's objects that the org refuses to read.

    Holds nothing but the names of the objects of which it has refused one in this run: they are not tried twice.
    """

    def __init__(self, org: Org, store: Store, clock: Clock, rules: Rules) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._rules = rules
        self._tried: set[str] = set()

    def are_due(self, known: ObjectSchema) -> bool:
        """Whether the org should be asked for them once more."""
        return known.name not in self._tried and refused_are_due(known, self._rules, self._clock.now())

    def left_out(self, schema: ObjectSchema, column: str) -> ObjectSchema:
        """The schema without this field, which has just been refused; the same one if it has none of this name."""
        self._tried.add(schema.name)
        now, bare = self._clock.now(), schema.without(column)
        return schema.refusing(*(Refusal(name, now, now) for name in bare.refused if name not in schema.refused))

    def readable(self, found: ObjectSchema) -> ObjectSchema:
        """What was described, without the fields that were refused before, and are still."""
        known = self._store.schema(found.name)
        asked = () if known is None else found.read_as(known).left_out
        return found.refusing(*self._refused(found, asked))

    def _refused(self, schema: ObjectSchema, asked: tuple[Refusal, ...]) -> tuple[Refusal, ...]:
        """Those of these fields that the org refuses to read; one call, and one more for each that it refuses."""
        refused: list[Refusal] = []
        while asked:
            column = self._refused_one(schema, asked)
            if column is None:
                break
            self._tried.add(schema.name)
            # Where the org does not say which field it is, it may be any of them.
            those = [each for each in asked if each.field.casefold() == column.casefold()] or asked
            refused += those
            asked = tuple(each for each in asked if each not in those)
        now = self._clock.now()
        return tuple(Refusal(each.field, each.since or now, now) for each in refused)

    def _refused_one(self, schema: ObjectSchema, asked: tuple[Refusal, ...]) -> str | None:
        """Which of these fields the org refuses to read, empty if it does not say; None where it reads them all."""
        try:
            self._read_some(schema, [each.field for each in asked])
        except Unreachable:
            raise
        except SchemaChanged as refused:
            return refused.column
        except (ObjectTrouble, Transient):
            return ""
        return None

    def _read_some(self, schema: ObjectSchema, names: list[str]) -> None:
        """Have the org read these fields of the newest rows, or of any: whether it does is all that is asked."""
        checkpoint, stamp = self._store.checkpoint(schema.name), schema.stamp
        since = None if checkpoint is None or stamp is None else checkpoint.until
        asked = schema.only(*names, *([] if stamp is None else [stamp]))
        with closing(self._org.pull(PullRequest(asked, since=since, jobs=False))) as pages:
            for page in pages:
                page.drop()
                return
