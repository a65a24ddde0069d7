"""`Pusher`: the outbox to the org, wave by wave; what was lost on the way before is found first."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from salesforce_sync.errors import RecordNotFound, StoreBusy, StoreTrouble, SyncError
from salesforce_sync.models.outbox import (
    Applied,
    Blocked,
    Change,
    ChangeState,
    Conflicted,
    Deferred,
    Lost,
    Operation,
    Outcome,
    Push,
    PushedChange,
    Rejected,
)
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Order, Org, Store
from salesforce_sync.signals import Bus, PushComplete, RecordsUpdated, Signal, news
from salesforce_sync.sync.plan import Plan, References, Wave, is_sendable, parents, plan
from salesforce_sync.sync.recover import recover
from salesforce_sync.sync.refetch import Refetch, written
from salesforce_sync.sync.undo import Undone, take_back

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a push waits for another run to let go of an object; then its changes wait for the next push."""

LOOK_AGAIN = 0.2
MOST_SENDS = 4
"""How often one push sends a change: its parts, and again after the record was found to have moved."""

MOST_PUSHES = 1000
"""How far back a push is looked for; stores keep fewer."""

ROWS_AT_ONCE = 2000
"""Rows that answers brought, before they are merged."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a push would do now. `unknown`: changes whose last answer was lost; they are looked for first."""

    plan: Plan
    calls: int
    unknown: tuple[Change, ...] = ()


@dataclass(slots=True)
class _Course:
    """One push while it goes on. `ended` holds what became of each change that is not applied.

    `disputed` holds what was in conflict before it was sent again.
    """

    push_id: str
    schemas: Mapping[str, ObjectSchema]
    applied: list[PushedChange] = field(default_factory=list)
    ended: dict[int, PushedChange] = field(default_factory=dict)
    disputed: dict[int, PushedChange] = field(default_factory=dict)
    sends: Counter[int] = field(default_factory=Counter)
    updated: Counter[str] = field(default_factory=Counter)
    without: frozenset[str] = frozenset()
    problem: Problem | None = None


_Work = Callable[[_Course], None]


