"""`PageSizes`: how many rows to ask of a Bulk result page, after pages that broke off in their body."""

from __future__ import annotations

from collections import Counter

LEAST = 1_000
"""Rows of a page that is made no smaller."""

_SHRINKS_AFTER = 2
"""Breaks without a whole page between: a single one is a matter of chance, and would only cost calls."""


class PageSizes:
    """Of the jobs of one org, by their ids, as long as this process lives.

    A page is durable only when it is whole. Behind a proxy with a time limit, or on a line that does not hold, one that
    is asked for again as it was may never be.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}

    def rows(self, job_id: str, most: int) -> int:
        """How many rows to ask of the job's next page; `most` where nothing speaks against it."""
        job = self._jobs.get(job_id)
        return most if job is None or job.rows is None else min(job.rows, most)

    def broke(self, job_id: str, rows: int) -> None:
        """Note that a page of so many rows broke off."""
        job = self._jobs.setdefault(job_id, _Job())
        job.running += 1
        job.broken[rows] += 1
        if job.running >= _SHRINKS_AFTER:
            job.rows = max(LEAST, rows // 4)

    def whole(self, job_id: str, rows: int) -> None:
        """Note that a page for which so many rows were asked came whole: the next one may be larger."""
        job = self._jobs.get(job_id)
        if job is None:
            return
        job.running = 0
        for each in [size for size in job.broken if size <= rows]:
            del job.broken[each]
        if job.rows is not None and rows * 2 < job.limit:
            job.rows = rows * 2

    def forget(self, job_id: str) -> None:
        """Forget a job whose last page came."""
        self._jobs.pop(job_id, None)


class _Job:
    """`rows`: what to ask for (None: as many as usual); `running`: breaks since a whole page; `broken`: by size."""

    def __init__(self) -> None:
        self.rows: int | None = None
        self.running = 0
        self.broken: Counter[int] = Counter()

    @property
    def limit(self) -> float:
        """The smallest size that broke twice: no page grows to it."""
        return min((size for size, times in self.broken.items() if times > 1), default=float("inf"))
