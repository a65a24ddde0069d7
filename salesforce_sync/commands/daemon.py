"""`daemon`: keeps the replica up to date, and tells the service manager, the audit log and its reader what it does."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Final

import click

from salesforce_sync.commands import doorman
from salesforce_sync.commands.options import Options, shared, tell_signals
from salesforce_sync.config import Config
from salesforce_sync.models.push import Push
from salesforce_sync.models.run import Run
from salesforce_sync.process.exits import Exit
from salesforce_sync.process.interrupts import Stops, end_at_once, stop_on_signals
from salesforce_sync.process.logs import FORMS, LogForm, log_as
from salesforce_sync.process.notify import Notifier
from salesforce_sync.process.terminal import say, say_json
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
