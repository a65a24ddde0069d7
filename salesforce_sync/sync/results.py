"""What became of a push's changes, while it goes on: so many one by one, of the others only how they ended."""

from __future__ import annotations

import pickle
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.errors import BudgetSpent, JobFailed, LimitExceeded
from salesforce_sync.models.outbox import Change, ChangeState, Wanted
from salesforce_sync.models.outcome import (
    DELETED_OVER,
    NOT_SHOWN,
    Applied,
    Conflicted,
    Deferred,
    Lost,
    Outcome,
    Rejected,
    overwriting,
)
from salesforce_sync.models.push import Blocked, Push, PushedChange
from salesforce_sync.models.run import Problem
from salesforce_sync.ports import MOST_LISTED, Store

PASSING = frozenset(
    (
        "UNABLE_TO_LOCK_ROW",
        "QUERY_TIMEOUT",
        "PROCESSING_HALTED",
        "BATCH_PROCESSING_HALTED",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "MIXED_DML_OPERATION",
        JobFailed.code,
    )
)
"""Reasons of Salesforce's for which a row was not taken that are mostly over within seconds; and ours for a Bulk job
that did not come to it, as one whose process was killed before it had started the job."""

PUT_OFF = "PUT_OFF"
"""Our code for a change that the org did not take before, and whose next attempt is not due."""

_NO_CALLS = frozenset((LimitExceeded.code, BudgetSpent.code))
_WITH_CALLS = "The first push for which there are API calls left sends it again."

PACKED_TOGETHER = 200
"""Changes of one pack."""

Told = tuple[tuple[PushedChange, ...], dict[str, int]]
"""Changes one by one, and how many others ended how."""


class Packed:
    """Changes that are told at the end only. As objects they would keep the memory of whole windows from being used."""

    def __init__(self) -> None:
        self._packs: list[bytes] = []
        self._loose: list[PushedChange] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, change: PushedChange) -> None:
        self._loose.append(change)
        self._count += 1
        if len(self._loose) == PACKED_TOGETHER:
            self._packs.append(pickle.dumps(self._loose))
            self._loose.clear()

    def __iter__(self) -> Iterator[PushedChange]:
        for pack in self._packs:
            yield from pickle.loads(pack)
        yield from self._loose


