"""`Page`: rows of one object on their way in, the only thing that moves in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from salesforce_sync.models.schema import ObjectSchema


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file on disk in Bulk API 2.0's form: UTF-8, a header row, commas, values quoted, `""` for null.

    Its columns are `schema.columns`, in that order. Whoever merges the page removes the file.
    """

    path: Path


@dataclass(frozen=True, slots=True)
class Rows:
    """Decoded rows in REST's form, one value a column of `schema.columns`, in that order.

    Texts are `str`, booleans `bool`, whole numbers `int`, decimals `decimal.Decimal`; dates and times are still texts,
    as the org wrote them. null is `None`.
    """

    values: Sequence[tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Page:
    """Rows of one object, with what is needed to go on after them.

    `resume` is a durable point: when it is not None, this page completes everything before that point, and
    `PullRequest.resume` may take up there in another process. A large result page comes as several pages, and only
    its last one has a `resume` and `expected`, the rows that the org said the whole result page has.
    """

    schema: ObjectSchema
    body: CsvFile | Rows
    resume: str | None = None
    expected: int | None = None
    total: int | None = None
    """Rows that the whole pull will bring, where the org has said it."""
    server_time: datetime | None = None
    """The org's own time just before the query began (UTC): nothing newer is promised to be in the rows."""
    last: bool = False


@dataclass(frozen=True, slots=True)
class PullRequest:
    """What to pull: all rows, or with `since` the rows (and soft-deleted ones) whose stamp is at or after it (UTC)."""

    schema: ObjectSchema
    since: datetime | None = None
    resume: str | None = None
