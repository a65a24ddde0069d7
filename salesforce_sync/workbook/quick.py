"""Whether a row shows exactly what was exported: nearly all rows do, so this is quick, and needs no replica."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

from salesforce_sync.errors import Misuse
from salesforce_sync.models.schema import Field, FieldType
from salesforce_sync.models.values import Stored
from salesforce_sync.workbook.cells import (
    DAY_MILLISECONDS,
    DAY_ZERO,
    FIRST_DAY,
    Cell,
    canonical,
    from_cell,
    row_hash,
)

_LAST_DAY = 2_958_465
_BOOLEANS = {True: 1, False: 0}


class QuickLook:
    """Tells whether a row of a sheet is as it was exported. `columns`: the column of each field, None if it is gone."""

    def __init__(self, fields: Sequence[Field], columns: Sequence[int | None]) -> None:
        self._plan = [(column, _CONVERTERS.get(field.type)) for field, column in zip(fields, columns, strict=True)]
        self._whole = None not in columns

    def is_as_exported(self, cells: Mapping[int, Cell], digest: str) -> bool:
        """Whether the row has this hash; False where that cannot be said from its cells alone."""
        if not self._whole:
            return False
        values: list[Stored] = []
        get, put = cells.get, values.append
        try:
            for column, convert in self._plan:
                cell: Any = get(column)  # type: ignore[arg-type]
                put(cell if cell is None or convert is None else convert(cell))
            return row_hash(values) == digest
        except (Misuse, LookupError, TypeError, ValueError, OverflowError):
            return False


def _integer(cell: Any) -> int:
    number = int(cell)
    if isinstance(cell, bool) or (isinstance(cell, float) and number != cell):
        raise ValueError(cell)
    return number


def _decimal(cell: Any) -> Stored:
    if isinstance(cell, float) and float(f"{cell:.15g}") == cell:
        return cell + 0.0
    return canonical(FieldType.DECIMAL, from_cell(FieldType.DECIMAL, cell))


@lru_cache(maxsize=4096)
def _day(serial: int) -> str:
    if not FIRST_DAY <= serial <= _LAST_DAY:
        raise ValueError(serial)
    return (DAY_ZERO + timedelta(days=serial)).isoformat()


def _date(cell: Any) -> Stored:
    if isinstance(cell, str):
        return from_cell(FieldType.DATE, cell)
    day = int(cell)
    if day != cell:
        raise ValueError(cell)
    return _day(day)


def _datetime(cell: Any) -> Stored:
    if isinstance(cell, str):
        return from_cell(FieldType.DATETIME, cell)
    day, milliseconds = divmod(round(cell * DAY_MILLISECONDS), DAY_MILLISECONDS)
    return f"{_day(day)}T{_clock(milliseconds)}"


def _time(cell: Any) -> Stored:
    if isinstance(cell, str):
        return from_cell(FieldType.TIME, cell)
    milliseconds = round(cell * DAY_MILLISECONDS)
    if not 0 <= milliseconds < DAY_MILLISECONDS:
        raise ValueError(cell)
    return _clock(milliseconds)


def _clock(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}.{rest:03d}Z"


_CONVERTERS: dict[FieldType, Callable[[Any], Stored]] = {
    # 1.0 finds True, and 1.5 nothing.
    FieldType.BOOLEAN: _BOOLEANS.__getitem__,
    FieldType.INTEGER: _integer,
    FieldType.DECIMAL: _decimal,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.TIME: _time,
}
"""Texts and ids are what the cell says; a cell of another type gives another hash."""