class Results(Struct):
    """`ended` holds, by number, how each change ended that is not applied; `disputed` those that went on without
    what is in dispute. Of so many of each the whole change is known (`_known`, `_in_part`). `overwrote` counts those
    that took the place of somebody else's value, or deleted it; `hidden` those whose record is not shown since;
    `_found_out` is what to tell of these two, by object and record. `again_at` is when the first of what has to wait
    may be sent.
    """

    ended: dict[int, str] = field(default_factory=dict)
    disputed: set[int] = field(default_factory=set)
    overwrote: int = 0
    hidden: int = 0
    again_at: datetime | None = None
    _found_out: dict[tuple[str, str], Problem] = field(default_factory=dict)
    _applied: Packed = field(default_factory=Packed)
    _applied_besides: int = 0
    _known: dict[int, PushedChange] = field(default_factory=dict)
    _in_part: dict[int, PushedChange] = field(default_factory=dict)

    def take(self, outcome: Outcome, overwrote: Sequence[str] = ()) -> None:
        """The org has answered; the write took the place of somebody else's values of these fields."""
        number = outcome.change.number
        before, known = self.ended.pop(number, None), self._known.pop(number, None)
        if before in ("conflicted", "rejected"):
            self._dispute(number, known, outcome.change)
        told = _pushed(outcome)
        if overwrote:
            self.overwrote += 1
            told = replace(told, problem=overwriting(overwrote))
        if not isinstance(outcome, Applied):
            self._end(number, told)
        elif len(self._applied) < (2 * MOST_LISTED if overwrote else MOST_LISTED):
            self._applied.append(told)
        else:
            self._applied_besides += 1

    def tell(self, found: Mapping[tuple[str, str], Problem]) -> None:
        """The org has shown, or does not show, what became of changes that it has taken: by object and record."""
        lost = {(each.object_name, each.record_id): number for number, each in self._known.items()}
        for key, problem in found.items():
            if key in lost:  # a deletion whose answer was lost, and that had arrived
                self._known[lost[key]] = replace(self._known[lost[key]], problem=problem)
            elif key not in self._found_out:
                self._found_out[key] = problem
                self.overwrote += problem.code == DELETED_OVER
                self.hidden += problem.code == NOT_SHOWN

    def block(self, blocked: Blocked) -> None:
        """It cannot be sent before another one."""
        problem = Problem("BLOCKED", f"It waits for {blocked.by}, which has to be sent before.")
        self._end(blocked.change.number, _as_pushed(blocked.change, "blocked", problem))

    def leave(self, changes: Iterable[Change]) -> None:
        """The push ends before it comes to these."""
        for each in changes:
            if each.number not in self.ended:
                self._end(each.number, _as_pushed(each, "left"))

    def hold(self, changes: Iterable[Change], why: Mapping[tuple[str, str], Problem]) -> None:
        """The org did not take these before, and it is too early for another attempt; `why`, by object and record."""
        for each in changes:
            if each.number not in self.ended and each.not_before is not None:
                again, cause = self._again(each.not_before), why.get((each.object_name, each.record_id))
                message = "The org did not take it before."
                if cause is not None:
                    message = f"It was not taken before, for {cause.code}: {cause.message}"
                    again = cause.hint or again
                self._end(each.number, _as_pushed(each, "held", Problem(PUT_OFF, message, again)))

    def _again(self, at: datetime) -> str:
        """When it is tried again, in words; the first such time is kept."""
        self.again_at = at if self.again_at is None else min(self.again_at, at)
        return f"The first push after {at:%Y-%m-%d %H:%M:%S} UTC sends it again."

    def _end(self, number: int, told: PushedChange) -> None:
        self.ended[number] = told.outcome
        if len(self._known) < MOST_LISTED:
            self._known[number] = told

    def _dispute(self, number: int, known: PushedChange | None, sent: Change) -> None:
        self.disputed.add(number)
        if known is not None and len(self._in_part) < MOST_LISTED:
            fields = {each.field for each in sent.edits}
            left = tuple(each for each in known.edits if each.field not in fields)
            self._in_part[number] = replace(known, edits=left)

    def told(self, store: Store) -> Told:
        """Everything, in the order of the outbox: what is applied, what is not, and what is only in part.

        A conflict that a policy decided for the org, or that was none (both sides made the same change), is over.
        """
        self._forget(
            number
            for number in _gone(store, self.numbers("conflicted"))
            if number not in self._known or self._known[number].problem is None
        )
        self._say_when(store)
        # What was not in dispute has been sent, and the rest waits: the change is in the org in part only.
        in_part = sorted(_parked(store, sorted(self.disputed - self.ended.keys())))
        beyond = Counter(outcome for number, outcome in self.ended.items() if number not in self._known)
        beyond["applied"] += self._applied_besides
        beyond["conflicted"] += sum(number not in self._in_part for number in in_part)
        listed = (
            *(self._with_what_was_found_out(each) for each in self._applied),
            *(each for _, each in sorted(self._known.items(), key=lambda pair: pair[0])),
            *(self._in_part[number] for number in in_part if number in self._in_part),
        )
        return listed, {outcome: count for outcome, count in beyond.items() if count}

    def _with_what_was_found_out(self, change: PushedChange) -> PushedChange:
        problem = self._found_out.get((change.object_name, change.record_id))
        return change if problem is None else replace(change, problem=problem)

    @property
    def applied(self) -> int:
        """How many changes the org has taken."""
        return len(self._applied) + self._applied_besides

    def numbers(self, outcome: str) -> list[int]:
        """Those that ended so, in the order of the outbox."""
        return sorted(number for number, each in self.ended.items() if each == outcome)

    def soon(self) -> list[int]:
        """Those that the org was only kept from for a moment."""
        problems = {number: self._known[number].problem for number in self.numbers("deferred") if number in self._known}
        return [number for number, problem in problems.items() if problem is not None and problem.code in PASSING]

    def _say_when(self, store: Store) -> None:
        """Let those that the org did not take now tell when they are tried again."""
        listed = [number for number in self.numbers("deferred") if number in self._known]
        for change in store.changes(Wanted(numbers=listed)) if listed else ():
            known = self._known[change.number]
            if change.not_before is not None and known.problem is not None:
                when = self._again(change.not_before)
                # The push as a whole says from when on there may be calls: no time before that would be true.
                hint = _WITH_CALLS if known.problem.code in _NO_CALLS else when
                problem = replace(known.problem, hint=hint)
                self._known[change.number] = replace(known, problem=problem)

    def _forget(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            del self.ended[number]
            self._known.pop(number, None)


def put_off_by(pushes: Sequence[Push]) -> dict[tuple[str, str], Problem]:
    """Why these pushes, newest first, put changes off, by object and record.

    With the hint that the push as a whole had, where that was for want of calls: it tells from which hour on.
    """
    why: dict[tuple[str, str], Problem] = {}
    for push in pushes:
        spent = push.problem.hint if push.problem is not None and push.problem.code in _NO_CALLS else ""
        for each in push.changes:
            if each.outcome == "deferred" and each.problem is not None:
                hint = spent if each.problem.code in _NO_CALLS else ""
                why.setdefault((each.object_name, each.record_id), replace(each.problem, hint=hint))
    return why


def _gone(store: Store, numbers: Sequence[int]) -> frozenset[int]:
    """Those of them that are in the outbox no more."""
    here = (each.number for some in _parts(numbers) for each in store.changes(Wanted(numbers=some)))
    return frozenset(numbers) - frozenset(here)


def _parked(store: Store, numbers: Sequence[int]) -> frozenset[int]:
    found = (each for some in _parts(numbers) for each in store.changes(Wanted(numbers=some)))
    return frozenset(each.number for each in found if each.state is ChangeState.PARKED)


def _parts(numbers: Sequence[int]) -> Iterable[Sequence[int]]:
    return (numbers[start : start + MOST_LISTED] for start in range(0, len(numbers), MOST_LISTED))


def _pushed(outcome: Outcome) -> PushedChange:
    change = outcome.change
    match outcome:
        case Applied(record_id=record_id):
            return replace(_as_pushed(change, "applied"), record_id=record_id)
        case Rejected(code=code, message=message):
            return _as_pushed(change, "rejected", Problem(code, message))
        case Deferred(code=code, message=message):
            return _as_pushed(change, "deferred", Problem(code, message))
        case Lost(message=message):
            hint = "The next push finds out whether the org has it, before anything is sent again."
            return _as_pushed(change, "lost", Problem("NO_ANSWER", message, hint))
        case Conflicted():
            return _as_pushed(change, "conflicted")


def _as_pushed(change: Change, outcome: str, problem: Problem | None = None) -> PushedChange:
    return PushedChange(change.object_name, change.record_id, change.operation, change.edits, outcome, problem)
