"""What a run did, as data: for signals, for `status`, and for the person who asked."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from msgspec import Struct

from salesforce_sync.errors import DescribeRefused, FieldRefused, ObjectNotFound
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.schema import Refusal

if TYPE_CHECKING:  # a push's changes tell their `Problem`, which is defined here
    from salesforce_sync.models.push import Push


class RunState(StrEnum):
    """How a run, or one object's part of it, ended. Anything that was skipped, cut or refused is not complete."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"


class Problem(Struct, frozen=True):
    """Why an object's part of a run did not complete."""

    code: str
    message: str
    hint: str = ""

    @property
    def is_crowd(self) -> bool:
        """Whether too many long requests ran at once: the org gives that the code of a day that is used up."""
        return self.code == "REQUEST_LIMIT_EXCEEDED" and "concurrent" in self.message.lower()


class RunCounts(Struct, frozen=True):
    """Rows of one object in one run: how many came from the org, and what they did here."""

    rows: int = 0
    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def changed(self) -> int:
        """Rows that are not as they were."""
        return self.inserted + self.updated + self.deleted

    def plus(self, more: RunCounts) -> RunCounts:
        """Both together."""
        changes = self.inserted + more.inserted, self.updated + more.updated, self.deleted + more.deleted
        return RunCounts(self.rows + more.rows, *changes)


CAME = (DescribeRefused.code, FieldRefused.code)
"""The problems with which all rows have come."""


class RunRecord(Struct, frozen=True):
    """One object's part of one run. Times are this machine's, in UTC."""

    run_id: str
    object_name: str
    state: RunState
    started: datetime
    finished: datetime
    counts: RunCounts = RunCounts()
    problem: Problem | None = None

    @property
    def came(self) -> bool:
        """Whether all rows are here: at the most the org has not told whether the fields are still the same, or has
        refused to read some of them."""
        return self.problem is None or self.problem.code in CAME

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished - self.started).total_seconds()


class Run(Struct, frozen=True):
    """One run over several objects; `calls` is what it cost of the org's daily API calls."""

    run_id: str
    objects: tuple[RunRecord, ...]
    calls: int
    seconds: float
    again_at: datetime | None = None
    """When calls that the day's limit kept from being made may be tried again (UTC)."""
    pushed: Push | None = None
    """What was sent; None if there was nothing to send."""
    undecided: Mapping[str, int] = {}
    """How many edits of which object met a change in the org in what was brought: new in the inbox, and not sent."""

    @property
    def state(self) -> RunState:
        """Complete if every object is and every edit is in the org, failed if all failed. An edit that has waited in
        the inbox since an earlier run is no part of this one.

        An object that only ran out of API calls goes on later: it makes the run partial.
        """
        states = {each.state for each in self.objects}
        if states <= {RunState.COMPLETE}:
            return RunState.COMPLETE if self.sent else RunState.PARTIAL
        return RunState.FAILED if states == {RunState.FAILED} else RunState.PARTIAL

    @property
    def sent(self) -> bool:
        """Whether the org has taken every edit that this run found, and none has come to wait for a person."""
        return not self.undecided and (self.pushed is None or self.pushed.complete)

    @property
    def changed(self) -> int:
        """Rows of all objects that are not as they were."""
        return sum(each.counts.changed for each in self.objects)


READS_ALL = "reading every row"


class ObjectStatus(Struct, frozen=True):
    """What is here of one object: live rows, tombstones, the checkpoint, and the last run."""

    object_name: str
    rows: int
    tombstones: int
    checkpoint: datetime | None
    last_run: RunRecord | None
    last_complete: datetime | None
    staged_rows: int = 0
    proof: Proof | None = None
    refreshed_at: datetime | None = None
    """When values that change without a stamp (formulas) were last read; the last full load counts too."""
    refreshes: bool = True
    """Whether it may have such values: not, once its fields are known and none of them is one."""
    method: str = ""
    """How changes are found: by which stamp, or by reading everything where there is none; empty where nothing can be
    read."""
    refused: tuple[Refusal, ...] = ()
    """The fields that the org describes and refuses to read."""
    loss_refused: str | None = None
    """What has been found gone since the proof and waits for a person's word."""

    @property
    def is_gone(self) -> bool:
        """Whether it was here, and the org did not know it when it was last asked for."""
        problem = None if self.last_run is None else self.last_run.problem
        return self.last_complete is not None and problem is not None and problem.code == ObjectNotFound.code

    @property
    def undescribed(self) -> Problem | None:
        """Why the last run has not learnt its fields; None where it has, or has met something else."""
        problem = None if self.last_run is None else self.last_run.problem
        return problem if problem is not None and problem.code == DescribeRefused.code else None

    @property
    def left_out(self) -> str:
        """What a proof does not tell of: the names of the fields that are left out."""
        return ", ".join(each.field for each in self.refused)

    @property
    def reads_all(self) -> bool:
        """Whether every sync reads every row, as no stamp tells what has changed."""
        return self.method == READS_ALL
