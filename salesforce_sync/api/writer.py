"""`Writer`: brings changes to the org (`ports.Org.write`), one call after the other, and tells what became of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from itertools import zip_longest

from salesforce_sync.api import write_route
from salesforce_sync.api.ingest import Ingest, IngestJob
from salesforce_sync.api.transport import Transport
from salesforce_sync.api.undelete import Undelete, fault_of
from salesforce_sync.api.write_bulk import OPERATIONS, content, outcomes
from salesforce_sync.api.write_call import CallRefused, NotDone
from salesforce_sync.api.write_collections import Ahead, CollectionsCall
from salesforce_sync.api.write_look import looked
from salesforce_sync.api.write_parts import PartsCall
from salesforce_sync.api.write_route import Step, Way
from salesforce_sync.api.write_sender import RENEWALS, Outcomes, Sender, Shipment, deferred
from salesforce_sync.errors import (
    BulkRefused,
    ForeignAnswer,
    JobFailed,
    LimitExceeded,
    Misuse,
    NeedsPerson,
    ObjectNotFound,
    ObjectTrouble,
    RequestRefused,
    SyncError,
    Transient,
)
from salesforce_sync.models.outbox import Kind, Operation, is_local
from salesforce_sync.models.outcome import Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.salesforce_id import from_org
from salesforce_sync.models.schema import FieldType
from salesforce_sync.ports import Announce, Clock, Order

_JOBS = 3
"""How often a Bulk job is made anew because records were changed while it was filled."""

LONGEST_JOB = timedelta(hours=6)
"""The org gives a batch of 10,000 rows five minutes, at most twenty times (Bulk API 2.0 guide, Limits); the rest is for
its queue. A job that is still at work then is aborted: it would keep its edits from being sent for ever."""

log = logging.getLogger("salesforce_sync.api")

_ASKED_AGAIN = 24
"""Duplicates of one call of which it is asked what they are like: two calls."""


Plan = Callable[[Sequence[Order]], tuple[Step, ...]]


class Writer:
    """Writes for one org. Never has two calls under way at once."""

    def __init__(self, transport: Transport, clock: Clock, plan: Plan = write_route.plan) -> None:
        self._transport = transport
        self._plan = plan
        self._sender = Sender(transport)
        self._ingest = Ingest(transport, clock)

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[Outcomes, None, None]:
        """Send these changes; gives the outcomes of each call as it is answered."""
        impossible = [(order, _impossible(order)) for order in orders]
        refused = tuple(outcome for _, outcome in impossible if outcome is not None)
        if refused:
            yield refused
        possible = [order for order, outcome in impossible if outcome is None]
        try:
            self._transport.session()
        except Transient as error:  # no login now
            self._sender.offline = NotDone(error.code, error.message, offline=True)
        for step in self._plan(possible):
            yield from filter(None, self._step(step, announce))

    def _step(self, step: Step, announce: Announce) -> Iterator[Outcomes]:
        if self._sender.offline is not None:
            yield self._sender.put_off(step.orders)
            return
        match step.way:
            case Way.PARTS | Way.ALONE:
                yield from self._on_condition(step, announce)
            case Way.UNDELETE:
                for some in write_route.cut(step.orders, step.rows):
                    yield from self._undelete(some, announce)
            case Way.BULK:
                for some in write_route.cut(step.orders, write_route.JOB_ROWS, write_route.JOB_WEIGHT):
                    yield from self._job(some, announce, _JOBS)
            case Way.COLLECTIONS:
                yield from self._collections(step.orders, announce, step.rows)

    def _on_condition(self, step: Step, announce: Announce) -> Iterator[Outcomes]:
        """Each order on its own condition; those that have no stamp for it are looked at before."""
        if step.way is Way.ALONE:
            for order in step.orders:
                yield from self._sender.alone(order, announce)
            return
        told: Outcomes = ()
        blind = write_route.unconditional(step.orders)
        if blind:
            # An org without composite has each of them looked at by itself.
            with suppress(ObjectTrouble):
                _, told = looked(self._transport, blind)
        if told:
            yield told
        changed = {each.change.number for each in told}
        orders = [order for order in step.orders if order.change.number not in changed]
        if orders:
            yield from self._sender.announced(orders, self._apart, announce)

    # ── collections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _collections(
        self, orders: Sequence[Order], announce: Announce, rows: int = write_route.ROWS_A_PART
    ) -> Iterator[Outcomes]:
        try:
            unchanged, told = looked(self._transport, orders)
        except ObjectTrouble:  # an org without composite: parts find their own way
            for step in write_route.calls_of_parts(orders):
                yield from self._step(step, announce)
            return
        if told:
            yield told
        calls = write_route.collection_calls(unchanged, rows) if unchanged else []
        changed: Outcomes = ()
        for call, following in zip_longest(calls, calls[1:], fillvalue=()):
            passed = {each.change.number for each in changed}
            together = [order for some in call for order in some if order.change.number not in passed]
            ahead = Ahead([order for some in following for order in some])
            if together and self._sender.offline is not None:
                yield self._sender.put_off(together)
            elif together:
                for told in self._sender.announced(together, partial(self._packed, rows, ahead), announce):
                    yield from self._with_matches(together, told, announce)
            changed = ahead.changed
            if changed:
                yield changed

    def _with_matches(self, orders: Sequence[Order], told: Outcomes, announce: Announce) -> Iterator[Outcomes]:
        """The outcomes; a few duplicates are sent once more as parts: collections and Bulk do not tell of what."""
        unnamed = [each.change.number for each in told if _is_unnamed(each)][:_ASKED_AGAIN]
        yield tuple(each for each in told if each.change.number not in unnamed)
        for step in write_route.calls_of_parts(order for order in orders if order.change.number in unnamed):
            yield from self._step(step, announce)

    def _apart(self, orders: Sequence[Order]) -> Shipment:
        return PartsCall(orders, self._transport.said)

    def _packed(self, rows: int, ahead: Ahead, orders: Sequence[Order]) -> Shipment:
        (call,) = write_route.collection_calls(orders, rows)
        return CollectionsCall(call, self._transport.said, ahead)

    # ── undelete ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _undelete(self, orders: Sequence[Order], announce: Announce) -> Iterator[Outcomes]:
        if self._sender.offline is not None:
            yield self._sender.put_off(orders)
            return
        self._transport.session()
        announce([order.change for order in orders], None)
        call = Undelete(orders, self._transport.said)
        for _ in range(RENEWALS + 1):
            session = self._transport.session()
            result = self._sender.answered(
                orders, call.call(self._transport), lambda answer: tuple(call.read(answer.body)), fault_of
            )
            if not (isinstance(result, CallRefused) and result.refusal.status == 401):
                break
            problem = self._sender.renewed(session)
            if problem is not None:
                result = problem
                break
        if isinstance(result, CallRefused):
            result = tuple(call.refused(result.refusal, self._transport))
        if isinstance(result, SyncError):
            yield deferred(orders, result.code, result.message)
            raise result
        yield result

    # ── Bulk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _job(self, orders: Sequence[Order], announce: Announce, jobs: int) -> Iterator[Outcomes]:
        """One job; if records were changed meanwhile, another one without them, `jobs` at the most."""
        if self._sender.offline is not None or not jobs:
            why = self._sender.offline or NotDone("JOB_FAILED", "The records change too fast for a Bulk job.")
            yield deferred(orders, why.code, why.message)
            return
        job = self._filled(orders)
        if job is None:
            yield from self._collections(orders, announce)
            return
        for job_id in (None, job.id):
            announce([order.change for order in orders], job_id)
        # As late as can be: a job knows no condition, and what changes after this look is overwritten.
        try:
            unchanged, told = looked(self._transport, orders)
        except ObjectTrouble:  # an org without composite
            self._ingest.abort(job)
            yield from self._collections(orders, announce)
            return
        except SyncError as stop:
            self._ingest.abort(job)
            yield deferred(orders, stop.code, stop.message)
            raise
        if told:
            self._ingest.abort(job)
            yield told
            if unchanged:
                yield from self._job(unchanged, announce, jobs - 1)
            return
        yield from self._run(orders, job, announce)

    def _filled(self, orders: Sequence[Order]) -> IngestJob | None:
        """A job that is ready to run; None where the org takes none of these, or the way to it is bad."""
        operation = OPERATIONS[orders[0].change.operation]
        for _ in range(2):
            job = None
            try:
                job = self._ingest.create(orders[0].schema.name, operation)
                self._ingest.upload(job, content(orders))
                return job
            except (LimitExceeded, NeedsPerson):
                raise
            except SyncError as error:
                log.info("A Bulk job could not be filled: %s", error.message)
                if job is None:
                    return None
                self._ingest.abort(job)
        return None

    def _run(self, orders: Sequence[Order], job: IngestJob, announce: Announce) -> Iterator[Outcomes]:
        try:
            job = self._ingest.wait(self._ingest.close(job), len(orders))
            told = outcomes(self._ingest, job, orders, self._transport.said)
        except SyncError as error:
            yield tuple(Lost(order.change, error.message, job.id) for order in orders)
            if isinstance(error, LimitExceeded | NeedsPerson):
                raise
            return
        left = [order for order, each in zip(orders, told, strict=True) if _left(each)]
        yield from self._with_matches(orders, tuple(each for each in told if not _left(each)), announce)
        if left:
            yield from self._collections(left, announce)

    def recover(self, orders: Sequence[Order], job_id: str) -> Outcomes:
        """What became of orders that a job has; one that never ran is given up, and its orders may go again.

        `Lost` without a job: the job does not tell, and the records have to be looked for.
        """
        try:
            return self._recovered(orders, job_id)
        except (ForeignAnswer, Transient) as unread:  # one job must not hold up all that is on its way beside it
            return tuple(Lost(order.change, unread.message, job_id) for order in orders)
        except BulkRefused as shut:  # nobody is told what becomes of a job that is at work still
            job = None if self._is_overdue(orders) else job_id
            return tuple(Lost(order.change, shut.message, job) for order in orders)
        except (ObjectNotFound, RequestRefused) as gone:
            return tuple(Lost(order.change, gone.message) for order in orders)

    def _recovered(self, orders: Sequence[Order], job_id: str) -> Outcomes:
        job = self._ingest.look(job_id)
        if job.open or (not job.over and self._is_overdue(orders)):
            was = "had not been started" if job.open else f"was {job.state} for longer than any job is at work"
            self._ingest.abort(job)
            job = self._ingest.look(job_id)
            # It may have begun, or gone on, in between: then it has done something.
            if job.over and not job.complete and not job.processed:
                return deferred(orders, JobFailed.code, f"Bulk job {job_id} {was}.")
        if not job.over:
            return tuple(Lost(order.change, f"Bulk job {job_id} is {job.state}.", job_id) for order in orders)
        return outcomes(self._ingest, job, orders, self._transport.said) if orders else ()

    def _is_overdue(self, orders: Sequence[Order]) -> bool:
        now = self._transport.time()
        sent = max((each.change.sent_at for each in orders if each.change.sent_at is not None), default=None)
        return now is not None and sent is not None and now - sent > LONGEST_JOB


def _is_unnamed(outcome: Outcome) -> bool:
    """Whether a duplicate rule found something, and the answer does not say what."""
    return isinstance(outcome, Rejected) and outcome.kind is Kind.DUPLICATE and not outcome.matches


def _left(outcome: Outcome) -> bool:
    """Whether a job did not come to this row."""
    return isinstance(outcome, Deferred) and outcome.code == JobFailed.code


def _impossible(order: Order) -> Outcome | None:
    """The refusal of an order that cannot be written into any request."""
    change = order.change
    try:
        if change.operation is not Operation.CREATE:
            from_org(change.record_id)
        fields = [(order.schema.field(each.field), each.value) for each in change.edits]
    except Misuse as bad:
        return Rejected(change, bad.code, bad.message)
    for field, value in fields:
        if field.type is FieldType.ID:
            return Rejected(change, "INVALID_FIELD", "The Id of a record cannot be written.", (field.name,))
        if field.type is FieldType.REFERENCE and isinstance(value, str) and is_local(value):
            text = f"{field.name} refers to {value}, which the org does not have yet."
            return Rejected(change, "INVALID_CROSS_REFERENCE_KEY", text, (field.name,))
    return None
