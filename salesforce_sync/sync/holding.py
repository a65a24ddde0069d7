"""The objects that a push writes are held while it goes on; what somebody else holds is left out."""

from __future__ import annotations

from collections.abc import Iterable

from salesforce_sync.errors import StoreBusy
from salesforce_sync.models.run import Problem
from salesforce_sync.ports import Clock, Store
from salesforce_sync.sync.course import Course

LOOK_AGAIN = 0.2


class Holding:
    """Claims objects for a push."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def claim(self, course: Course) -> None:
        """Hold every object that may be written; what somebody else goes on holding is left out."""
        until = self._clock.monotonic() + (course.patience if course.waits else 0.0)
        # In the order of their names, whoever claims: two pushes cannot wait for each other.
        for name in self._store.edited_objects():
            while not self._is_claimed(course, name) and self._clock.monotonic() < until:
                self._clock.sleep(LOOK_AGAIN)
        self.leave_out_busy(course, self._store.edited_objects())

    def _is_claimed(self, course: Course, name: str) -> bool:
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

    def leave_out_busy(self, course: Course, names: Iterable[str]) -> None:
        """Claim these without waiting: whoever holds another object may wait for one of ours."""
        for name in names:
            if name not in course.without and not self._is_claimed(course, name):
                course.without |= {name}
                course.problem = course.busy if course.waits else course.problem
