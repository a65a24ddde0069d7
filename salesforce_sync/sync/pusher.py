"""`Pusher`: the outbox to the org, wave by wave; what was lost on the way before is found first."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping

from msgspec.structs import replace

from salesforce_sync.errors import RecordNotFound, StoreTrouble, SyncError
from salesforce_sync.models.outbox import Wanted
from salesforce_sync.models.push import Diff, Push
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import MOST_LISTED, Clock, Org, Store
from salesforce_sync.signals import Bus, PushComplete, RecordsUpdated, Signal
from salesforce_sync.sync.course import PATIENCE, Course
from salesforce_sync.sync.dry_run import DryRun
from salesforce_sync.sync.handing_over import HandingOver
from salesforce_sync.sync.holding import Holding
from salesforce_sync.sync.own_doing import above_deleted, made_above
from salesforce_sync.sync.results import put_off_by
from salesforce_sync.sync.telling import InboxNews, tell
from salesforce_sync.sync.undo import Undone, take_back
from salesforce_sync.sync.windows import Windows

log = logging.getLogger(__name__)

WAITS_FOR_LOCKS = 15.0
"""Seconds that a push waits, in all, to send again what the org did not take for a moment."""

LOOKS_BACK = 5
"""Pushes that are asked why a change was put off."""

_Work = Callable[[Course], None]


class Pusher:
    """Sends what is in the outbox. Holds nothing between pushes: what must last is in the store."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus, window: int) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus
        self._window = window
        self._holding = Holding(store, clock)
        self._over = HandingOver(org, store, clock)

    def due(self) -> bool:
        """Whether a push has anything to do: something to send, or to look for. No call."""
        wanted = Wanted(due=self._clock.now(), most=1), Wanted(sending=True, most=1)
        return any(self._store.changes(each) for each in wanted)

    def push(self, patience: float = PATIENCE) -> Push:
        """Send everything that can be sent. Never raises for trouble with the org: the result says what happened.

        `patience`: how many seconds it waits for who holds an object.
        """
        course = Course(secrets.token_hex(8), self._schemas(), patience=patience)
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
        course = Course("", {})
        self._hold(course)
        changes, beyond = course.results.told(self._store)
        return Push("", changes, 0, 0.0, beyond=beyond, again_at=course.results.again_at) if changes else None

    def push_free(self) -> Push | None:
        """Send what is of objects that nobody holds, and wait for nobody; None if that is nothing.

        No word of what is left: whoever holds those objects pushes when it is done.
        """
        course = Course(secrets.token_hex(8), self._schemas(), waits=False)
        started, calls = self._clock.monotonic(), self._org.usage.spent
        news = InboxNews(self._store, self._bus)
        with course.claims:
            self._guarded(course, self._everything)
        push = self._told(course, news, started, calls)
        return push if push.total or push.problem else None

    def _told(self, course: Course, news: InboxNews, started: float, calls: int) -> Push:
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
            push = replace(push, at=self._clock.now())
        news.tell()
        self._tell(course, push)
        return push

    def _leave(self, course: Course) -> None:
        """Count what could go, and was not come to."""
        now, after = self._clock.now(), 0
        while some := self._store.changes(Wanted(after, due=now, most=MOST_LISTED)):
            course.results.leave(some)
            after = some[-1].number

    def _hold(self, course: Course) -> None:
        """Count what waits until the org is asked another time."""
        now, after = self._clock.now(), 0
        why: Mapping[tuple[str, str], Problem] = {}
        while some := self._store.changes(Wanted(after, put_off=now, most=MOST_LISTED)):
            why = why or put_off_by(self._store.pushes(LOOKS_BACK))
            course.results.hold(some, why)
            after = some[-1].number

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as a new push, as far as nobody has changed them since.

        `RecordNotFound` if no such push is known. A create is deleted, a deletion is taken back.
        """
        if not self._store.knows_push(push_id):
            raise RecordNotFound(f"There is no push {push_id!r}.", hint="'salesforce-sync pushes' lists them.")
        self._look_at_made(push_id)
        left = take_back(self._store, push_id)
        return Undone(replace(self.push(), not_undone=len(left)), left)

    def _look_at_made(self, push_id: str) -> None:
        """Read again what the push has made, and put others beneath: these may have let the org change it.

        Where that cannot be done, what is here has to do.
        """
        made = list(made_above(self._store, push_id))
        if made:
            course = Course(secrets.token_hex(8), self._schemas())
            with course.claims:
                self._guarded(course, lambda course: self._over.look_at(course, made))

    def recover(self, patience: float = PATIENCE) -> Problem | None:
        """Only find out what became of changes whose answer was lost; a problem, if the org cannot be asked now."""
        if not self._store.changes(Wanted(sending=True, most=1)):
            return None
        course = Course(secrets.token_hex(8), self._schemas(), patience=patience)
        started, calls = self._clock.monotonic(), self._org.usage.spent
        with course.claims:
            self._guarded(course, self._recover)
        if self._store.knows_push(course.push_id):
            spent, seconds = self._org.usage.spent - calls, self._clock.monotonic() - started
            self._store.record_push(Push(course.push_id, (), spent, seconds, course.problem))
        return course.problem

    def dry_run(self) -> Diff:
        """What `push` would send, in its order, and the calls that it would take. Nothing is sent."""
        return DryRun(self._org, self._store, self._clock, self._window).diff(self._schemas())

    def _schemas(self) -> dict[str, ObjectSchema]:
        return {each.name: each for each in self._store.schemas()}

    def _guarded(self, course: Course, work: _Work) -> None:
        try:
            self._holding.claim(course)
            work(course)
        except StoreTrouble:
            raise
        except SyncError as error:
            log.info("The push %s was stopped: %s", course.push_id, error)
            course.problem = Problem(error.code, error.message, error.hint)

    # ── waves ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _everything(self, course: Course) -> None:
        self._recover(course)
        room: int | None = 2 * self._window
        while True:
            sent = course.sent
            if self._pass(course, room):
                # What was put off can go by now; if nothing else went, all that it waits for is held at once.
                room = room if course.sent > sent else None
            elif not self._wait(course):
                break
        self._over.give_up(course)

    def _pass(self, course: Course, room: int | None) -> bool:
        """Send the outbox window by window; whether something was put off."""
        course.takers.clear()
        windows, put_off = Windows(self._store, course.schemas, self._window, room), False
        while (some := self._exhaust(course, windows)) is not None:
            put_off = put_off or some
        return put_off

    def _exhaust(self, course: Course, windows: Windows) -> bool | None:
        """Send all of the next window that can be sent; whether something of it was put off. None: there is none.

        No window outlives this call, or two would be held while the next one is read.
        """
        course.sends.clear()
        course.looked.clear()
        window = windows.next(self._clock.now())
        put_off = None if window is None else bool(window.put_off)
        while window is not None:
            # An object may have been edited for the first time since the push began.
            self._holding.leave_out_busy(course, sorted({each.object_name for each in window.changes} - course.held))
            planned = course.plan(window, self._clock.now())
            if planned.rejected:
                self._over.refuse(course, planned.rejected)
            elif planned.waves:
                orders = planned.waves[0].orders
                above = above_deleted(planned.waves)
                # What is read again takes much memory, too: none of this is held meanwhile.
                del window, planned
                if not self._over.looked_again(course, orders, above):
                    good, rest = course.failures.split(orders, int(course.push_id, 16))
                    del orders
                    self._over.send_cautiously(course, good, rest)
            else:
                for blocked in planned.blocked if course.waits else ():
                    course.results.block(blocked)
                break
            window = windows.again(self._clock.now())
        # What is left of these waits for a change of a later window.
        return put_off if put_off is None else put_off or bool(course.takers.waiting)

    def _wait(self, course: Course) -> bool:
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

    def _recover(self, course: Course) -> None:
        """Settle what was on its way when the last push ended."""
        sending = self._store.changes(Wanted(sending=True))
        changes = [each for each in sending if each.object_name not in course.without]
        if changes:
            self._over.settle_lost(course, changes, self._patient)

    def _patient(self, seconds: float) -> None:
        """Let so many seconds pass, unless somebody wants the push to end."""
        while seconds > 0:
            self._clock.sleep(min(seconds, 1.0))
            seconds -= 1.0
            self._org.time()  # no call, but an org of which nothing more may be asked says so

    # ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, course: Course, push: Push) -> None:
        signals: list[Signal] = []
        changed = self._store.untold([name for name, count in course.updated.items() if count])
        if changed:
            signals.append(RecordsUpdated(sum(count for _, count in changed), changed))
        if push.total or push.problem:
            applied = push.count("applied")
            signals.append(PushComplete(applied, push.total - applied))
        tell(self._store, self._bus, signals)
