"""The commands that show what waits for a person, and decide it: parse, call `SFSync`, print."""

from __future__ import annotations

from collections.abc import Callable

import click

from salesforce_sync.app import SFSync
from salesforce_sync.commands import arguments
from salesforce_sync.commands.arguments import assignments_of
from salesforce_sync.commands.options import Options, shared
from salesforce_sync.commands.waiting import show_waiting
from salesforce_sync.models.inbox import Side
from salesforce_sync.models.outbox import is_local
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say, say_json
from salesforce_sync.reports.edits import Values
from salesforce_sync.reports.inbox import item_document, say_decided, say_inbox, say_item, say_released

_item = click.argument("number", type=int, metavar="ITEM")
_seen = click.option(
    "--seen", metavar="VERSION", help="Only if the item is still as it was seen: its `version` in `inbox show`."
)


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
@click.argument("item_and_what", nargs=-1, required=True, metavar="[ITEM] org|local|FIELD=VALUE...")
@click.option("--all", "object_name", metavar="OBJECT", help="Every conflict of this object, for one side.")
@_seen
@click.pass_obj
def take_item(options: Options, item_and_what: tuple[str, ...], object_name: str | None, seen: str | None) -> int:
    """Decide for a side, or for values.

    A side, `org` or `local`, holds for the fields that are not named: `take 3 Phone=555-1234 org`. With --all it holds
    for every conflict of an object, `take --all Contact org`; what was deleted or refused waits for a look of its own.
    """
    if object_name is not None:
        return _take_all(options, object_name, item_and_what, seen)
    number, what = _number_of(item_and_what[0]), item_and_what[1:]
    sides = [each for each in what if each in list(Side)]
    texts = assignments_of(tuple(each for each in what if each not in sides))
    if len(sides) > 1:
        raise click.UsageError("Take one side: org or local.")
    if not what:
        raise click.UsageError("Say what to take: org, local or FIELD=VALUE.")

    def take(sync: SFSync) -> None:
        values = sync.objects[sync.inbox_item(number).object_name].parse(texts)
        sync.take(number, next(iter(sides), None), seen, **values)

    return _decide(options, number, f"take {' '.join([*sides, *texts])}", take)


def _number_of(text: str) -> int:
    if not text.isdecimal():
        raise click.UsageError(f"{text!r} is not the number of an item. Name one item, or --all OBJECT.")
    return int(text)


def _take_all(options: Options, object_name: str, what: tuple[str, ...], seen: str | None) -> int:
    if what not in ((Side.ORG,), (Side.LOCAL,)):
        raise click.UsageError("With --all take one side: org or local.")
    if seen is not None:
        raise click.UsageError("--seen is about one item: name it.")
    side = Side(what[0])
    with options.acting("decide", f"all {object_name}", f"take {side}") as (sync, _):
        count = sync.take_all(object_name, side)
    if options.json:
        say_json({"decided": count})
    else:
        say_decided(count, object_name, side)
    return Exit.COMPLETE


@inbox.command("drop")
@shared
@_item
@_seen
@click.pass_obj
def drop_item(options: Options, number: int, seen: str | None) -> int:
    """Give the local edit up.

    The org's values hold, and a record that was made here is gone.
    """
    return _decide(options, number, "drop", lambda sync: sync.drop(number, seen))


@inbox.command("retry")
@shared
@click.argument("number", type=int, metavar="[ITEM]", required=False)
@click.option("--all", "code", metavar="CODE", help="Every change that was refused with this code.")
@click.option("--allow-duplicates", is_flag=True, help="Past the org's duplicate rules.")
@_seen
@click.pass_obj
def retry_item(options: Options, number: int | None, code: str | None, allow_duplicates: bool, seen: str | None) -> int:
    """Send a refused change again.

    With the next push, as it is; with --all every one that was refused with this code, once the org's rule is mended.
    """
    if (number is None) == (code is None):
        raise click.UsageError("Name one item, or --all CODE.")
    if number is not None:
        again = number
        return _decide(options, again, "retry", lambda sync: sync.retry(again, seen, allow_duplicates=allow_duplicates))
    if seen is not None or allow_duplicates:
        raise click.UsageError(f"{'--seen' if seen is not None else '--allow-duplicates'} is about one item: name it.")
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
@arguments.record_id
@click.option("--local", "side", flag_value="local", default="org", help="Send the values that were given here.")
@_seen
@click.pass_obj
def link_item(options: Options, number: int, record_id: str, side: str, seen: str | None) -> int:
    """Say which record of the org this one is.

    The record that was made here is not made again. The org's values hold; with --local those given here are sent.
    """
    decision = f"link {record_id} {side}"
    return _decide(options, number, decision, lambda sync: sync.link(number, record_id, side, seen), record_id)


def _decide(
    options: Options, number: int, decision: str, decide: Callable[[SFSync], None], linked: str | None = None
) -> int:
    """Carry out a decision, and show what is left of the edits: of the record, or of the one that it went into."""
    with options.acting("decide", f"item {number}", decision) as (sync, _):
        item = sync.inbox_item(number)
        referring = sync.referring(item.record_id)
        decide(sync)
        if not options.json:
            waits = any(each.number == number for each in sync.inbox(after=number - 1, most=1))
            say(f"Item {number} is decided{' in part: the rest of it waits' if waits else ''}.")
        shown = item.record_id if linked is None or is_local(item.record_id) else linked
        return show_waiting(options, sync, item.object_name, shown, referring)
