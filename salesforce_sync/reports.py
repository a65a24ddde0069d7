"""Runs, status and errors as text for a person and as JSON for a program."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from msgspec.structs import asdict

from salesforce_sync.app import Answer, Budget, Status
from salesforce_sync.errors import SyncError
from salesforce_sync.models.proof import Proof
from salesforce_sync.models.run import ObjectStatus, Problem, Run, RunCounts, RunRecord
from salesforce_sync.terminal import ago, counted, say, say_table, stamp, warn


def say_error(error: SyncError) -> None:
    """Say what went wrong and what to do about it."""
    _say_problem(error.code, error.message, error.hint)


def _say_problem(code: str, message: str, hint: str) -> None:
    warn(f"{code}: {message}")
    if hint:
        warn(f"  {hint}")


def error_document(error: SyncError) -> dict[str, Any]:
    """An error as the JSON document that every command gives in place of its answer."""
    return {"error": error.code, "message": error.message, "hint": error.hint}


# ── Runs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def say_run(run: Run) -> None:
    """Say what each object's part came to, then the sum; problems go to standard error."""
    say_table(
        ("object", "state", "rows", "inserted", "updated", "deleted"),
        [(each.object_name, each.state.value, *_counted(each.counts)) for each in run.objects],
    )
    say_run_briefly(run)


def say_run_briefly(run: Run, line: str | None = None) -> None:
    """Say the sum of a run in one line; problems go to standard error."""
    say(line or run_line(run))
    if run.again_at is not None:
        say(f"The next try is at {run.again_at:%H:%M} UTC, when API calls may be free again.")
    for problem, names in _by_problem(run).items():
        _say_problem(problem.code, f"{', '.join(names)}: {problem.message}", problem.hint)
    if run.undecided:
        edits = ", ".join(f"{counted(number, 'edit')} of {name}" for name, number in run.undecided.items())
        warn(f"Not sent, because both sides have changed: {edits}.")
        warn("  What needs a decision waits in the inbox: `salesforce-sync inbox`.")


def _by_problem(run: Run) -> dict[Problem, list[str]]:
    """Each problem once, with the objects that it concerns: an org out of reach concerns all of them alike."""
    concerned: dict[Problem, list[str]] = {}
    for each in run.objects:
        if each.problem is not None:
            concerned.setdefault(each.problem, []).append(each.object_name)
    return concerned


def _counted(counts: RunCounts) -> tuple[int, int, int, int]:
    return counts.rows, counts.inserted, counts.updated, counts.deleted


def run_line(run: Run) -> str:
    """A run in one line."""
    rows = sum(each.counts.rows for each in run.objects)
    rate = f", {rows / run.seconds:,.0f} rows/s" if rows and run.seconds else ""
    return (
        f"{run.state.value}: {counted(rows, 'row')}, {run.changed:,} changed, {run.seconds:.1f} s{rate}, "
        f"{counted(run.calls, 'API call')}"
    )


def run_document(run: Run) -> dict[str, Any]:
    """A run as JSON: its state, its cost, and each object's part."""
    return {
        "state": run.state.value,
        "run_id": run.run_id,
        "seconds": round(run.seconds, 3),
        "api_calls": run.calls,
        "changed": run.changed,
        "undecided": dict(run.undecided),
        "again_at": stamp(run.again_at),
        "objects": [_record_document(each) for each in run.objects],
    }


def _record_document(record: RunRecord) -> dict[str, Any]:
    return {
        "object": record.object_name,
        "state": record.state.value,
        **asdict(record.counts),
        "started": stamp(record.started),
        "seconds": round(record.seconds, 3),
        "problem": None if record.problem is None else asdict(record.problem),
    }


# ── Status ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_warnings(warnings: Sequence[str]) -> None:
    """Say, to standard error, which settings have no effect."""
    for each in warnings:
        warn(f"Warning: {each}")


def say_status(status: Status) -> None:
    """Say where the replica is, what it holds, how fresh that is, and what was proved."""
    now = datetime.now(UTC)
    say(f"database      {status.database}")
    say(f"connected to  {status.connected_to or 'nothing: fill in .env, or run `salesforce-sync connect`'}")
    for line in budget_lines(status.budget, now):
        say(line)
    say_warnings(status.warnings)
    say()
    if not status.objects:
        say("No object has been synced yet. Run `salesforce-sync sync`.")
        return
    say_table(
        ("object", "rows", "deleted", "last complete", "last run", "changes found by", "formulas read"),
        [
            (
                each.object_name,
                each.rows,
                each.tombstones,
                ago(each.last_complete, now),
                _last(each),
                each.method,
                _refreshed(each, now),
            )
            for each in status.objects
        ],
    )
    for each in status.objects:
        if each.reads_all:
            say(f"{each.object_name} has no stamp to ask by: every sync reads all its rows, so none is missed.")
    say()
    for each in status.objects:
        say(_proof(each, now))


