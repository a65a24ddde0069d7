"""`Sender`: one call that writes, and the outcomes of its orders, whatever comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from salesforce_sync.api import composite
from salesforce_sync.api.composite import CompositeAnswer, Part
from salesforce_sync.api.responses import Refusal, error_for
from salesforce_sync.api.rest import Purpose
from salesforce_sync.api.rows import PageDecoder
from salesforce_sync.api.transport import Answer, Call, Transport
from salesforce_sync.api.write_call import CallRefused, NotDone, Unknown, attempt
from salesforce_sync.api.write_look import conflict, looked_schema
from salesforce_sync.api.write_outcomes import Fit, read_error, refused
from salesforce_sync.api.write_parts import headers_of
from salesforce_sync.api.write_single import Single, has_to_be_looked_at, record_path
from salesforce_sync.errors import ForeignAnswer, LimitExceeded, NeedsPerson, ObjectNotFound, SyncError
from salesforce_sync.models.connection import Session
from salesforce_sync.models.outcome import Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.page import Priority
from salesforce_sync.ports import Announce, Order

Outcomes = tuple[Outcome, ...]
T = TypeVar("T")

RENEWALS = 2
"""How often what met the end of a session is sent again by a new one."""

_MIXED = "MIXED_DML_OPERATION"
"""The org writes its setup objects (User, Group, PermissionSet, …) in no transaction with others."""

_NO_COMPOSITE = (403, 404, 405)
"""How an org, or what stands before it, says that there is no composite here."""


class Shipment(Protocol):
    """One composite call that brings orders over."""

    @property
    def orders(self) -> Sequence[Order]: ...

    def parts(self) -> list[Part]: ...

    def read(self, answer: CompositeAnswer) -> list[Outcome | None]: ...


Packer = Callable[[Sequence[Order]], Shipment]


class Sender:
    """Sends for one push. `offline` is set once no connection can be made: then nothing more is tried."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.offline: NotDone | None = None

    def put_off(self, orders: Sequence[Order]) -> Outcomes:
        """The outcomes of orders that are not tried, because there is no connection."""
        why = self.offline or NotDone("UNREACHABLE", "There is no connection.")
        return deferred(orders, why.code, why.message)

    # ── one record by its own resource ───────────────────────────────────────────────────────────────────────────────

    def alone(self, order: Order, announce: Announce) -> Iterator[Outcomes]:
        """Announce one order and send it in a call of its own."""
        if self.offline is not None:
            yield self.put_off([order])
            return
        self._transport.session()
        announce([order.change], None)
        yield from self._singly(order)

    def _singly(self, order: Order) -> Iterator[Outcomes]:
        shipment = Single(order)
        result: Outcomes | CallRefused | SyncError | None = self._looked_alone(order)
        if result is None:
            result = self.answered([order], shipment.call(), lambda answer: (shipment.outcome(answer),))
        if isinstance(result, CallRefused):
            result = self._single_refusal(order, result.refusal)
        if isinstance(result, SyncError):
            yield deferred([order], result.code, result.message)
            raise result
        yield result

    def _single_refusal(self, order: Order, refusal: Refusal) -> Outcomes | SyncError:
        if refusal.foreign and refusal.status == 404:  # all others would meet it too
            return error_for(refusal, f"write a change of {order.schema.name}")
        return (refused(order.change, refusal, self._transport.said),)

    def _looked_alone(self, order: Order) -> Outcomes | SyncError | None:
        """What cannot be sent on a condition is looked at in a call before."""
        if not has_to_be_looked_at(order):
            return None
        schema = looked_schema([order])
        try:
            body = self._transport.send(Call("look at a record", record_path(order), priority=Priority.PUSH)).body
            outcome = conflict(order, schema, PageDecoder(schema).record(body))
        except ObjectNotFound:
            outcome = conflict(order, schema, None)
        except (LimitExceeded, NeedsPerson) as stop:
            return stop
        except ForeignAnswer as error:
            return error
        except SyncError as error:
            return deferred([order], error.code, error.message)
        return None if outcome is None else (outcome,)

    # ── one call ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def announced(self, orders: Sequence[Order], pack: Packer, announce: Announce) -> Iterator[Outcomes]:
        """Announce these orders and send them in one call; in more, where the org does not take it as it is."""
        self._transport.session()  # a login that fails must not come between the announcement and the call
        announce([order.change for order in orders], None)
        yield from self._sent(orders, pack, RENEWALS)

    def _sent(self, orders: Sequence[Order], pack: Packer, renewals: int) -> Iterator[Outcomes]:
        shipment = pack(orders)
        result = self._tried(shipment)
        if isinstance(result, CallRefused):
            yield from self._apart(orders, pack, result, renewals)
            return
        if isinstance(result, SyncError):
            yield deferred(orders, result.code, result.message)
            raise result
        if not isinstance(result, CompositeAnswer):
            yield result
            return
        found = _unmixed(orders, shipment.read(result))
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
        return self.answered(orders, call, lambda answer: composite.read(answer, purpose.doing))

    def answered(
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
            self.offline = not_done if not_done.offline else None
            return deferred(orders, not_done.code, not_done.message)
        except Unknown as unknown:
            told = None if unknown.refusal is None else fault(unknown.refusal, self._transport.said)
            if told is not None:
                return _stop(told, call) or CallRefused(told)
            code = _own_failure(unknown.refusal, self._transport.said)
            return tuple(Lost(order.change, unknown.message, code=code) for order in orders)
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
            self.renewed(answer.session) if renewals else NotDone("INVALID_SESSION_ID", "The session ended again.")
        )
        if problem is None:
            yield from self._sent(orders, pack, renewals - 1)
            return
        yield deferred(orders, problem.code, problem.message)
        if isinstance(problem, NeedsPerson):
            raise problem

    def renewed(self, session: Session) -> SyncError | None:
        """Get another session than this one; why there is none, if there is none."""
        try:
            self._transport.renew(session)
        except SyncError as problem:
            return problem
        return None


def _unmixed(orders: Sequence[Order], outcomes: Sequence[Outcome | None]) -> list[Outcome | None]:
    """The outcomes; what was refused only because of the other objects in its call goes again, without them.

    Those that came first in the call are through by then; an object that is refused when it is alone stays refused.
    """
    if len({order.schema.name for order in orders}) == 1:
        return list(outcomes)
    return [
        Deferred(each.change, each.code, each.message) if isinstance(each, Rejected) and each.code == _MIXED else each
        for each in outcomes
    ]


def _own_failure(refusal: Refusal | None, fit: Fit) -> str:
    """Salesforce's code, if it says itself that it has failed; empty where a proxy, or nobody, has answered."""
    if refusal is None or refusal.foreign or refusal.status != 500:
        return ""
    return read_error(refusal.body, refusal.status, fit).code


def _stop(refusal: Refusal, call: Call) -> SyncError | None:
    """The error that a refusal means for everything that is still to be sent."""
    error = error_for(refusal, call.doing)
    return error if refusal.status != 401 and isinstance(error, LimitExceeded | NeedsPerson) else None


def deferred(orders: Sequence[Order], code: str, message: str) -> Outcomes:
    """The outcomes of orders of which surely nothing was done."""
    return tuple(Deferred(order.change, code, message) for order in orders)


def _doing(orders: Sequence[Order]) -> str:
    names = ", ".join(dict.fromkeys(order.schema.name for order in orders))
    return f"write {len(orders):,} change{'s' if len(orders) > 1 else ''} of {names}"
