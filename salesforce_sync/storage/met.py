"""Rows that meet local edits as they come, and what a merge counts of a row."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from salesforce_sync.models.values import Stored

Row = Mapping[str, Stored]


class Met(Struct, frozen=True):
    """A record with local edits whose row is among those that came: its row here before, and the one that came."""

    record_id: str
    before: Row | None
    came: Row


class Tally(Struct, frozen=True):
    """Rows that came to be, changed, and became tombstones."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)

    def __sub__(self, other: Tally) -> Tally:
        return Tally(self.inserted - other.inserted, self.updated - other.updated, self.deleted - other.deleted)


def seen(before: Row | None, came: Row) -> Tally:
    """What a merge makes of a row that comes, where another was here before."""
    if before is None:
        return Tally() if is_dead(came) else Tally(inserted=1)
    if all(before.get(name) == value for name, value in came.items()):
        return Tally()
    if is_dead(before) != is_dead(came):
        return Tally(deleted=1) if is_dead(came) else Tally(inserted=1)
    return Tally(updated=1)


def is_dead(row: Row | None) -> bool:
    """Whether the record is a tombstone, or not here at all."""
    return row is None or bool(row.get("IsDeleted"))
