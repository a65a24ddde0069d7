"""What a push makes of calls over which the org itself has failed (500): maybe over one of their changes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

from salesforce_sync.errors import Unreachable
from salesforce_sync.models.outbox import Change, ChangeState, Operation
from salesforce_sync.models.outcome import Deferred, Lost, Outcome, Rejected
from salesforce_sync.models.run import Problem
from salesforce_sync.ports import Order

CAUTIOUS_CALLS = 20
"""Into about how many calls changes are divided over which the org has failed."""

MOST_FAILURES = 5
"""Calls one after the other over which it fails, and takes nothing: then it fails over everything."""


Sort = tuple[str, Operation]


def sort_of(change: Change) -> Sort:
    """What is done to which object."""
    return change.object_name, change.operation


class Failures(Struct):
    """The failures of one push. `given_up` are the changes that are not sent any more in it, `hopeless` the objects and
    operations over which it fails whatever the change: what else there is of them is not tried.

    `_all`: by number, the last failure of each change. `_alone`: those that were alone in their call. `_in_a_row`: how
    many calls failed one after the other, `_silent` how many were not answered. `_taken_before`: how many changes were
    taken when the first one had failed.
    """

    given_up: dict[int, Lost] = field(default_factory=dict)
    hopeless: set[Sort] = field(default_factory=set)
    _all: dict[int, Lost] = field(default_factory=dict)
    _alone: set[int] = field(default_factory=set)
    _in_a_row: int = 0
    _taken_before: int | None = None
    _silent: int = 0

    @property
    def everywhere(self) -> bool:
        """Whether it seems to fail over everything."""
        return self._in_a_row >= MOST_FAILURES

    def well(self) -> None:
        """It has answered without a failure."""
        self._in_a_row = 0

    def answered(self, outcomes: Sequence[Outcome]) -> None:
        """What became of a call; `Unreachable` where too many have had no answer at all, each for minutes perhaps."""
        silent = bool(outcomes) and all(isinstance(each, Lost) and not each.code for each in outcomes)
        self._silent = self._silent + 1 if silent else 0
        if self._silent >= MOST_FAILURES:
            raise Unreachable(
                f"{self._silent} calls one after the other had no answer.",
                code="NO_ANSWER",
                hint="The next push finds out what has become of them, and goes on with the rest.",
            )

    def note(self, failed: Sequence[Lost], taken: tuple[int, int], sends: Mapping[int, int], most: int) -> None:
        """It has failed over these. `taken`: how many changes it had taken in this push before the call, and has now.

        What was alone in its call, and what was sent `most` times, is given up; and all, if it fails over everything.
        """
        before, now = taken
        self._in_a_row = self._in_a_row + 1 if before == now else 1
        self._taken_before = now if self._taken_before is None else self._taken_before
        for each in failed:
            number = each.change.number
            self._all[number] = each
            if sends[number] >= most:
                self.given_up[number] = each
        if self.everywhere:
            self.given_up |= self._all
            self.hopeless |= {sort_of(each.change) for each in self._all.values()}

    def problem(self) -> Problem | None:
        """What to tell of the push, if the org fails over everything of a sort."""
        if not self.hopeless:
            return None
        last = next(reversed(self._all.values()))
        sorts = ", ".join(f"{operation} {name}" for name, operation in sorted(self.hopeless))
        message = f"The org fails over everything that is sent of {sorts}: {last.message}"
        return Problem(last.code, message, "What is left of it is not tried in this push; the next one tries it again.")

    def alone(self, failed: Sequence[Lost]) -> None:
        """Each of these was alone in its call."""
        for each in failed:
            self._alone.add(each.change.number)
            self.given_up[each.change.number] = each

    def split(self, orders: Sequence[Order], turn: int) -> tuple[list[Order], list[list[Order]]]:
        """Those over which it has not failed; the others in many calls, beginning with another one each `turn`."""
        good = [order for order in orders if order.change.number not in self._all]
        rest = [order for order in orders if order.change.number in self._all]
        size = -(-len(rest) // CAUTIOUS_CALLS) or 1
        some = [rest[start : start + size] for start in range(0, len(rest), size)]
        first = turn % len(some) if some else 0
        return good, some[first:] + some[:first]

    def outcomes(self, known: Sequence[Change], taken: int) -> list[Rejected | Deferred]:
        """What becomes of those that are given up, as the outbox knows them; `taken` as above.

        One over which it fails all alone waits for a person, if it has taken others since: it would fail for ever.
        """
        told: list[Rejected | Deferred] = []
        for change in known:
            if change.state is ChangeState.WAITING:
                failure = self.given_up[change.number]
                bad = change.number in self._alone and taken > (self._taken_before or 0)
                told.append((Rejected if bad else Deferred)(change, failure.code, failure.message))
        return told
