"""`Patience`: how often a pull, or a listing, is begun or taken up again before its error is reported."""

from __future__ import annotations

from salesforce_sync.errors import Incomplete, JobFailed, JobLost, LocatorExpired, Transient

ATTEMPTS = 4
"""Errors that end a piece of work; those count no longer after which it came to another durable point."""

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
        self._begun_anew = 0
        self._reached: str | None = None

    @property
    def jobs(self) -> bool:
        """Whether the next attempt may be made by a Bulk job."""
        return self._failed_jobs < MOST_JOBS

    def bear(self, error: Transient, reached: str | None = None) -> None:
        """Count an attempt that failed; raises its error if there is to be no other.

        `reached` is the durable point from which the next one would go on. Work that begins anew has no point of its
        own: what is lost again and again would otherwise be read for ever.
        """
        anew = isinstance(error, LocatorExpired | JobFailed | Incomplete)
        if not anew and reached != self._reached:
            self.errors = self._begun_anew
        self._reached = None if anew else reached
        self._begun_anew += anew
        self.errors += 1
        self._failed_jobs += isinstance(error, JobFailed | JobLost)
        self.by_id |= isinstance(error, LocatorExpired)
        if self.errors == ATTEMPTS or self._failed_jobs > MOST_JOBS:
            raise error
