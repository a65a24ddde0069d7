"""`Audit`: who did what, when, from where; only appended to, each entry chained to the one before by its hash.

What the chain proves: an entry that was changed, put between or taken out is found, and so is an end that was cut off
by a DELETE. Whoever may write the file can also cut off its end and the count of its entries, or, knowing how hashes
are made, make a whole new chain: note the last number and hash (`audit verify` prints them) somewhere else now and
then, and give them to `verify`.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import apsw
from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.access.database import AccessDatabase
from salesforce_sync.errors import Stopped, StoreTrouble, SyncError
from salesforce_sync.models.values import format_datetime, parse_datetime
from salesforce_sync.ports import Clock

log = logging.getLogger(__name__)

BEGUN: Final = "begun"
DONE: Final = "done"
INTERRUPTED: Final = "interrupted"
"""The process ended before the deed did."""

_LONGEST: Final = 4_000
"""Characters of a text: the names of two hundred objects, say."""

_FIRST: Final = "0" * 64
_COLUMNS: Final = "number, at, who, action, subject, origin, outcome, detail, begun, hash"


class Deed(Struct, frozen=True):
    """What somebody does.

    `who`: `os:pi`, `user:ada`; `action`: `sync`, `edit`, `login`; `subject`: on what; `origin`: `cli`, `web 127.0.0.1`.
    `detail` says more. No secret and no field's value belongs into any of them.
    """

    who: str
    action: str
    subject: str = ""
    origin: str = ""
    detail: str = ""


class Ending(Struct):
    """How a deed ends, if it raises nothing: for the block to say."""

    outcome: str = DONE
    detail: str = ""


class Entry(Struct, frozen=True):
    """One line of the log. `begun` is the number of the entry whose deed ended with this one."""

    number: int
    at: datetime
    deed: Deed
    outcome: str
    begun: int | None
    hash: str


class Verdict(Struct, frozen=True):
    """`sound` entries from the first on; `broken` is the number of the first that is not, and `why`.

    `head` is the hash of the last sound one.
    """

    sound: int
    broken: int | None
    why: str
    last: int
    head: str


class Audit:
    """The log of one installation; several processes and threads may append at once."""

    def __init__(self, database: AccessDatabase, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def append(self, deed: Deed, outcome: str = DONE, *, begun: int | None = None) -> int:
        """Write one entry, durably; gives its number."""
        at = format_datetime(self._clock.now())
        texts = tuple(map(_plain, (deed.who, deed.action, deed.subject, deed.origin, outcome, deed.detail)))
        with self._database.writing() as db:
            last, before = _end(db)
            fields = (last + 1, at, *texts, begun)
            db.execute(f"INSERT INTO audit ({_COLUMNS}) VALUES ({'?, ' * 9}?)", (*fields, _chained(before, fields)))
            return last + 1

    @contextmanager
    def doing(self, deed: Deed) -> Iterator[Ending]:
        """Write that it is begun, do the block, write how it ended. What cannot be written down is not begun.

        A deed without an end in the log was killed, or is still going on.
        """
        number = self.append(deed, BEGUN)
        ending = Ending()
        try:
            yield ending
        except SyncError as error:
            stopped = isinstance(error, Stopped)
            ending = Ending("stopped" if stopped else f"failed: {error.code}", ending.detail)
            raise
        except GeneratorExit:  # a stream whose reader has left
            ending = Ending("stopped", ending.detail)
            raise
        except BaseException as error:
            ending = Ending(f"failed: {type(error).__name__}", ending.detail)
            raise
        finally:
            self._end(replace(deed, detail=ending.detail), ending.outcome, number)

    def _end(self, deed: Deed, outcome: str, begun: int) -> None:
        try:
            self.append(deed, outcome, begun=begun)
        except StoreTrouble:
            # What was done is done, and that it was begun is written down.
            log.warning("How %s ended could not be written into the audit log", deed.action, exc_info=True)

    def interrupt(self, number: int) -> None:
        """Write that the process ended in which this entry's deed went on."""
        begun = next((each for each in self.entries(most=1, before=number + 1) if each.number == number), None)
        if begun is not None and begun.outcome == BEGUN:
            self.append(begun.deed, INTERRUPTED, begun=number)

    def entries(self, *, most: int = 100, before: int | None = None) -> tuple[Entry, ...]:
        """The newest entries, newest first; `before` this number, to page back."""
        rows = self._database.rows(
            f"SELECT {_COLUMNS} FROM audit WHERE number < ? ORDER BY number DESC LIMIT ?", (before or 2**62, most)
        )
        return tuple(map(_entry, rows))

    def verify(self, noted: tuple[int, str] | None = None) -> Verdict:
        """Go through the whole chain. `noted`: a number and hash from an earlier verdict, kept elsewhere."""
        # Asked first: what another process appends meanwhile must not look like an end that was cut off.
        ever = self._database.rows("SELECT seq FROM sqlite_sequence WHERE name = 'audit'")
        should = max([int(row[0]) for row in ever] + ([] if noted is None else [noted[0]]), default=0)
        number, before = 0, _FIRST
        for row in self._database.each(f"SELECT {_COLUMNS} FROM audit ORDER BY number"):
            *fields, kept = row
            if fields[0] != number + 1:
                return Verdict(number, number + 1, _MISSING, number, before)
            if _chained(before, tuple(fields)) != kept:
                return Verdict(number, fields[0], _CHANGED, number, before)
            if noted is not None and noted[0] == fields[0] and noted[1] != kept:
                return Verdict(number, fields[0], _REWRITTEN, number, before)
            number, before = fields[0], kept
        if should > number:
            return Verdict(number, number + 1, _CUT, number, before)
        return Verdict(number, None, "", number, before)


_MISSING: Final = "it is missing"
_CHANGED: Final = "it was changed, or is not the one that was written here"
_REWRITTEN: Final = "it is another than the one that was noted"
_CUT: Final = "it, and all that came after it, is missing"


def _end(db: apsw.Connection) -> tuple[int, str]:
    row = db.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return (0, _FIRST) if row is None else (int(row[0]), str(row[1]))


def _chained(before: str, fields: tuple[object, ...]) -> str:
    text = json.dumps([before, *fields], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _plain(text: str) -> str:
    """The text in one line of a bounded length, and how much of it is not told: nobody writes a second line, or a
    book, into the log."""
    more = len(text) - _LONGEST
    cut = text if more <= 0 else f"{text[:_LONGEST]}… ({more:,} characters more)"
    return "".join(each if each.isprintable() else "�" for each in cut)


def _entry(row: tuple[object, ...]) -> Entry:
    number, at, who, action, subject, origin, outcome, detail, begun, kept = row
    deed = Deed(str(who), str(action), str(subject), str(origin), str(detail))
    ended = None if begun is None else int(str(begun))
    return Entry(int(str(number)), parse_datetime(str(at)), deed, str(outcome), ended, str(kept))