class Pusher:
    """Sends what is in the outbox. Holds nothing between pushes: what must last is in the store."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus

    def due(self) -> bool:
        """Whether a push has anything to do: something to send, or to look for. No call."""
        now = self._clock.now()
        return any(each.state is ChangeState.SENDING or is_sendable(each, now) for each in self._store.changes())

    def dry_run(self) -> Preview:
        """What `push` would send, wave by wave, and the calls that it would take. Nothing is sent."""
        changes = self._store.changes()
        planned = self._plan(changes, self._schemas(), frozenset())
        calls = sum(self._org.cost(wave.orders) + _tombstone_calls(wave) for wave in planned.waves)
        return Preview(planned, calls, tuple(each for each in changes if each.state is ChangeState.SENDING))

    def push(self) -> Push:
        """Send everything that can be sent. Never raises for trouble with the org: the result says what happened."""
        started, calls = self._clock.monotonic(), self._org.usage.spent
        course = _Course(secrets.token_hex(8), self._schemas())
        news = InboxNews(self._store, self._bus)
        with ExitStack() as claims:
            course.without = self._claim(claims, course)
            self._guarded(course, self._everything)
        ended = self._left(course)
        push = Push(
            course.push_id,
            (*course.applied, *ended),
            self._org.usage.spent - calls,
            self._clock.monotonic() - started,
            course.problem,
        )
        if push.changes or push.problem:
            self._store.record_push(push)
        news.tell()
        self._tell(course, push)
        return push

    def _left(self, course: _Course) -> tuple[PushedChange, ...]:
        """What is not in the org, in the order of the outbox."""
        waiting = {each.number: each for each in self._store.changes()}
        # A conflict that a policy decided for the org, or that was none (both sides made the same change), is over.
        left = (
            each for number, each in sorted(course.ended.items()) if each.outcome != "conflicted" or number in waiting
        )
        # What was not in dispute has been sent, and the rest waits: the change is in the org in part only.
        in_part = (
            each
            for number, each in sorted(course.disputed.items())
            if number in waiting and number not in course.ended and waiting[number].state is ChangeState.PARKED
        )
        return (*left, *in_part)

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as a new push, as far as nobody has changed them since.

        `RecordNotFound` if no such push is known. A create is deleted, a deletion is taken back.
        """
        found = next((each for each in self._store.pushes(MOST_PUSHES) if each.push_id == push_id), None)
        if found is None:
            raise RecordNotFound(f"There is no push {push_id!r}.", hint="'salesforce-sync pushes' lists them.")
        left = take_back(self._store, found)
        return Undone(self.push(), left)

    def recover(self) -> Problem | None:
        """Only find out what became of changes whose answer was lost; a problem, if the org cannot be asked now."""
        if not any(each.state is ChangeState.SENDING for each in self._store.changes()):
            return None
        course = _Course(secrets.token_hex(8), self._schemas())
        with ExitStack() as claims:
            course.without = self._claim(claims, course)
            self._guarded(course, self._recover)
        return course.problem

    def _schemas(self) -> dict[str, ObjectSchema]:
        return {each.name: each for each in self._store.schemas()}

    def _guarded(self, course: _Course, work: _Work) -> None:
        try:
            work(course)
        except StoreTrouble:
            raise
        except SyncError as error:
            log.info("The push %s was stopped: %s", course.push_id, error)
            course.problem = Problem(error.code, error.message, error.hint)

    def _claim(self, claims: ExitStack, course: _Course) -> frozenset[str]:
        """Hold every object that may be written; gives those that somebody else goes on holding."""
        until = self._clock.monotonic() + PATIENCE
        busy: set[str] = set()
        # In the order of their names, whoever claims: two pushes cannot wait for each other.
        for name in written(self._store.changes()):
            while True:
                try:
                    claims.enter_context(self._store.claim(name))
                    break
                except StoreBusy as held:
                    if self._clock.monotonic() >= until:
                        busy.add(name)
                        course.problem = Problem(held.code, held.message, held.hint)
                        break
                    self._clock.sleep(LOOK_AGAIN)
        return frozenset(busy)

    # ── waves ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _everything(self, course: _Course) -> None:
        self._recover(course)
        while True:
            planned = self._plan(self._store.changes(), course.schemas, course.without, course.sends)
            if planned.rejected:
                self._settle(course, planned.rejected)
                continue
            if not planned.waves:
                break
            self._send(course, planned.waves[0].orders)
        for blocked in planned.blocked:
            course.ended[blocked.change.number] = _blocked(blocked)

    def _plan(
        self,
        changes: Sequence[Change],
        schemas: Mapping[str, ObjectSchema],
        without: frozenset[str],
        sends: Counter[int] | None = None,
    ) -> Plan:
        left_out = {
            each.number
            for each in changes
            if each.object_name in without or (sends is not None and sends[each.number] >= MOST_SENDS)
        }
        return plan(changes, schemas, self._clock.now(), self._references(changes, schemas), left_out)

    def _references(self, changes: Sequence[Change], schemas: Mapping[str, ObjectSchema]) -> References:
        """What the rows refer to that are deleted or brought back here."""
        found: dict[str, tuple[str, ...]] = {}
        for name in written(changes):
            moved = (Operation.DELETE, Operation.UNDELETE)
            ids = [each.record_id for each in changes if each.object_name == name and each.operation in moved]
            names = [each.name for each in schemas[name].columns]
            for key, row in (self._store.rows(name, ids) if ids else {}).items():
                found[key] = parents(schemas[name], dict(zip(names, row, strict=True)))  # type: ignore[arg-type]
        return found

    def _send(self, course: _Course, orders: Sequence[Order]) -> None:
        course.sends.update(order.change.number for order in orders)
        refetch = Refetch(self._org, self._store, course.schemas)

        def announce(changes: Sequence[Change], job: str | None) -> None:
            self._store.sending(changes, course.push_id, self._org.time(), job)

        try:
            brought = 0
            for outcomes in self._org.write(orders, announce):
                self._settle(course, outcomes)
                refetch.note(outcomes)
                brought += len(outcomes)
                if brought >= ROWS_AT_ONCE:
                    course.updated.update(dict(refetch.merge_brought()))
                    brought = 0
        finally:
            # What the org has taken is shown here, whatever stopped the rest.
            course.updated.update(dict(refetch.merge_brought()))
        course.updated.update(dict(refetch.merge_wanted()))
        self._leave_out(course, refetch)

    def _leave_out(self, course: _Course, refetch: Refetch) -> None:
        """An object that cannot be read again is left to a later push; the others go on."""
        for trouble in refetch.unread.values():
            log.info("The push %s leaves an object out: %s", course.push_id, trouble)
            course.problem = Problem(trouble.code, trouble.message, trouble.hint)
        course.without = course.without.union(refetch.unread)

    def _recover(self, course: _Course) -> None:
        """Settle what was on its way when the last push ended."""
        changes = [each for each in self._store.changes() if each.object_name not in course.without]
        if not any(each.state is ChangeState.SENDING for each in changes):
            return
        refetch = Refetch(self._org, self._store, course.schemas)
        for outcomes in recover(self._org, changes, course.schemas, self._made_here()):
            # Read again while they still count as sent: what was sent and has arrived is nobody else's change.
            refetch.note(each for each in outcomes if isinstance(each, Conflicted))
            course.updated.update(dict(refetch.merge_wanted()))
            # What could not be read stays on its way: nobody knows whether it has arrived.
            told = [each for each in outcomes if not _is_unread(each, refetch)]
            self._settle(course, told)
            refetch.note(each for each in told if not isinstance(each, Conflicted))
        course.updated.update(dict(refetch.merge_brought()))
        course.updated.update(dict(refetch.merge_wanted()))
        self._leave_out(course, refetch)

    def _made_here(self) -> set[str]:
        """Ids of records that earlier creates of this replica have become."""
        return {
            each.record_id
            for push in self._store.pushes()
            for each in push.changes
            if each.operation is Operation.CREATE and each.outcome == "applied"
        }

    def _settle(self, course: _Course, outcomes: Sequence[Outcome]) -> None:
        self._store.settle(course.push_id, outcomes)
        for outcome in outcomes:
            number = outcome.change.number
            before = course.ended.pop(number, None)
            if before is not None and before.outcome == "conflicted":
                sent = {each.field for each in outcome.change.edits}
                course.disputed[number] = replace(
                    before, edits=tuple(each for each in before.edits if each.field not in sent)
                )
            if isinstance(outcome, Applied):
                course.applied.append(_pushed(outcome))
            else:
                course.ended[number] = _pushed(outcome)

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, course: _Course, push: Push) -> None:
        signals: list[Signal] = []
        changed = self._store.untold([name for name, count in course.updated.items() if count])
        if changed:
            signals.append(RecordsUpdated(sum(count for _, count in changed), changed))
        if push.changes or push.problem:
            applied = push.count("applied")
            signals.append(PushComplete(applied, len(push.changes) - applied))
        tell(self._store, self._bus, signals)


