"""The row as it was exported, found again among the values that are known here: never guessed, always proved. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice, product

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field
from salesforce_sync.models.values import Stored
from salesforce_sync.workbook.cells import Cell, canonical, from_cell, row_hash, shows

TRIES = 1_024
"""Rows that are tried, at most, before a base counts as not known any more."""

Row = Mapping[str, Stored]


def has_hash(fields: Sequence[Field], row: Row, digest: str) -> bool:
    """Whether this is the row that was exported."""
    return row_hash([canonical(each.type, row.get(each.name)) for each in fields]) == digest


def find_base(
    fields: Sequence[Field], known: Mapping[str, Sequence[Stored]], cells: Mapping[str, Cell], digest: str
) -> dict[str, Stored] | None:
    """The row as it was exported; None if none that the known values make has its hash.

    `known` are the values of each field since then, as far as they were kept; `cells` what the row's cells show now,
    as far as its columns are still there: most of them nobody has edited, so what they show was exported. What nobody
    keeps (the org's own times, calculated values) is read from the cells, which are locked; and where that is not
    enough, so is everything else, as the org may have changed more than it was told to, such as the probability of an
    opportunity with its stage.
    """
    choices = [_choices(each, known.get(each.name, ()), cells) for each in fields]
    found = _proved(fields, choices, cells, digest)
    if found is not None:
        return found
    return _proved(fields, [_with_cell(*each, cells) for each in zip(fields, choices, strict=True)], cells, digest)


def _proved(
    fields: Sequence[Field], choices: Sequence[Sequence[Stored]], cells: Mapping[str, Cell], digest: str
) -> dict[str, Stored] | None:
    """The first row of these choices that has the hash."""
    # The last one varies first: the cells that show none of the known values have been edited.
    order = sorted(range(len(fields)), key=lambda at: (not _is_shown(fields[at], choices[at], cells), at))
    names = [fields[at].name for at in order]
    for tried in islice(product(*(choices[at] for at in order)), TRIES):
        row = dict(zip(names, tried, strict=True))
        if has_hash(fields, row, digest):
            return row
    return None


def _choices(field: Field, known: Sequence[Stored], cells: Mapping[str, Cell]) -> list[Stored]:
    """The values that the field may have had, the likeliest first."""
    values = list(known) or [None]
    if field.name not in cells:
        return values
    cell = cells[field.name]
    shown = [each for each in values if shows(field.type, each, cell)]
    if not shown and not (field.createable or field.updateable):
        shown = _told(field, cell)
    return [*shown, *(each for each in values if each not in shown)]


def _with_cell(field: Field, choices: Sequence[Stored], cells: Mapping[str, Cell]) -> list[Stored]:
    """The same, with what the cell shows if it is none of them."""
    told = _told(field, cells[field.name]) if field.name in cells and not _is_shown(field, choices, cells) else []
    return [*choices, *told]


def _told(field: Field, cell: Cell) -> list[Stored]:
    try:
        return [from_cell(field.type, cell)]
    except Misuse:
        return []


def _is_shown(field: Field, choices: Sequence[Stored], cells: Mapping[str, Cell]) -> bool:
    return field.name not in cells or shows(field.type, choices[0], cells[field.name])
