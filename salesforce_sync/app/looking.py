"""`SFSync`, looking: what is here, how fresh it is, and what the next sync will cost. No API call."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from salesforce_sync.app.answers import Answer, Budget, Status
from salesforce_sync.app.daemon import DaemonDesk
from salesforce_sync.errors import FieldNotFound
from salesforce_sync.models.run import ObjectStatus
from salesforce_sync.models.usage import DayUsage, Rhythm, Work
from salesforce_sync.settings import DEFAULT
from salesforce_sync.storage.session_log import SessionLog

if TYPE_CHECKING:
    from salesforce_sync.sync.schedule import Rules


_LEFT_OUT = (
    "{name} is not in the org any more, or is hidden from the connected user: its rows stay as they were, and `verify` "
    "leaves it out. `salesforce-sync sync {name}` tries it again."
)


class Looking(DaemonDesk):
    """The replica as it is now."""

    @property
    def session_log(self) -> SessionLog:
        """Where the HTTP API keeps its sync sessions."""
        return self._store.sessions

    def status(self) -> Status:
        """What is here, how fresh it is, and how the last runs went. No API call."""
        # A name that was only ever tried, and may be no object, is not shown for good.
        known = tuple(each for each in self._store.status() if not self._only_tried(each.object_name))
        rules = self._rules()
        shown = tuple(self._without_refresh(each, rules) for each in known)
        waiting = self._store.count_changes(), self._store.count_inbox()
        told = self.config.storage.path, self.connected_to, shown, self.budget(), *waiting
        return Status(*told, self.warnings(), self.daemon_state(), self.sinks())

    def tried(self) -> tuple[ObjectStatus, ...]:
        """Names that a sync has tried and the org has never described, none of them configured: how that ended."""
        return tuple(each for each in self._store.status() if self._only_tried(each.object_name))

    def _only_tried(self, name: str) -> bool:
        wanted = {each.casefold() for each in self.config.sync.objects}
        return name.casefold() not in wanted and self._store.schema(name) is None

    def warnings(self) -> tuple[str, ...]:
        """What the settings name and the replica does not know, as far as it can tell: it has no effect.

        Objects that `verify` leaves out, as the org knows them no more; and what the org has shown, to this process, of
        what it does not do.
        """
        settings = self.config.sync
        named = [("conflicts", name) for name in settings.conflicts if name != DEFAULT]
        named += [("refresh_fields", name) for name in settings.refresh_fields]
        named += [("intervals", name) for name in settings.intervals]
        told = ((setting, name, self._unknown(name)) for setting, name in named)
        ours = tuple(f"sync.{setting} names {name}: {why}" for setting, name, why in told if why)
        gone = tuple(_LEFT_OUT.format(name=name) for name in self.gone())
        return ours + gone + (() if self._org is None else self._org.warnings)

    def _unknown(self, name: str) -> str:
        """Why an `Object` or `Object.Field` of the settings has no effect; empty where it has one, or may have."""
        object_name, _, field = name.partition(".")
        schema = self._store.schema(object_name)
        if schema is None:
            waits = object_name.casefold() in {each.casefold() for each in self.config.sync.objects}
            return "" if waits else f"no object {object_name} is synced here."
        known = [each.name for each in schema.columns]
        if not field or field.casefold() in {each.casefold() for each in known}:
            return ""
        return str(FieldNotFound.named(field, schema.name, known))

    def _without_refresh(self, each: ObjectStatus, rules: Rules) -> ObjectStatus:
        """An object that has nothing to refresh has no age of a refresh."""
        from salesforce_sync.sync.schedule import stampless_fields

        schema = self._store.schema(each.object_name)
        refreshes = schema is None or bool(stampless_fields(schema, rules))
        return each if refreshes else replace(each, refreshed_at=None, refreshes=False)

    def budget(self, *objects: str) -> Budget:
        """The day's API calls, and what the next sync of these objects, or the configured ones, will cost."""
        from salesforce_sync.api import budget
        from salesforce_sync.sync.schedule import near_the_wall

        told, settings, rules = self._told_usage(), self.config.sync, self._rules()
        works = [self._work(name, rules) for name in objects or settings.objects]
        used, limit, told_at = (None, None, None) if told is None else (told.used, told.limit, told.at)
        ceiling = settings.api_calls_per_day if limit is None else min(limit, settings.api_calls_per_day)
        return Budget(
            self.usage.spent,
            used,
            limit,
            ceiling,
            None if used is None else budget.left(used, ceiling),
            told_at,
            near_the_wall(used, ceiling),
            budget.forecast(works),
            budget.day(works, self._rhythm(works)),
        )

    def _told_usage(self) -> DayUsage | None:
        """What the org has last said of the day's calls, to this process or, as it is written down, to another one.

        It is written down at the end of a run, and a first load may take hours.
        """
        stored, heard = self._store.usage(), None if self._org is None else self._org.heard
        return stored if heard is None or (stored is not None and stored.at >= heard.at) else heard

    def _work(self, name: str, rules: Rules) -> Work:
        """What the next sync does with this object."""
        from salesforce_sync.sync.schedule import refresh_is_due, stampless_fields, verify_is_due

        schema = self._store.schema(name)
        checkpoint = None if schema is None else self._store.checkpoint(schema.name)
        if schema is None or checkpoint is None:
            return Work(name if schema is None else schema.name, None)
        ages, now = self._store.ages(schema.name), self._clock.now()
        refreshes = bool(stampless_fields(schema, rules))
        return Work(
            schema.name,
            self._store.count(schema.name),
            polled=checkpoint.until is not None,
            reads_all=checkpoint.until is None,
            refreshes=refreshes,
            refresh_is_due=refreshes and refresh_is_due(ages, rules, now),
            proof_is_due=verify_is_due(ages, rules, now),
        )

    def _rhythm(self, works: Iterable[Work]) -> Rhythm:
        settings, rules = self.config.sync, self._rules()
        intervals = {each.object_name: timedelta(minutes=settings.minutes(each.object_name)) for each in works}
        default = timedelta(minutes=settings.interval_minutes)
        return Rhythm(default, rules.verify_every, rules.refresh_every, intervals)

    def query(self, sql: str, limit: int = 1000, seconds: float = 30.0) -> Answer:
        """Run a read-only SQL statement on the replica; at most `limit` rows.

        `MalformedQuery` says what is wrong, `QueryTimeout` that it ran longer than `seconds`.
        """
        found = self._store.query(sql, limit + 1, seconds)
        read = {schema.name for each in found.tables if (schema := self._store.schema(each)) is not None}
        # Of an object that was never read whole a part of the rows is here, or none.
        unfinished = tuple(sorted(each for each in read if self._store.checkpoint(each) is None))
        return Answer(found.columns, tuple(found.rows[:limit]), len(found.rows) > limit, unfinished)

    def mark(self) -> int:
        """A number that is another one once anything in the database has changed, by whatever process."""
        return self._store.mark()
