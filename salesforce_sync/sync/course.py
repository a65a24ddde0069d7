"""`Course`: one push while it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack
from datetime import datetime
from typing import TypeVar

from msgspec import Struct, field
from msgspec.structs import replace

from salesforce_sync.models.outcome import Rejected
from salesforce_sync.models.run import Problem
from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.sync.failures import Failures, sort_of
from salesforce_sync.sync.plan import Plan, plan
from salesforce_sync.sync.results import Results
from salesforce_sync.sync.takers import Takers
from salesforce_sync.sync.waves import Wave
from salesforce_sync.sync.windows import Window

PATIENCE = 30.0
"""Seconds that a push waits for another run to let go of an object; then its changes wait for the next push."""

MOST_SENDS = 4
"""How often one push sends a change: its parts, and again after the record was found to have moved."""

SETTLED_AT_ONCE = 1000
"""Changes that are announced, or settled, in one transaction: who writes beside the push waits as long as it takes."""

_T = TypeVar("_T")


class Course(Struct):
    """One push while it goes on. `sent` counts what was handed over; `sends` how often each change of the window.

    `waits`: for who holds an object, `patience` seconds; one that does not says nothing of what it leaves.
    `gone` are the numbers of changes to which the org said that something is gone; they have been read again since.
    `looked` those whose records were read again before they were sent. `handed_on` counts how often changes have been
    sent again because another record had their value first. `hollow` has, by number, the values of which records were
    emptied for that; `beside` what to say of a change if what is sent now, which only empties or fills, is refused.
    `began`: the org's time when the first changes were handed over; `above` are records that go after what lies beneath
    them, and were read again before that. `takers` are changes that wait until another one, of a later wave, gives its
    value away.
    """

    push_id: str
    schemas: dict[str, ObjectSchema]
    waits: bool = True
    patience: float = PATIENCE
    results: Results = field(default_factory=Results)
    sends: Counter[int] = field(default_factory=Counter)
    gone: set[int] = field(default_factory=set)
    looked: set[int] = field(default_factory=set)
    handed_on: Counter[int] = field(default_factory=Counter)
    hollow: dict[int, dict[str, Stored]] = field(default_factory=dict)
    beside: dict[int, Rejected] = field(default_factory=dict)
    takers: Takers = field(default_factory=Takers)
    failures: Failures = field(default_factory=Failures)
    began: datetime | None = None
    above: set[str] = field(default_factory=set)
    sent: int = 0
    waited: float = 0.0
    updated: Counter[str] = field(default_factory=Counter)
    claims: ExitStack = field(default_factory=ExitStack)
    held: set[str] = field(default_factory=set)
    without: frozenset[str] = frozenset()
    busy: Problem | None = None
    problem: Problem | None = None

    def plan(self, window: Window, now: datetime) -> Plan:
        """What of the window can be sent, and in which order."""
        left_out = {
            each.number
            for each in window.changes
            if each.object_name in self.without
            or each.number in self.failures.given_up
            or sort_of(each) in self.failures.hopeless
            or self.sends[each.number] >= MOST_SENDS
        }
        planned = self._planned(window, now, left_out | self.takers.waiting)
        while self.takers.waiting:
            if planned.waves or planned.rejected:
                joined = self.takers.join(_numbers(planned.waves[:1]))
            elif (opened := self._opened(window, now, left_out)) is not None:
                return opened
            else:
                joined = self.takers.give_up(window.last)
            if not joined:
                break
            planned = self._planned(window, now, left_out | self.takers.waiting)
        return planned

    def _planned(self, window: Window, now: datetime, left_out: AbstractSet[int]) -> Plan:
        return plan(
            window.changes,
            self.schemas,
            now,
            window.references,
            left_out | window.put_off,
            window.arrived,
            window.standard_books,
        )

    def _opened(self, window: Window, now: datetime, left_out: AbstractSet[int]) -> Plan | None:
        """What can be sent if those that wait go without the value that they want, which is sent afterwards.

        Only those without which what they wait for cannot go; None if there is none.
        """
        found = (self.takers.without_value(each, self.schemas) for each in window.changes)
        bare = {each.number: each for each in found if each is not None}
        while bare:
            changes = tuple(bare.get(each.number, each) for each in window.changes)
            waiting = self.takers.waiting - bare.keys()
            planned = self._planned(replace(window, changes=changes), now, left_out | waiting)
            good = self.takers.waiting_for(_numbers(planned.waves)) & bare.keys()
            if good == bare.keys():
                self.takers.let_go(good)
                return planned
            bare = {number: bare[number] for number in good}
        return None


def _numbers(waves: Sequence[Wave]) -> frozenset[int]:
    return frozenset(order.change.number for wave in waves for order in wave.orders)


def pieces(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """So many at a time that whoever writes beside the push waits for a moment only."""
    return (items[start : start + SETTLED_AT_ONCE] for start in range(0, len(items), SETTLED_AT_ONCE))
