"""`signals`: what has happened, and looking after the sinks that are told of it."""

from __future__ import annotations

import base64
import secrets

import click

from salesforce_sync.commands.options import Options, shared
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.terminal import say, say_json
from salesforce_sync.reports.daemon import (
    dead_document,
    say_dead,
    say_signals,
    say_sinks,
    signal_document,
    sink_document,
)


@click.group("signals", invoke_without_command=True)
@shared
@click.pass_context
def signals_group(context: click.Context) -> int | None:
    """Show what has happened, and look after the sinks that are told of it."""
    if context.invoked_subcommand is None:
        return int(context.invoke(list_signals))
    return None


@signals_group.command("list")
@shared
@click.option("--after", type=int, help="Those behind this number, oldest first; without it, the last ones.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Signals at most.")
@click.pass_obj
def list_signals(options: Options, after: int | None = None, limit: int = 50) -> int:
    """Show signals, oldest first."""
    with options.open() as sync:
        told = sync.signals(max(0, sync.newest_signal() - limit) if after is None else after, limit)
        if options.json:
            say_json({"signals": [signal_document(sync, each) for each in told]})
        else:
            say_signals(sync, told)
    return Exit.COMPLETE


@signals_group.command("sinks")
@shared
@click.pass_obj
def list_sinks(options: Options) -> int:
    """Show how far each sink has got."""
    with options.open() as sync:
        sinks = sync.sinks()
    if options.json:
        say_json({"sinks": [sink_document(each) for each in sinks]})
    else:
        say_sinks(sinks)
    return Exit.COMPLETE


@signals_group.command("dead")
@shared
@click.argument("sink", required=False)
@click.pass_obj
def dead(options: Options, sink: str | None) -> int:
    """Show the signals that a sink, or any, has refused."""
    with options.open() as sync:
        letters = sync.dead_letters(sink)
        if options.json:
            say_json({"dead": [dead_document(sync, each) for each in letters]})
        else:
            say_dead(letters)
    return Exit.COMPLETE


@signals_group.command("retry")
@shared
@click.argument("sink", required=False)
@click.pass_obj
def retry(options: Options, sink: str | None) -> int:
    """Let refused signals be tried again, by the daemon or the next sync; and a sink that failed, now."""
    with options.open() as sync:
        count = sync.retry_dead_letters(sink)
    if options.json:
        say_json({"retried": count})
    else:
        say(f"{count} refused signals are tried again, by the daemon or with the next sync.")
    return Exit.COMPLETE


@signals_group.command("forget")
@shared
@click.argument("name")
@click.pass_obj
def forget(options: Options, name: str) -> int:
    """Forget the listener of this name (`SFSync.on` with a name), of which nothing is wanted any more."""
    with options.open() as sync:
        known = sync.forget_listener(name)
    if options.json:
        say_json({"forgotten": known})
    else:
        say(f"{name} is forgotten." if known else f"Nobody has listened as {name}.")
    return Exit.COMPLETE


@signals_group.command("secret")
@shared
@click.pass_obj
def secret(options: Options) -> int:
    """Make a secret that webhooks can be signed with, for SF_WEBHOOK_SECRETS and for the receiver."""
    made = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    if options.json:
        say_json({"secret": made})
    else:
        say(made)
    return Exit.COMPLETE


@signals_group.command("send")
@shared
@click.argument("signal")
@click.pass_obj
def send(options: Options, signal: str) -> int:
    """Hand in a signal, as a line or as JSON, as if it had come by MQTT: `🔄 OS → FND : sync, object=Contact`."""
    with options.open() as sync:
        reply = sync.receive(signal)
    if options.json:
        say_json({"accepted": reply.accepted, "signal": reply.signal, "msg": reply.msg, "number": reply.number})
    else:
        say(reply.msg)
    return Exit.COMPLETE if reply.accepted else Exit.USAGE
