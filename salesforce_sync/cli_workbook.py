"""The commands of the workbook: parse, call `SFSync`, print."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from salesforce_sync import reports_import, reports_workbook
from salesforce_sync.app import SFSync
from salesforce_sync.cli_options import Options, shared
from salesforce_sync.errors import ConfigError
from salesforce_sync.exits import Exit
from salesforce_sync.models.run import RunState
from salesforce_sync.reports_edits import Values
from salesforce_sync.signals import ExportProgress, Progress
from salesforce_sync.terminal import progress, say_json, silence

if TYPE_CHECKING:
    from salesforce_sync.workbook.importing import Imported, Preview

LIMIT: Final = 50
JSON_LIMIT: Final = 1_000
"""Rows that a preview shows, to a person and to a program, where nobody says how many."""


@click.command()
@shared
@click.argument("objects", nargs=-1, metavar="[OBJECT]...")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="[default: workbook.path]")
@click.option("--set", "ready_set", metavar="NAME", help="The objects of a ready set: sales or revenue-cloud.")
@click.option("--password", "encrypted", is_flag=True, help="Encrypt the file; the password is asked for.")
@click.pass_obj
def export(
    options: Options, objects: tuple[str, ...], output: Path | None, ready_set: str | None, encrypted: bool
) -> int:
    """Write the replica as an Excel workbook, one sheet an object.

    Of all objects that are here, or of those that are named. Asks the org nothing. The password is never taken from
    the command line, where `ps` shows it to everybody: it comes from SF_WORKBOOK_PASSWORD, from a hidden prompt, or
    from the first line of standard input.
    """
    with options.open() as sync, silence() if options.json else progress() as listener:

        def show(signal: ExportProgress) -> None:
            listener(Progress(signal.object, signal.rows, signal.total, 0))

        sync.on(ExportProgress.name, show)
        password = _password(sync, twice=True) if encrypted else None
        exported = sync.export(*objects, path=output, ready_set=ready_set, password=password)
        file = output or sync.config.workbook.path
    if options.json:
        say_json({"file": str(file), "encrypted": encrypted} | reports_workbook.export_document(exported))
    else:
        reports_workbook.say_export(exported, file)
    return Exit.COMPLETE


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
        password = _password(sync) if locked else None
        with sync.import_workbook(file, delete_missing=delete_missing, password=password) as preview:
            document = reports_import.preview_document(preview, most) if options.json else {}
            if not options.json and not applied:
                reports_import.say_preview(preview, Values(sync.objects), most)
            if applied:
                imported = _apply(options, sync, preview)
                document |= reports_import.imported_document(imported)
                if not options.json:
                    reports_import.say_imported(imported)
            problems = imported.refused if applied else preview.problems
    if options.json:
        say_json(document)
    return Exit.PARTIAL if problems else Exit.COMPLETE


def _apply(options: Options, sync: SFSync, preview: Preview) -> Imported:
    with options.recorded("import", preview.path.name) as ending:
        imported = sync.apply(preview)
        ending.outcome = RunState.PARTIAL.value if imported.refused else RunState.COMPLETE.value
        ending.detail = f"{imported.taken} rows of {preview.export_id}, {imported.refused} not"
    return imported


def _password(sync: SFSync, *, twice: bool = False) -> str:
    given = sync.config.credentials.workbook_password
    if given is not None:
        return given
    if sys.stdin.isatty():
        asked: str = click.prompt("Password of the workbook", hide_input=True, confirmation_prompt=twice, err=True)
        return asked
    line = sys.stdin.readline().rstrip("\r\n")
    if not line:
        raise ConfigError(
            "--password was given, and nobody said which.",
            hint="Set SF_WORKBOOK_PASSWORD, or send it to standard input.",
        )
    return line


WORKBOOK: Final = (export, import_)
