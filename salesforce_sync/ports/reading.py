"""Questions to the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from msgspec import Struct

from salesforce_sync.models.run import ObjectStatus, RunRecord
from salesforce_sync.models.usage import DayUsage
from salesforce_sync.models.values import Stored


class Filter(Struct, frozen=True):
    """One condition on a field: `operator` is one of `OPERATORS`; for "in" the value is a tuple."""

    field: str
    operator: str
    value: object


OPERATORS = ("eq", "ne", "contains", "startswith", "endswith", "in", "gt", "gte", "lt", "lte", "isnull")
"""Texts compare without regard to case (as in SOQL), except in ids and fields that describe calls case sensitive."""


class Place(Struct, frozen=True):
    """A row's place in an order: its value of the field that is sorted by (stored form), and its id."""

    id: str
    value: Stored = None


class Selection(Struct, frozen=True):
    """A page of a sorted answer. Rows are in the order of `sort` (nulls are the smallest), then of their ids.

    `descending` turns both around. Texts sort without regard to case where they are compared so. Rows have the columns
    that `ObjectSchema.chosen(fields)` gives.
    """

    filters: tuple[Filter, ...] = ()
    sort: str = "Id"
    descending: bool = False
    after: Place | None = None
    most: int = 100
    fields: tuple[str, ...] = ()


class Reading(Protocol):
    """Rows, and what is known of the replica as a whole."""

    def count_shown(self, object_name: str) -> int:
        """Rows that the org should show as live: without those made or brought back here only, nor those that wait
        because the org shows them no more; with those deleted only here.
        """

    def note_usage(self, used: int, limit: int) -> None:
        """The org has just said how many API calls of the last 24 hours are used."""

    def usage(self) -> DayUsage | None:
        """What it last said."""

    def count(self, object_name: str, filters: Sequence[Filter] = ()) -> int:
        """Live rows (not tombstones) that pass every filter."""

    def get(self, object_name: str, record_id: str) -> tuple[object, ...] | None:
        """One live row by its 18-character or local id, one value a column of the schema; None if there is none."""

    def rows(self, object_name: str, ids: Sequence[str]) -> dict[str, tuple[object, ...]]:
        """The rows of these ids that are here, tombstones too: id → one value a column of the adopted schema."""

    def scan(self, object_name: str, filters: Sequence[Filter] = ()) -> Iterator[tuple[object, ...]]:
        """The live rows that pass every filter, in no promised order, without holding them all."""

    def scan_named(self, object_name: str, lookups: Sequence[str]) -> Iterator[tuple[object, ...]]:
        """The live rows, as by `scan`, and behind each row's values the name of the record that each of these
        reference fields points to; None where that record is not here, or its object has no name field.
        """

    def snapshot(self) -> AbstractContextManager[None]:
        """A block in which all that this thread counts and scans is of one moment, whatever others write meanwhile;
        schemas, too."""

    def select(self, object_name: str, selection: Selection) -> list[tuple[object, ...]]:
        """At most `selection.most` live rows, in its order and behind its place: one page of a long answer.

        Going on behind the last row of each page brings every row that was there all along once, whatever comes or
        goes meanwhile.
        """

    def record_run(self, run: RunRecord) -> None:
        """Keep one object's part of a run, for `status`; what was kept of the same part takes no place beside it."""

    def status(self) -> tuple[ObjectStatus, ...]:
        """What is here of each object, and how its last run went."""
