"""`SyncEngine`: what runs when, side by side, and the signals after each commit."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event, Lock

from msgspec.structs import replace

from salesforce_sync.errors import (
    BudgetSpent,
    FieldRefused,
    LimitExceeded,
    Misuse,
    NeedsPerson,
    ObjectGone,
    ObjectNotFound,
    Stopped,
    StoreBusy,
    StoreTrouble,
    SyncError,
)
from salesforce_sync.models.push import Diff, Push
from salesforce_sync.models.run import Problem, Run, RunCounts, RunRecord, RunState
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.signals import Bus, ObjectFinished, ObjectStarted, Progress, news_of_proof
from salesforce_sync.sync.beginning import PATIENCE, Beginning, let_go
from salesforce_sync.sync.course import PATIENCE as PUSH_PATIENCE
from salesforce_sync.sync.pulled import Pulled, with_changes, with_repairs
from salesforce_sync.sync.puller import Puller, Report
from salesforce_sync.sync.pusher import Pusher
from salesforce_sync.sync.run_course import Course, Proofs, Task, distinct
from salesforce_sync.sync.run_news import NOT_BEGUN, ProgressNews, RunNews
from salesforce_sync.sync.schedule import DEFAULTS, Rules, refresh_is_due, verify_is_due
from salesforce_sync.sync.stopping import StoppableOrg
from salesforce_sync.sync.telling import InboxNews, run_begun
from salesforce_sync.sync.undo import Undone

log = logging.getLogger(__name__)

WORKERS = 4

Work = Callable[[Task, Course], Pulled | None]


class SyncEngine:
    """Runs pulls in a small pool of threads. One object's trouble is kept from the others."""

    def __init__(self, org: Org, store: Store, clock: Clock, bus: Bus, rules: Rules = DEFAULTS) -> None:
        self._org = org
        self._store = store
        self._clock = clock
        self._bus = bus
        self._rules = rules
        self._pusher = Pusher(org, store, clock, bus, rules.window)
        self._progress = ProgressNews(store, clock, bus)
        self._beginning = Beginning(org, store, clock)
        self._news = RunNews(org, store, clock, bus)
        self._holds_its_objects = Event()
        self._lock = Lock()
        self._unfinished: frozenset[str] = frozenset()

    @property
    def holds(self) -> frozenset[str] | None:
        """The objects that the run which goes on in another thread has not finished, in lower case; None before it has
        them."""
        return self._unfinished if self._holds_its_objects.is_set() else None

    @property
    def spent(self) -> int:
        """API calls made so far, by this engine and all others with the same org."""
        return self._org.usage.spent

    def run(
        self, objects: Sequence[str], accepted: frozenset[str] = frozenset(), proofs: Proofs = Proofs.WHEN_DUE
    ) -> Run:
        """Pull these objects, then push what is in the outbox.

        Never raises for trouble with the org: the result's records say what happened.

        `accepted` names the objects that may lose any number of rows.
        """
        course = self._course(objects, accepted, proofs)
        with run_begun(self._store, self._bus, course.run_id, course.names):
            run = self._pull_all(course)
            if not course.shut.is_set() and self._pusher.due():
                pushed = self._push(PATIENCE)
                calls, seconds = self._cost(course)
                run = replace(run, pushed=pushed, calls=calls, seconds=seconds)
                self._note_usage()
            else:
                run = replace(run, pushed=self._pusher.held())
            self._news.tell(run)
        return run

    def pull(
        self, objects: Sequence[str], accepted: frozenset[str] = frozenset(), proofs: Proofs = Proofs.WHEN_DUE
    ) -> Run:
        """The same without the push: local edits are held against what came, and wait."""
        course = self._course(objects, accepted, proofs)
        with run_begun(self._store, self._bus, course.run_id, course.names):
            run = self._pull_all(course)
            self._news.tell(run)
        return run

    def _pull_all(self, course: Course) -> Run:
        news = InboxNews(self._store, self._bus)
        # Before the pull: it would bring a create whose answer was lost as a record of its own beside it.
        self._pusher.recover(PATIENCE)
        return self._carry_out(course, news)

    def push(self) -> Push:
        """Send what is in the outbox, without a pull before."""
        return self._push(PUSH_PATIENCE)

    def _push(self, patience: float) -> Push:
        try:
            return self._pusher.push(patience)
        finally:
            self._note_usage()

    def push_beside(self) -> Push | None:
        """Send, while this engine's run goes on in another thread, what the run does not hold; None if that is nothing.

        Before the run holds its objects nothing is sent: it would find them held.
        """
        return self._pusher.push_free() if self._holds_its_objects.is_set() else None

    def dry_run(self) -> Diff:
        """What a push would send now, and what it would cost. Nothing is sent."""
        return self._pusher.dry_run()

    def undo(self, push_id: str) -> Undone:
        """Send the values that this push replaced, as far as nobody has changed them since."""
        try:
            return self._pusher.undo(push_id)
        finally:
            self._note_usage()

    def verify(self, objects: Sequence[str], accepted: frozenset[str] = frozenset()) -> Run:
        """Pull these objects, compare every id and stamp with the org, and repair; `store.proof` has the results."""
        news = InboxNews(self._store, self._bus)
        run = self._carry_out(self._course(objects, accepted, Proofs.NOW), news)
        self._news.tell(run)
        return run

    def _course(self, objects: Sequence[str], accepted: frozenset[str], proofs: Proofs) -> Course:
        if not objects:
            raise Misuse("There is nothing to sync.", hint="Name objects, or list them in config.yaml, sync.objects.")
        asked = proofs is not Proofs.WHEN_DUE
        at_once = replace(self._rules, loss_every=timedelta(0), refused_every=timedelta(0))
        rules = at_once if asked else self._rules
        broken_off = Event()
        org = StoppableOrg(self._org, broken_off)
        puller = Puller(org, self._store, self._clock, rules, accepted, self._bus)
        started = self._clock.monotonic(), self._org.usage.spent
        return Course(secrets.token_hex(8), distinct(objects), puller, proofs, *started, broken_off=broken_off)

    def _cost(self, course: Course) -> tuple[int, float]:
        return self._org.usage.spent - course.calls_before, self._clock.monotonic() - course.started

    def _carry_out(self, course: Course, news: InboxNews) -> Run:
        """Pull all objects; then prove, together, those that are to be proved."""
        tasks = self._beginning.hold(course)
        try:
            self._unfinished = frozenset(name.casefold() for name in course.names)
            self._holds_its_objects.set()
            self._beginning.ask(tasks)
            pulling = ThreadPoolExecutor(min(WORKERS, len(tasks)), thread_name_prefix="pull")
            with pulling as pool, course.breaking_off():
                list(pool.map(lambda task: self._attempt(task, course, self._pull), tasks))
                open_still = [task for task in tasks if task.record is None]
                self._beginning.list_together(open_still, course.puller)
                list(pool.map(lambda task: self._attempt(task, course, self._prove), open_still))
            self._look_after_orphans(course, tasks)
        finally:
            let_go(tasks)
        records = tuple(task.record for task in tasks if task.record is not None)
        self._note_usage()
        again_at = max((task.again_at for task in tasks if task.again_at is not None), default=None)
        return Run(course.run_id, records, *self._cost(course), again_at, undecided=news.tell())

    def _look_after_orphans(self, course: Course, tasks: Sequence[Task]) -> None:
        """When every object's deletions are here, read again what refers to deleted records."""
        for task in tasks:
            if task.record is not None and task.record.came:
                self._attempt(task, course, self._read_orphans_again)

    def _read_orphans_again(self, task: Task, course: Course) -> None:
        """The object stays complete unless this fails: then it is known that rows of it may differ from the org's."""
        again = course.proofs is Proofs.NOW
        orphans = self._store.orphans(task.name, 0, again=again)
        if orphans is None:
            return
        if course.stop.is_set() and self._store.orphans(task.name, 1, again=again) != orphans:
            raise SyncError("Not read again: an error that concerns every object came first.", code=NOT_BEGUN)
        try:
            task.claim.enter_context(self._store.claim(task.name))
        except StoreBusy:
            return  # whoever holds it looks after it at the end of his run
        schema = self._store.schema(task.name)
        assert schema is not None  # it has just been pulled
        read = course.puller.read_orphans_again(schema, again=again)
        task.claim.close()
        if read.rows:
            self._count_in(task, read)

    def _count_in(self, task: Task, read: Pulled) -> None:
        """Rows that were read after the object had its record belong to it all the same."""
        assert task.record is not None  # only an object that came is looked after
        merged = read.merged
        counts = task.record.counts.plus(RunCounts(read.rows, merged.inserted, merged.updated, merged.deleted))
        record = replace(task.record, finished=self._clock.now(), counts=counts)
        self._store.record_run(record)
        self._ended(task, record)

    def _note_usage(self) -> None:
        """Keep what the org said of its API calls, for the processes that come after this one."""
        usage = self._org.usage
        if usage.used is None or usage.limit is None:
            return
        try:
            self._store.note_usage(usage.used, usage.limit)
        except StoreTrouble as trouble:
            # They are in no way part of what was synced.
            log.warning("The API calls could not be noted: %s", trouble)

    def _attempt(self, task: Task, course: Course, work: Work) -> None:
        """Do a part of an object's work. Unless more is to follow, the object has its record afterwards."""
        try:
            pulled = work(task, course)
            if pulled is None:
                return
            task.claim.close()
            self._ended(task, self._completed(task, course, pulled))
        except SyncError as met:
            error = self._if_gone(task.name, met)
            if isinstance(error, NeedsPerson | LimitExceeded):
                if isinstance(error, LimitExceeded):
                    course.spent.set()
                course.stop.set()
                if not isinstance(error, BudgetSpent):  # which is kept back from pulls, for the edits
                    course.shut.set()
            task.again_at = error.again_at if isinstance(error, LimitExceeded) else None
            cut = isinstance(error, LimitExceeded | Stopped) or (error.code == NOT_BEGUN and course.spent.is_set())
            state = RunState.PARTIAL if cut else RunState.FAILED
            self._ended(task, self._failed(task, course, Problem(error.code, error.message, error.hint), state))
        except Exception as error:  # the engine's loop: one object's bug must not take the others down
            log.exception("Syncing %s failed", task.name)
            what = f"{type(error).__name__}: {error}"[:500]
            problem = Problem("INTERNAL_ERROR", what, "Please report it with the log.")
            self._ended(task, self._failed(task, course, problem))

    def _if_gone(self, object_name: str, error: SyncError) -> SyncError:
        """The error; of an object that is here and that the org does not know, what that means."""
        if not isinstance(error, ObjectNotFound) or self._store.checkpoint(object_name) is None:
            return error
        schema = self._store.schema(object_name)
        assert schema is not None  # or there would be no checkpoint
        return ObjectGone(schema.name, self._store.count(schema.name))

    def _ended(self, task: Task, record: RunRecord) -> None:
        task.record = record
        with self._lock:
            self._unfinished -= {task.name.casefold()}
        problem = record.problem or Problem("", "")
        counts, why = record.counts, (problem.code, problem.message, problem.hint)
        self._bus.emit(ObjectFinished(task.name, record.state.value, counts.rows, counts.changed, *why))

    def _completed(self, task: Task, course: Course, pulled: Pulled) -> RunRecord:
        merged = pulled.merged
        counts = RunCounts(pulled.rows, merged.inserted, merged.updated, merged.deleted)
        times = task.started, self._clock.now()
        met = course.puller.schemas.undescribed(merged.object_name) or self._left_out(merged.object_name)
        problem = None if met is None else Problem(met.code, met.message, met.hint)
        state = RunState.COMPLETE if problem is None else RunState.PARTIAL
        record = RunRecord(course.run_id, merged.object_name, state, *times, counts, problem)
        self._store.record_run(record)
        return record

    def _left_out(self, object_name: str) -> FieldRefused | None:
        """What is missing in every row; None where the org has read all fields that it describes."""
        schema = self._store.schema(object_name)
        return None if schema is None or not schema.refused else schema.refused_to_read()

    def _pull(self, task: Task, course: Course) -> Pulled | None:
        """Bring what is new, and what is due without a stamp; None where a proof is to follow."""
        task.started = self._clock.now()
        if task.error is not None:
            raise task.error
        if course.stop.is_set():
            raise SyncError("Not begun: an error that concerns every object came first.", code=NOT_BEGUN)
        self._bus.emit(ObjectStarted(task.name))

        def report(rows: int, total: int | None, waits_for: str) -> None:
            calls = self._org.usage.spent - course.calls_before
            self._progress.tell(Progress(task.name, rows, total, calls, waits_for))

        task.pulled = self._bring(task, course.puller, report)
        name = task.pulled.merged.object_name
        ages, now = self._store.ages(name), self._clock.now()
        if ages.loss is not None and course.puller.loss_limit(name) is None and task.pulled.merged.deleted:
            # What somebody has agreed to lose is gone here, whether or not this run comes to prove the object.
            self._store.note_loss(name, None)
        verifies = course.proofs is Proofs.NOW
        # A proof compares stamps, which formulas do not move: without a schedule nothing else would read them again.
        unscheduled = verifies and self._rules.refresh_every is None and course.puller.schemas.refreshes(name)
        if unscheduled or refresh_is_due(ages, self._rules, now):
            self._if_affordable(name, lambda: self._refresh(task, course.puller, name))
        stands = course.puller.standing_loss(name)
        if stands is not None:
            raise stands
        proves = verifies or ages.loss is not None or verify_is_due(ages, self._rules, now)
        return None if proves else task.pulled

    def _refresh(self, task: Task, puller: Puller, object_name: str) -> None:
        assert task.pulled is not None
        task.pulled = with_changes(task.pulled, puller.schemas.refresh(object_name))

    def _bring(self, task: Task, puller: Puller, report: Report) -> Pulled:
        if task.poll is not None and task.polled is not None:
            return puller.settled(puller.take(task.poll, task.polled, report))
        return puller.settled(puller.pull(task.name, report, task.described))

    def _prove(self, task: Task, course: Course) -> Pulled:
        """Compare with the org, and repair; what a person did not ask for waits where the calls run short."""
        if task.error is not None:
            raise task.error
        assert task.pulled is not None  # or there would be a record
        schema = self._store.schema(task.name)
        assert schema is not None  # it has just been pulled
        puller, pulled = course.puller, task.pulled

        def prove() -> None:
            nonlocal pulled
            proof = puller.prove(schema, task.listing)
            # Kept with the proof.
            self._bus.emit(news_of_proof(proof))
            pulled = with_repairs(pulled, dict(proof.repaired))

        # Without it an object of which rows were found gone would be complete, and nobody has agreed to that.
        asked = puller.loss_limit(schema.name) is not None
        awaited = asked and self._store.ages(schema.name).loss is not None
        if awaited or course.proofs is Proofs.NOW:
            prove()
        else:
            self._if_affordable(schema.name, prove)
        return pulled

    def _if_affordable(self, object_name: str, work: Callable[[], object]) -> None:
        try:
            work()
        except BudgetSpent as spent:
            log.info("%s is looked after later: %s", object_name, spent.message)

    def _failed(self, task: Task, course: Course, problem: Problem, state: RunState = RunState.FAILED) -> RunRecord:
        task.claim.close()
        known = self._store.schema(task.name)
        record = RunRecord(
            course.run_id,
            known.name if known else task.name,
            state,
            task.started,
            self._clock.now(),
            problem=problem,
        )
        try:
            self._store.record_run(record)
        except StoreTrouble as trouble:
            # The caller is told all the same.
            log.warning("The failure of %s could not be noted: %s", task.name, trouble)
        return record