def budget_lines(budget: Budget, now: datetime) -> list[str]:
    """The day's API calls: used, left and to be expected."""
    lines = []
    if budget.used is None or budget.told_at is None or budget.left is None:
        lines.append(f"API calls     at most {budget.ceiling:,} in 24 hours; the org has not said how many are used")
    else:
        told = f"{budget.used:,} of {budget.ceiling:,} used in 24 hours, said the org {ago(budget.told_at, now)}"
        lines.append(f"API calls     {told}; {budget.left:,} left for syncs")
    interval = int(budget.interval.total_seconds() // 60)
    lines.append(f"forecast      {forecast_line(budget)}; {budget.day:,} a day at one sync in {_minutes(interval)}")
    if budget.near_the_wall:
        lines.append("WARNING       Most of today's API calls are used. Syncs of the daemon come at longer intervals.")
    return lines


def forecast_line(budget: Budget) -> str:
    """What the next sync costs, object by object, if little has changed."""
    forecast = budget.next_sync
    parts = [f"{name} {calls:,}" for name, calls in forecast.objects if calls]
    if forecast.shared and parts:
        parts.insert(0, f"{forecast.shared:,} shared")
    if forecast.unknown:
        parts.append(f"first load of {', '.join(forecast.unknown)}")
    if budget.left is not None and forecast.calls > budget.left:
        parts.append("more than is left, so it will be partial")
    about = "at least" if forecast.unknown else "about"
    details = f" ({'; '.join(parts)})" if parts else ""
    return f"the next sync takes {about} {counted(forecast.calls, 'API call')}{details}"


def _minutes(count: int) -> str:
    return "a minute" if count == 1 else f"{count:,} minutes"


def _refreshed(each: ObjectStatus, now: datetime) -> str:
    return "has none" if each.refreshed_at is None else ago(each.refreshed_at, now)


def _proof(each: ObjectStatus, now: datetime) -> str:
    if each.proof is None:
        return f"{each.object_name}: nothing proved yet. `salesforce-sync verify` compares every id and stamp."
    return each.proof.line(now.date())


def _last(each: ObjectStatus) -> str:
    if each.last_run is None:
        return "never"
    problem = each.last_run.problem
    return each.last_run.state.value if problem is None else f"{each.last_run.state.value}: {problem.code}"


def status_document(status: Status) -> dict[str, Any]:
    """The status as JSON."""
    return {
        "database": str(status.database),
        "connected_to": status.connected_to,
        "api_calls": _budget_document(status.budget),
        "outbox": status.outbox,
        "inbox": status.inbox,
        "warnings": list(status.warnings),
        "objects": [_object_document(each) for each in status.objects],
    }


def _budget_document(budget: Budget) -> dict[str, Any]:
    forecast = budget.next_sync
    return {
        "spent": budget.spent,
        "used": budget.used,
        "limit": budget.limit,
        "ceiling": budget.ceiling,
        "left": budget.left,
        "told": stamp(budget.told_at),
        "warning": budget.near_the_wall,
        "next_sync": {"calls": forecast.calls, "shared": forecast.shared, "objects": dict(forecast.objects)},
        "day": budget.day,
    }


def _object_document(each: ObjectStatus) -> dict[str, Any]:
    return {
        "object": each.object_name,
        "rows": each.rows,
        "tombstones": each.tombstones,
        "staged_rows": each.staged_rows,
        "checkpoint": stamp(each.checkpoint),
        "last_complete": stamp(each.last_complete),
        "changes_found_by": each.method,
        "formulas_read": stamp(each.refreshed_at),
        "proof": None if each.proof is None else proof_document(each.proof),
        "last_run": None if each.last_run is None else _record_document(each.last_run),
    }


# ── Proofs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def say_proofs(run: Run, proofs: Sequence[Proof]) -> None:
    """Say what was proved, and what could not be compared."""
    for proof in proofs:
        say(proof.line())
    say_run_briefly(run, proofs_line(run))


def proofs_line(run: Run) -> str:
    """A verify in one line: what it brought is not what it compared."""
    cost = f"{run.seconds:.1f} s, {counted(run.calls, 'API call')}"
    return f"{run.state.value}: {counted(run.changed, 'row')} changed or repaired, {cost}"


def proof_document(proof: Proof) -> dict[str, Any]:
    """A proof as JSON."""
    return {
        "object": proof.object_name,
        "at": stamp(proof.at),
        "rows": proof.rows,
        "org_rows": proof.org_rows,
        "repaired": {cause.value: number for cause, number in proof.repaired},
    }


# ── Answers of a query ───────────────────────────────────────────────────────────────────────────────────────────


def say_answer(answer: Answer, limit: int) -> None:
    """Show the rows, and say so if there were more."""
    say_table(answer.columns, answer.rows)
    if answer.cut:
        warn(f"There are more rows than these {limit}: raise --limit to see them.")


def answer_document(answer: Answer) -> dict[str, Any]:
    """The rows as JSON objects; `cut` tells that there were more than the limit."""
    names = _distinct(answer.columns)
    rows = [dict(zip(names, row, strict=True)) for row in answer.rows]
    return {"columns": names, "rows": rows, "cut": answer.cut}


def _distinct(columns: Sequence[str]) -> list[str]:
    """A query may give two columns one name, a JSON object may not."""
    names: list[str] = []
    for column in columns:
        name, turn = column, 2
        while name in names:
            name, turn = f"{column}_{turn}", turn + 1
        names.append(name)
    return names
