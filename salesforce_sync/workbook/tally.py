"""What a comparison counts of each object, and what it says of cells that nothing is read of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct, field

from salesforce_sync.workbook.changes import Counts, Kind


class Tally(Struct):
    """What was counted of one object."""

    unchanged: int = 0
    unread: int = 0
    """The first row that was exported, and whose Id cannot be read any more."""
    contents: dict[str, int] = field(default_factory=dict)
    left: dict[str, tuple[int, str]] = field(default_factory=dict)
    """Cells that are left alone: why → how many, and where the first one is."""

    def leave(self, why: str, place: str) -> None:
        """Count a cell that is left alone."""
        times, first = self.left.get(why, (0, place))
        self.left[why] = times + 1, first


def said_of_cells(name: str, tally: Tally) -> Iterator[str]:
    """Which cells of an object are left alone, and why."""
    for why, (times, first) in tally.left.items():
        cells = "1 cell shows" if times == 1 else f"{times:,} cells show"
        told = why.removeprefix("show").replace("have been", "has been") if times == 1 else why.removeprefix("show")
        again = "Export again to edit " + ("it" if times == 1 else "them")
        yield f"{name}: {cells}{told}: left alone ({first}). {again}."


def counts(tallies: Mapping[str, Tally], found: Iterable[tuple[str, Kind, int, int]]) -> tuple[Counts, ...]:
    """The counts of each object; `found`: object, kind, rows and the cells of them that have another value."""
    kinds = {name: dict.fromkeys(Kind, 0) for name in tallies}
    edited: dict[str, int] = {}
    for name, kind, rows, cells in found:
        kinds[name][kind] = rows
        if kind is Kind.EDITED:
            edited[name] = cells
    return tuple(
        Counts(
            name,
            unchanged=tally.unchanged,
            new=kinds[name][Kind.NEW],
            edited=kinds[name][Kind.EDITED],
            deleted=kinds[name][Kind.DELETED],
            removed=kinds[name][Kind.REMOVED],
            problems=kinds[name][Kind.PROBLEM],
            known=kinds[name][Kind.KNOWN],
            cells=edited.get(name, 0),
        )
        for name, tally in tallies.items()
    )
