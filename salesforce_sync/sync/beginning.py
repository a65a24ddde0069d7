"""`Beginning`: what a run does for all of its objects at once, before each goes its own way, and before the proofs."""

from __future__ import annotations

from collections.abc import Sequence

from salesforce_sync.errors import StoreBusy, SyncError
from salesforce_sync.models.usage import MANY_UNKNOWN
from salesforce_sync.ports import Clock, Org, Store
from salesforce_sync.sync.puller import Puller
from salesforce_sync.sync.run_course import Course, Task

PATIENCE = 10.0
"""Seconds that a run waits for others to let go of its objects, and once more of what it pushes: most pushes and pulls
are over by then. Nobody has asked for the objects of all those edits."""

LOOK_AGAIN = 0.2


def let_go(tasks: Sequence[Task]) -> None:
    """Let go of the objects that are still held: a person may have pressed Ctrl-C in the middle of anything."""
    for task in tasks:
        task.claim.close()


class Beginning:
    """Holds the objects of a run, and asks the org about them in calls that they share."""

    def __init__(self, org: Org, store: Store, clock: Clock) -> None:
        self._org = org
        self._store = store
        self._clock = clock

    def hold(self, course: Course) -> list[Task]:
        """Hold every object, and know what is to be asked of each; in the order of the course."""
        until = self._clock.monotonic() + PATIENCE
        tasks = [Task(name, self._clock.now()) for name in course.names]
        try:
            # In the order of their names, whoever claims: a run and a push cannot wait for each other.
            for task in sorted(tasks, key=lambda task: task.name):
                self._claim(task, course.puller, until)
        except BaseException:
            let_go(tasks)
            raise
        return tasks

    def _claim(self, task: Task, puller: Puller, until: float) -> None:
        try:
            self._enter(task, until)
            task.poll = puller.question(task.name)
        except SyncError as error:
            task.error = error

    def _enter(self, task: Task, until: float) -> None:
        while True:
            try:
                task.claim.enter_context(self._store.claim(task.name))
                return
            except StoreBusy:
                if self._clock.monotonic() >= until:
                    raise
                self._clock.sleep(LOOK_AGAIN)

    def ask(self, tasks: Sequence[Task]) -> None:
        """Ask the org about all objects at once, as far as they can be asked so."""
        asked = [task for task in tasks if task.poll is not None]
        try:
            answers = self._org.poll([task.poll for task in asked if task.poll is not None]) if asked else ()
        except SyncError as error:
            for task in asked:
                task.error = error
            return
        for task, answer in zip(asked, answers, strict=True):
            task.polled = answer
        unknown = [task for task in tasks if task.error is None and self._store.schema(task.name) is None]
        if len(unknown) >= MANY_UNKNOWN:
            self._describe(unknown)

    def _describe(self, tasks: Sequence[Task]) -> None:
        """What is not known here yet is described at once, as far as the org does; the rest by its own pull."""
        try:
            answers = self._org.describe_together([task.name for task in tasks])
        except SyncError as error:
            for task in tasks:
                task.error = error
            return
        for task, answer in zip(tasks, answers, strict=True):
            task.described = answer

    def list_together(self, tasks: Sequence[Task], puller: Puller) -> None:
        """Begin the listings that the proofs need; what they begin with shares API calls."""
        schemas = [self._store.schema(task.name) for task in tasks]
        try:
            requests = [puller.verifier.listing(schema) for schema in schemas if schema is not None]
            listings = self._org.pull_together(requests) if requests else ()
        except SyncError as error:
            for task in tasks:
                task.error = error
            return
        for task, listing in zip(tasks, listings, strict=True):
            task.listing = listing
