"""`Pusher`: the outbox to the org, wave by wave; what was lost on the way before is found first."""

from __future__ import annotations

import logging
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from typing import TypeGuard, TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, ObjectTrouble, RecordNotFound, StoreBusy, StoreTrouble, SyncError
from salesforce_sync.models.outbox import Change, ChangeState, Operation, Wanted
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.push import Diff, Push
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import format_datetime
from salesforce_sync.ports import MOST_LISTED, Clock, Order, Org, Store
from salesforce_sync.resolve import writable
from salesforce_sync.signals import Bus, PushComplete, RecordsUpdated, Signal
from salesforce_sync.sync.failures import Failures, sort_of
from salesforce_sync.sync.foretold import Foretold
from salesforce_sync.sync.handing_on import TAKEN, Taking, by_record, emptied, in_order, taking
from salesforce_sync.sync.plan import Plan, Wave, plan
from salesforce_sync.sync.recover import Wait, recover
from salesforce_sync.sync.refetch import Refetch
from salesforce_sync.sync.results import Results
from salesforce_sync.sync.telling import InboxNews, tell
from salesforce_sync.sync.undo import Undone, take_back
from salesforce_sync.sync.unseen import Unseen
from salesforce_sync.sync.windows import Window, Windows

log = logging.getLogger(__name__)

PATIENCE = 30.0
"""Seconds that a push waits for another run to let go of an object; then its changes wait for the next push."""

LOOK_AGAIN = 0.2
MOST_SENDS = 4
"""How often one push sends a change: its parts, and again after the record was found to have moved."""

ROWS_AT_ONCE = 2000
"""Rows that answers brought, before they are merged."""

WAITS_FOR_LOCKS = 15.0
"""Seconds that a push waits, in all, to send again what the org did not take for a moment."""

SETTLED_AT_ONCE = 1000
"""Changes that are announced, or settled, in one transaction: who writes beside the push waits as long as it takes."""


FIELD_CODES = frozenset(("INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", FieldNotFound.code))
"""Refusals that concern a field, whatever its value."""


class _Course(Struct):
    """One push while it goes on. `sent` counts what was handed over; `sends` how often each change of the window.

    `waits`: for who holds an object; one that does not says nothing of what it leaves.
    `gone` are the numbers of changes to which the org said that something is gone; they have been read again since.
    `looked` those whose records were read again before they were sent. `handed_on` those that have been sent again
    because another record had their value first; of `emptied` ones a field is emptied now, for a moment.
    """

    push_id: str
    schemas: dict[str, ObjectSchema]
    waits: bool = True
    results: Results = field(default_factory=Results)
    sends: Counter[int] = field(default_factory=Counter)
    gone: set[int] = field(default_factory=set)
    looked: set[int] = field(default_factory=set)
    handed_on: set[int] = field(default_factory=set)
    emptied: dict[int, Taking] = field(default_factory=dict)
    failures: Failures = field(default_factory=Failures)
    sent: int = 0
    waited: float = 0.0
    updated: Counter[str] = field(default_factory=Counter)
    claims: ExitStack = field(default_factory=ExitStack)
    held: set[str] = field(default_factory=set)
    without: frozenset[str] = frozenset()
    busy: Problem | None = None
    problem: Problem | None = None


class _Sent(Struct):
    """What is left to do about `count` changes that were sent: some are read again, over some the org has `failed`.

    `before`: how many changes the org had taken in this push until then.
    """

    refetch: Refetch
    failed: list[Lost]
    before: int
    count: int


_Work = Callable[[_Course], None]
_Told = TypeVar("_Told")


