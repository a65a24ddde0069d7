"""What earlier imports of the same export have written: a workbook that is imported again goes on from that."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from salesforce_sync.models.draft import Drafted, Wrote
from salesforce_sync.models.schema import Field, ObjectSchema
from salesforce_sync.models.values import Stored, same
from salesforce_sync.ports import Store
from salesforce_sync.resolve import arrived
from salesforce_sync.workbook.cells import Cell, shows
from salesforce_sync.workbook.changes import CellProblem, RowChange
from salesforce_sync.workbook.ledger import Ledger

CHANGED_SINCE = "show what an earlier import of this workbook wrote, and have been changed since"
PUT_BACK = "show what was exported, and another copy of this workbook has written something else"

LOST_HELD = 1_000
"""Records of one object that are held, at most, to be told of."""

Values = Mapping[str, Stored]


def draft_name(export_id: str, key: str) -> str:
    """What a row's draft is remembered by: the export, and the row's Id or the name that it gives itself."""
    return f"{export_id}/{key}"


def source_of(path: Path) -> str:
    """What tells one copy of a workbook from another: its place; the copy with the reasons counts as the same, and so
    does what was kept when another export took its place."""
    whole = path.absolute()
    return str(whole.with_stem(re.sub(r"(\.(result|edited)(-\d+)?)+$", "", whole.stem)))


class Standing(Struct, frozen=True):
    """What the cells of a row are held against, once earlier imports have written to its record.

    `shown`: what a cell shows that nobody has edited since; `base`: the value that an edit of it is made on.
    `foreign`: fields that another copy of the workbook has written. `left`: fields that are left alone, and why.
    """

    shown: Values
    base: Values
    foreign: Mapping[str, Wrote]
    left: Sequence[tuple[str, str]] = ()


class Lost(Struct, frozen=True):
    """A record that a new row without a name made which is not there any more as it was. `key`: what that row is
    remembered by; `called`: what a person recognises the record by, as it was written."""

    key: str
    record_id: str
    called: Values


class Earlier:
    """The earlier imports of one export, as the store remembers them. `source`: where this copy of it is."""

    def __init__(self, store: Store, ledger: Ledger, export_id: str, source: str) -> None:
        self._store, self._ledger, self._export_id, self._source = store, ledger, export_id, source
        prefix = draft_name(export_id, "")
        self._any = False
        for name in store.draft_names(prefix):
            self._any = True
            ledger.wrote_before(name.removeprefix(prefix))

    def touched(self, key: str) -> bool:
        """Whether one of them has written to this row's record."""
        return self._any and self._ledger.has_written(key)

    def of(self, key: str) -> Drafted | None:
        """What they wrote to it."""
        if not self.touched(key):
            return None
        self._ledger.met(key)
        return self._remembered(key)

    def _remembered(self, key: str) -> Drafted | None:
        name = draft_name(self._export_id, key)
        return self._store.drafted([name]).get(name)

    def lost_rows(self, begins: str) -> dict[str, list[Lost]]:
        """Of each object, records that new rows of this copy made which are not there any more as they were: the first
        thousand and one."""
        lost: dict[str, list[Lost]] = {}
        for key in self._ledger.not_met(begins) if self._any else ():
            drafted = self._remembered(key)
            schema = None if drafted is None else self._store.schema(drafted.object_name)
            if drafted is None or schema is None or all(each.source != self._source for each in drafted.wrote.values()):
                continue
            found = lost.setdefault(drafted.object_name, [])
            if len(found) <= LOST_HELD:
                values = {name: each.value for name, each in drafted.wrote.items()}
                found.append(Lost(key, drafted.record_id, called_by(schema, values)))
        return lost

    def standing(
        self, schema: ObjectSchema, cells: Mapping[str, Cell], exported: Values, here: Values, drafted: Drafted
    ) -> Standing:
        """What this row is held against. What was discarded before the org had it counts as never written."""
        known = self._store.known_values(schema.name, drafted.record_id)
        shown, base, foreign = dict(exported), dict(exported), {}
        left: list[tuple[str, str]] = []
        for name, wrote in drafted.wrote.items():
            if name not in exported or not schema.has(name):
                continue
            field = schema.field(name)
            if not any(arrived(schema, name, wrote.value, each) for each in known.get(name, ())):
                continue
            settled = arrived(schema, name, wrote.value, here.get(name))
            base[name] = here.get(name) if settled else wrote.value
            if name in cells and shows(field.type, wrote.value, cells[name]):
                shown[name] = wrote.value
                left += [] if settled else [(name, CHANGED_SINCE)]
            elif self._is_put_back_elsewhere(field, wrote, exported, cells):
                left.append((name, PUT_BACK))
            else:
                shown[name] = base[name]
                if self._is_elsewhere(wrote):
                    foreign[name] = wrote
        return Standing(shown, base, foreign, left)

    def twice(self, change: RowChange, drafted: Drafted, schema: ObjectSchema) -> tuple[CellProblem, ...]:
        """Edits of a record that a new row made, and that may be meant for another: two copies may both have a new:1.

        Where it is not known which copy this is, another name is taken for another record.
        """
        wrote = {each.field: drafted.wrote[each.field] for each in change.cells if each.field in drafted.wrote}
        return tuple(
            written_elsewhere(name, each)
            for name, each in wrote.items()
            if self._is_elsewhere(each) or (not (each.source and self._source) and _names(schema, name))
        )

    def _is_elsewhere(self, wrote: Wrote) -> bool:
        """Whether this was certainly written by another copy."""
        return bool(wrote.source and self._source and wrote.source != self._source)

    def _is_put_back_elsewhere(self, field: Field, wrote: Wrote, exported: Values, cells: Mapping[str, Cell]) -> bool:
        """Whether the cell was never edited in this copy, as far as can be told: a person's own would be put back."""
        if wrote.source and wrote.source == self._source:
            return False
        unlike = not same(field.type, wrote.value, exported.get(field.name))
        return unlike and (field.name not in cells or shows(field.type, exported.get(field.name), cells[field.name]))


def _names(schema: ObjectSchema, name: str) -> bool:
    """Whether the field is what a person recognises the record by, or a part of that."""
    named = schema.name_field
    return named is not None and named.name in (name, schema.field(name).compound_field_name)


def called_by(schema: ObjectSchema, values: Values) -> Values:
    """Those of the values that a person recognises a record by."""
    return {name: value for name, value in values.items() if value is not None and _names(schema, name)}


def written_elsewhere(name: str, wrote: Wrote) -> CellProblem:
    """Two copies of one workbook have edited a cell."""
    place = f", {wrote.source}" if wrote.source else ""
    why = f"was taken in as {wrote.value!r}, it seems from another copy of this workbook{place}."
    hint = "If this one goes on from it, save it there. " if wrote.source else ""
    return CellProblem(f"{why} {hint}Otherwise export again, and edit that.", name)
