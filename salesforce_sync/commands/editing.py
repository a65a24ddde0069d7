"""The commands that edit a record, and show what it was before: parse, call `SFSync`, print."""

from __future__ import annotations

from typing import Final

import click

from salesforce_sync.commands import arguments
from salesforce_sync.commands.arguments import assignments_of
from salesforce_sync.commands.options import Options, shared
from salesforce_sync.commands.waiting import show_waiting
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say_json
from salesforce_sync.reports.edits import Values
from salesforce_sync.reports.inbox import history_document, say_history


@click.command()
@shared
@arguments.object_name
@arguments.record_id
@arguments.assigned
@click.pass_obj
def edit(options: Options, object_name: str, record_id: str, assignments: tuple[str, ...]) -> int:
    """Change a record, here; the next push sends it.

    Fields by API or Python name: Phone=555-1234 first_name=Jane. `Phone=` clears a field.
    """
    texts = assignments_of(assignments)
    if not texts:
        raise click.UsageError("Nothing to change. Write FIELD=VALUE behind the id, such as Phone=555-1234.")
    with options.acting("edit", f"{object_name} {record_id}", ", ".join(texts)) as (sync, _):
        collection = sync.objects[object_name]
        collection.update(record_id, **collection.parse(texts))
        return show_waiting(options, sync, object_name, record_id)


@click.command()
@shared
@arguments.object_name
@arguments.assigned
@click.pass_obj
def new(options: Options, object_name: str, assignments: tuple[str, ...]) -> int:
    """Make a record, here; the next push sends it.

    Its id is a local one until then, and goes on naming it afterwards.
    """
    texts = assignments_of(assignments)
    with options.acting("new", object_name, ", ".join(texts)) as (sync, _):
        collection = sync.objects[object_name]
        made = collection.create(**collection.parse(texts))
        return show_waiting(options, sync, object_name, made.id)


@click.command()
@shared
@arguments.object_name
@arguments.record_id
@click.pass_obj
def rm(options: Options, object_name: str, record_id: str) -> int:
    """Delete a record, here; the next push sends it."""
    with options.acting("rm", f"{object_name} {record_id}") as (sync, _):
        referring = sync.referring(record_id)
        sync.objects[object_name].delete(record_id)
        return show_waiting(options, sync, object_name, record_id, referring)


@click.command()
@shared
@arguments.object_name
@arguments.record_id
@click.pass_obj
def undelete(options: Options, object_name: str, record_id: str) -> int:
    """Bring a deleted record back; the next push sends it."""
    with options.acting("undelete", f"{object_name} {record_id}") as (sync, _):
        sync.objects[object_name].undelete(record_id)
        return show_waiting(options, sync, object_name, record_id)


@click.command()
@shared
@arguments.object_name
@arguments.record_id
@click.pass_obj
def history(options: Options, object_name: str, record_id: str) -> int:
    """Show a record's values that were replaced.

    When, by what, and by whom as far as the org told. Asks the org nothing.
    """
    with options.open() as sync:
        found, values = sync.history(object_name, record_id), Values(sync.objects)
        if options.json:
            say_json(history_document(found))
        else:
            say_history(found, values.record(object_name, record_id), values)
    return Exit.COMPLETE


EDITING: Final = (edit, new, rm, undelete, history)
