"""The commands that send edits, and take a push back: parse, call `SFSync`, print."""

from __future__ import annotations

from typing import Final

import click

from salesforce_sync.app import SFSync
from salesforce_sync.commands import production
from salesforce_sync.commands.options import Options, os_user, saying_yes, shared, tell_signals
from salesforce_sync.process.exits import Exit, exit_of_push
from salesforce_sync.process.interrupts import stop_on_interrupt
from salesforce_sync.process.terminal import say, say_json, say_table
from salesforce_sync.reports.edits import Values, diff_document, push_document, say_diff, say_push, say_pushes
from salesforce_sync.reports.status import say_warnings


@click.command()
@shared
@click.pass_obj
def diff(options: Options) -> int:
    """Show what a push would send, old → new.

    And what it would not send, and why. Asks the org nothing.
    """
    with options.open() as sync:
        return _show_diff(options, sync)


def _show_diff(options: Options, sync: SFSync) -> int:
    found = sync.diff()
    if options.json:
        say_json(diff_document(found))
    else:
        say_diff(found, Values(sync.objects))
    return Exit.COMPLETE


@click.command()
@shared
@click.option("--dry-run", is_flag=True, help="Send nothing; show what would be sent. The same as `diff`.")
@saying_yes
@click.pass_obj
def push(options: Options, dry_run: bool, yes: bool) -> int:
    """Send what was edited here.

    `sync` brings first, so that conflicts are met here; what the org has newer is never overwritten by either.
    """
    if dry_run:
        with options.open() as sync:
            return _show_diff(options, sync)
    with options.acting("push") as (sync, ending):
        production.before_push(sync, os_user(), yes=yes)
        lines: list[str] = []
        tell_signals(sync, lines.append)
        with stop_on_interrupt(sync.stop):
            done, warnings = sync.push(), sync.warnings()
        ending.outcome, ending.detail = done.state.value, f"push {done.push_id}"
        if options.json:
            say_json(push_document(done) | {"warnings": list(warnings)})
        else:
            say_push(done, Values(sync.objects))
            say_warnings(warnings)
            for line in lines:
                say(line)
    return exit_of_push(done)


@click.command()
@shared
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Pushes at most.")
@click.pass_obj
def pushes(options: Options, limit: int) -> int:
    """List the last pushes."""
    with options.open() as sync:
        found = sync.pushes(limit)
    if options.json:
        say_json({"pushes": [push_document(each) for each in found]})
    else:
        say_pushes(found)
    return Exit.COMPLETE


@click.command()
@shared
@click.argument("push_id", metavar="PUSH")
@click.pass_obj
def undo(options: Options, push_id: str) -> int:
    """Take a push back.

    The values that it replaced are sent as a new push, as far as nobody has changed them since; what it made is
    deleted, what it deleted is brought back. `pushes` lists the last ones.
    """
    with options.acting("undo", f"push {push_id}") as (sync, ending):
        lines: list[str] = []
        tell_signals(sync, lines.append)
        with stop_on_interrupt(sync.stop):
            undone, warnings = sync.undo(push_id), sync.warnings()
        ending.outcome, ending.detail = undone.push.state.value, f"push {undone.push.push_id}"
        if options.json:
            left = [
                {"object": e.object_name, "id": e.record_id, "field": e.field, "why": e.reason} for e in undone.left
            ]
            say_json(push_document(undone.push) | {"left": left, "warnings": list(warnings)})
        else:
            say_push(undone.push, Values(sync.objects))
            if undone.left:
                say()
                say("Not undone:")
                rows = [(each.object_name, each.record_id, each.field, each.reason) for each in undone.left]
                say_table(("object", "record", "field", "why"), rows)
            say_warnings(warnings)
            for line in lines:
                say(line)
    return exit_of_push(undone.push)


PUSHING: Final = (diff, push, pushes, undo)
