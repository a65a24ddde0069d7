"""The commands around the daemon: running it, making it a service, and looking after its signals."""

from __future__ import annotations

import base64
import getpass
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from salesforce_sync.commands import doorman
from salesforce_sync.commands.options import Options, shared, tell_signals
from salesforce_sync.config import Config
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run
from salesforce_sync.process import service
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.interrupts import Stops, end_at_once, stop_on_signals
from salesforce_sync.process.logs import FORMS, LogForm, log_as
from salesforce_sync.process.notify import Notifier
from salesforce_sync.process.terminal import say, say_json
from salesforce_sync.reports.daemon import (
    dead_document,
    say_dead,
    say_signals,
    say_sinks,
    signal_document,
    sink_document,
)
from salesforce_sync.reports.edits import push_document, pushed_document, say_push_briefly
from salesforce_sync.reports.runs import run_document, say_run_briefly

if TYPE_CHECKING:
    from salesforce_sync.web.serving import Running

log = logging.getLogger(__name__)


GOODBYE: Final = 1.5
"""Seconds that the server has to end its answers."""


class _Watcher:
    """Tells the service manager how the daemon is; the audit log, and the reader of standard output, what it did."""

    def __init__(
        self,
        notifier: Notifier,
        note: Callable[[str, str, str], None],
        tell_run: Callable[[Run], None],
        tell_push: Callable[[Push], None],
    ) -> None:
        """`note` writes into the audit log: what was done, how it ended, and more of it."""
        self._notifier = notifier
        self._note = note
        self._tell_run = tell_run
        self._tell_push = tell_push

    def beat(self) -> None:
        self._notifier.beat()

    def doing(self, what: str) -> None:
        self._notifier.ready()
        self._notifier.status(what)

    def ran(self, run: Run) -> None:
        self._note("sync", run.state.value, f"{run.changed} records changed")
        self._tell_run(run)

    def caught_up(self, run: Run) -> None:
        self._note("sync", run.state.value, f"{run.changed} records changed, for change events")

    def pushed(self, push: Push) -> None:
        if push.total:
            self._note("push", push.state.value, push.push_id)
        self._tell_push(push)


@click.command()
@shared
@click.option("--log-format", type=click.Choice(FORMS), help="Say nothing but a log, on standard error, in this form.")
@click.option("--serve", "serves", is_flag=True, help="Serve the HTTP API too.")
@click.option("--host", default="127.0.0.1", show_default=True, help="With --serve: the address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="With --serve: the port.")
@click.pass_obj
def daemon(options: Options, log_format: LogForm | None, serves: bool, host: str, port: int) -> int:
    """Keep the replica up to date until Ctrl-C or SIGTERM.

    Each object is synced at its interval (sync.intervals, sync.interval_minutes), and what is edited here, in whatever
    process, is sent within seconds. What is under way when it is told to stop is finished or given up within three
    seconds; a second Ctrl-C or SIGTERM ends it at once. With --json, each run is one line.
    """
    stops = Stops()
    stop_on_signals(stops)  # before all that may take long
    notifier = Notifier()
    if log_format is not None:
        log_as(log_format)
        options.only_logs = True
    server = _server(options, host, port) if serves else None
    if server is not None:
        stops.add(server.stop)
    with options.acting("daemon") as (sync, _):
        stops.add(sync.stop)
        sync.on("*", lambda _: notifier.beat())
        if options.json:
            watcher = _Watcher(
                notifier, options.note, lambda run: say_json(_run(run)), lambda push: say_json(_push(push))
            )
        elif log_format is not None:
            watcher = _Watcher(notifier, options.note, lambda _: None, lambda _: None)
        else:
            tell_signals(sync, say)
            say(f"Syncing {_intervals(sync.config)}. Ctrl-C ends it.")
            watcher = _Watcher(notifier, options.note, _say_run, say_push_briefly)
        with nullcontext() if server is None else _serving(server, quiet=log_format is not None, json=options.json):
            sync.run_daemon(watcher)
        notifier.stopping()
    end_at_once(Exit.COMPLETE)


def _server(options: Options, host: str, port: int) -> Running:
    # Imported here: the web framework takes most of a second to load.
    from salesforce_sync.web.serving import Place, Running

    # The settings of the house: the server opens every connection from them, the one that is served here too.
    return Running(Config.load(options.config), Place(host=host, port=port))


@contextmanager
def _serving(server: Running, *, quiet: bool, json: bool) -> Iterator[None]:
    """Serve beside what the block does, in a thread of its own."""

    def ready() -> None:
        if quiet:
            log.info("serving at %s", server.url)
        else:
            doorman.welcome(server, as_json=json)

    thread = threading.Thread(target=server.run, args=(ready,), name="server", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.stop()
        thread.join(GOODBYE)


def _say_run(run: Run) -> None:
    say_run_briefly(run)
    if run.pushed is not None:
        say_push_briefly(run.pushed)


def _run(run: Run) -> dict[str, Any]:
    return run_document(run) | pushed_document(run)


def _push(push: Push) -> dict[str, Any]:
    return {"pushed": push_document(push)}


def _intervals(config: Config) -> str:
    by_minutes: dict[int, list[str]] = {}
    for name in config.sync.objects:
        by_minutes.setdefault(config.sync.minutes(name), []).append(name)
    return ", ".join(f"{', '.join(names)} every {minutes} minutes" for minutes, names in sorted(by_minutes.items()))


# ── the service ──────────────────────────────────────────────────────────────────────────────────────────────────


@click.group("service")
@shared
def service_group() -> None:
    """Run the daemon as a service of systemd."""


@service_group.command("install")
@shared
@click.option("--user", "own", is_flag=True, help="A service of your own, not of the system.")
@click.option("--print", "only_print", is_flag=True, help="Print the unit and write nothing.")
@click.pass_obj
def install_service(options: Options, own: bool, only_print: bool) -> int:
    """Write a unit that starts the daemon for the settings of this folder, or of --config."""
    wanted = _service(Config.load(options.config), own=own)
    if only_print:
        text = service.unit(wanted)
        if options.json:
            say_json({"unit": str(service.path_of(wanted)), "text": text})
        else:
            say(text.rstrip("\n"))
        return Exit.COMPLETE
    path = service.install(wanted)
    manager = "systemctl --user" if own else "sudo systemctl"
    if options.json:
        say_json({"unit": str(path)})
    else:
        say(f"{path} is written. Start it, now and with the machine:")
        say(f"  {manager} daemon-reload && {manager} enable --now {service.NAME}")
        if own:
            say(f"  loginctl enable-linger {getpass.getuser()}    # so that it runs while you are not logged in")
    return Exit.COMPLETE


def _service(config: Config, *, own: bool) -> service.Service:
    settings = () if config.file is None else ("--config", str(config.file))
    command = (sys.executable, "-m", "salesforce_sync.cli", *settings, "daemon", "--log-format", "lines")
    database = config.storage.path.parent
    files = {each.path.parent for each in config.signals.sinks if each.path is not None}
    folder = Path.cwd() if config.file is None else config.file.parent
    user = os.environ.get("SUDO_USER") or getpass.getuser()
    return service.Service(command, folder, (database, *sorted(files - {database})), None if own else user)


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────


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


COMMANDS: Final = (daemon, service_group, signals_group)
