"""The command line: parse, call `SFSync`, print."""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from salesforce_sync import __version__
from salesforce_sync.app import SFSync, Status
from salesforce_sync.commands import demo, production
from salesforce_sync.commands.access import ACCESS
from salesforce_sync.commands.connect import connect
from salesforce_sync.commands.daemon import daemon
from salesforce_sync.commands.editing import EDITING
from salesforce_sync.commands.export import export
from salesforce_sync.commands.import_ import import_
from salesforce_sync.commands.inbox import inbox
from salesforce_sync.commands.options import Options, os_user, saying_yes, shared, tell_signals
from salesforce_sync.commands.pushing import PUSHING
from salesforce_sync.commands.serve import serve
from salesforce_sync.commands.service import service_group
from salesforce_sync.commands.signals import signals_group
from salesforce_sync.errors import OutputLost, SyncError
from salesforce_sync.models.change import agreement
from salesforce_sync.models.run import Run
from salesforce_sync.process.exits import MEANINGS, Exit, exit_of_error, exit_of_run
from salesforce_sync.process.interrupts import MESSAGE, end_at_once, leave_alone, stop_on_interrupt, stop_on_signals
from salesforce_sync.process.memory import leave_uncounted, spare_memory
from salesforce_sync.process.terminal import (
    let_go_of_output,
    lost_output,
    progress,
    say,
    say_json,
    say_table,
    silence,
    stand_in_for_closed_streams,
    tolerate_any_encoding,
    warn,
)
from salesforce_sync.reports.answers import answer_document, say_answer
from salesforce_sync.reports.daemon import daemon_document, requested_document, say_daemon, sink_document
from salesforce_sync.reports.edits import pushed_document, say_push_briefly
from salesforce_sync.reports.inbox import say_waiting, say_waiting_for_a_person
from salesforce_sync.reports.runs import error_document, proof_document, run_document, say_error, say_proofs, say_run
from salesforce_sync.reports.status import forecast_line, say_status, say_warnings, status_document
from salesforce_sync.signals import Progress, Signal

log = logging.getLogger("salesforce_sync.cli")  # not __name__, which is "__main__" under `python -m`


# ── The frame ────────────────────────────────────────────────────────────────────────────────────────────────────