def _is_unread(outcome: Outcome, refetch: Refetch) -> bool:
    """Whether this answer says to read the record again, and that could not be done."""
    change = outcome.change
    return isinstance(outcome, Conflicted) and not change.local and change.object_name in refetch.unread


def _tombstone_calls(wave: Wave) -> int:
    """Calls to read deleted records again, which `Org.cost` does not know of: one an object."""
    return len({each.schema.name for each in wave.orders if each.change.operation is Operation.DELETE})


def tell(store: Store, bus: Bus, signals: Sequence[Signal]) -> None:
    """Keep what happened, then tell it in this process."""
    if not signals:
        return
    try:
        store.tell(signals)
    except StoreTrouble:
        log.exception("Signals could not be kept")  # a full disk must not hide what happened from who listens here
    for signal in signals:
        bus.emit(signal)


class InboxNews:
    """Tells what has come into the inbox since it was made."""

    def __init__(self, store: Store, bus: Bus) -> None:
        self._store = store
        self._bus = bus
        self._known = {each.number for each in store.inbox()}

    def tell(self) -> None:
        """One signal for each item that is new."""
        for item in self._store.inbox():
            if item.number not in self._known:
                self._known.add(item.number)
                self._bus.emit(news(item))  # the store has kept it with the item


def _pushed(outcome: Outcome) -> PushedChange:
    change = outcome.change
    told = change.object_name, change.record_id, change.operation, change.edits
    match outcome:
        case Applied(record_id=record_id):
            return PushedChange(change.object_name, record_id, change.operation, change.edits, "applied")
        case Rejected(code=code, message=message):
            return PushedChange(*told, "rejected", Problem(code, message))
        case Deferred(code=code, message=message):
            return PushedChange(*told, "deferred", Problem(code, message))
        case Lost(message=message):
            hint = "The next push finds out whether the org has it, before anything is sent again."
            return PushedChange(*told, "lost", Problem("NO_ANSWER", message, hint))
        case Conflicted():
            return PushedChange(*told, "conflicted")


def _blocked(blocked: Blocked) -> PushedChange:
    change = blocked.change
    problem = Problem("BLOCKED", f"It waits for {blocked.by}, which is not in the org yet.")
    return PushedChange(change.object_name, change.record_id, change.operation, change.edits, "blocked", problem)