class Pusher:
    """Sends what is in the outbox. Holds nothing between pushes: what must last is in the store."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus, window: int) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus
        self._window = window

    def due(self) -> bool:
        """Whether a push has anything to do: something to send, or to look for. No call."""
        wanted = Wanted(due=self._clock.now(), most=1), Wanted(sending=True, most=1)
        return any(self._store.changes(each) for each in wanted)

    def push(self) -> Push:
        """Send everything that can be sent. Never raises for trouble with the org: the result says what happened."""
        course = _Course(secrets.token_hex(8), self._schemas())
        started, calls = self._clock.monotonic(), self._org.usage.spent
        news = InboxNews(self._store, self._bus)
        with course.claims:
            self._guarded(course, self._everything)
        if course.problem is not None:
            self._leave(course)
        self._hold(course)
        return self._told(course, news, started, calls)

    def held(self) -> Push | None:
        """What a push would have to leave for later, if there is nothing else to do; None if that is nothing."""
        course = _Course("", {})
        self._hold(course)
        changes, beyond = course.results.told(self._store)
        return Push("", changes, 0, 0.0, beyond=beyond, again_at=course.results.again_at) if changes else None

    def push_free(self) -> Push | None:
        """Send what is of objects that nobody holds, and wait for nobody; None if that is nothing.

        No word of what is left: whoever holds those objects pushes when it is done.
        """
        course = _Course(secrets.token_hex(8), self._schemas(), waits=False)
        started, calls = self._clock.monotonic(), self._org.usage.spent
        news = InboxNews(self._store, self._bus)
        with course.claims:
            self._guarded(course, self._everything)
        push = self._told(course, news, started, calls)
        return push if push.total or push.problem else None

    def _told(self, course: _Course, news: InboxNews, started: float, calls: int) -> Push:
        changes, beyond = course.results.told(self._store)
        push = Push(
            course.push_id,
            changes,
            self._org.usage.spent - calls,
            self._clock.monotonic() - started,
            course.problem,
            beyond=beyond,
            overwrote=course.results.overwrote,
            hidden=course.results.hidden,
            again_at=course.results.again_at,
        )
        # What it has found out about an earlier one may be all that it did: its beginning is kept, so its end is, too.
        if push.attempted or self._store.knows_push(course.push_id):
            self._store.record_push(push)
        news.tell()
        self._tell(course, push)
        return push

    def _leave(self, course: _Course) -> None:
        """Count what could go, and was not come to."""
        now, after = self._clock.now(), 0
        while some := self._store.changes(Wanted(after, due=now, most=MOST_LISTED)):
            course.results.leave(some)
            after = some[-1].number

    def _hold(self, course: _Course) -> None:
        """Count what waits until the org is asked another time."""
        now, after = self._clock.now(), 0
        while some := self._store.changes(Wanted(after, put_off=now, most=MOST_LISTED)):
            course.results.hold(some)
            after = some[-1].number

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as a new push, as far as nobody has changed them since.

        `RecordNotFound` if no such push is known. A create is deleted, a deletion is taken back.
        """
        if not self._store.knows_push(push_id):
            raise RecordNotFound(f"There is no push {push_id!r}.", hint="'salesforce-sync pushes' lists them.")
        left = take_back(self._store, push_id)
        return Undone(replace(self.push(), not_undone=len(left)), left)

    def recover(self) -> Problem | None:
        """Only find out what became of changes whose answer was lost; a problem, if the org cannot be asked now."""
        if not self._store.changes(Wanted(sending=True, most=1)):
            return None
        course = _Course(secrets.token_hex(8), self._schemas())
        started, calls = self._clock.monotonic(), self._org.usage.spent
        with course.claims:
            self._guarded(course, self._recover)
        if self._store.knows_push(course.push_id):
            spent, seconds = self._org.usage.spent - calls, self._clock.monotonic() - started
            self._store.record_push(Push(course.push_id, (), spent, seconds, course.problem))
        return course.problem

    def _schemas(self) -> dict[str, ObjectSchema]:
        return {each.name: each for each in self._store.schemas()}

    def _guarded(self, course: _Course, work: _Work) -> None:
        try:
            self._claim(course)
            work(course)
        except StoreTrouble:
            raise
        except SyncError as error:
            log.info("The push %s was stopped: %s", course.push_id, error)
            course.problem = Problem(error.code, error.message, error.hint)

    def _claim(self, course: _Course) -> None:
        """Hold every object that may be written; what somebody else goes on holding is left out."""
        until = self._clock.monotonic() + (PATIENCE if course.waits else 0.0)
        # In the order of their names, whoever claims: two pushes cannot wait for each other.
        for name in self._store.edited_objects():
            while not self._is_claimed(course, name) and self._clock.monotonic() < until:
                self._clock.sleep(LOOK_AGAIN)
        self._leave_out_busy(course, self._store.edited_objects())

    def _is_claimed(self, course: _Course, name: str) -> bool:
        if name not in course.held:
            try:
                course.claims.enter_context(self._store.claim(name))
            except StoreBusy as held:
                course.busy = Problem(held.code, held.message, held.hint)
                return False
            course.held.add(name)
            schema = self._store.schema(name)
            if schema is not None:  # another process may have described it until now
                course.schemas[name] = schema
        return True

    def _leave_out_busy(self, course: _Course, names: Iterable[str]) -> None:
        """Claim these without waiting: whoever holds another object may wait for one of ours."""
        for name in names:
            if name not in course.without and not self._is_claimed(course, name):
                course.without |= {name}
                course.problem = course.busy if course.waits else course.problem

    # ── a dry run ────────────────────────────────────────────────────────────────────────────────────────────────

    def dry_run(self) -> Diff:
        """What `push` would send, in its order, and the calls that it would take. Nothing is sent."""
        now, sent = self._clock.now(), set[int]()
        course, found = _Course("", self._schemas()), Foretold()
        room: int | None = 2 * self._window
        while True:
            before, put_off = len(sent), False
            windows = Windows(self._store, course.schemas, self._window, room)
            found.start_again()
            while (window := windows.next(now, sent)) is not None:
                planned = self._plan(window, course)
                put_off = put_off or bool(window.put_off)
                found.take(planned)
                found.calls += sum(self._wave_calls(wave) for wave in planned.waves)
                sent |= {order.change.number for wave in planned.waves for order in wave.orders}
            if not put_off:
                break
            room = room if len(sent) > before else None
        unknown, held = Wanted(sending=True, most=MOST_LISTED), Wanted(held=now, most=MOST_LISTED)
        return found.told(
            self._store.changes(unknown),
            self._store.changes(held),
            {"unknown": self._store.count_changes(unknown), "held": self._store.count_changes(held)},
        )

    def _wave_calls(self, wave: Wave) -> int:
        """API calls for a wave, with those that `Org.cost` does not know of."""
        looks = _reads(Unseen(self._store).among(wave.orders))
        # Deleted records are read again.
        tombstones = _reads(each for each in wave.orders if each.change.operation is Operation.DELETE)
        return self._org.cost([self._made(each) for each in wave.orders]) + looks + tombstones

    def _made(self, order: Order) -> Order:
        """The order as it is when it is sent: a record that an earlier wave makes has a stamp by then."""
        if not order.change.local or order.change.operation is Operation.CREATE:
            return order
        return Order(order.schema, replace(order.change, stamp=format_datetime(self._clock.now())))

    # ── waves ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _everything(self, course: _Course) -> None:
        self._recover(course)
        room: int | None = 2 * self._window
        while True:
            sent = course.sent
            if self._pass(course, room):
                # What was put off can go by now; if nothing else went, all that it waits for is held at once.
                room = room if course.sent > sent else None
            elif not self._wait(course):
                break
        self._give_up(course)

    def _pass(self, course: _Course, room: int | None) -> bool:
        """Send the outbox window by window; whether something was put off."""
        windows, put_off = Windows(self._store, course.schemas, self._window, room), False
        while (some := self._exhaust(course, windows)) is not None:
            put_off = put_off or some
        return put_off

    def _exhaust(self, course: _Course, windows: Windows) -> bool | None:
        """Send all of the next window that can be sent; whether something of it was put off. None: there is none.

        No window outlives this call, or two would be held while the next one is read.
        """
        course.sends.clear()
        course.looked.clear()
        window = windows.next(self._clock.now())
        put_off = None if window is None else bool(window.put_off)
        while window is not None:
            # An object may have been edited for the first time since the push began.
            self._leave_out_busy(course, sorted({each.object_name for each in window.changes} - course.held))
            planned = self._plan(window, course)
            if planned.rejected:
                self._refuse(course, planned.rejected)
            elif planned.waves:
                orders = planned.waves[0].orders
                # What is read again takes much memory, too: none of this is held meanwhile.
                del window, planned
                if not self._looked_again(course, orders):
                    good, rest = course.failures.split(orders, int(course.push_id, 16))
                    del orders
                    self._send_cautiously(course, good, rest)
            else:
                for blocked in planned.blocked if course.waits else ():
                    course.results.block(blocked)
                break
            window = windows.again(self._clock.now())
        return put_off

    def _refuse(self, course: _Course, outcomes: Sequence[Rejected | Deferred]) -> None:
        """Park, or put off, what is not on its way. The store settles only what is."""
        self._store.sending([each.change for each in outcomes], course.push_id, None, None)
        self._settle(course, outcomes)

    def _looked_again(self, course: _Course, orders: Sequence[Order]) -> bool:
        """Read again, once, what may have changed unseen; whether something was read, and all is to be planned anew."""
        unseen = [each.change for each in Unseen(self._store).among(orders) if not course.sends[each.change.number]]
        changes = [each for each in unseen if each.number not in course.looked]
        if not changes:
            return False
        course.looked.update(each.number for each in changes)
        refetch = Refetch(self._org, self._store)
        refetch.note(map(Conflicted, changes))
        self._brought(course, refetch)
        self._tell_disputed(course, changes)
        return True

    def _tell_disputed(self, course: _Course, before: Sequence[Change]) -> None:
        """Count as conflicted what waits by now, as a whole or in part."""
        for some in _pieces(before):
            now = {each.number: each for each in self._store.changes(Wanted(numbers=[each.number for each in some]))}
            disputed = [each for each in some if each.number in now and _is_less(now[each.number], each)]
            self._store.sending(disputed, course.push_id, None, None)
            self._settle(course, [Conflicted(each) for each in disputed])

    def _plan(self, window: Window, course: _Course) -> Plan:
        left_out = {
            each.number
            for each in window.changes
            if each.object_name in course.without
            or each.number in course.failures.given_up
            or sort_of(each) in course.failures.hopeless
            or course.sends[each.number] >= MOST_SENDS
        }
        return plan(
            window.changes,
            course.schemas,
            self._clock.now(),
            window.references,
            left_out | window.put_off,
            window.arrived,
            window.standard_books,
        )

    def _wait(self, course: _Course) -> bool:
        """Wait until what the org did not take for a moment may be sent again; False where that is too long."""
        soon = course.results.soon()
        times = [each.not_before for each in self._store.changes(Wanted(numbers=soon))] if soon else []
        known = [each for each in times if each is not None]
        if not known:
            return False
        # A bit more: times are kept in milliseconds.
        pause = max(0.0, (min(known) - self._clock.now()).total_seconds()) + 0.01
        if course.waited + pause > WAITS_FOR_LOCKS:
            return False
        course.waited += pause
        self._clock.sleep(pause)
        return True

    def _send_cautiously(self, course: _Course, good: list[Order], rest: list[list[Order]]) -> None:
        """Send the `good` ones, and empty their list; then those over which the org has failed, in many calls."""
        if good:
            sent = self._send(course, good)
            good.clear()
            self._read_again(course, sent)
        for some in rest:
            if not course.failures.everywhere:
                self._read_again(course, self._send(course, some))

    def _send(self, course: _Course, orders: Sequence[Order]) -> _Sent:
        """Hand these over; gives what is left to do about them."""
        before = course.results.applied
        course.sends.update(order.change.number for order in orders)
        course.sent += len(orders)
        refetch = Refetch(self._org, self._store)
        announced: set[int] = set()
        for_fields: list[Rejected] = []
        takings: list[Taking] = []
        given: set[str] = set()
        failed: list[Lost] = []

        def announce(changes: Sequence[Change], job: str | None) -> None:
            now = self._org.time()
            for some in _pieces(changes):
                self._store.sending(some, course.push_id, now, job)
            announced.update(each.number for each in changes)

        try:
            brought = 0
            for answered in self._org.write(orders, announce):
                outcomes = [_as_meant(_believed(each, course.gone), course.emptied) for each in answered]
                unsent = [each for each in outcomes if _is_refused_here(each, announced)]
                self._store.sending([each.change for each in unsent], course.push_id, None, None)
                for_fields += [each for each in outcomes if _is_about_a_field(each)]
                failed += [each for each in outcomes if isinstance(each, Lost) and each.code]
                taken = self._takings(course, outcomes, orders)
                takings += taken
                given.update(each.record_id for each in outcomes if isinstance(each, Applied))
                put_off = {each.change.number for each in taken}
                self._settle(
                    course,
                    [each for each in outcomes if not _is_about_a_field(each) and each.change.number not in put_off],
                )
                refetch.note(outcomes)
                brought += len(outcomes)
                if brought >= ROWS_AT_ONCE:
                    course.updated.update(dict(refetch.merge_brought(course.schemas)))
                    brought = 0
                course.failures.answered(outcomes)
        finally:
            # What the org has taken is shown here, whatever stopped the rest.
            course.updated.update(dict(refetch.merge_brought(course.schemas)))
        if for_fields:
            self._take_apart(course, for_fields)
        if takings:
            self._hand_on(course, takings, given)
        return _Sent(refetch, failed, before, len(orders))

    def _takings(self, course: _Course, outcomes: Sequence[Outcome], orders: Sequence[Order]) -> list[Taking]:
        """What is refused because another record of the push still had a value that it gives away; once each."""
        refused = [
            each
            for each in outcomes
            if isinstance(each, Rejected) and each.code == TAKEN and each.change.number not in course.handed_on
        ]
        changes = by_record(orders) if refused else {}
        found = (taking(each, course.schemas, changes) for each in refused)
        return [each for each in found if each is not None]

    def _hand_on(self, course: _Course, takings: Sequence[Taking], given: AbstractSet[str]) -> None:
        """Send what was refused only because of the order again, in the right one; circles are opened before."""
        course.handed_on.update(each.change.number for each in takings)
        found = in_order(takings, given, course.schemas)
        again = {each.change.number for each in found.rest}
        self._settle(course, [each.refused for each in takings if each.change.number not in again])
        self._settle(course, [Conflicted(each.change) for each in found.rest])
        course.emptied |= {each.change.number: each for each in found.empty}
        first = self._orders(course, found.empty)
        if first:
            self._read_again(
                course,
                self._send(
                    course,
                    [Order(each.schema, emptied(course.emptied[each.change.number], each.change)) for each in first],
                ),
            )
        course.emptied.clear()
        rest = self._orders(course, found.rest)
        if rest:
            self._read_again(course, self._send(course, rest))

    def _orders(self, course: _Course, takings: Sequence[Taking]) -> list[Order]:
        """These updates as they wait by now, in this order."""
        known = {each.number: each for each in self._known([each.refused for each in takings])}
        now = (known.get(each.change.number) for each in takings)
        return [
            Order(course.schemas[each.object_name], each)
            for each in now
            if each is not None and each.state is ChangeState.WAITING and each.edits
        ]

    def _brought(self, course: _Course, refetch: Refetch) -> None:
        """Read again what is to be, and leave out the objects that cannot be."""
        course.updated.update(dict(refetch.merge_wanted(course.schemas)))
        course.results.tell(refetch.told)
        self._leave_out(course, refetch)

    def _read_again(self, course: _Course, sent: _Sent) -> None:
        self._brought(course, sent.refetch)
        if sent.failed:
            course.failures.note(sent.failed, (sent.before, course.results.applied), course.sends, MOST_SENDS)
            if sent.count == 1:
                course.failures.alone(sent.failed)
            course.problem = course.failures.problem() or course.problem
            # At once: it has said itself that it is not at work on them any more.
            self._settle_lost(course, self._known(sent.failed), None)
        else:
            course.failures.well()

    def _give_up(self, course: _Course) -> None:
        """Settle what the push does not send any more."""
        known = self._known(list(course.failures.given_up.values()))
        outcomes = course.failures.outcomes(known, course.results.applied)
        if outcomes:
            self._refuse(course, outcomes)

    def _known(self, outcomes: Sequence[Outcome]) -> list[Change]:
        """What of these changes is in the outbox now."""
        numbers = [each.change.number for each in outcomes]
        return [each for some in _pieces(numbers) for each in self._store.changes(Wanted(numbers=some))]

    def _take_apart(self, course: _Course, refused: Sequence[Rejected]) -> None:
        """Settle what the org refused because of a field that it does not know, or that may not be written.

        The objects are described anew: fields that were taken away, or closed, since the edit wait by themselves, and
        the rest of their records goes on.
        """
        stale = {each.change.object_name for each in refused if not _apart(each, course.schemas)}
        for name in sorted(stale):
            try:
                self._store.adopt(self._org.describe(name))
            except ObjectTrouble as trouble:
                log.info("%s could not be described anew: %s", name, trouble)
        course.schemas = self._schemas()
        self._settle(course, [replace(each, apart=_apart(each, course.schemas)) for each in refused])

    def _leave_out(self, course: _Course, refetch: Refetch) -> None:
        """An object that cannot be read again is left to a later push; the others go on."""
        for trouble in refetch.unread.values():
            log.info("The push %s leaves an object out: %s", course.push_id, trouble)
            course.problem = Problem(trouble.code, trouble.message, trouble.hint)
        course.without = course.without.union(refetch.unread)

    def _recover(self, course: _Course) -> None:
        """Settle what was on its way when the last push ended."""
        sending = self._store.changes(Wanted(sending=True))
        changes = [each for each in sending if each.object_name not in course.without]
        if changes:
            self._settle_lost(course, changes, self._patient)

    def _settle_lost(self, course: _Course, changes: Sequence[Change], wait: Wait | None) -> None:
        """Settle these, which were on their way; `wait` where the org may still be at work on them."""
        refetch = Refetch(self._org, self._store)
        for outcomes in recover(self._org, changes, course.schemas, self._store.made_here, wait):
            # Read again while they still count as sent: what was sent and has arrived is nobody else's change.
            refetch.note(each for each in outcomes if isinstance(each, Conflicted))
            course.updated.update(dict(refetch.merge_wanted(course.schemas)))
            # What could not be read stays on its way: nobody knows whether it has arrived.
            told = [each for each in outcomes if not _is_unread(each, refetch)]
            self._settle(course, told)
            refetch.note(each for each in told if not isinstance(each, Conflicted))
        course.updated.update(dict(refetch.merge_brought(course.schemas)))
        self._brought(course, refetch)

    def _patient(self, seconds: float) -> None:
        """Let so many seconds pass, unless somebody wants the push to end."""
        while seconds > 0:
            self._clock.sleep(min(seconds, 1.0))
            seconds -= 1.0
            self._org.time()  # no call, but an org of which nothing more may be asked says so

    def _settle(self, course: _Course, outcomes: Sequence[Outcome]) -> None:
        for some in _pieces(outcomes):
            settled = self._store.settle(course.push_id, some)
            for outcome in some:
                course.results.take(outcome, settled.overwrote.get(outcome.change.number, ()))

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, course: _Course, push: Push) -> None:
        signals: list[Signal] = []
        changed = self._store.untold([name for name, count in course.updated.items() if count])
        if changed:
            signals.append(RecordsUpdated(sum(count for _, count in changed), changed))
        if push.total or push.problem:
            applied = push.count("applied")
            signals.append(PushComplete(applied, push.total - applied))
        tell(self._store, self._bus, signals)


