"""Durable points of a pull, as the text that a `Page` and a `PullRequest` carry. Pure.

`bulk:<job id>:<total>:<locator>`   the Bulk result page to fetch next; no locator: the first; `null`: none is left.
                                    A total of `~<number>` was told by a query before the job, and not by the job
`split:<rows>:<from>:<to>:<id>`     the window of stamps (milliseconds; none: no end) to read next, after this id
`rest:<rows>:<total>:<session>:<path>`   the REST page to fetch next, after so many rows; no path: none is left
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from salesforce_sync.errors import LocatorExpired
from salesforce_sync.models.connection import Session, fingerprint

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = re.compile(r"(-?\d{1,14})?:(-?\d{1,14})?")

END = "null"
"""What Salesforce itself sends as the locator of a last result page (`Sforce-Locator: null`)."""


class BulkPoint(Struct, frozen=True):
    """Where a Bulk job's results go on. `total`: rows of all pages, None until the job is done.

    `locator` is None before the first page. `probed` is what a query said before the job, kept as long as neither the
    job nor a page of its result has told a number of its own.
    """

    job_id: str
    total: int | None = None
    locator: str | None = None
    probed: int | None = None

    @property
    def finished(self) -> bool:
        return self.locator == END

    def __str__(self) -> str:
        total = "" if self.total is None else str(self.total)
        if self.total is None and self.probed is not None:
            total = f"~{self.probed}"
        return f"bulk:{self.job_id}:{total}:{self.locator or ''}"


class RestPoint(Struct, frozen=True):
    """Where a REST query goes on, after `rows` rows. `path` is None after the last page.

    `total` is what the first page said. `session` is the `mark` of the one that asked: no other can go on.
    """

    rows: int
    path: str | None
    total: int | None = None
    session: str = ""

    @property
    def finished(self) -> bool:
        return self.path is None

    def __str__(self) -> str:
        return f"rest:{self.rows}:{'' if self.total is None else self.total}:{self.session}:{self.path or ''}"


class SplitPoint(Struct, frozen=True):
    """Where a pull in windows goes on, after `rows` rows: stamps from `start` on and before `end`, then all from `end`.

    `after` (None: it does not matter) is the id after which the window goes on, in the order of ids.
    """

    rows: int
    start: datetime | None = None
    end: datetime | None = None
    after: str | None = None

    def __str__(self) -> str:
        after = "" if self.after is None else f"{self.after}."
        return f"split:{self.rows}:{_milliseconds(self.start)}:{_milliseconds(self.end)}:{after}"


def _milliseconds(moment: datetime | None) -> str:
    return "" if moment is None else str((moment - _EPOCH) // timedelta(milliseconds=1))


def _moment(milliseconds: str) -> datetime | None:
    return _EPOCH + timedelta(milliseconds=int(milliseconds)) if milliseconds else None


def mark(session: Session) -> str:
    """By what a session is known again, without being kept."""
    return fingerprint(session.access_token)[:16]


def parse(text: str) -> BulkPoint | RestPoint | SplitPoint:
    """Read a durable point; `LocatorExpired` for a text that no version of this program can go on from."""
    kind, _, point = text.partition(":")
    match kind, point.split(":", 2 if kind == "bulk" else 3):
        case "bulk", [job_id, probed, locator] if job_id and probed.startswith("~") and probed[1:].isdecimal():
            return BulkPoint(job_id, None, locator or None, int(probed[1:]))
        case "bulk", [job_id, total, locator] if job_id and (total.isdecimal() or not total):
            return BulkPoint(job_id, int(total) if total else None, locator or None)
        case "rest", [rows, total, session, path] if rows.isdecimal() and (total.isdecimal() or not total):
            return RestPoint(int(rows), path or None, int(total) if total else None, session)
        case "split", [rows, start, end, after] if rows.isdecimal() and _MOMENT.fullmatch(f"{start}:{end}"):
            return SplitPoint(int(rows), _moment(start), _moment(end), after.removesuffix(".") if after else None)
    raise LocatorExpired(f"The pull cannot go on from {text!r}.", hint="It starts again from the beginning.")
