"""The daemon, the sinks and their dead letters as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from salesforce_sync.app import SFSync, Status
from salesforce_sync.models.duty import DaemonState, SyncRequest
from salesforce_sync.models.sinks import SinkState
from salesforce_sync.process.terminal import ago, say, say_table, stamp
from salesforce_sync.signals import DeadLetter, Told
from salesforce_sync.signals import stamp as signal_stamp


def say_daemon(status: Status) -> None:
    """Say whether the daemon runs, what is next, and what went wrong last; and which sinks lag behind."""
    now = datetime.now(UTC)
    for line in daemon_lines(status.daemon, now):
        say(line)
    for sink in status.sinks:
        if sink.failures or sink.dead or sink.dropped:
            say(sink_line(sink, now))


def daemon_lines(state: DaemonState | None, now: datetime) -> list[str]:
    """The daemon in some lines."""
    if state is None:
        return ["daemon        never ran here; `salesforce-sync daemon` keeps the replica up to date"]
    if not state.running:
        lines = [f"daemon        not running; last seen {ago(state.told_at, now)} ({state.owner})"]
    else:
        lines = [
            f"daemon        {state.doing}; process {state.pid} of {state.owner}, started {ago(state.started_at, now)}"
        ]
        if state.next:
            upcoming = sorted(state.next.items(), key=lambda each: each[1])
            lines.append(f"next          {', '.join(f'{name} {_in(at, now)}' for name, at in upcoming)}")
    if state.running:
        lines += _events_lines(state)
    if state.not_before is not None and state.not_before > now:
        lines.append(f"              the day's API calls are used up: nothing before {state.not_before:%H:%M} UTC")
    if state.problem:
        lines.append(f"last error    {ago(state.problem_at, now)}: {state.problem}")
    return lines


def _events_lines(state: DaemonState) -> list[str]:
    """Whose change events are followed; and why others are not, which polls alone keep up to date."""
    followed = [name for name, trouble in state.events.items() if not trouble]
    lines = [f"events        {', '.join(followed)} followed"] if followed else []
    return lines + [
        f"events        {name} is not followed, and only polled: {trouble}"
        for name, trouble in state.events.items()
        if trouble
    ]


def _in(at: datetime, now: datetime) -> str:
    seconds = (at - now).total_seconds()
    if seconds < 1:
        return "now"
    return f"in {seconds:.0f} s" if seconds < 90 else f"in {seconds / 60:.0f} min"


def sink_line(sink: SinkState, now: datetime) -> str:
    """A sink that has not got everything, in one line."""
    parts = [f"{sink.waiting} signals wait"] if sink.failures else []
    parts += [f"{sink.dead} refused"] if sink.dead else []
    parts += [f"{sink.dropped} were too old before they could go"] if sink.dropped else []
    parts += [sink.problem] if sink.failures else []
    parts += [f"next try {_in(sink.retry_at, now)}"] if sink.failures and sink.retry_at else []
    return f"sink          {sink.name}: {'; '.join(parts)}"


def daemon_document(state: DaemonState | None) -> dict[str, Any] | None:
    """The daemon as JSON; null if there never was one."""
    if state is None:
        return None
    return {
        "running": state.running,
        "owner": state.owner,
        "pid": state.pid,
        "started": stamp(state.started_at),
        "told": stamp(state.told_at),
        "doing": state.doing if state.running else "stopped",
        "next": {name: stamp(at) for name, at in state.next.items()} if state.running else {},
        "not_before": stamp(state.not_before),
        "events": {name: trouble or "followed" for name, trouble in state.events.items()} if state.running else {},
        "last_error": state.problem or None,
        "last_error_at": stamp(state.problem_at),
    }


def sink_document(sink: SinkState) -> dict[str, Any]:
    """A sink as JSON."""
    return {
        "sink": sink.name,
        "number": sink.number,
        "waiting": sink.waiting,
        "failures": sink.failures,
        "problem": sink.problem or None,
        "retry_at": stamp(sink.retry_at),
        "delivered": stamp(sink.delivered_at),
        "dead": sink.dead,
        "dropped": sink.dropped,
    }


def requested_document(request: SyncRequest) -> dict[str, Any]:
    """What was asked of the daemon, as JSON."""
    return {"requested": request.number, "objects": list(request.objects), "state": request.state}


def say_sinks(sinks: Sequence[SinkState]) -> None:
    """Show how far each sink has got."""
    if not sinks:
        say("No sink has been told anything yet: they begin with the next sync (signals.sinks in the settings).")
        return
    now = datetime.now(UTC)
    rows = [
        (each.name, each.number, each.waiting, each.dead, each.dropped, ago(each.delivered_at, now), each.problem)
        for each in sinks
    ]
    say_table(("sink", "number", "waiting", "refused", "dropped", "last delivery", "problem"), rows)


# ── signals ──────────────────────────────────────────────────────────────────────────────────────────────────────


def say_signals(sync: SFSync, told: Sequence[Told]) -> None:
    """Show signals as lines with the time in front."""
    settings = sync.config.signals
    for each in told:
        say(each.signal.log_line(each.at, settings.target, settings.source))


def signal_document(sync: SFSync, told: Told) -> dict[str, Any]:
    """A signal as JSON, with its number."""
    return {"number": told.number} | sync.signal_document(told)


def say_dead(letters: Sequence[DeadLetter]) -> None:
    """Show what sinks have refused."""
    if not letters:
        say("No sink has refused anything.")
        return
    rows = [
        (each.number, each.sink, signal_stamp(each.told.at), each.told.signal.name, each.problem) for each in letters
    ]
    say_table(("letter", "sink", "at", "signal", "problem"), rows)


def dead_document(sync: SFSync, letter: DeadLetter) -> dict[str, Any]:
    """A dead letter as JSON."""
    return {
        "letter": letter.number,
        "sink": letter.sink,
        "problem": letter.problem,
        "died": stamp(letter.died_at),
        "signal": signal_document(sync, letter.told),
    }