def _pieces(items: Sequence[_Told]) -> Iterator[Sequence[_Told]]:
    return (items[start : start + SETTLED_AT_ONCE] for start in range(0, len(items), SETTLED_AT_ONCE))


def _believed(outcome: Outcome, gone: set[int]) -> Outcome:
    """The outcome; a refusal, if the org says for the second time that something is gone.

    The record itself was read again since, and is there: what it refers to is gone, and the same edit is never taken.
    """
    if not isinstance(outcome, Conflicted) or not outcome.code:
        return outcome
    if outcome.change.number in gone:
        return Rejected(outcome.change, outcome.code, outcome.message)
    gone.add(outcome.change.number)
    return outcome


def _as_meant(outcome: Outcome, emptied: Mapping[int, Taking]) -> Outcome:
    """The outcome; where a field may not be emptied for a moment, the refusal that it was to be emptied for."""
    one = emptied.get(outcome.change.number)
    return outcome if one is None or not isinstance(outcome, Rejected) else one.refused


def _is_less(now: Change, before: Change) -> bool:
    """Whether less of the change may be sent than before."""
    return now.state is ChangeState.PARKED or now.values.keys() < before.values.keys()


def _is_refused_here(outcome: Outcome, announced: AbstractSet[int]) -> bool:
    """Whether it was refused before anything was handed over: the store settles only what is on its way."""
    return isinstance(outcome, Rejected) and outcome.change.number not in announced


def _is_about_a_field(outcome: Outcome) -> TypeGuard[Rejected]:
    return isinstance(outcome, Rejected) and outcome.code in FIELD_CODES


def _apart(rejected: Rejected, schemas: Mapping[str, ObjectSchema]) -> tuple[str, ...]:
    """The edited fields that cannot be written, as far as the schema knows."""
    change = rejected.change
    schema = schemas[change.object_name]
    return tuple(each.field for each in change.edits if not writable(schema, each.field, change.operation))


def _is_unread(outcome: Outcome, refetch: Refetch) -> bool:
    """Whether this answer says to read the record again, and that could not be done."""
    change = outcome.change
    return isinstance(outcome, Conflicted) and not change.local and change.object_name in refetch.unread


def _reads(orders: Iterable[Order]) -> int:
    """How many calls bring the records of these."""
    counts = Counter((each.schema.name, each.schema.records_together) for each in orders)
    return sum(-(-count // together) for (_, together), count in counts.items())
