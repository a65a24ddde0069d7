"""Rows of a workbook that are to be new records, and whether an earlier import has made these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from salesforce_sync.models.schema import ObjectSchema
from salesforce_sync.models.values import Stored
from salesforce_sync.ports import Store
from salesforce_sync.workbook.changes import CellProblem, Kind, RowChange
from salesforce_sync.workbook.earlier import Earlier, Lost, called_by
from salesforce_sync.workbook.layout import ID
from salesforce_sync.workbook.ledger import Ledger
from salesforce_sync.workbook.rows_back import (
    Place,
    Read,
    by_name,
    content_name,
    edited_again,
    edited_since,
    new_row,
)
from salesforce_sync.workbook.tally import Tally
from salesforce_sync.workbook.typed import CONTENT, name_in_cell, own_name


class NewRows:
    """Those of one workbook."""

    def __init__(self, store: Store, ledger: Ledger, earlier: Earlier) -> None:
        self._store, self._ledger, self._earlier = store, ledger, earlier

    def look_at(self, place: Place, tally: Tally, *, copied: bool, as_new: bool) -> tuple[RowChange, Read] | None:
        """What this row is to be; None if nothing stands in it. `copied`: it was an exported row once; `as_new`: it
        says that it is new, whatever its Id."""
        if as_new and not own_name(place.cells[ID]):
            place = replace(place, cells={**place.cells, ID: None})
        found = new_row(place, copied=copied)
        if found is None:
            return None
        change, read = found
        # Named by what stands in it: the ids that this names have by now would make another row of it.
        return self._known(place, self._by_now(place.schema, self._named(change, tally)), read), read

    def _by_now(self, schema: ObjectSchema, change: RowChange) -> RowChange:
        """The same with the ids that the records it refers to have by now."""
        references = schema.references
        cells = (
            replace(each, new=self._store.real_id(str(each.new))) if each.field in references and each.new else each
            for each in change.cells
        )
        return replace(change, cells=tuple(cells))

    def _named(self, change: RowChange, tally: Tally) -> RowChange:
        """The same under a name: its own, or one that tells what stands in it."""
        if change.name and self._ledger.has_name(change.name):
            problem = CellProblem(f"Another new row is called {name_in_cell(change.name)} too.", ID)
            return replace(change, kind=Kind.PROBLEM, problems=(*change.problems, problem), name="")
        if not change.name and change.kind is Kind.NEW:
            return replace(change, name=self._content_name(change, tally))
        return change

    def _content_name(self, change: RowChange, tally: Tally) -> str:
        """One that no row has: in the copy of an import, those that were taken in have it in their Id."""
        first = content_name(change, 0)
        while True:
            times = tally.contents[first] = tally.contents.get(first, 0) + 1
            name = content_name(change, times - 1)
            if not self._ledger.has_name(name):
                return name

    def _known(self, place: Place, change: RowChange, read: Read) -> RowChange:
        """The same; if an earlier import has made its record, as what was done to that since."""
        drafted = self._earlier.of(change.name) if change.name else None
        if drafted is None:
            return change
        change = replace(change, record_id=drafted.record_id)
        if change.kind is not Kind.NEW:
            return change
        name = change.object_name
        if not drafted.wrote:  # a version that remembered no values has taken it in
            edited = edited_since(change, read, place.schema, self._store.known_values(name, drafted.record_id))
            return replace(change, kind=Kind.PROBLEM if edited else Kind.KNOWN, problems=edited)
        row = self._store.rows(name, [drafted.record_id]).get(drafted.record_id)
        here = {} if row is None else by_name(place.schema, row)
        if row is None or here.get("IsDeleted"):
            return replace(change, kind=Kind.KNOWN)
        others = ((each.name, self._earlier.of(each.name)) for each in change.references)
        made = {other: found.record_id for other, found in others if found is not None}
        again = edited_again(change, read, place, drafted.wrote, here, made)
        twice = self._earlier.twice(again, drafted, place.schema) if again.kind is Kind.EDITED else ()
        return replace(again, kind=Kind.PROBLEM, problems=twice) if twice else again

    def spoil_perhaps_known(self) -> None:
        """New rows without a name: one that was taken in, and edited after that, would be made once more."""
        lost = self._earlier.lost_rows(CONTENT)
        for number, change in self._ledger.changes(Kind.NEW) if lost else ():
            if change.object_name in lost and change.name.startswith(CONTENT):
                schema = self._store.schema(change.object_name)
                assert schema is not None
                called = called_by(schema, {each.field: each.new for each in change.cells})
                self._ledger.spoil(number, change, CellProblem(_perhaps_known(lost[change.object_name], called)))


def _perhaps_known(lost: Sequence[Lost], called: Mapping[str, Stored]) -> str:
    """Why a row is not taken in that may be one of these, and what to do about it."""
    perhaps = [each for each in lost if called and each.called == called] or lost
    made = f"An earlier import made {perhaps[0].record_id} of a row that is gone, or edited. If this is that row,"
    if len(perhaps) == 1:
        name = name_in_cell(perhaps[0].key)
        return f"{made} write {name} into its Id: it edits the record then. Else give it a name there, such as new:1."
    return f"{made} export again and edit it there; else give it a name in Id, such as new:1."
