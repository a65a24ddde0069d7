"""What the org really held, and when: every version of every row, read from the org's own tables.

Nothing of the product is used here. Formulas and roll-ups are left out: they change without a stamp.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from typing import Any

from simorg.database import quote
from simorg.org import SimOrg
from simorg.schema import NUMBER_TYPES, SField

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Version:
    """A row as it was for a while; None as `raw` once it was gone for good. `columns` are those of that time."""

    columns: tuple[SField, ...]
    raw: tuple[Any, ...] | None

    @cached_property
    def values(self) -> Mapping[str, object]:
        """API name → value as a person means it: Decimal, datetime, date, time, bool, int, str or None."""
        if self.raw is None:
            return {}
        return {one.name: meant(one, value) for one, value in zip(self.columns, self.raw, strict=True)}

    @property
    def gone(self) -> bool:
        return self.raw is None

    @property
    def deleted(self) -> bool:
        return self.gone or bool(self.values.get("IsDeleted"))


def meant(one: SField, raw: Any) -> object:
    """The value that a stored one of the org means."""
    if raw is None:
        return None
    if one.mask_type is not None or one.encrypted:
        return "*" * len(str(raw))
    if one.type in NUMBER_TYPES:
        return Decimal(str(raw))
    match one.type:
        case "boolean":
            return bool(raw)
        case "datetime":
            return EPOCH + timedelta(milliseconds=raw)
        case "date":
            return date.fromisoformat(raw)
        case "time":
            return time.fromisoformat(str(raw).removesuffix("Z"))
        case _:
            return raw


Mark = Mapping[str, Mapping[str, int]]
"""Object → row → the number of its newest version."""


class Chronicle:
    """All versions of the rows of some objects. `note` is called after everything that may have changed a row."""

    def __init__(self, org: SimOrg, objects: tuple[str, ...]) -> None:
        self._org = org
        self.objects = objects
        self.versions: dict[str, dict[str, list[Version]]] = {name: {} for name in objects}
        self.ever_hidden: set[str] = set()

    def note(self) -> None:
        """Look at every row, and keep what is new."""
        with self._org.lock:
            self._org.tick()
            for name in self.objects:
                self._note_object(name)
            self.ever_hidden |= self.hidden()

    def _note_object(self, name: str) -> None:
        schema = self._org.schema(name)
        if schema is None:
            return
        columns = tuple(one for one in schema.stored_fields if one.type != "base64")
        listed = ", ".join(quote(one.name) for one in columns)
        at = [one.name for one in columns].index("Id")
        known, seen = self.versions[name], set()
        for row in self._org.database.rows(f"SELECT {listed} FROM {quote(name)}"):
            seen.add(row[at])
            kept = known.setdefault(row[at], [])
            if not kept or kept[-1].raw != row or kept[-1].columns != columns:
                kept.append(Version(columns, row))
        for gone in known.keys() - seen:
            if not known[gone][-1].gone:
                known[gone].append(Version(columns, None))

    def hidden(self) -> set[str]:
        """The ids of rows that sharing hides from the user just now."""
        return {one for (one,) in self._org.database.rows("SELECT id FROM _invisible")}

    def is_deleted(self, record_id: object) -> bool:
        """Whether it is a record that was deleted in the org, and is so now."""
        return any(str(record_id) in rows and rows[str(record_id)][-1].deleted for rows in self.versions.values())

    def is_purged(self, record_id: object) -> bool:
        """Whether it is a record that was removed for good, which no poll sees."""
        return any(str(record_id) in rows and rows[str(record_id)][-1].gone for rows in self.versions.values())

    def unseen_fields(self, name: str) -> set[str]:
        """The fields that the object has and the user may not see just now."""
        schema, view = self._org.schema(name), self._org.object(name)
        if schema is None or view is None:
            return set()
        return {one.name for one in schema.fields} - {one.name for one in view.fields}

    def told_by_events(self, name: str) -> set[str]:
        """The fields that change events have now."""
        return set() if self._org.object(name) is None else set(self._org.events.schema_of(name).carried)

    def mark(self) -> Mark:
        """Where the chronicle is now."""
        return {name: {key: len(kept) - 1 for key, kept in rows.items()} for name, rows in self.versions.items()}

    def computed(self, name: str, fields: set[str]) -> dict[str, dict[str, object]]:
        """The values of formulas and roll-ups among these fields, of every row that the user can see in the org now."""
        schema = self._org.schema(name)
        found = [one for one in schema.fields if one.formula and one.name in fields] if schema else []
        listed = "".join(f", {str(one.formula).replace('{alias}', 'row_')}" for one in found)
        rows = self._org.database.rows(f'SELECT row_."Id"{listed} FROM {quote(name)} row_')
        here = self.living(name)
        return {
            key: {one.name: meant(one, value) for one, value in zip(found, values, strict=True)}
            for key, *values in rows
            if key in here
        }

    def living(self, name: str) -> dict[str, Version]:
        """The rows that the user can see in the org now."""
        hidden = self.hidden()
        newest = {key: kept[-1] for key, kept in self.versions[name].items()}
        return {key: each for key, each in newest.items() if not each.deleted and key not in hidden}
