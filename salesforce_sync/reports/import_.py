"""What a workbook's import would do, and has done, as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import asdict

from salesforce_sync.process.terminal import clean, counted, say, say_table
from salesforce_sync.reports.edits import Values

if TYPE_CHECKING:
    from salesforce_sync.workbook.changes import CellChange, Counts, RowChange
    from salesforce_sync.workbook.importing import Imported, Preview

MOST_CELLS: Final = 8
"""Cells of one row that are shown to a person."""


def preview_document(preview: Preview, limit: int) -> dict[str, Any]:
    """The counts of each object, and at most `limit` rows."""
    rows = [_row_document(preview, each) for each in islice(preview.changes(), limit)]
    total = sum(_changed(each) for each in preview.counts)
    return {
        "file": str(preview.path),
        "export_id": preview.export_id,
        "exported_at": preview.exported_at,
        "objects": [_counts_document(each) for each in preview.counts],
        "good": preview.good,
        "problems": preview.problems,
        "notes": list(preview.notes),
        "changes": rows,
        "more": total - len(rows),
    }


def _counts_document(counts: Counts) -> dict[str, Any]:
    told = asdict(counts)
    return {"object": told.pop("object_name"), **told}


def _row_document(preview: Preview, change: RowChange) -> dict[str, Any]:
    def headed(field: str) -> dict[str, str | None]:
        return {"header": preview.header(change.object_name, field) if field else None}

    return {
        "kind": change.kind.value,
        "object": change.object_name,
        "id": change.record_id or None,
        "name": change.name or None,
        "title": change.title,
        "sheet": change.sheet or None,
        "row": change.row or None,
        "cells": [_cell_document(each) | headed(each.field) for each in change.cells],
        "problems": [
            {"field": each.field or None, "message": each.message} | headed(each.field) for each in change.problems
        ],
    }


def _cell_document(cell: CellChange) -> dict[str, Any]:
    more = ({"now": cell.now} if cell.moved else {}) | ({"formula": True} if cell.formula else {})
    more |= {"typed": cell.typed} if cell.typed else {}
    return {"field": cell.field, "old": cell.old, "new": cell.new, **more}


def _changed(counts: Counts) -> int:
    return counts.good + counts.problems + counts.removed + counts.known


def say_preview(preview: Preview, values: Values, limit: int) -> None:
    """Show what is new, edited and gone, and what is wrong; then what to do next."""
    say_notes(preview)
    if preview.empty:
        say("The workbook shows what was exported: nothing to import.")
        return
    heads = ("object", "unchanged", "new", "edited", "cells", "deleted", "removed", "problems", "known")
    say_table(heads, [_line(each) for each in preview.counts if _changed(each)])
    say()
    shown = 0
    for change in islice(preview.changes(), limit):
        for line in _told(preview, change, values):
            say(line)
        shown += 1
    total = sum(map(_changed, preview.counts))
    if total > shown:
        say(f"… and {counted(total - shown, 'row')} more: --limit shows more of them.")
    say()
    for line in _advice(preview):
        say(line)


def say_notes(preview: Preview) -> None:
    """Say what a person should know of the sheets, beyond their rows."""
    for note in preview.notes:
        say(clean(note))


def _line(counts: Counts) -> tuple[object, ...]:
    middle = (counts.unchanged, counts.new, counts.edited, counts.cells, counts.deleted, counts.removed)
    return (counts.object_name, *middle, counts.problems, counts.known)


def _told(preview: Preview, change: RowChange, values: Values) -> Iterator[str]:
    place = f"{change.sheet}!{change.row}" if change.row else change.object_name
    called = clean(change.record_id or (change.name if not change.name.startswith("row:") else ""))
    title = f" ({clean(change.title)})" if change.title else ""
    yield f"{change.kind.value:<8} {place} {called}{title}".rstrip()
    for each in change.problems:
        field = f"{clean(preview.called(change.object_name, each.field))}: " if each.field else ""
        yield f"         {field}{clean(each.message)}"
    if change.problems or change.kind == "known":
        return
    for cell in change.cells[:MOST_CELLS]:
        field = clean(preview.called(change.object_name, cell.field))
        yield f"         {field}: {_cell(change.object_name, cell, values)}"
    if len(change.cells) > MOST_CELLS:
        yield f"         … and {len(change.cells) - MOST_CELLS} more"


def _cell(object_name: str, cell: CellChange, values: Values) -> str:
    old, new, now = (_short(values.show(object_name, cell.field, each)) for each in (cell.old, cell.new, cell.now))
    moved = f"  [changed since the export: {now} now]" if cell.moved else ""
    formula = "  [a formula: its value counts]" if cell.formula else ""
    typed = f"  [typed as {_short(clean(cell.typed))}]" if cell.typed else ""
    return f"{old} → {new}{typed}{formula}{moved}"


def _short(text: str) -> str:
    cut = text if len(text) <= 60 else f"{text[:59]}…"
    return cut if text == text.strip() else f'"{cut}"'  # blanks at an end may be all that is different


def _advice(preview: Preview) -> Iterator[str]:
    removed = sum(each.removed for each in preview.counts)
    known = sum(each.known for each in preview.counts)
    if removed:
        yield f"{counted(removed, 'record')} without a row: kept. --delete-missing deletes them."
    if known:
        yield f"{counted(known, 'new row')} imported before: not made again."
    if preview.problems:
        yield f"{counted(preview.problems, 'row')} with a problem: left out, and told in a copy of the workbook."
    if preview.good:
        yield f"Nothing was written. --apply takes {counted(preview.good, 'row')} in; the next push sends them."
    else:
        yield "There is nothing that could be taken in."


def imported_document(imported: Imported) -> dict[str, Any]:
    """What became of the rows."""
    told = {name: getattr(imported, name) for name in ("created", "updated", "deleted", "known", "conflicts")}
    result = None if imported.result is None else str(imported.result)
    return {"imported": {**told, "problems": imported.refused, "result": result, "ids": imported.ids}}


def say_imported(imported: Imported) -> None:
    """Say what became of the rows, and what to do next."""
    parts = [f"{imported.created} new", f"{imported.updated} edited", f"{imported.deleted} deleted"]
    say(f"Taken in: {', '.join(parts)}. 'salesforce-sync diff' shows what the next push sends.")
    if imported.known:
        say(f"{counted(imported.known, 'new row')} imported before: not made again.")
    if imported.conflicts:
        wait = f"{counted(imported.conflicts, 'row')} {'waits' if imported.conflicts == 1 else 'wait'}"
        say(f"{wait} in the inbox: the org has another value. Decide in 'salesforce-sync inbox'.")
    if imported.refused:
        say(f"{counted(imported.refused, 'row')} not taken in: see Status in {imported.result}.")
