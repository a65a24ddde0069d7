"""What a person, or a program, reads of a workbook that was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from salesforce_sync.process.terminal import counted, say, say_table
from salesforce_sync.reports.answers import warn_of_unfinished

if TYPE_CHECKING:
    from salesforce_sync.workbook.export import Exported

MOST_NOTES = 3


def export_document(exported: Exported) -> dict[str, object]:
    """The JSON document of an export."""
    objects = [
        {"object": name, "rows": rows, "sheets": list(exported.sheets[name])} for name, rows in exported.rows.items()
    ]
    notes = [{"object": name, "note": note} for name, note in exported.notes.items()]
    cut = [{"object": each.object_name, "id": each.record_id, "field": each.field} for each in exported.cut]
    return {
        "export_id": exported.export_id,
        "rows": sum(exported.rows.values()),
        "objects": objects,
        "notes": notes,
        "cut_count": exported.cut_count,
        "cut": cut,
        "kept": None if exported.kept is None else str(exported.kept),
        "unfinished": list(exported.unfinished),
    }


def say_export(exported: Exported, file: Path) -> None:
    """Tell what was written, and what was not."""
    say_table(
        ("object", "rows", "sheets"),
        [(name, rows, ", ".join(exported.sheets[name])) for name, rows in exported.rows.items()],
    )
    say(f"{counted(sum(exported.rows.values()), 'row')} written to {file}.")
    warn_of_unfinished(exported.unfinished)
    if exported.kept is not None:
        say(f"The file that was there had been saved since its export: it is kept as {exported.kept}.")
    if len(exported.notes) > MOST_NOTES:
        say(f"Not in it, as they are not here: {', '.join(exported.notes)}. `_Metadata` says why.")
        say("`salesforce-sync sync --set NAME` brings those of a ready set that the org has.")
    else:
        for name, note in exported.notes.items():
            say(f"{name}: {note}")
    if exported.cut_count:
        first = exported.cut[0]
        texts, where = counted(exported.cut_count, "text"), f"{first.object_name} {first.record_id} {first.field}"
        say(f"{texts} longer than a cell can hold: cut there, and locked. The first: {where}.")
