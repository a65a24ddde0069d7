"""`Writer`: brings changes to the org (`ports.Org.write`), one call after the other, and tells what became of each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Protocol, TypeVar

from salesforce_sync.api import composite, write_route
from salesforce_sync.api.composite import CompositeAnswer, Part
from salesforce_sync.api.ingest import Ingest, IngestJob
from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Answer, Call, Transport
from salesforce_sync.api.undelete import Undelete, fault_of
from salesforce_sync.api.write_bulk import OPERATIONS, content, outcomes
from salesforce_sync.api.write_call import CallRefused, NotDone, Unknown, attempt
from salesforce_sync.api.write_collections import CollectionsCall, conflict, looked_schema, retrieve, retrieved
from salesforce_sync.api.write_outcomes import Fit, outcome_of, read_error, refused
from salesforce_sync.api.write_parts import PartsCall, headers_of
from salesforce_sync.api.write_route import Step, Way
from salesforce_sync.api.write_single import Single, record_path
from salesforce_sync.errors import (
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
from salesforce_sync.models.connection import Session
from salesforce_sync.models.outbox import Deferred, Kind, Lost, Operation, Outcome, Rejected, is_local
from salesforce_sync.models.page import Priority
from salesforce_sync.models.salesforce_id import to_18
from salesforce_sync.models.schema import FieldType
from salesforce_sync.ports import Announce, Clock, Order

Outcomes = tuple[Outcome, ...]

_RENEWALS = 2
"""How often what met the end of a session is sent again by a new one."""


_JOBS = 3
"""How often a Bulk job is made anew because records were changed while it was filled."""

log = logging.getLogger("salesforce_sync.api")

_ASKED_AGAIN = 24
"""Duplicates of one call of which it is asked what they are like: two calls."""

_NO_COMPOSITE = (403, 404, 405)
"""How an org, or what stands before it, says that there is no composite here."""

T = TypeVar("T")


class Shipment(Protocol):
    """One composite call that brings orders over."""

    @property
    def orders(self) -> Sequence[Order]: ...

    def parts(self) -> list[Part]: ...

    def read(self, answer: CompositeAnswer) -> list[Outcome | None]: ...


Plan = Callable[[Sequence[Order]], tuple[Step, ...]]
Packer = Callable[[Sequence[Order]], Shipment]


class Writer:
    """Writes for one org. Never has two calls under way at once."""

    def __init__(self, transport: Transport, clock: Clock, plan: Plan = write_route.plan) -> None:
        self._transport = transport
        self._plan = plan
        self._ingest = Ingest(transport, clock)
        self._offline: NotDone | None = None

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[Outcomes, None, None]:
        """Send these changes; gives the outcomes of each call as it is answered."""
        impossible = [(order, _impossible(order)) for order in orders]
        refused = tuple(outcome for _, outcome in impossible if outcome is not None)
        if refused:
            yield refused
        for step in self._plan([order for order, outcome in impossible if outcome is None]):
            yield from filter(None, self._step(step, announce))

    def _step(self, step: Step, announce: Announce) -> Iterator[Outcomes]:
        if self._offline is not None:
            yield _deferred(step.orders, self._offline.code, self._offline.message)
            return
        match step.way:
            case Way.PARTS:
                yield from self._announced(step.orders, lambda some: PartsCall(some, self._transport.said), announce)
            case Way.ALONE:
                for order in step.orders:
                    yield from self._alone(order, announce)
            case Way.UNDELETE:
                for some in write_route.cut(step.orders, write_route.ROWS_A_PART):
                    yield from self._undelete(some, announce)
            case Way.BULK:
                for some in write_route.cut(step.orders, write_route.JOB_ROWS, write_route.JOB_WEIGHT):
                    yield from self._job(some, announce, _JOBS)
            case Way.COLLECTIONS:
                yield from self._collections(step.orders, announce)

    # ── collections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _collections(self, orders: Sequence[Order], announce: Announce) -> Iterator[Outcomes]:
        unchanged, told = self._looked(orders)
        if told:
            yield told
        for call in write_route.collection_calls(unchanged) if unchanged else []:
            if self._offline is not None:
                yield _deferred([order for some in call for order in some], self._offline.code, self._offline.message)
                continue
            together = [order for some in call for order in some]
            for told in self._announced(together, self._packed, announce):
                yield from self._with_matches(together, told, announce)

    def _with_matches(self, orders: Sequence[Order], told: Outcomes, announce: Announce) -> Iterator[Outcomes]:
        """The outcomes; a few duplicates are sent once more as parts: collections and Bulk do not tell of what."""
        unnamed = [each.change.number for each in told if _is_unnamed(each)][:_ASKED_AGAIN]
        yield tuple(each for each in told if each.change.number not in unnamed)
        for step in write_route.calls_of_parts(order for order in orders if order.change.number in unnamed):
            yield from self._step(step, announce)

    def _packed(self, orders: Sequence[Order]) -> Shipment:
        (call,) = write_route.collection_calls(orders)
        return CollectionsCall(call, self._transport.said)

    def _looked(self, orders: Sequence[Order]) -> tuple[list[Order], Outcomes]:
        """The orders whose records are as they were, and the outcomes of the others."""
        groups = write_route.look_parts(orders)
        told: dict[int, Outcome] = {}
        for start in range(0, len(groups), composite.MAX_QUERIES):
            for group in self._look(groups[start : start + composite.MAX_QUERIES]):
                told |= group
        kept = [order for order in orders if order.change.number not in told]
        return kept, tuple(told.values())

    def _look(self, groups: Sequence[Sequence[Order]]) -> Iterator[dict[int, Outcome]]:
        """By the changes' numbers, what must not be sent, one call for five groups."""
        schemas = [looked_schema(group) for group in groups]
        parts = [retrieve(f"look{number}", schema, groups[number]) for number, schema in enumerate(schemas)]
        everything = [order for group in groups for order in group]
        purpose = Purpose("look at records before they are written", Priority.PUSH)
        try:
            answer = composite.ask(self._transport, parts, purpose)
        except (Transient, ObjectTrouble) as error:
            yield {order.change.number: Deferred(order.change, error.code, error.message) for order in everything}
            return
        for number, (group, schema) in enumerate(zip(groups, schemas, strict=True)):
            rows = retrieved(answer, f"look{number}", schema, group)
            if rows is None:
                yield {order.change.number: self._unseen(order, answer, f"look{number}") for order in group}
                continue
            found = [(order, conflict(order, schema, rows[to_18(order.change.record_id)])) for order in group]
            yield {order.change.number: outcome for order, outcome in found if outcome is not None}

    def _unseen(self, order: Order, answer: CompositeAnswer, reference: str) -> Outcome:
        """What becomes of an order whose record could not be looked at."""
        part = answer.parts.get(reference)
        if part is None or part.status < 400 or part.status >= 500 or part.status == 401:
            return Deferred(order.change, "SERVER_UNAVAILABLE", "The record could not be looked at before.")
        return outcome_of(order.change, read_error(part.body, part.status, self._transport.said))

    # ── undelete ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _undelete(self, orders: Sequence[Order], announce: Announce) -> Iterator[Outcomes]:
        if self._offline is not None:
            yield _deferred(orders, self._offline.code, self._offline.message)
            return
        self._transport.session()
        announce([order.change for order in orders], None)
        call = Undelete(orders, self._transport.said)
        for _ in range(_RENEWALS + 1):
            session = self._transport.session()
            result = self._answered(
                orders, call.call(self._transport), lambda answer: tuple(call.read(answer.body)), fault_of
            )
            if not (isinstance(result, CallRefused) and result.refusal.status == 401):
                break
            problem = self._renewed(session)
            if problem is not None:
                result = problem
                break
        if isinstance(result, CallRefused):
            result = tuple(refused(order.change, result.refusal, self._transport.said) for order in orders)
        if isinstance(result, SyncError):
            yield _deferred(orders, result.code, result.message)
            raise result
        yield result

    # ── Bulk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _job(self, orders: Sequence[Order], announce: Announce, jobs: int) -> Iterator[Outcomes]:
        """One job; if records were changed meanwhile, another one without them, `jobs` at the most."""
        if self._offline is not None or not jobs:
            why = self._offline or NotDone("JOB_FAILED", "The records change too fast for a Bulk job.")
            yield _deferred(orders, why.code, why.message)
            return
        job = self._filled(orders)
        if job is None:
            yield from self._collections(orders, announce)
            return
        # As late as can be: a job knows no condition, and what changes after this look is overwritten.
        unchanged, told = self._looked(orders)
        if told:
            self._ingest.abort(job)
            yield told
            if unchanged:
                yield from self._job(unchanged, announce, jobs - 1)
            return
        for job_id in (None, job.id):
            announce([order.change for order in orders], job_id)
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
        """What became of orders that a job has; one that never ran is given up, and its orders may go again."""
        try:
            job = self._ingest.look(job_id)
        except (ObjectNotFound, RequestRefused) as gone:
            return tuple(Lost(order.change, gone.message) for order in orders)
        if job.open:
            self._ingest.abort(job)
            job = self._ingest.look(job_id)
            if job.over:
                return _deferred(orders, JobFailed.code, f"Bulk job {job_id} had not been started.")
        if not job.over:
            return tuple(Lost(order.change, f"Bulk job {job_id} is {job.state}.", job_id) for order in orders)
        return outcomes(self._ingest, job, orders, self._transport.said) if orders else ()

    # ── one record by its own resource ───────────────────────────────────────────────────────────────────────────────

    def _alone(self, order: Order, announce: Announce) -> Iterator[Outcomes]:
        if self._offline is not None:
            yield _deferred([order], self._offline.code, self._offline.message)
            return
        self._transport.session()
        announce([order.change], None)
        yield from self._singly(order)

    def _singly(self, order: Order) -> Iterator[Outcomes]:
        shipment = Single(order)
        result: Outcomes | CallRefused | SyncError | None = self._looked_alone(order)
        if result is None:
            result = self._answered([order], shipment.call(), lambda answer: (shipment.outcome(answer),))
        if isinstance(result, CallRefused):
            result = (refused(order.change, result.refusal, self._transport.said),)
        if isinstance(result, SyncError):
            yield _deferred([order], result.code, result.message)
            raise result
        yield result

    def _looked_alone(self, order: Order) -> Outcomes | SyncError | None:
        """A deletion knows no condition, so the stamp is looked at in a call before."""
        if order.change.operation is not Operation.DELETE:
            return None
        schema = looked_schema([order])
        try:
            body = self._transport.send(Call("look at a record", record_path(order), priority=Priority.PUSH)).body
            outcome = conflict(order, schema, PageDecoder(schema).record(body))
        except ObjectNotFound:
            outcome = conflict(order, schema, None)
        except (LimitExceeded, NeedsPerson) as stop:
            return stop
        except SyncError as error:
            return _deferred([order], error.code, error.message)
        return None if outcome is None else (outcome,)

    # ── one call ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _announced(self, orders: Sequence[Order], pack: Packer, announce: Announce) -> Iterator[Outcomes]:
        self._transport.session()  # a login that fails must not come between the announcement and the call
        announce([order.change for order in orders], None)
        yield from self._sent(orders, pack, _RENEWALS)

    def _sent(self, orders: Sequence[Order], pack: Packer, renewals: int) -> Iterator[Outcomes]:
        shipment = pack(orders)
        result = self._tried(shipment)
        if isinstance(result, CallRefused):
            yield from self._apart(orders, pack, result, renewals)
            return
        if isinstance(result, SyncError):
            yield _deferred(orders, result.code, result.message)
            raise result
        if not isinstance(result, CompositeAnswer):
            yield result
            return
        found = shipment.read(result)
        told = tuple(outcome for outcome in found if outcome is not None)
        if told:
            yield told
        again = [order for order, outcome in zip(orders, found, strict=True) if outcome is None]
        if again:
            yield from self._by_new_session(again, pack, result, renewals)

    def _tried(self, shipment: Shipment) -> CompositeAnswer | Outcomes | CallRefused | SyncError:
        orders = shipment.orders
        purpose = Purpose(_doing(orders), Priority.PUSH)
        call = composite.call_of(self._transport, shipment.parts(), purpose, headers_of(orders))
        return self._answered(orders, call, lambda answer: composite.read(answer, purpose.doing))

    def _answered(
        self,
        orders: Sequence[Order],
        call: Call,
        read: Callable[[Answer], T],
        fault: Callable[[Refusal, Fit], Refusal | None] = lambda refusal, fit: None,
    ) -> T | Outcomes | CallRefused | SyncError:
        """The answer; or the outcomes where there is none; or what refused the call, or stops everything."""
        try:
            return read(attempt(self._transport, call))
        except CallRefused as refusal:
            return refusal
        except NotDone as not_done:
            self._offline = not_done if not_done.offline else None
            return _deferred(orders, not_done.code, not_done.message)
        except Unknown as unknown:
            told = None if unknown.refusal is None else fault(unknown.refusal, self._transport.said)
            if told is not None:
                return _stop(told, call) or CallRefused(told)
            return tuple(Lost(order.change, unknown.message) for order in orders)
        except (LimitExceeded, NeedsPerson) as stop:
            return stop
        except SyncError as unreadable:
            return tuple(Lost(order.change, unreadable.message) for order in orders)

    def _apart(self, orders: Sequence[Order], pack: Packer, why: CallRefused, renewals: int) -> Iterator[Outcomes]:
        """A call that the org does not take as it is: half of it may be well."""
        if why.refusal.status in _NO_COMPOSITE:
            for order in orders:
                yield from self._singly(order)
            return
        if len(orders) == 1:
            yield (refused(orders[0].change, why.refusal, self._transport.said),)
            return
        middle = len(orders) // 2
        yield from self._sent(orders[:middle], pack, renewals)
        yield from self._sent(orders[middle:], pack, renewals)

    def _by_new_session(
        self, orders: Sequence[Order], pack: Packer, answer: CompositeAnswer, renewals: int
    ) -> Iterator[Outcomes]:
        """Send again what met the end of the session: that was surely not done."""
        problem = (
            self._renewed(answer.session) if renewals else NotDone("INVALID_SESSION_ID", "The session ended again.")
        )
        if problem is None:
            yield from self._sent(orders, pack, renewals - 1)
            return
        yield _deferred(orders, problem.code, problem.message)
        if isinstance(problem, NeedsPerson):
            raise problem

    def _renewed(self, session: Session) -> SyncError | None:
        try:
            self._transport.renew(session)
        except SyncError as problem:
            return problem
        return None


def _is_unnamed(outcome: Outcome) -> bool:
    """Whether a duplicate rule found something, and the answer does not say what."""
    return isinstance(outcome, Rejected) and outcome.kind is Kind.DUPLICATE and not outcome.matches


def _left(outcome: Outcome) -> bool:
    """Whether a job did not come to this row."""
    return isinstance(outcome, Deferred) and outcome.code == JobFailed.code


def _stop(refusal: Refusal, call: Call) -> SyncError | None:
    """The error that a refusal means for everything that is still to be sent."""
    error = error_for(refusal, call.doing)
    return error if refusal.status != 401 and isinstance(error, LimitExceeded | NeedsPerson) else None


def _deferred(orders: Sequence[Order], code: str, message: str) -> Outcomes:
    return tuple(Deferred(order.change, code, message) for order in orders)


def _doing(orders: Sequence[Order]) -> str:
    names = ", ".join(dict.fromkeys(order.schema.name for order in orders))
    return f"write {len(orders):,} change{'s' if len(orders) > 1 else ''} of {names}"


def _impossible(order: Order) -> Outcome | None:
    """The refusal of an order that cannot be written into any request."""
    change = order.change
    try:
        if change.operation is not Operation.CREATE:
            to_18(change.record_id)
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
