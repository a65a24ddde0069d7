"""`StoppableOrg`: the org, of which nothing more is asked once somebody wants the run to end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from datetime import datetime
from threading import Event

from salesforce_sync.errors import Stopped
from salesforce_sync.models.outbox import Change
from salesforce_sync.models.outcome import Outcome
from salesforce_sync.models.page import Deletions, Page, Poll, Polled, PullRequest
from salesforce_sync.models.schema import Described, ObjectSchema, ObjectSummary
from salesforce_sync.ports import Announce, Order, Org, Usage


class StoppableOrg:
    """Another `Org` up to the moment when `stop` is set; then every question, and every pull, raises `Stopped`.

    A pull goes on to its next durable page: what was paid for and is on its way is not thrown away. `before_writing`
    may raise what forbids to write to this org.
    """

    def __init__(self, org: Org, stop: Event, before_writing: Callable[[], None] = lambda: None) -> None:
        self._org = org
        self._stop = stop
        self._before_writing = before_writing

    def objects(self) -> tuple[ObjectSummary, ...]:
        self._check()
        return self._org.objects()

    def describe(self, object_name: str) -> ObjectSchema:
        self._check()
        return self._org.describe(object_name)

    def describe_together(self, object_names: Sequence[str]) -> tuple[Described | None, ...]:
        self._check()
        return self._org.describe_together(object_names)

    def pull(self, request: PullRequest) -> Generator[Page, None, None]:
        self._check()
        return self._watched(self._org.pull(request))

    def pull_together(self, requests: Sequence[PullRequest]) -> tuple[Generator[Page, None, None], ...]:
        self._check()
        return tuple(map(self._watched, self._org.pull_together(requests)))

    def _watched(self, pages: Generator[Page, None, None]) -> Generator[Page, None, None]:
        with closing(pages):
            for page in pages:
                durable = page.resume is not None and not page.last
                yield page
                del page  # it is not held while the next one comes
                # Whoever asks for another page has this one, and puts it on disk also if there is no other.
                if durable:
                    self._check()

    def poll(self, polls: Sequence[Poll]) -> tuple[Polled, ...]:
        self._check()
        return self._org.poll(polls)

    def deletions(self, object_name: str, start: datetime, end: datetime) -> Deletions:
        self._check()
        return self._org.deletions(object_name, start, end)

    def write(self, orders: Sequence[Order], announce: Announce) -> Generator[tuple[Outcome, ...], None, None]:
        """What was handed over is answered; nothing more is handed over."""
        self._check()
        self._before_writing()

        def announced(changes: Sequence[Change], job: str | None) -> None:
            self._check()
            announce(changes, job)

        return self._org.write(orders, announced)

    def recover(self, orders: Sequence[Order], job: str) -> tuple[Outcome, ...]:
        self._check()
        return self._org.recover(orders, job)

    def created(self, schema: ObjectSchema, since: datetime, by: str | None = None) -> tuple[tuple[object, ...], ...]:
        self._check()
        return self._org.created(schema, since, by)

    def told_user(self) -> str | None:
        return self._org.told_user()

    def user_id(self) -> str | None:
        self._check()
        return self._org.user_id()

    def cost(self, orders: Sequence[Order]) -> int:
        return self._org.cost(orders)

    def time(self) -> datetime | None:
        self._check()
        return self._org.time()

    @property
    def usage(self) -> Usage:
        return self._org.usage

    def close(self) -> None:
        self._org.close()

    def _check(self) -> None:
        if self._stop.is_set():
            raise Stopped()
