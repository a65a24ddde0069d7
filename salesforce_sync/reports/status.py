"""Where the replica is, what it holds, how fresh that is, and what is left of the day's API calls."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from salesforce_sync.app import Budget, Status
from salesforce_sync.errors import FieldRefused
from salesforce_sync.models.run import ObjectStatus
from salesforce_sync.models.schema import Refusal
from salesforce_sync.process.terminal import ago, counted, say, say_table, stamp, warn
from salesforce_sync.reports.runs import proof_document, record_document


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
        if each.reads_all and each.last_complete is not None:
            say(f"{each.object_name} has no stamp to ask by: every sync reads all its rows, so none is missed.")
        if each.method == "CreatedDate":
            say(f"{each.object_name} has no stamp that moves when a row is deleted: verify finds what is gone.")
        if each.method == "LastModifiedDate":
            moves = (
                f"{each.object_name} is asked by LastModifiedDate, which a deletion does not move, nor an undeletion"
            )
            say(f"{moves}: verify finds what is deleted or back.")
        if each.undescribed is not None:
            say(each.undescribed.message)
            say(f"  {each.undescribed.hint}")
        for refusal in each.refused:
            refused = FieldRefused.told((refusal.field,), each.object_name, refusal.since, refusal.again_at)
            say(refused.message)
            say(f"  {refused.hint}")
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
    lines.append(f"forecast      {forecast_line(budget)}; {budget.day:,} a day, each object at its interval")
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
        parts.append("more than is left, so it may be partial")
    about = "at least" if forecast.unknown else "about"
    details = f" ({'; '.join(parts)})" if parts else ""
    return f"the next sync takes {about} {counted(forecast.calls, 'API call')}{details}"


def _refreshed(each: ObjectStatus, now: datetime) -> str:
    return ago(each.refreshed_at, now) if each.refreshes else "has none"


def _proof(each: ObjectStatus, now: datetime) -> str:
    if each.loss_refused is not None and each.proof is None:
        return f"{each.object_name}: nothing proved yet; refused: {each.loss_refused}{_agree(each)}"
    if each.proof is None:
        return f"{each.object_name}: nothing proved yet. `salesforce-sync verify` compares every id and stamp."
    refused = "" if each.loss_refused is None else f"; refused since: {each.loss_refused}{_agree(each)}"
    gone = "; the org knows it no more" if each.is_gone else ""
    without = f"; without {each.left_out}, which the org refuses to read" if each.left_out else ""
    return each.proof.line(now.date()) + refused + without + gone


def _agree(each: ObjectStatus) -> str:
    return f" If that is right: `salesforce-sync sync --accept-loss {each.object_name}`."


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
        "has_formulas": each.refreshes,
        "proof": None if each.proof is None else proof_document(each.proof),
        "loss_refused": each.loss_refused,
        "refused_fields": [_refusal_document(refusal) for refusal in each.refused],
        "last_run": None if each.last_run is None else record_document(each.last_run),
    }


def _refusal_document(refusal: Refusal) -> dict[str, Any]:
    times = {"since": refusal.since, "tried": refusal.tried, "again_at": refusal.again_at}
    return {"field": refusal.field} | {key: stamp(value) for key, value in times.items()}
