"""`Pulled`: what a pull brought, with what was read and repaired after it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from salesforce_sync.models.change import Merged
from salesforce_sync.models.proof import Cause
from salesforce_sync.sync.verify import removed


class Pulled(Struct, frozen=True):
    """What a pull brought: rows that came, and what the merge made of them."""

    rows: int
    merged: Merged


def joined(one: Pulled, other: Pulled) -> Pulled:
    """Two pulls of one object as one."""
    merged = replace(
        other.merged,
        inserted=one.merged.inserted + other.merged.inserted,
        updated=one.merged.updated + other.merged.updated,
        deleted=one.merged.deleted + other.merged.deleted,
        unchanged=one.merged.unchanged + other.merged.unchanged,
    )
    return Pulled(one.rows + other.rows, merged)


def with_repairs(pulled: Pulled, repaired: Mapping[Cause, int]) -> Pulled:
    """The pull with rows that a comparison repaired after it."""
    gone = removed(repaired)
    lost = replace(pulled.merged, deleted=pulled.merged.deleted + gone)
    return with_changes(Pulled(pulled.rows + gone, lost), sum(repaired.values()) - gone)


def with_changes(pulled: Pulled, rows: int) -> Pulled:
    """The pull with rows that were read after it, and were not as they are here."""
    return Pulled(pulled.rows + rows, replace(pulled.merged, updated=pulled.merged.updated + rows))
