"""`Page`: rows of one object on their way in, the only thing that moves in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import IntEnum, StrEnum
from pathlib import Path

from msgspec import Struct

from salesforce_sync.errors import SyncError
from salesforce_sync.models.schema import ObjectSchema


class CsvFile(Struct, frozen=True):
    """A CSV file on disk in Bulk API 2.0's form: UTF-8, a header row, commas, values quoted, `""` for null.

    Its columns are `schema.columns`: in that order, or where `places` says for each of them, counted from 0 (before
    version 50.0 Salesforce does not promise the query's order). Whoever merges the page removes the file.
    """

    path: Path
    places: tuple[int, ...] = ()


class TypedFile(Struct, frozen=True):
    """The rows of a `CsvFile` as a store has prepared them: a file that only a store of that kind can read.

    Its columns are `schema.columns`, in that order. Whoever stages the page removes the file.
    """

    path: Path


class Rows(Struct, frozen=True):
    """Decoded rows in REST's form, one value a column of `schema.columns`, in that order.

    Texts are `str`, booleans `bool`, whole numbers `int`, decimals `decimal.Decimal`; dates and times are still texts,
    as the org wrote them. null is `None`, and so is an empty text once stored.

    `stored` are the same rows in the stored form (`models/values.py`; true may stand for 1), from whoever can give them
    so with less work than a store.
    """

    values: Sequence[tuple[object, ...]]
    stored: Sequence[tuple[object, ...]] | None = None

    def __eq__(self, other: object) -> bool:
        return self.values == other.values if isinstance(other, Rows) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # the rows may be a list


class Page(Struct, frozen=True):
    """Rows of one object, with what is needed to go on after them.

    `resume` is a durable point: when it is not None, this page completes everything before that point, and
    `PullRequest.resume` may take up there in another process. A large result page comes as several pages, and only
    its last one has a `resume` and `expected`, the rows that the org said the whole result page has.
    """

    schema: ObjectSchema
    body: CsvFile | TypedFile | Rows
    resume: str | None = None
    expected: int | None = None
    total: int | None = None
    """Rows that the whole pull will bring, where the org has said it."""
    server_time: datetime | None = None
    """The org's own time just before the query began (UTC): nothing newer is promised to be in the rows."""
    last: bool = False
    waits_for: str = ""
    """What the next page has to wait for, in words for a person, where that may take minutes."""

    def drop(self) -> None:
        """Remove the page's file, if it has one: nobody will stage it."""
        if not isinstance(self.body, Rows):
            self.body.path.unlink(missing_ok=True)


class Priority(IntEnum):
    """What a call is for. The smaller the number, the longer it may go on when the day's API calls run out."""

    PUSH = 0
    PULL = 1
    VERIFY = 2
    REFRESH = 3


class Sweep(StrEnum):
    """What some columns of all rows are read for; the values stand in the store, and name its tables."""

    LISTING = "listing"
    FILLING = "filling"
    REFRESH = "refresh"


class PullRequest(Struct, frozen=True):
    """What to pull: all rows, or with `since` the rows (and soft-deleted ones) whose stamp is at or after it (UTC).

    With `ids` only those records, soft-deleted ones too, as `Rows`; ids that the org does not show are left out.
    The columns are the schema's: `schema.only(…)` asks for fewer. `rows` is about how many there are, where the org has
    just counted them; `here` is how many of them are here, which only says by what way they should come. `jobs`:
    whether they may come by a Bulk job. `by_id`: whether those that come otherwise should in the order of their ids, so
    that no end of a session lets it begin anew.
    """

    schema: ObjectSchema
    since: datetime | None = None
    resume: str | None = None
    ids: tuple[str, ...] = ()
    priority: Priority = Priority.PULL
    rows: int | None = None
    jobs: bool = True
    here: int | None = None
    by_id: bool = False

    @property
    def expected(self) -> int | None:
        """About how many rows will come, as far as anything is known of it."""
        return self.here if self.rows is None else self.rows

    def sweep(self, whole: ObjectSchema) -> Sweep | None:
        """What sweep of the object this is; None for its rows, or only some of them. `whole` is its full schema."""
        if self.since is not None or self.ids:
            return None
        asked = _names(self.schema)
        if asked == _names(whole.listed):
            return Sweep.LISTING
        if asked == _names(whole):
            return None
        return Sweep.REFRESH if self.priority is Priority.REFRESH else Sweep.FILLING


class Poll(Struct, frozen=True):
    """Ask what is new in one object: how many rows have a stamp at or after `since`, and which are the newest.

    `described_as` is what `Polled.described_as` last said, so that an unchanged describe is not sent again. `overdue`:
    what is known of the fields is old, so that an answer which does not tell of them is not enough.
    """

    schema: ObjectSchema
    since: datetime
    described_as: str | None = None
    overdue: bool = False


class Polled(Struct, frozen=True):
    """The answer to a poll. `rows` are the newest first, soft-deleted ones too; all of them if there are `total`.

    Where the org cannot sort by the stamp they are any of the rows, in no order.

    `schema` is the object's describe where it is not as `described_as` knew it, else None. `problem` is set, and
    there are no rows, where the org refused to answer for this object; the describe may be told all the same.
    `undescribed` is why it was not, where that was overdue: nothing is known of what has changed in the fields.
    """

    object_name: str
    rows: Rows
    total: int
    server_time: datetime | None = None
    schema: ObjectSchema | None = None
    described_as: str | None = None
    problem: SyncError | None = None
    undescribed: SyncError | None = None


class Deletions(Struct, frozen=True):
    """The org's own log of deletions (getDeleted): ids that were deleted, purged ones too, up to `covered` (UTC)."""

    ids: frozenset[str]
    covered: datetime


def _names(schema: ObjectSchema) -> frozenset[str]:
    return frozenset(field.name for field in schema.columns)
