"""Answers of a query."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from salesforce_sync.app import Answer
from salesforce_sync.process.terminal import say_table, warn


def say_answer(answer: Answer, limit: int) -> None:
    """Show the rows, and say so if there were more."""
    say_table(answer.columns, answer.rows)
    if answer.cut:
        warn(f"There are more rows than these {limit}: raise --limit to see them.")
    warn_of_unfinished(answer.unfinished)


def warn_of_unfinished(names: Sequence[str]) -> None:
    """Say of which objects rows are missing here."""
    for name in names:
        warn(f"{name}: its first sync has not come to its end, so rows are missing. `salesforce-sync sync {name}`.")


def answer_document(answer: Answer) -> dict[str, Any]:
    """The rows as JSON objects; `cut` tells that there were more than the limit, `unfinished` of which objects rows
    are missing here."""
    names = _distinct(answer.columns)
    rows = [dict(zip(names, map(_legal, row), strict=True)) for row in answer.rows]
    return {"columns": names, "rows": rows, "cut": answer.cut, "unfinished": list(answer.unfinished)}


def _legal(value: object) -> object:
    """JSON has no number for infinity, which SQL can reckon."""
    infinite = isinstance(value, float) and math.isinf(value)
    return ("Infinity" if value == math.inf else "-Infinity") if infinite else value


def _distinct(columns: Sequence[str]) -> list[str]:
    """A query may give two columns one name, a JSON object may not."""
    names: list[str] = []
    for column in columns:
        name, turn = column, 2
        while name in names:
            name, turn = f"{column}_{turn}", turn + 1
        names.append(name)
    return names
