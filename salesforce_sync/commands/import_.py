"""The command that takes an edited workbook back: parse, call `SFSync`, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from salesforce_sync.app import SFSync
from salesforce_sync.commands.options import Options, shared
from salesforce_sync.commands.passwords import workbook_password
from salesforce_sync.models.run import RunState
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import progress, say_json, silence
from salesforce_sync.reports.edits import Values
from salesforce_sync.reports.import_ import imported_document, preview_document, say_imported, say_notes, say_preview
from salesforce_sync.signals import ImportProgress, Progress

if TYPE_CHECKING:
    from salesforce_sync.workbook.importing import Imported, Preview

LIMIT: Final = 50
JSON_LIMIT: Final = 1_000


@click.command("import")
@shared
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--apply", "applied", is_flag=True, help="Take the good rows in. Without it nothing is written.")
@click.option("--delete-missing", is_flag=True, help="A record whose row is gone from its sheet is deleted.")
@click.option(
    "--limit", type=click.IntRange(min=0), help=f"Rows that are shown.  [default: {LIMIT}; --json: {JSON_LIMIT:,}]"
)
@click.option("--password", "locked", is_flag=True, help="The workbook has a password, which is asked for.")
@click.pass_obj
def import_(options: Options, file: Path, applied: bool, delete_missing: bool, limit: int | None, locked: bool) -> int:
    """Compare an edited workbook with the replica; with --apply, take its rows in as edits.

    Shows new, edited and removed rows, old → new, and what is wrong with which cell. Rows that are taken in go
    with the next push; others come back in a copy, FILE.result.xlsx, with the reason beside them. Asks the org nothing.
    """
    most = limit if limit is not None else JSON_LIMIT if options.json else LIMIT
    with options.open() as sync:
        password = workbook_password(sync.config, new=False) if locked else None
        with _preview(options, sync, file, delete_missing, password) as preview:
            document = preview_document(preview, most) if options.json else {}
            if not options.json and not applied:
                say_preview(preview, Values(sync.objects), most)
            if applied:
                imported = _apply(options, sync, preview)
                document |= imported_document(imported)
                if not options.json:
                    say_notes(preview)
                    say_imported(imported)
            problems = imported.refused if applied else preview.problems
    if options.json:
        say_json(document)
    return Exit.PARTIAL if problems else Exit.COMPLETE


def _preview(options: Options, sync: SFSync, file: Path, delete_missing: bool, password: str | None) -> Preview:
    """Compare, with a bar as it goes."""
    with silence() if options.json else progress() as listener:

        def show(signal: ImportProgress) -> None:
            listener(Progress(signal.object, signal.rows, signal.total, 0))

        sync.on(ImportProgress.name, show)
        return sync.import_workbook(file, delete_missing=delete_missing, password=password)


def _apply(options: Options, sync: SFSync, preview: Preview) -> Imported:
    with options.recorded("import", preview.path.name) as ending:
        imported = sync.apply(preview)
        ending.outcome = RunState.PARTIAL.value if imported.refused else RunState.COMPLETE.value
        ending.detail = f"{imported.taken} rows of {preview.export_id}, {imported.refused} not"
    return imported
