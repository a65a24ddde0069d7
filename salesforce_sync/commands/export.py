"""`export`: parse, call `SFSync`, print."""

from __future__ import annotations

from pathlib import Path

import click

from salesforce_sync.commands.options import Options, shared
from salesforce_sync.commands.passwords import workbook_password
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import progress, say_json, silence
from salesforce_sync.reports.export import export_document, say_export
from salesforce_sync.signals import ExportProgress, Progress


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
        file = output or sync.config.workbook.path
        password = workbook_password(sync.config, new=True) if encrypted else None
        with options.recorded("export", file.name) as ending:
            exported = sync.export(*objects, path=output, ready_set=ready_set, password=password)
            ending.detail = f"{sum(exported.rows.values())} rows of {exported.export_id}"
    if options.json:
        say_json({"file": str(file), "encrypted": encrypted} | export_document(exported))
    else:
        say_export(exported, file)
    return Exit.COMPLETE
