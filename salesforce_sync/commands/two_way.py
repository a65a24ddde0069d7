"""The commands that edit records, send edits, and decide what waits: parse, call `SFSync`, print."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import click

from salesforce_sync.app import SFSync
from salesforce_sync.commands import production
from salesforce_sync.commands.options import Options, os_user, saying_yes, shared, tell_signals
from salesforce_sync.models.inbox import Side
from salesforce_sync.models.outbox import is_local
from salesforce_sync.process.exits import Exit, exit_of_push
from salesforce_sync.process.interrupts import stop_on_interrupt
from salesforce_sync.process.terminal import say, say_json, say_table
from salesforce_sync.reports.edits import (
    Values,
    diff_document,
    edited_document,
    push_document,
    say_diff,
    say_edited,
    say_forgotten,
    say_push,
    say_pushes,
)
from salesforce_sync.reports.inbox import (
    history_document,
    item_document,
    say_history,
    say_inbox,
    say_item,
    say_released,
)

_assigned = click.argument("assignments", nargs=-1, metavar="FIELD=VALUE...")
_object = click.argument("object_name", metavar="OBJECT")
_record = click.argument("record_id", metavar="ID")
_item = click.argument("number", type=int, metavar="ITEM")


def _assignments(given: tuple[str, ...]) -> dict[str, str]:
    """`Phone=555` by field; everything behind the first `=` is the value."""
    pairs = [each.partition("=") for each in given]
    for name, equals, _ in pairs:
        if not equals or not name.strip():
            raise click.UsageError(
                f"{name!r} has no value. Write {name or 'Phone'}=VALUE, or {name or 'Phone'}= to clear the field."
            )
    names = [name.strip().casefold() for name, _, _ in pairs]
    for place, name in enumerate(names):
        if name in names[:place]:
            raise click.UsageError(f"{name!r} is given twice.")
    return {name.strip(): value for name, _, value in pairs}


# ── Editing ──────────────────────────────────────────────────────────────────────────────────────────────────────


@click.command()
@shared
@_object
@_record
@_assigned
@click.pass_obj
def edit(options: Options, object_name: str, record_id: str, assignments: tuple[str, ...]) -> int:
    """Change a record, here; the next push sends it.

    Fields by API or Python name: Phone=555-1234 first_name=Jane. `Phone=` clears a field.
    """
    texts = _assignments(assignments)
    if not texts:
        raise click.UsageError("Nothing to change. Write FIELD=VALUE behind the id, such as Phone=555-1234.")
    with options.acting("edit", f"{object_name} {record_id}", ", ".join(texts)) as (sync, _):
        collection = sync.objects[object_name]
        collection.update(record_id, **collection.parse(texts))
        return _edited(options, sync, object_name, record_id)


@click.command()
@shared
@_object
@_assigned
@click.pass_obj
def new(options: Options, object_name: str, assignments: tuple[str, ...]) -> int:
    """Make a record, here; the next push sends it.

    Its id is a local one until then, and goes on naming it afterwards.
    """
    texts = _assignments(assignments)
    with options.acting("new", object_name, ", ".join(texts)) as (sync, _):
        collection = sync.objects[object_name]
        made = collection.create(**collection.parse(texts))
        return _edited(options, sync, object_name, made.id)


@click.command()
@shared
@_object
@_record
@click.pass_obj
def rm(options: Options, object_name: str, record_id: str) -> int:
    """Delete a record, here; the next push sends it."""
    with options.acting("rm", f"{object_name} {record_id}") as (sync, _):
        sync.objects[object_name].delete(record_id)
        return _edited(options, sync, object_name, record_id)


@click.command()
@shared
@_object
@_record
@click.pass_obj
def undelete(options: Options, object_name: str, record_id: str) -> int:
    """Bring a deleted record back; the next push sends it."""
    with options.acting("undelete", f"{object_name} {record_id}") as (sync, _):
        sync.objects[object_name].undelete(record_id)
        return _edited(options, sync, object_name, record_id)


def _edited(options: Options, sync: SFSync, object_name: str, record_id: str) -> int:
    """Show what waits of the record now."""
    collection, values = sync.objects[object_name], Values(sync.objects)
    full = collection.full_id(record_id)
    name = collection.object_name
    change = sync.waiting(name, full)
    if options.json:
        say_json(edited_document(change, name, full))
    elif change is None and is_local(full) and collection.get(full) is None:
        say_forgotten(values.record(name, full))
    else:
        say_edited(change, values.record(name, full), values)
    return Exit.COMPLETE


# ── Sending ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
            done = sync.push()
        ending.outcome, ending.detail = done.state.value, f"push {done.push_id}"
        if options.json:
            say_json(push_document(done))
        else:
            say_push(done, Values(sync.objects))
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
            undone = sync.undo(push_id)
        ending.outcome, ending.detail = undone.push.state.value, f"push {undone.push.push_id}"
        if options.json:
            left = [
                {"object": e.object_name, "id": e.record_id, "field": e.field, "why": e.reason} for e in undone.left
            ]
            say_json(push_document(undone.push) | {"left": left})
        else:
            say_push(undone.push, Values(sync.objects))
            if undone.left:
                say()
                say("Not undone:")
                rows = [(each.object_name, each.record_id, each.field, each.reason) for each in undone.left]
                say_table(("object", "record", "field", "why"), rows)
            for line in lines:
                say(line)
    return exit_of_push(undone.push)


@click.command()
@shared
@_object
@_record
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


# ── The inbox ────────────────────────────────────────────────────────────────────────────────────────────────────


@click.group(invoke_without_command=True)
@shared
@click.pass_context
def inbox(context: click.Context) -> int:
    """List what waits for a decision.

    Conflicts, and changes that the org refused. `inbox show ITEM` tells more. What a decision leaves to send goes
    with the next push.
    """
    if context.invoked_subcommand is None:
        options: Options = context.obj
        with options.open() as sync:
            items, values = sync.inbox(), Values(sync.objects)
            if options.json:
                say_json({"items": [item_document(each) for each in items]})
            else:
                say_inbox(items, values)
    return Exit.COMPLETE


@inbox.command("show")
@shared
@_item
@click.pass_obj
def show_item(options: Options, number: int) -> int:
    """Show an item: before, here and in the org, and how it can be decided."""
    with options.open() as sync:
        item = sync.inbox_item(number)
        if options.json:
            say_json(item_document(item))
        else:
            say_item(item, Values(sync.objects))
    return Exit.COMPLETE


@inbox.command("take")
@shared
@_item
@click.argument("what", nargs=-1, required=True, metavar="org|local|FIELD=VALUE...")
@click.pass_obj
def take_item(options: Options, number: int, what: tuple[str, ...]) -> int:
    """Decide for a side, or for values.

    A side, `org` or `local`, holds for the fields that are not named: `take 3 Phone=555-1234 org`.
    """
    sides = [each for each in what if each in list(Side)]
    texts = _assignments(tuple(each for each in what if each not in sides))
    if len(sides) > 1:
        raise click.UsageError("Take one side: org or local.")

    def take(sync: SFSync) -> None:
        values = sync.objects[sync.inbox_item(number).object_name].parse(texts)
        sync.take(number, *sides, **values)

    return _decide(options, number, f"take {' '.join([*sides, *texts])}", take)


@inbox.command("drop")
@shared
@_item
@click.pass_obj
def drop_item(options: Options, number: int) -> int:
    """Give the local edit up.

    The org's values hold, and a record that was made here is gone.
    """
    return _decide(options, number, "drop", lambda sync: sync.drop(number))


@inbox.command("retry")
@shared
@click.argument("number", type=int, metavar="[ITEM]", required=False)
@click.option("--all", "code", metavar="CODE", help="Every change that was refused with this code.")
@click.option("--allow-duplicates", is_flag=True, help="Past the org's duplicate rules.")
@click.pass_obj
def retry_item(options: Options, number: int | None, code: str | None, allow_duplicates: bool) -> int:
    """Send a refused change again.

    With the next push, as it is; with --all every one that was refused with this code, once the org's rule is mended.
    """
    if (number is None) == (code is None):
        raise click.UsageError("Name one item, or --all CODE.")
    if number is not None:
        again = number
        return _decide(options, again, "retry", lambda sync: sync.retry(again, allow_duplicates=allow_duplicates))
    with options.acting("decide", f"all {code}", "retry") as (sync, _):
        count = sync.retry_all(code or "")
    if options.json:
        say_json({"released": count})
    else:
        say_released(count, code or "")
    return Exit.COMPLETE


@inbox.command("link")
@shared
@_item
@_record
@click.option("--local", "side", flag_value="local", default="org", help="Send the values that were given here.")
@click.pass_obj
def link_item(options: Options, number: int, record_id: str, side: str) -> int:
    """Say which record of the org this one is.

    The record that was made here is not made again. The org's values hold; with --local those given here are sent.
    """
    return _decide(options, number, f"link {record_id} {side}", lambda sync: sync.link(number, record_id, side))


def _decide(options: Options, number: int, decision: str, decide: Callable[[SFSync], None]) -> int:
    """Carry out a decision, and show what is left of the record's edits."""
    with options.acting("decide", f"item {number}", decision) as (sync, _):
        item = sync.inbox_item(number)
        decide(sync)
        if not options.json:
            say(f"Item {number} is decided.")
        return _edited(options, sync, item.object_name, item.record_id)


TWO_WAY: Final = (edit, new, rm, undelete, diff, push, pushes, undo, history, inbox)
