"""The memory store's history: values that were replaced, within bounds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from msgspec.structs import replace

from salesforce_sync.models.history import Keeping, Origin, Replaced
from salesforce_sync.models.schema import SYSTEM_FIELDS, ObjectSchema
from salesforce_sync.models.values import Stored

UNKEPT = SYSTEM_FIELDS - {"IsDeleted"}
"""What the org moves with every save tells nothing."""


@dataclass
class History:
    """Versions of each object's records: what one pull, push or decision replaced in one of them."""

    versions: dict[str, list[tuple[Replaced, ...]]] = field(default_factory=dict)

    def keep(self, replaced: tuple[Replaced, ...], keeping: Keeping, now: datetime) -> None:
        """Add a version, and drop what is beyond the bounds."""
        if not replaced:
            return
        name = replaced[0].object_name
        oldest = now - timedelta(days=keeping.days)
        kept = [each for each in (*self.versions.get(name, ()), replaced) if each[0].at > oldest]
        self.versions[name] = kept[max(0, len(kept) - keeping.rows) :]

    def of(self, object_name: str, record_id: str) -> tuple[Replaced, ...]:
        """One record's values, newest first."""
        versions = reversed(self.versions.get(object_name, []))
        return tuple(each for version in versions for each in version if each.record_id == record_id)

    def has(self, push_id: str, object_name: str, record_id: str, field: str, old: Stored, new: Stored) -> bool:
        """Whether it is kept already that this push has replaced this value by that one."""
        wanted = push_id, field, old, new
        return any(wanted == (each.push_id, each.field, each.old, each.new) for each in self.of(object_name, record_id))

    def rename(self, local: str, real: str) -> None:
        """A record has the org's id now."""
        for name, versions in self.versions.items():
            self.versions[name] = [tuple(_renamed(each, local, real) for each in version) for version in versions]


def _renamed(each: Replaced, local: str, real: str) -> Replaced:
    return replace(each, record_id=real) if each.record_id == local else each


def differences(
    schema: ObjectSchema,
    before: Mapping[str, Stored],
    after: Mapping[str, Stored],
    origin: Origin,
    at: datetime,
) -> Iterator[Replaced]:
    """What is not as it was in a row."""
    who = str(after.get("LastModifiedById") or "") if origin in (Origin.PULL, Origin.SAVE) else ""
    for each in schema.columns:
        old, new = before.get(each.name), after.get(each.name)
        if old != new and each.name not in UNKEPT:
            yield Replaced(schema.name, str(after["Id"]), each.name, old, new, origin, at, who)