def main() -> NoReturn:
    """Run one command and end the process with its exit code."""
    stand_in_for_closed_streams()
    tolerate_any_encoding()
    spare_memory()
    leave_uncounted()
    code = run(sys.argv[1:])
    leave_alone()
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command and give its exit code; whatever went wrong has been told by then."""
    # Looked for before click has parsed: a mistake in the arguments is told as JSON too.
    options = Options(json="--json" in arguments, verbose=not {"-v", "--verbose"}.isdisjoint(arguments))
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("salesforce_sync").setLevel(logging.INFO if options.verbose else logging.WARNING)
    try:
        return int(commands.main(arguments, prog_name=demo.program(), standalone_mode=False, obj=options) or 0)
    except SyncError as error:
        if options.verbose:
            log.info("Ended by an error", exc_info=error)
        return _told(error, options)
    except click.UsageError as error:
        return _told_usage(error, options)
    except (KeyboardInterrupt, click.Abort):
        warn(MESSAGE)
        return Exit.INTERRUPTED
    except Exception as error:  # the outermost door: a person gets a sentence, and the traceback with -v
        if lost := lost_output(error):
            return _told(lost, options)
        log.info("Ended by a mistake of ours", exc_info=error)
        hint = "" if options.verbose else "Run it again with -v to see where, and please report it."
        return _told(SyncError(f"{type(error).__name__}: {error}", code="INTERNAL_ERROR", hint=hint), options)


def _told(error: SyncError, options: Options) -> int:
    if options.json and not isinstance(error, OutputLost):
        _say_document(error_document(error))
    elif options.only_logs:
        log.error("%s: %s", error.code, error)
    else:
        say_error(error)
    return exit_of_error(error)


def _say_document(document: Mapping[str, object]) -> None:
    """What went wrong, as JSON. Where that finds no room, why is told; the exit code stays that of what went wrong."""
    try:
        say_json(document)
    except BrokenPipeError:
        let_go_of_output()
    except OutputLost as lost:
        say_error(lost)


def _told_usage(error: click.UsageError, options: Options) -> int:
    if options.json:
        hint = f"{error.ctx.command_path} --help" if error.ctx else ""
        _say_document({"error": "USAGE", "message": error.format_message(), "hint": hint})
    else:
        said = io.StringIO()
        error.show(said)
        warn(said.getvalue().rstrip("\n"))
    return Exit.USAGE


accepting_losses = click.option(
    "--accept-loss", metavar="OBJECT", multiple=True, help="Let this object lose any number of rows."
)

_EXIT_CODES = "\b\nExit codes:\n" + "\n".join(f"  {code.value:<4}{meaning}" for code, meaning in MEANINGS.items())


@click.group(epilog=_EXIT_CODES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
@shared
def commands() -> None:
    """Sync Salesforce records to a local database.

    Start with `demo`, which needs no account; or fill in .env, then `init` and `sync`.
    """


# ── Connecting ───────────────────────────────────────────────────────────────────────────────────────────────────


@commands.command()
@shared
@saying_yes
@click.pass_obj
def init(options: Options, yes: bool) -> int:
    """Make the database; with credentials in .env or the environment, log in and keep the connection."""
    with options.acting("init") as (sync, _):
        status = sync.init()
        if status.connected_to is not None:
            production.after_login(sync, os_user(), yes=yes)
    if options.json:
        say_json(status_document(status))
    else:
        say_status(status)
    return Exit.COMPLETE


# ── Syncing ──────────────────────────────────────────────────────────────────────────────────────────────────────


@commands.command()
@shared
@click.argument("objects", nargs=-1, metavar="[OBJECT]...")
@accepting_losses
@click.option("--no-push", is_flag=True, help="Only bring; what was edited here waits.")
@click.option(
    "--set", "ready_set", metavar="NAME", help="The objects of a ready set that the org has: sales, revenue-cloud."
)
@click.option("--daemon", "by_daemon", is_flag=True, help="Let the running daemon do it, now; returns at once.")
@saying_yes
@click.pass_obj
def sync(
    options: Options,
    objects: tuple[str, ...],
    accept_loss: tuple[str, ...],
    no_push: bool,
    ready_set: str | None,
    by_daemon: bool,
    yes: bool,
) -> int:
    """Bring what has changed, send what was edited.

    Of the configured objects, or of those named here (Widget__c); edits of every object are sent.
    """
    if ready_set is not None:
        with options.open() as sync:
            objects = (*objects, *sync.ready_set(ready_set))
    if by_daemon:
        if accept_loss:
            raise click.UsageError("The daemon takes no --accept-loss: sync without --daemon.")
        return _ask_daemon(options, objects)
    lines: list[str] = []
    told = options.acting("sync", " ".join(objects), agreement(accept_loss))
    with told as (sync, ending), silence() if options.json else progress() as listener:
        if not no_push:
            production.before_push(sync, os_user(), yes=yes)
        sync.on("sync_progress", listener)
        tell_signals(sync, lines.append)
        if not options.json:
            say(f"Forecast: {forecast_line(sync.budget(*objects))}.")
        with stop_on_interrupt(sync.stop):
            run = (sync.pull if no_push else sync.sync)(*objects, accept_loss=accept_loss)
        ending.outcome, ending.detail = run.state.value, f"{run.changed} records changed"
        waiting, warnings = sync.inbox_count(), sync.warnings()
    if options.json:
        say_json(run_document(run) | pushed_document(run) | {"inbox": waiting, "warnings": list(warnings)})
    else:
        say_run(run)
        if run.pushed is not None:
            say_push_briefly(run.pushed)
        say_waiting_for_a_person(waiting)
        say_warnings(warnings)
        for line in lines:
            say(line)
    return exit_of_run(run)


def _ask_daemon(options: Options, objects: tuple[str, ...]) -> int:
    with options.open() as sync:
        request = sync.ask_daemon(*objects)
    if options.json:
        say_json(requested_document(request))
    else:
        say(f"The daemon is asked for it (request {request.number}); `status` shows what it does.")
    return Exit.COMPLETE


@commands.command()
@shared
@click.argument("objects", nargs=-1, metavar="[OBJECT]...")
@accepting_losses
@click.pass_obj
def verify(options: Options, objects: tuple[str, ...], accept_loss: tuple[str, ...]) -> int:
    """Prove that nothing is missing: compare every id and stamp with the org, and repair what differs.

    Of the objects that are here, or of those named. The proofs are kept; `status` shows them.
    """
    told = options.acting("verify", " ".join(objects), agreement(accept_loss))
    with told as (sync, ending), silence() if options.json else progress() as listener:
        sync.on("sync_progress", listener)
        with stop_on_interrupt(sync.stop):
            run, proofs = sync.verify(*objects, accept_loss=accept_loss)
        ending.outcome, warnings = run.state.value, sync.warnings()
    if options.json:
        shown = [proof_document(each) for each in proofs]
        say_json(run_document(run) | {"proofs": shown, "warnings": list(warnings)})
    else:
        say_proofs(run, proofs)
        say_warnings(warnings)
    return exit_of_run(run)


@commands.command()
@shared
@click.argument("objects", nargs=-1, metavar="[OBJECT]...")
@click.pass_obj
def events(options: Options, objects: tuple[str, ...]) -> int:
    """Follow change events: what changes in the org is here within moments. Until Ctrl-C or SIGTERM.

    Of the objects that sync.events names, or of all of sync.objects; or of those named here. With --json, each signal
    is one line.
    """
    stop = threading.Event()
    stop_on_signals(stop.set)
    with options.open() as sync:
        names = objects or sync.followed_objects or sync.config.sync.objects
        sync.on("*", lambda signal: _tell_event(options, sync, signal))
        follower = sync.follow(caught_up=lambda run: _note_catch_up(options, run))
        follower.start(*names)
        if not options.json:
            say(f"Following {', '.join(names)}. Ctrl-C ends it.")
        stop.wait()
        sync.stop()
        follower.stop()
    end_at_once(Exit.COMPLETE)


def _note_catch_up(options: Options, run: Run) -> None:
    options.note("sync", run.state.value, f"{run.changed} records changed, for change events")


def _tell_event(options: Options, sync: SFSync, signal: Signal) -> None:
    settings = sync.config.signals
    if isinstance(signal, Progress) or not settings.enabled:
        return
    if options.json:
        say_json(signal.to_json(datetime.now(UTC), settings.target, settings.source))
    else:
        say(signal.line(settings.target, settings.source))


# ── Looking ──────────────────────────────────────────────────────────────────────────────────────────────────────


@commands.command()
@shared
@click.pass_obj
def status(options: Options) -> int:
    """Show what is here, how fresh it is, and how the last runs went. Asks the org nothing."""
    with options.open() as sync:
        status = sync.status()
    if options.json:
        say_json(_status_document(status))
    else:
        say_status(status)
        say_daemon(status)
        say_waiting(status)
    return Exit.COMPLETE


def _status_document(status: Status) -> dict[str, Any]:
    sinks = [sink_document(each) for each in status.sinks]
    return status_document(status) | {"daemon": daemon_document(status.daemon), "sinks": sinks}


@commands.command()
@shared
@click.argument("sql")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Rows at most.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=30.0, show_default=True, help="Seconds at most.")
@click.pass_obj
def query(options: Options, sql: str, limit: int, seconds: float) -> int:
    """Ask the local database a question in SQL. It can only read; the org is not asked."""
    with options.open() as sync:
        answer = sync.query(sql, limit, seconds)
    if options.json:
        say_json(answer_document(answer))
    else:
        say_answer(answer, limit)
    return Exit.COMPLETE


@commands.command()
@shared
@click.pass_obj
def objects(options: Options) -> int:
    """List the org's objects that can be synced. One API call."""
    with options.open() as sync:
        found = [each for each in sync.available() if each.queryable]
    if options.json:
        say_json({"objects": [{"object": each.name, "label": each.label, "custom": each.custom} for each in found]})
    else:
        say_table(("object", "label"), [(each.name, each.label) for each in found])
    return Exit.COMPLETE


for command in (
    *(connect, *EDITING, *PUSHING, inbox, *ACCESS),
    *(daemon, service_group, signals_group, export, import_, serve),
):
    commands.add_command(command)


# ── Trying ───────────────────────────────────────────────────────────────────────────────────────────────────────


@commands.command("demo")
@shared
@click.option("--records", type=click.IntRange(min=1), default=10_000, show_default=True, help="Contacts in the org.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("demo"), help="[default: ./demo]"
)
@click.pass_obj
def show(options: Options, records: int, folder: Path) -> int:
    """Sync a simulated org, without any account: a first look in one command."""
    return demo.run(records, folder, as_json=options.json)


if __name__ == "__main__":
    main()
