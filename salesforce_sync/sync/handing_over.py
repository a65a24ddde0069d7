"""`HandingOver`: brings orders to the org, settles its answers, and reads again what it made of them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import TypeGuard

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import FieldNotFound, ObjectTrouble
from salesforce_sync.models.inbox import InboxItem
from salesforce_sync.models.outbox import Change, ChangeState, Kind, Operation, Wanted, is_sendable
from salesforce_sync.models.outcome import Applied, Conflicted, Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.ports import Clock, Order, Org, Store
from salesforce_sync.resolve import writable
from salesforce_sync.sync.beneath import Key
from salesforce_sync.sync.came_back import held_against, is_not_in_bin
from salesforce_sync.sync.clocks import compare_clocks
from salesforce_sync.sync.course import MOST_SENDS, Course, pieces
from salesforce_sync.sync.handing_on import (
    TAKEN,
    Taking,
    by_record,
    emptied,
    filled,
    holders_of,
    in_order,
    later,
    taking,
    turns,
)
from salesforce_sync.sync.merged_away import naming_masters
from salesforce_sync.sync.own_doing import OwnDoing
from salesforce_sync.sync.recover import Wait, recover
from salesforce_sync.sync.refetch import Refetch
from salesforce_sync.sync.unseen import Unseen
from salesforce_sync.sync.went_along import naming_deleted_master

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 2000
"""Rows that answers brought, before they are merged."""

FIELD_CODES = frozenset(("INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE", FieldNotFound.code))
"""Refusals that concern a field, whatever its value."""


class Sent(Struct):
    """`count` changes that were sent, and what is left to do about them.

    `refetch` has what is read again; over the `failed` ones the org has failed. `before`: how many changes it had taken
    in this push until then. `announced`: those that have been handed over; `given`: records of which it has taken the
    change. `for_fields`, `takings` and `in_vain` are refused, and not settled yet;
    `not_in_bin` are undeletions.
    """

    refetch: Refetch
    before: int
    count: int
    failed: list[Lost] = field(default_factory=list)
    announced: set[int] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    for_fields: list[Rejected] = field(default_factory=list)
    takings: list[Taking] = field(default_factory=list)
    in_vain: list[Rejected] = field(default_factory=list)
    not_in_bin: list[Rejected] = field(default_factory=list)


class HandingOver:
    """Sends for one pusher. What it learns of a push is in the push's course."""

    def __init__(self, org: Org, store: Store, clock: Clock) -> None:
        self._org = org
        self._store = store
        self._clock = clock

    def refuse(self, course: Course, outcomes: Sequence[Rejected | Deferred]) -> None:
        """Park, or put off, what is not on its way. The store settles only what is."""
        self._store.sending([each.change for each in outcomes], course.push_id, None, None)
        self._settle(course, outcomes)

    def looked_again(self, course: Course, orders: Sequence[Order], above: Sequence[Order]) -> bool:
        """Read again, once, what may have changed unseen; whether something was read, and all is to be planned anew.

        And those `above`, which are to be deleted after what is sent now: that may let the org change them.
        """
        unseen = [each.change for each in Unseen(self._store).among(orders) if not course.sends[each.change.number]]
        unseen += [each.change for each in above if each.change.record_id not in course.above]
        course.above.update(each.change.record_id for each in above)
        changes = [each for each in unseen if each.number not in course.looked]
        if not changes:
            return False
        course.looked.update(each.number for each in changes)
        refetch = self._refetch(course)
        refetch.note(map(Conflicted, changes))
        self._brought(course, refetch)
        self._tell_disputed(course, changes)
        return True

    def _tell_disputed(self, course: Course, before: Sequence[Change]) -> None:
        """Count as conflicted what waits by now, as a whole or in part.

        What has ended meanwhile, as the org has the same or its value holds, is no part of that.
        """
        for some in pieces(before):
            now = {each.number: each for each in self._store.changes(Wanted(numbers=[each.number for each in some]))}
            items = self._store.inbox(records=[each.record_id for each in now.values()]) if now else ()
            # Other items of the same record (what a push has replaced, say) ask about no field.
            conflicts = (item for item in items if item.kind is Kind.CONFLICT)
            asked = {(item.object_name, item.record_id): _fields_of(item) for item in conflicts}
            disputed = []
            for change in (each for each in some if each.number in now):
                left, fields = now[change.number], asked.get((change.object_name, change.record_id), frozenset())
                if left.state is ChangeState.PARKED or fields & change.values.keys():
                    kept = fields | left.values.keys()
                    disputed.append(replace(change, edits=tuple(each for each in change.edits if each.field in kept)))
            self._store.sending(disputed, course.push_id, None, None)
            self._settle(course, [Conflicted(each) for each in disputed])

    def send_cautiously(self, course: Course, good: list[Order], rest: list[list[Order]]) -> None:
        """Send the `good` ones, and empty their list; then those over which the org has failed, in many calls."""
        if good:
            sent = self._send(course, good)
            good.clear()
            self._read_again(course, sent)
        for some in rest:
            if not course.failures.everywhere:
                self._read_again(course, self._send(course, some))

    def _send(self, course: Course, orders: Sequence[Order]) -> Sent:
        """Hand these over; gives what is left to do about them."""
        sent = Sent(self._refetch(course), course.results.applied, len(orders))
        course.sends.update(order.change.number for order in orders)
        course.sent += len(orders)

        def announce(changes: Sequence[Change], job: str | None) -> None:
            now = self._org.time()
            course.began = course.began or now
            compare_clocks(self._org, self._store, self._clock)
            for some in pieces(changes):
                self._store.sending(some, course.push_id, now, job, self._org.told_user())
            sent.announced.update(each.number for each in changes)

        try:
            brought = 0
            for answered in self._org.write(orders, announce):
                outcomes = [_as_meant(_believed(each, course.gone), course.beside) for each in answered]
                self._take(course, sent, outcomes, orders)
                brought += len(outcomes)
                if brought >= ROWS_AT_ONCE:
                    course.updated.update(dict(sent.refetch.merge_brought(course.schemas)))
                    brought = 0
                course.failures.answered(outcomes)
        finally:
            # What the org has taken is shown here, whatever stopped the rest.
            course.updated.update(dict(sent.refetch.merge_brought(course.schemas)))
        if sent.for_fields:
            self._take_apart(course, sent.for_fields)
        if sent.not_in_bin:
            outcomes = held_against(self._org, sent.not_in_bin, course.schemas)
            self._settle(course, outcomes)
            sent.refetch.note(outcomes)
        if sent.takings:
            self._hand_on(course, sent.takings, sent.given)
        self._refuse_hollow(course, sent.in_vain)
        return sent

    def _take(self, course: Course, sent: Sent, outcomes: Sequence[Outcome], orders: Sequence[Order]) -> None:
        """Settle the outcomes of one call, but for what is looked at when all is sent."""
        unsent = [each for each in outcomes if _is_refused_here(each, sent.announced)]
        self._store.sending([each.change for each in unsent], course.push_id, None, None)
        fields = [each for each in outcomes if _is_about_a_field(each)]
        not_in_bin = [each for each in outcomes if is_not_in_bin(each)]
        takings = self._takings(course, outcomes, orders)
        later = {each.change.number for each in (*fields, *not_in_bin)} | {each.change.number for each in takings}
        rest = [each for each in outcomes if each.change.number not in later]
        in_vain = [each for each in rest if isinstance(each, Rejected) and _is_hollow(course, each)]
        hollow = {each.change.number for each in in_vain}
        self._settle(course, [each for each in rest if each.change.number not in hollow])
        for each in rest:
            if isinstance(each, Applied) and _is_hollow(course, each):
                del course.hollow[each.change.number]
        sent.for_fields += fields
        sent.takings += takings
        sent.not_in_bin += not_in_bin
        sent.in_vain += in_vain
        sent.failed += [each for each in outcomes if isinstance(each, Lost) and each.code]
        sent.given.update(each.record_id for each in outcomes if isinstance(each, Applied))
        sent.refetch.note(outcomes)

    def _takings(self, course: Course, outcomes: Sequence[Outcome], orders: Sequence[Order]) -> list[Taking]:
        """What is refused because another record of the push still had a value that it gives away."""
        refused = [
            each
            for each in outcomes
            if isinstance(each, Rejected) and each.code == TAKEN and each.change.number not in course.beside
        ]
        if not refused:
            return []
        changes = by_record(orders)
        found = [taking(each, course.schemas, changes) for each in refused]
        now = [each for each in found if each is not None and _has_turns(course, each.change)]
        rest = [each for each, one in zip(refused, found, strict=True) if one is None]
        return [*now, *self._later_takings(course, [each for each in rest if course.takers.may_wait(each.change)])]

    def _later_takings(self, course: Course, refused: Sequence[Rejected]) -> list[Taking]:
        """The same, where the other record's change goes with a later wave."""
        named = {holder for each in refused for holder in holders_of(each)}
        if not named:
            return []
        waiting = [
            Order(course.schemas[each.object_name], each)
            for each in self._store.changes(Wanted(records=named))
            if each.object_name in course.schemas and is_sendable(each, self._clock.now())
        ]
        changes = by_record(waiting)
        found = (taking(each, course.schemas, changes) for each in refused)
        return [
            replace(each, after=changes[each.change.object_name, each.holder].number)
            for each in found
            if each is not None
        ]

    def _hand_on(self, course: Course, takings: Sequence[Taking], given: AbstractSet[str]) -> None:
        """Send updates that were refused only because of the order again, in the right one; circles are opened before.

        Creates, from which nobody takes anything, are left to the next wave; what wants a value that is given away with
        a later one, until then.
        """
        waiting = later(takings)
        for number, (taker, after) in waiting.items():
            course.takers.wait(number, after, taker.field)
        self._settle(course, [Conflicted(taker.change) for taker, _ in waiting.values()])
        takings = [each for each in takings if each.change.number not in waiting]
        course.handed_on.update(each.change.number for each in takings)
        found = in_order(takings, given, course.schemas)
        again = {each.change.number for each in found.rest}
        left = [each.refused for each in takings if each.change.number not in again]
        self._settle(course, [each for each in left if not _is_hollow(course, each)])
        self._refuse_hollow(course, [each for each in left if _is_hollow(course, each)])
        self._settle(course, [Conflicted(each.change) for each in found.rest])
        fields = {each.change.number: each for each in found.empty}
        now = self._orders(course, [each.change for each in found.empty])
        first = [Order(each.schema, emptied(fields[each.change.number], each.change)) for each in now]
        if first:
            for each in first:
                kept = {edit.field: edit.base for edit in each.change.edits if edit.base is not None}
                course.hollow.setdefault(each.change.number, {}).update(kept)
            self._send_beside(course, first, [each.refused for each in found.empty])
        rest = self._orders(course, [each.change for each in found.rest])
        if rest:
            self._read_again(course, self._send(course, rest))

    def _send_beside(self, course: Course, orders: Sequence[Order], refused: Sequence[Rejected]) -> None:
        """Send what only empties or fills fields of changes that the org has refused."""
        course.beside = {each.change.number: each for each in refused}
        self._read_again(course, self._send(course, orders))
        course.beside = {}

    def _refuse_hollow(self, course: Course, refused: Sequence[Rejected]) -> None:
        """Settle these refusals once the records have their values back, of which fields were emptied in vain."""
        if not refused:
            return
        self._settle(course, [Conflicted(each.change) for each in refused])
        values = {each.change.number: course.hollow.pop(each.change.number) for each in refused}
        now = self._orders(course, [each.change for each in refused])
        full = [Order(each.schema, filled(each.change, values[each.change.number])) for each in now]
        if any(each.change.edits for each in full):
            self._send_beside(course, [each for each in full if each.change.edits], refused)
        known = {each.number: each for each in self._known(refused) if each.state is ChangeState.WAITING}
        changes = ((each, known.get(each.change.number)) for each in refused)
        self.refuse(course, [replace(each, change=change) for each, change in changes if change is not None])

    def _orders(self, course: Course, changes: Sequence[Change]) -> list[Order]:
        """These updates as they wait by now, in this order."""
        known = {each.number: each for each in self._known(list(map(Conflicted, changes)))}
        now = (known.get(each.number) for each in changes)
        return [
            Order(course.schemas[each.object_name], each)
            for each in now
            if each is not None
            and each.state is ChangeState.WAITING
            and each.operation is Operation.UPDATE
            and each.edits
        ]

    def _refetch(self, course: Course) -> Refetch:
        return Refetch(self._org, self._store, self._clock, OwnDoing(self._org, self._store, course).among)

    def look_at(self, course: Course, records: Iterable[Key]) -> None:
        """Read these again."""
        refetch = self._refetch(course)
        refetch.want(records)
        self._brought(course, refetch)

    def _brought(self, course: Course, refetch: Refetch) -> None:
        """Read again what is to be, and leave out the objects that cannot be."""
        course.updated.update(dict(refetch.merge_wanted(course.schemas)))
        course.schemas = {**course.schemas, **refetch.described}
        course.results.tell(refetch.told)
        self._leave_out(course, refetch)

    def _read_again(self, course: Course, sent: Sent) -> None:
        self._brought(course, sent.refetch)
        if sent.failed:
            course.failures.note(sent.failed, (sent.before, course.results.applied), course.sends, MOST_SENDS)
            if sent.count == 1:
                course.failures.alone(sent.failed)
            course.problem = course.failures.problem() or course.problem
            # At once: it has said itself that it is not at work on them any more.
            self.settle_lost(course, self._known(sent.failed), None)
        else:
            course.failures.well()

    def give_up(self, course: Course) -> None:
        """Settle what the push does not send any more."""
        known = self._known(list(course.failures.given_up.values()))
        outcomes = course.failures.outcomes(known, course.results.applied)
        if outcomes:
            self.refuse(course, outcomes)

    def _known(self, outcomes: Sequence[Outcome]) -> list[Change]:
        """What of these changes is in the outbox now."""
        numbers = [each.change.number for each in outcomes]
        return [each for some in pieces(numbers) for each in self._store.changes(Wanted(numbers=some))]

    def _take_apart(self, course: Course, refused: Sequence[Rejected]) -> None:
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
        course.schemas = {each.name: each for each in self._store.schemas()}
        self._settle(course, [replace(each, apart=_apart(each, course.schemas)) for each in refused])

    def _leave_out(self, course: Course, refetch: Refetch) -> None:
        """An object that cannot be read again is left to a later push; the others go on."""
        for trouble in refetch.unread.values():
            log.info("The push %s leaves an object out: %s", course.push_id, trouble)
            course.problem = Problem(trouble.code, trouble.message, trouble.hint)
        course.without = course.without.union(refetch.unread)

    def settle_lost(self, course: Course, changes: Sequence[Change], wait: Wait | None) -> None:
        """Settle these, which were on their way; `wait` where the org may still be at work on them."""
        refetch = Refetch(self._org, self._store, self._clock)
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

    def _settle(self, course: Course, outcomes: Sequence[Outcome]) -> None:
        told = [naming_deleted_master(self._store, naming_masters(self._store, each)) for each in outcomes]
        for some in pieces(told):
            settled = self._store.settle(course.push_id, some)
            for outcome in some:
                number = outcome.change.number
                if number in settled.arrived:
                    course.results.take(Applied(outcome.change, outcome.change.record_id))
                else:
                    course.results.take(outcome, settled.overwrote.get(number, ()))


def _has_turns(course: Course, change: Change) -> bool:
    """Whether it may be sent again for the order."""
    return course.handed_on[change.number] < turns(change, course.schemas[change.object_name])


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


def _as_meant(outcome: Outcome, beside: Mapping[int, Rejected]) -> Outcome:
    """The outcome; where a field may not be emptied for a moment, or filled again, the refusal that this was for."""
    refused = beside.get(outcome.change.number)
    return outcome if refused is None or not isinstance(outcome, Rejected) else refused


def _is_hollow(course: Course, outcome: Outcome) -> bool:
    """Whether the record has had a field emptied before, for this change."""
    number = outcome.change.number
    return number in course.hollow and number not in course.beside


def _fields_of(item: InboxItem) -> frozenset[str]:
    """The fields that a conflict is about."""
    return frozenset(each.field for each in item.conflicts)


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
