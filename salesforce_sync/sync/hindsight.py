"""`Hindsight`: what a daemon knows of the syncs and pushes that it has made itself; the rest is in the store."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct, field

from salesforce_sync.errors import SyncError
from salesforce_sync.models.duty import Waiting
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.sync.agenda import Budget, Pushes
from salesforce_sync.sync.log_lines import trouble_of
from salesforce_sync.sync.schedule import WARN_AT

FIRST_REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=5)
"""How long nothing is tried after an error that came before any object was begun (a login that fails)."""


class Hindsight(Struct):
    """`tried`: when each object was, by names in lower case. `left`: the mark of the edits that the last push left."""

    tried: dict[str, datetime] = field(default_factory=dict)
    left: str = ""
    pushed_at: datetime | None = None
    push_failures: int = 0
    failures: int = 0
    rests_until: datetime | None = None
    not_before: datetime | None = None
    paused_at: datetime | None = None
    """When `not_before` was found."""
    problem: str = ""
    problem_at: datetime | None = None

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def note_run(self, run: Run, now: datetime) -> None:
        """Keep what went wrong with one of its objects."""
        failed = next((each for each in run.objects if each.problem is not None), None)
        if failed is not None and failed.problem is not None:
            self._note(f"{failed.object_name}: {failed.problem.code}: {failed.problem.message}", now)

    def note_tried(self, names: Iterable[str], started: datetime) -> None:
        """Keep when these objects were tried."""
        self.tried |= {name.casefold(): started for name in names}

    def note_calls(self, again_at: datetime | None, known_before: datetime | None, now: datetime) -> None:
        """Keep until when a run has found no calls left; `known_before`: what was known of that when it began."""
        if again_at is not None or self.not_before == known_before:
            self.not_before = again_at  # else another one has found meanwhile that the calls are used
        self.paused_at = now  # what this run was told of the calls is no news

    def end_pause(self, usage: DayUsage | None, share: float | None) -> None:
        """Wait for calls no longer once the org has told somebody since that there are some: a push, or a command."""
        if self.paused_at is None or usage is None or share is None:
            return
        if usage.at > self.paused_at and share < WARN_AT:
            self.not_before = None

    def budget(self, share: float | None) -> Budget:
        """The day's calls, of which this share is used."""
        return Budget(share, self.not_before)

    # ── pushes ───────────────────────────────────────────────────────────────────────────────────────────────────

    def pushes(self, waiting: Waiting) -> Pushes:
        """What waits to be pushed, and how the last pushes went."""
        return Pushes(waiting, self.left, self.pushed_at, self.push_failures)

    def note_pushed(self, push: Push | None, edited: str, waiting: Waiting, now: datetime) -> None:
        """What is still there has a reason to; what was edited meanwhile has none. `edited`: what it was before."""
        self.left = waiting.mark if waiting.edited == edited else ""
        self.pushed_at = now
        self.push_failures = self.push_failures + 1 if push is not None and trouble_of(push) is not None else 0

    def note_push(self, push: Push, now: datetime) -> None:
        """Keep what went wrong with it."""
        trouble = trouble_of(push)
        if trouble is not None:
            self._note(f"{trouble.code}: {trouble.message}", now)

    # ── errors that come before any object is begun ──────────────────────────────────────────────────────────────

    def note_error(self, error: SyncError, now: datetime) -> None:
        """Keep it, and rest; the longer, the more of them have come one after the other."""
        self._note(f"{error.code}: {error.message}", now)
        self.rests_until = now + min(FIRST_REST * 2 ** min(self.failures, 10), LONGEST_REST)
        self.failures += 1

    def resting(self, now: datetime) -> datetime | None:
        """Until when nothing is tried; never for longer than it ever rests, whatever the clock says."""
        until = self.rests_until
        return until if until is not None and timedelta(0) < until - now <= LONGEST_REST else None

    def _note(self, problem: str, now: datetime) -> None:
        self.problem, self.problem_at = problem, now
