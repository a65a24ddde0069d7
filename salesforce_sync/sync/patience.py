"""`Patience`: how often a pull, or a listing, is begun or taken up again before its error is reported."""

from __future__ import annotations

from salesforce_sync.errors import JobFailed, JobLost, LocatorExpired, Transient

ATTEMPTS = 4

MOST_JOBS = 2
"""Bulk jobs of one pull that may fail, hang for hours, or have no result that the org gives, before its rows come by
REST, with more calls."""


class Patience:
    """With the errors of one piece of work, in their order."""

    def __init__(self) -> None:
        self.errors = 0
        self.by_id = False
        """Whether the rows of the next attempt should come in the order of their ids: a locator was lost."""
        self._failed_jobs = 0

    @property
    def jobs(self) -> bool:
        """Whether the next attempt may be made by a Bulk job."""
        return self._failed_jobs < MOST_JOBS

    def bear(self, error: Transient) -> None:
        """Count an attempt that failed; raises its error if there is to be no other."""
        self.errors += 1
        self._failed_jobs += isinstance(error, JobFailed | JobLost)
        self.by_id |= isinstance(error, LocatorExpired)
        if self.errors == ATTEMPTS or self._failed_jobs > MOST_JOBS:
            raise error
